/* The rules of contentStart: which block may begin where. */
#include "gateway/local/rules_state.h"

#include <stdlib.h>
#include <string.h>

/* Blocks of context that AWS documents. */
#define HISTORY_BLOCKS_USUAL 40

static void
check_context_role(struct rules *r, struct shape *s)
{
    enum role role = r->block.role;

    if (r->block.interactive)
        shape_fail(s, "interactive must be false for SYSTEM and history, "
                      "before the AUDIO block");
    if (r->order == ORDER_SYSTEM && role != ROLE_SYSTEM)
        rules_breach(s, MESSAGE_SYSTEM_FIRST,
                     "the first block of a prompt must be SYSTEM");
    if (r->order == ORDER_SYSTEM)
        return;
    if (role == ROLE_SYSTEM)
        shape_fail(s, "a prompt has one SYSTEM block");
    if (role == ROLE_SYSTEM_SPEECH) {
        if (r->family == FAMILY_V1)
            shape_fail(s, "role SYSTEM_SPEECH needs Nova 2 or later");
        if (r->history_blocks > 0)
            shape_fail(s, "SYSTEM_SPEECH stands before the history");
        return;
    }
    if (r->history_blocks == 0 && role != ROLE_USER)
        shape_fail(s, "history must begin with USER");
    if (r->history_blocks > 0 && role == r->last_role)
        shape_odd(s, "history should alternate between USER and ASSISTANT");
    r->last_role = role;
    if (++r->history_blocks == HISTORY_BLOCKS_USUAL + 1)
        shape_odd(s, "history of more than %d messages is cut by some models",
                  HISTORY_BLOCKS_USUAL);
}

static void
check_live_text(struct rules *r, struct shape *s)
{
    if (!r->block.interactive)
        shape_fail(s, "history was due before the AUDIO block; live text "
                      "needs interactive true");
    else if (r->block.role != ROLE_USER)
        shape_fail(s, "live text must have role USER");
    else if (r->order != ORDER_STREAMING)
        shape_fail(s, "live text needs the AUDIO block to be open");
    else if (r->family == FAMILY_V1)
        shape_odd(s, "v1 never answers a text; it needs Nova 2 or later");
}

static void
start_text(struct rules *r, struct shape *s, const cJSON *object)
{
    const cJSON *config = shape_object(s, object, "textInputConfiguration");

    shape_only(s, object,
               "promptName contentName type interactive role "
               "textInputConfiguration");
    if (config != NULL) {
        shape_only(s, config, "mediaType");
        shape_is(s, config, "mediaType", "text/plain");
    }
    r->block.interactive = shape_bool(s, object, "interactive");
    if (!block_take_role(&r->block, s, object))
        return;
    if (r->order == ORDER_SYSTEM || r->order == ORDER_HISTORY)
        check_context_role(r, s);
    else
        check_live_text(r, s);
    r->block.type = BLOCK_TEXT;
}

static void
start_tool(struct rules *r, struct shape *s, const cJSON *object)
{
    const cJSON *config =
        shape_object(s, object, "toolResultInputConfiguration");
    const cJSON *media;
    const char *id;

    shape_only(s, object,
               "promptName contentName type interactive role "
               "toolResultInputConfiguration");
    shape_is(s, object, "role", "TOOL");
    if (shape_bool(s, object, "interactive"))
        shape_odd(s, "interactive should be false for TOOL");
    if (config == NULL)
        return;
    shape_only(s, config, "toolUseId type textInputConfiguration");
    shape_is(s, config, "type", "TEXT");
    media = shape_object(s, config, "textInputConfiguration");
    if (media != NULL)
        shape_is(s, media, "mediaType", "text/plain");
    id = shape_string(s, config, "toolUseId");
    if (id == NULL)
        return;
    if (!names_has(&r->open_tools, id))
        shape_fail(s,
                   "toolUseId %.64s is not waiting for a result on this "
                   "stream",
                   id);
    r->block.tool_use_id = rules_keep(s, id);
    r->block.type = BLOCK_TOOL;
}

static void
start_audio(struct rules *r, struct shape *s, const cJSON *object,
            const char *name, struct input *input)
{
    const cJSON *config = shape_object(s, object, "audioInputConfiguration");

    shape_only(s, object,
               "promptName contentName type interactive role "
               "audioInputConfiguration");
    if (r->order == ORDER_SYSTEM) {
        rules_breach(s, MESSAGE_SYSTEM_FIRST,
                     "the first block of a prompt must be SYSTEM");
    } else if (r->order != ORDER_HISTORY) {
        shape_fail(s, "a prompt has one AUDIO block");
    }
    shape_is(s, object, "role", "USER");
    if (!shape_bool(s, object, "interactive"))
        shape_fail(s, "interactive must be true for AUDIO");
    if (config == NULL)
        return;
    shape_only(s, config,
               "mediaType sampleRateHertz sampleSizeBits channelCount "
               "audioType encoding");
    input->rate_hz = shape_audio_format(s, config);
    free(r->audio_name);
    r->audio_name = rules_keep(s, name);
    r->order = ORDER_STREAMING;
    r->prompt_had_audio = true;
    input->kind = INPUT_AUDIO_START;
}

void
rules_content_start(struct rules *r, struct shape *s, const cJSON *object,
                    struct input *input)
{
    const char *name = shape_string(s, object, "contentName");
    const char *type = shape_string(s, object, "type");

    if (!rules_is_prompt(r, s, object) || name == NULL || type == NULL)
        return;
    if (r->block.type != BLOCK_NONE) {
        if (r->block.type == BLOCK_TEXT && strcmp(type, "AUDIO") == 0)
            rules_breach(s, MESSAGE_HISTORY, "a TEXT block is still open");
        shape_fail(s, "block %.40s is still open", r->block.name);
        return;
    }
    if (r->names.count >= NAMES_MAX) {
        shape_fail(s, "more than %d blocks on one stream", NAMES_MAX);
        return;
    }
    if (!names_add(&r->names, name)) {
        shape_fail(s, "contentName %.40s was used before", name);
        return;
    }
    if (strcmp(type, "AUDIO") == 0) {
        start_audio(r, s, object, name, input);
        return;
    }
    block_fini(&r->block);
    r->block.name = rules_keep(s, name);
    if (strcmp(type, "TEXT") == 0)
        start_text(r, s, object);
    else if (strcmp(type, "TOOL") == 0)
        start_tool(r, s, object);
    else
        shape_fail(s, "type %.40s is none of TEXT, AUDIO, TOOL", type);
}

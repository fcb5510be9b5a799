#include <stdlib.h>
#include <string.h>

#include "gateway/sonic/encode.h"
#include "gateway/sonic/object.h"
#include "gateway/sonic/utf8.h"

/* One event under construction; a failure to allocate sticks. */
struct event {
    cJSON *root;
    cJSON *body;
    bool failed;
};

const char *
sonic_role_name(enum sonic_role role)
{
    static const char *const names[] = {
        [SONIC_ROLE_NONE] = "",
        [SONIC_ROLE_SYSTEM] = "SYSTEM",
        [SONIC_ROLE_SYSTEM_SPEECH] = "SYSTEM_SPEECH",
        [SONIC_ROLE_USER] = "USER",
        [SONIC_ROLE_ASSISTANT] = "ASSISTANT",
        [SONIC_ROLE_TOOL] = "TOOL",
    };
    return (unsigned)role < sizeof names / sizeof *names ? names[role] : "";
}

static void
put_string(struct event *event, cJSON *object, const char *key,
           const char *value)
{
    if (!cJSON_AddStringToObject(object, key, value))
        event->failed = true;
}

static void
put_number(struct event *event, cJSON *object, const char *key, double value)
{
    if (!cJSON_AddNumberToObject(object, key, value))
        event->failed = true;
}

static void
put_bool(struct event *event, cJSON *object, const char *key, bool value)
{
    if (!cJSON_AddBoolToObject(object, key, value))
        event->failed = true;
}

static cJSON *
put_object(struct event *event, cJSON *object, const char *key)
{
    cJSON *inner = cJSON_AddObjectToObject(object, key);
    if (!inner)
        event->failed = true;
    return inner;
}

static void
put_copy(struct event *event, cJSON *object, const char *key,
         const cJSON *value)
{
    cJSON *copy = cJSON_Duplicate(value, true);
    if (copy && cJSON_AddItemToObject(object, key, copy))
        return;
    cJSON_Delete(copy);
    event->failed = true;
}

static void
event_init(struct event *event, const char *name)
{
    event->failed = false;
    event->root = cJSON_CreateObject();
    event->body =
        put_object(event, put_object(event, event->root, "event"), name);
}

/* Appends the event and frees it. */
static enum vr_status
event_fini(struct event *event, struct sonic_batch *batch)
{
    enum vr_status status = VR_NO_MEMORY;
    char *text = event->failed ? NULL : cJSON_PrintUnformatted(event->root);
    if (text)
        status = sonic_batch_append(batch, text, strlen(text));
    cJSON_free(text);
    cJSON_Delete(event->root);
    return status;
}

/* Objects member by member, any other value replaces. */
static void
merge(struct event *event, cJSON *into, const cJSON *from)
{
    for (const cJSON *theirs = from->child; theirs; theirs = theirs->next) {
        cJSON *ours = cJSON_GetObjectItemCaseSensitive(into, theirs->string);
        if (cJSON_IsObject(ours) && cJSON_IsObject(theirs)) {
            merge(event, ours, theirs);
            continue;
        }
        if (ours)
            cJSON_DeleteItemFromObjectCaseSensitive(into, theirs->string);
        put_copy(event, into, theirs->string, theirs);
    }
}

static bool
extra_valid(const cJSON *extra)
{
    return !extra || cJSON_IsNull(extra) || cJSON_IsObject(extra);
}

static void
merge_extra(struct event *event, const cJSON *extra)
{
    if (!event->failed && cJSON_IsObject(extra))
        merge(event, event->body, extra);
}

enum vr_status
sonic_encode_session_start(struct sonic_batch *batch,
                           const struct sonic_session_start *start)
{
    struct event e;
    if (!extra_valid(start->extra))
        return VR_INVALID;
    event_init(&e, "sessionStart");
    cJSON *inference = put_object(&e, e.body, "inferenceConfiguration");
    if (start->max_tokens > 0)
        put_number(&e, inference, "maxTokens", start->max_tokens);
    if (start->top_p >= 0)
        put_number(&e, inference, "topP", start->top_p);
    if (start->temperature >= 0)
        put_number(&e, inference, "temperature", start->temperature);
    if (start->endpointing_sensitivity) {
        cJSON *turns = put_object(&e, e.body, "turnDetectionConfiguration");
        put_string(&e, turns, "endpointingSensitivity",
                   start->endpointing_sensitivity);
    }
    merge_extra(&e, start->extra);
    return event_fini(&e, batch);
}

static void
put_media_type(struct event *event, cJSON *object, const char *key,
               const char *media_type)
{
    put_string(event, put_object(event, object, key), "mediaType", media_type);
}

/* What audio of both directions has in common. */
static cJSON *
put_audio_format(struct event *event, const char *key, uint32_t rate_hz)
{
    cJSON *format = put_object(event, event->body, key);
    put_string(event, format, "mediaType", "audio/lpcm");
    put_number(event, format, "sampleRateHertz", rate_hz);
    put_number(event, format, "sampleSizeBits", 16);
    put_number(event, format, "channelCount", 1);
    put_string(event, format, "audioType", "SPEECH");
    put_string(event, format, "encoding", "base64");
    return format;
}

static void
put_tool(struct event *event, cJSON *tools, const struct sonic_tool_spec *tool)
{
    cJSON *item = cJSON_CreateObject();
    if (!item || !cJSON_AddItemToArray(tools, item)) {
        cJSON_Delete(item);
        event->failed = true;
        return;
    }
    cJSON *spec = put_object(event, item, "toolSpec");
    put_string(event, spec, "name", tool->name);
    if (tool->description)
        put_string(event, spec, "description", tool->description);
    put_string(event, put_object(event, spec, "inputSchema"), "json",
               tool->schema ? tool->schema : "{\"type\":\"object\"}");
}

static void
put_tools(struct event *event, const struct sonic_prompt_start *start)
{
    put_media_type(event, event->body, "toolUseOutputConfiguration",
                   "application/json");
    cJSON *config = put_object(event, event->body, "toolConfiguration");
    cJSON *tools = cJSON_AddArrayToObject(config, "tools");
    for (size_t i = 0; i < start->tool_count; i++)
        put_tool(event, tools, &start->tools[i]);
    if (start->tool_choice && !cJSON_IsNull(start->tool_choice))
        put_copy(event, config, "toolChoice", start->tool_choice);
}

enum vr_status
sonic_encode_prompt_start(struct sonic_batch *batch,
                          const struct sonic_prompt_start *start)
{
    struct event e;
    if (!extra_valid(start->extra))
        return VR_INVALID;
    event_init(&e, "promptStart");
    put_media_type(&e, e.body, "textOutputConfiguration", "text/plain");
    cJSON *audio =
        put_audio_format(&e, "audioOutputConfiguration", start->output_rate_hz);
    put_string(&e, audio, "voiceId", start->voice);
    if (start->tool_count > 0)
        put_tools(&e, start);
    merge_extra(&e, start->extra);
    cJSON_DeleteItemFromObjectCaseSensitive(e.body, "promptName");
    put_string(&e, e.body, "promptName", start->prompt_name);
    return event_fini(&e, batch);
}

static void
names_init(struct event *event, const char *event_name, const char *prompt_name,
           const char *content_name)
{
    event_init(event, event_name);
    put_string(event, event->body, "promptName", prompt_name);
    put_string(event, event->body, "contentName", content_name);
}

static void
content_start_init(struct event *event, const char *prompt_name,
                   const char *content_name, const char *type, bool interactive,
                   enum sonic_role role)
{
    names_init(event, "contentStart", prompt_name, content_name);
    put_string(event, event->body, "type", type);
    put_bool(event, event->body, "interactive", interactive);
    put_string(event, event->body, "role", sonic_role_name(role));
}

static enum vr_status
append_content(struct sonic_batch *batch, const char *event_name,
               const char *prompt_name, const char *content_name,
               const char *content)
{
    struct event e;
    names_init(&e, event_name, prompt_name, content_name);
    put_string(&e, e.body, "content", content);
    return event_fini(&e, batch);
}

/* A textInput for each piece; `text` is valid UTF-8 and comes back unchanged. */
static enum vr_status
append_pieces(struct sonic_batch *batch, const struct sonic_text_block *block,
              char *text, size_t bytes)
{
    size_t limit =
        block->piece_bytes ? block->piece_bytes : SONIC_TEXT_PIECE_BYTES;
    enum vr_status status = VR_OK;
    while (bytes > 0 && status == VR_OK) {
        size_t piece = sonic_utf8_cut(text, bytes, limit);
        char after = text[piece];
        text[piece] = '\0';
        status = append_content(batch, "textInput", block->prompt_name,
                                block->content_name, text);
        text[piece] = after;
        text += piece;
        bytes -= piece;
    }
    return status;
}

static enum vr_status
append_text(struct sonic_batch *batch, const struct sonic_text_block *block,
            char *text, size_t bytes)
{
    struct event e;
    content_start_init(&e, block->prompt_name, block->content_name, "TEXT",
                       block->interactive, block->role);
    put_media_type(&e, e.body, "textInputConfiguration", "text/plain");
    enum vr_status status = event_fini(&e, batch);
    if (status == VR_OK)
        status = append_pieces(batch, block, text, bytes);
    if (status == VR_OK)
        status = sonic_encode_content_end(batch, block->prompt_name,
                                          block->content_name);
    return status;
}

static bool
text_block_valid(const struct sonic_text_block *block)
{
    bool speaks = block->role == SONIC_ROLE_SYSTEM ||
                  block->role == SONIC_ROLE_SYSTEM_SPEECH ||
                  block->role == SONIC_ROLE_USER ||
                  block->role == SONIC_ROLE_ASSISTANT;
    bool progress = block->piece_bytes == 0 || block->piece_bytes >= 4;
    return speaks && progress && block->text_bytes > 0;
}

enum vr_status
sonic_encode_text(struct sonic_batch *batch,
                  const struct sonic_text_block *block)
{
    if (!text_block_valid(block))
        return VR_INVALID;
    size_t bytes = sonic_utf8_clean(block->text, block->text_bytes, NULL);
    char *text = malloc(bytes + 1);
    if (!text)
        return VR_NO_MEMORY;
    sonic_utf8_clean(block->text, block->text_bytes, text);
    text[bytes] = '\0';
    size_t before = sonic_batch_count(batch);
    enum vr_status status = append_text(batch, block, text, bytes);
    if (status != VR_OK)
        sonic_batch_truncate(batch, before);
    free(text);
    return status;
}

enum vr_status
sonic_encode_audio_start(struct sonic_batch *batch, const char *prompt_name,
                         const char *content_name, uint32_t rate_hz)
{
    struct event e;
    content_start_init(&e, prompt_name, content_name, "AUDIO", true,
                       SONIC_ROLE_USER);
    put_audio_format(&e, "audioInputConfiguration", rate_hz);
    return event_fini(&e, batch);
}

static enum vr_status
append_tool_result(struct sonic_batch *batch,
                   const struct sonic_tool_result *result, const char *content)
{
    struct event e;
    content_start_init(&e, result->prompt_name, result->content_name, "TOOL",
                       false, SONIC_ROLE_TOOL);
    cJSON *config = put_object(&e, e.body, "toolResultInputConfiguration");
    put_string(&e, config, "toolUseId", result->tool_use_id);
    put_string(&e, config, "type", "TEXT");
    put_media_type(&e, config, "textInputConfiguration", "text/plain");
    enum vr_status status = event_fini(&e, batch);
    if (status == VR_OK)
        status = append_content(batch, "toolResult", result->prompt_name,
                                result->content_name, content);
    if (status == VR_OK)
        status = sonic_encode_content_end(batch, result->prompt_name,
                                          result->content_name);
    return status;
}

enum vr_status
sonic_encode_tool_result(struct sonic_batch *batch,
                         const struct sonic_tool_result *result)
{
    char *content = sonic_object_result(result->content, result->content_bytes);
    if (!content)
        return VR_NO_MEMORY;
    size_t before = sonic_batch_count(batch);
    enum vr_status status = append_tool_result(batch, result, content);
    if (status != VR_OK)
        sonic_batch_truncate(batch, before);
    free(content);
    return status;
}

enum vr_status
sonic_encode_content_end(struct sonic_batch *batch, const char *prompt_name,
                         const char *content_name)
{
    struct event e;
    names_init(&e, "contentEnd", prompt_name, content_name);
    return event_fini(&e, batch);
}

enum vr_status
sonic_encode_prompt_end(struct sonic_batch *batch, const char *prompt_name)
{
    struct event e;
    event_init(&e, "promptEnd");
    put_string(&e, e.body, "promptName", prompt_name);
    return event_fini(&e, batch);
}

enum vr_status
sonic_encode_session_end(struct sonic_batch *batch)
{
    struct event e;
    event_init(&e, "sessionEnd");
    return event_fini(&e, batch);
}

#include "gateway/local/rules.h"

#include "gateway/local/jsontext.h"
#include "gateway/local/rules_state.h"

#include <stdlib.h>
#include <string.h>

#define EVENT_BYTES_MAX 1000000
/* What AWS documents, and what its own samples send and is taken. */
#define TEXT_INPUT_BYTES_USUAL 1024
#define TEXT_INPUT_BYTES_MAX 51200
#define HISTORY_BYTES_USUAL 40960
#define HISTORY_BYTES_MAX 204800

struct rules *
rules_new(enum family family, shape_note_fn *note, void *arg)
{
    struct rules *r = calloc(1, sizeof(*r));

    if (r == NULL)
        return NULL;
    r->family = family;
    r->note = note;
    r->arg = arg;
    return r;
}

void
rules_free(struct rules **rules)
{
    struct rules *r = *rules;

    if (r == NULL)
        return;
    prompt_fini(&r->prompt);
    free(r->prompt_name);
    free(r->audio_name);
    block_fini(&r->block);
    block_fini(&r->finished);
    names_fini(&r->names);
    names_fini(&r->prompts);
    names_fini(&r->open_tools);
    samples_fini(&r->samples);
    free(r);
    *rules = NULL;
}

const char *
rules_message(const struct rules *rules)
{
    return rules->message;
}

bool
rules_on_tool_use(struct rules *rules, const char *tool_use_id)
{
    return names_add(&rules->open_tools, tool_use_id);
}

bool
rules_ended(const struct rules *rules)
{
    return rules->order == ORDER_ENDED;
}

char *
rules_keep(struct shape *s, const char *text)
{
    char *copy = strdup(text);

    if (copy == NULL)
        shape_fail(s, "out of memory");
    return copy;
}

void
rules_breach(struct shape *s, const char *message, const char *problem)
{
    if (s->failed)
        return;
    s->message = message;
    shape_fail(s, "%s", problem);
}

bool
rules_is_prompt(const struct rules *r, struct shape *s, const cJSON *object)
{
    const char *name = shape_string(s, object, "promptName");

    if (name == NULL)
        return false;
    if (r->prompt_name == NULL)
        shape_fail(s, "no prompt is open");
    else if (strcmp(name, r->prompt_name) != 0)
        shape_fail(s, "promptName %.40s is not that of promptStart, %.40s",
                   name, r->prompt_name);
    return !s->failed;
}

/* ---- sessionStart, promptStart ------------------------------------------ */

static void
on_session_start(struct rules *r, struct shape *s, const cJSON *object,
                 struct input *input)
{
    if (r->order != ORDER_START) {
        shape_fail(s, "the session has started already");
        return;
    }
    input->sensitivity = inference_take(s, object, r->family);
    input->kind = INPUT_SESSION;
    r->order = ORDER_SESSION;
}

static void
on_prompt_start(struct rules *r, struct shape *s, const cJSON *object,
                struct input *input)
{
    if (r->order != ORDER_SESSION) {
        shape_fail(s, "the prompt before it has not ended");
        return;
    }
    prompt_fini(&r->prompt);
    prompt_init(&r->prompt, s, object, r->family);
    if (s->failed)
        return;
    if (!names_add(&r->prompts, r->prompt.name)) {
        shape_fail(s, "promptName %.40s was used before", r->prompt.name);
        return;
    }
    free(r->prompt_name);
    r->prompt_name = rules_keep(s, r->prompt.name);
    r->order = ORDER_SYSTEM;
    r->prompt_had_audio = false;
    r->history_bytes = 0;
    r->history_blocks = 0;
    input->kind = INPUT_PROMPT;
    input->prompt = &r->prompt;
}

/* ---- content ------------------------------------------------------------- */

/* The content of an event that belongs to the open block of that type. */
static const char *
block_content(struct rules *r, struct shape *s, const cJSON *object,
              enum block_type type)
{
    const char *name = shape_string(s, object, "contentName");
    const char *content = shape_text(s, object, "content");

    shape_only(s, object, "promptName contentName content role");
    if (!rules_is_prompt(r, s, object) || name == NULL || content == NULL)
        return NULL;
    if (r->block.type == type && strcmp(name, r->block.name) == 0)
        return content;
    shape_fail(s, "contentName %.40s is not that of an open %s block", name,
               type == BLOCK_TEXT ? "TEXT" : "TOOL");
    return NULL;
}

static void
count_history(struct rules *r, struct shape *s, size_t bytes)
{
    bool usual = r->history_bytes <= HISTORY_BYTES_USUAL;

    r->history_bytes += bytes;
    if (r->history_bytes > HISTORY_BYTES_MAX)
        shape_fail(s, "the history exceeds %d bytes", HISTORY_BYTES_MAX);
    else if (usual && r->history_bytes > HISTORY_BYTES_USUAL)
        shape_odd(s, "the history exceeds %d bytes, what AWS documents",
                  HISTORY_BYTES_USUAL);
}

static void
on_text_input(struct rules *r, struct shape *s, const cJSON *object)
{
    const char *content = block_content(r, s, object, BLOCK_TEXT);
    size_t bytes;

    if (content == NULL)
        return;
    bytes = strlen(content);
    if (bytes > TEXT_INPUT_BYTES_MAX) {
        shape_fail(s,
                   "content has %zu bytes, at most %d are allowed; send more "
                   "textInput events in the block",
                   bytes, TEXT_INPUT_BYTES_MAX);
        return;
    }
    if (bytes == 0)
        shape_odd(s, "content is empty");
    if (bytes > TEXT_INPUT_BYTES_USUAL)
        shape_odd(s, "content has %zu bytes; AWS documents %d at most", bytes,
                  TEXT_INPUT_BYTES_USUAL);
    if (!block_append(&r->block, s, content))
        return;
    if (r->block.role >= ROLE_USER && !r->block.interactive)
        count_history(r, s, bytes);
}

static void
on_tool_result(struct rules *r, struct shape *s, const cJSON *object)
{
    const char *content = block_content(r, s, object, BLOCK_TOOL);

    if (content == NULL)
        return;
    if (r->block.pieces > 0)
        shape_fail(s, "a TOOL block holds one toolResult");
    block_append(&r->block, s, content);
}

static void
on_audio_input(struct rules *r, struct shape *s, const cJSON *object,
               struct input *input)
{
    const char *name = shape_string(s, object, "contentName");
    const char *content = shape_text(s, object, "content");
    long bytes;

    shape_only(s, object, "promptName contentName content role");
    if (!rules_is_prompt(r, s, object) || name == NULL || content == NULL)
        return;
    if (r->block.type == BLOCK_TEXT)
        rules_breach(s, MESSAGE_HISTORY, "audio inside an open TEXT block");
    if (r->block.type == BLOCK_TOOL)
        shape_odd(s, "audio inside an open TOOL block");
    if (r->order != ORDER_STREAMING || strcmp(name, r->audio_name) != 0) {
        shape_fail(s, "contentName %.40s is not that of an open AUDIO block",
                   name);
        return;
    }
    bytes = samples_decode(&r->samples, content, strlen(content));
    if (bytes < 0)
        shape_fail(s, "content is not base64");
    else if (bytes % 2 != 0)
        shape_fail(s,
                   "content holds %ld bytes, 16-bit samples need an even "
                   "number",
                   bytes);
    else if (bytes == 0)
        shape_odd(s, "content is empty");
    input->kind = INPUT_AUDIO;
    input->samples = r->samples.data;
    input->frames = bytes < 0 ? 0 : (size_t)bytes / 2;
}

/* ---- ends ---------------------------------------------------------------- */

static void
check_result(struct rules *r, struct shape *s)
{
    cJSON *result = NULL;

    if (r->block.pieces != 1)
        rules_breach(s, MESSAGE_TOOL_RESULT,
                     "the TOOL block holds no toolResult");
    else
        result = cJSON_ParseWithOpts(r->block.text, NULL, true);
    if (!cJSON_IsObject(result))
        rules_breach(s, MESSAGE_TOOL_RESULT,
                     "the result is not the text of a JSON object");
    cJSON_Delete(result);
    if (!names_remove(&r->open_tools, r->block.tool_use_id))
        shape_fail(s, "the tool use was answered already");
}

static void
end_text(struct rules *r, struct shape *s, struct input *input)
{
    if (r->finished.pieces == 0)
        shape_odd(s, "the TEXT block holds no textInput");
    if (r->finished.interactive) {
        if (r->finished.text_bytes > 0)
            input->kind = INPUT_TEXT;
    } else {
        input->kind = INPUT_CONTEXT;
        input->role = r->finished.role;
    }
    if (r->order == ORDER_SYSTEM)
        r->order = ORDER_HISTORY;
}

static void
end_block(struct rules *r, struct shape *s, struct input *input)
{
    if (r->block.type == BLOCK_TOOL)
        check_result(r, s);
    block_fini(&r->finished);
    r->finished = r->block;
    memset(&r->block, 0, sizeof(r->block));
    input->text = r->finished.text == NULL ? "" : r->finished.text;
    input->text_bytes = r->finished.text_bytes;
    if (r->finished.type == BLOCK_TOOL) {
        input->kind = INPUT_TOOL_RESULT;
        input->tool_use_id = r->finished.tool_use_id;
    } else {
        end_text(r, s, input);
    }
}

static void
on_content_end(struct rules *r, struct shape *s, const cJSON *object,
               struct input *input)
{
    const char *name = shape_string(s, object, "contentName");

    shape_only(s, object, "promptName contentName");
    if (!rules_is_prompt(r, s, object) || name == NULL)
        return;
    if (r->block.type != BLOCK_NONE && strcmp(name, r->block.name) == 0) {
        end_block(r, s, input);
        return;
    }
    if (r->order == ORDER_STREAMING && strcmp(name, r->audio_name) == 0) {
        if (r->block.type == BLOCK_TEXT)
            rules_breach(s, MESSAGE_HISTORY, "a TEXT block is still open");
        r->order = ORDER_CLOSING;
        input->kind = INPUT_AUDIO_END;
        return;
    }
    shape_fail(s, "contentName %.40s is not that of an open block", name);
}

static void
on_prompt_end(struct rules *r, struct shape *s, const cJSON *object,
              struct input *input)
{
    shape_only(s, object, "promptName");
    if (!rules_is_prompt(r, s, object))
        return;
    if (r->block.type != BLOCK_NONE)
        shape_fail(s, "block %.40s is still open", r->block.name);
    if (r->order == ORDER_STREAMING)
        shape_fail(s, "the AUDIO block must end first");
    if (!r->prompt_had_audio) {
        if (r->family == FAMILY_V1)
            shape_fail(s, "the prompt never had an AUDIO block");
        else
            shape_odd(s, "the prompt never had an AUDIO block");
    }
    free(r->prompt_name);
    r->prompt_name = NULL;
    r->order = ORDER_SESSION;
    input->kind = INPUT_PROMPT_END;
}

static void
on_session_end(struct rules *r, struct shape *s, const cJSON *object,
               struct input *input)
{
    shape_only(s, object, "");
    if (r->order == ORDER_START)
        shape_fail(s, "the session has not started");
    else if (r->order != ORDER_SESSION)
        shape_fail(s, "promptEnd must come first");
    r->order = ORDER_ENDED;
    input->kind = INPUT_SESSION_END;
}

/* ---- one event ----------------------------------------------------------- */

static void
dispatch(struct rules *r, struct shape *s, const cJSON *object,
         struct input *input)
{
    const char *name = s->event;

    if (strcmp(name, "audioInput") == 0)
        on_audio_input(r, s, object, input);
    else if (strcmp(name, "textInput") == 0)
        on_text_input(r, s, object);
    else if (strcmp(name, "toolResult") == 0)
        on_tool_result(r, s, object);
    else if (strcmp(name, "contentStart") == 0)
        rules_content_start(r, s, object, input);
    else if (strcmp(name, "contentEnd") == 0)
        on_content_end(r, s, object, input);
    else if (strcmp(name, "promptStart") == 0)
        on_prompt_start(r, s, object, input);
    else if (strcmp(name, "promptEnd") == 0)
        on_prompt_end(r, s, object, input);
    else if (strcmp(name, "sessionStart") == 0)
        on_session_start(r, s, object, input);
    else if (strcmp(name, "sessionEnd") == 0)
        on_session_end(r, s, object, input);
    else
        shape_fail(s, "there is no such input event");
}

static void
judge(struct rules *r, struct shape *s, const cJSON *root, struct input *input)
{
    const cJSON *event = shape_object(s, root, "event");

    if (event == NULL)
        return;
    shape_only(s, root, "event");
    if (cJSON_GetArraySize(event) != 1 || !cJSON_IsObject(event->child)) {
        shape_fail(s, "event must hold exactly one object, named after the "
                      "event");
        return;
    }
    s->event = event->child->string;
    if (r->order == ORDER_ENDED)
        shape_fail(s, "nothing may follow sessionEnd");
    else if (r->order == ORDER_START && strcmp(s->event, "sessionStart") != 0)
        shape_fail(s, "sessionStart must come first");
    else
        dispatch(r, s, event->child, input);
}

static bool
is_blank(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p == end;
}

bool
rules_on_event(struct rules *rules, const char *json, size_t json_bytes,
               struct input *input)
{
    struct shape s = {"event", rules->note, rules->arg, false, NULL, ""};
    const char *end = NULL;
    cJSON *root = NULL;

    memset(input, 0, sizeof(*input));
    if (json_bytes > EVENT_BYTES_MAX)
        shape_fail(&s, "%zu bytes, at most %d are allowed", json_bytes,
                   EVENT_BYTES_MAX);
    else if (!jsontext_is_utf8(json, json_bytes))
        shape_fail(&s, "not well-formed UTF-8");
    else
        root = cJSON_ParseWithLengthOpts(json, json_bytes, &end, false);
    if (root == NULL || !is_blank(end, json + json_bytes))
        shape_fail(&s, "not one JSON text");
    else
        judge(rules, &s, root, input);
    if (s.failed) {
        rules->message = s.message == NULL ? MESSAGE_INVALID : s.message;
        rules->note(rules->arg, s.problem);
    }
    cJSON_Delete(root);
    return !s.failed;
}

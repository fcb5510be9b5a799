/* One function for each kind of event: what its members say. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base64.h"
#include "gateway/sonic/decoder.h"
#include "gateway/sonic/object.h"

/* Integers up to here are exact in a JSON number. */
#define INTEGER_MAX 9007199254740992.0

/* A member and where it stands, for reports. */
struct reader {
    struct sonic_decoder *decoder;
    enum sonic_event_type type;
    const cJSON *body;
};

static const struct sonic_span nothing = {"", 0};

static void
wrong_type(struct reader *r, const char *key, const char *expected)
{
    decoder_problem(r->decoder, SONIC_PROBLEM_WRONG_TYPE, expected,
                    "event.%s.%s", sonic_event_name(r->type), key);
}

/* A member, NULL if it is absent or null. */
static const cJSON *
member(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNull(item) ? NULL : item;
}

static struct sonic_span
string(struct reader *r, const char *key)
{
    const cJSON *item = member(r->body, key);
    if (!item)
        return nothing;
    if (!cJSON_IsString(item)) {
        wrong_type(r, key, "a string");
        return nothing;
    }
    return (struct sonic_span){item->valuestring, strlen(item->valuestring)};
}

static const cJSON *
object(struct reader *r, const cJSON *parent, const char *key)
{
    const cJSON *item = member(parent, key);
    if (!item || cJSON_IsObject(item))
        return item;
    wrong_type(r, key, "an object");
    return NULL;
}

/* A whole number from 0 up; `absent` if it is not there or not one. */
static int64_t
integer(struct reader *r, const cJSON *parent, const char *key, int64_t absent)
{
    const cJSON *item = member(parent, key);
    if (!item)
        return absent;
    double value = cJSON_IsNumber(item) ? item->valuedouble : -1;
    if (value >= 0 && value <= INTEGER_MAX && floor(value) == value)
        return (int64_t)value;
    wrong_type(r, key, "a whole number, 0 or more");
    return absent;
}

/* The index of a string member among `names`; 0 if it is absent, and if it is
 * none of them, after saying so. */
static int
one_of(struct reader *r, const char *key, const char *const names[],
       const char *expected)
{
    struct sonic_span value = string(r, key);
    if (value.bytes == 0)
        return 0;
    for (int i = 1; names[i]; i++)
        if (strcmp(names[i], value.text) == 0)
            return i;
    wrong_type(r, key, expected);
    return 0;
}

static const char *const contents[] = {"", "TEXT", "AUDIO", "TOOL", NULL};
static const char *const stages[] = {"", "SPECULATIVE", "FINAL", NULL};
static const char *const stops[] = {
    "", "PARTIAL_TURN", "END_TURN", "INTERRUPTED", "TOOL_USE", "other", NULL};

const char *
sonic_content_name(enum sonic_content content)
{
    return (unsigned)content <= SONIC_CONTENT_TOOL ? contents[content] : "";
}

const char *
sonic_stage_name(enum sonic_stage stage)
{
    return (unsigned)stage <= SONIC_STAGE_FINAL ? stages[stage] : "";
}

const char *
sonic_stop_name(enum sonic_stop stop)
{
    return (unsigned)stop <= SONIC_STOP_OTHER ? stops[stop] : "";
}

static enum sonic_role
role(struct reader *r)
{
    struct sonic_span name = string(r, "role");
    enum sonic_role value = decoder_role(name.text, name.bytes);
    if (name.bytes > 0 && value == SONIC_ROLE_NONE)
        wrong_type(r, "role", "USER, ASSISTANT, SYSTEM or TOOL");
    return value;
}

/* What every event says, and the keys it should not have. */
static struct sonic_event
event_of(struct reader *r)
{
    struct sonic_event event = {.type = r->type};
    event.session_id = string(r, "sessionId");
    event.prompt_name = string(r, "promptName");
    event.completion_id = string(r, "completionId");
    event.content_id = decoder_knows_key(r->type, "contentId", 9)
                           ? string(r, "contentId")
                           : nothing;
    if (decoder_knows_key(r->type, "role", 4))
        event.role = role(r);
    return event;
}

static void
unknown_keys(struct reader *r)
{
    for (const cJSON *item = r->body->child; item; item = item->next)
        if (!cJSON_IsNull(item) &&
            !decoder_knows_key(r->type, item->string, strlen(item->string)))
            decoder_problem(r->decoder, SONIC_PROBLEM_UNKNOWN_KEY, "",
                            "event.%s.%s", sonic_event_name(r->type),
                            item->string);
}

static enum sonic_stage
stage_in(struct reader *r, const cJSON *fields)
{
    const cJSON *stage = member(fields, "generationStage");
    for (int i = 1; cJSON_IsString(stage) && stages[i]; i++)
        if (strcmp(stages[i], stage->valuestring) == 0)
            return (enum sonic_stage)i;
    if (stage)
        wrong_type(r, "additionalModelFields",
                   "a generationStage of SPECULATIVE or FINAL");
    return SONIC_STAGE_NONE;
}

/* additionalModelFields is JSON in a string; as an object it is as clear. */
static enum sonic_stage
stage_of(struct reader *r)
{
    const cJSON *fields = member(r->body, "additionalModelFields");
    if (!fields || cJSON_IsObject(fields))
        return stage_in(r, fields);
    cJSON *parsed = NULL;
    enum sonic_stage stage = SONIC_STAGE_NONE;
    if (cJSON_IsString(fields))
        parsed = sonic_object_parse(fields->valuestring,
                                    strlen(fields->valuestring));
    if (cJSON_IsObject(parsed))
        stage = stage_in(r, parsed);
    else if (!cJSON_IsString(fields) || *fields->valuestring)
        wrong_type(r, "additionalModelFields", "a JSON object in a string");
    cJSON_Delete(parsed);
    return stage;
}

/* Which of the configurations is there, when the type is not said. */
static enum sonic_content
content_by_configuration(struct reader *r)
{
    if (object(r, r->body, "textOutputConfiguration"))
        return SONIC_CONTENT_TEXT;
    if (object(r, r->body, "audioOutputConfiguration"))
        return SONIC_CONTENT_AUDIO;
    if (object(r, r->body, "toolUseOutputConfiguration"))
        return SONIC_CONTENT_TOOL;
    return SONIC_CONTENT_NONE;
}

static enum vr_status
read_content_start(struct reader *r, struct sonic_event *event)
{
    event->content =
        (enum sonic_content)one_of(r, "type", contents, "TEXT, AUDIO or TOOL");
    if (event->content == SONIC_CONTENT_NONE)
        event->content = content_by_configuration(r);
    event->stage = stage_of(r);
    const cJSON *audio = object(r, r->body, "audioOutputConfiguration");
    int64_t rate_hz = integer(r, audio, "sampleRateHertz", 0);
    event->u.content_start.rate_hz = rate_hz < 1000000 ? (uint32_t)rate_hz : 0;
    decoder_content_open(r->decoder, event);
    decoder_deliver(r->decoder, event);
    return VR_OK;
}

/* The marker is JSON: how it is spaced does not matter. */
static bool
is_interruption(struct sonic_span text)
{
    if (!memchr(text.text, '{', text.bytes))
        return false;
    cJSON *marker = sonic_object_parse(text.text, text.bytes);
    bool found =
        cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(marker, "interrupted"));
    cJSON_Delete(marker);
    return found;
}

static enum vr_status
read_text(struct reader *r, struct sonic_event *event)
{
    event->u.text = string(r, "content");
    event->content = SONIC_CONTENT_TEXT;
    decoder_complete(r->decoder, event);
    if (is_interruption(event->u.text)) {
        event->type = SONIC_INTERRUPTED;
        event->u.text = nothing;
    }
    decoder_deliver(r->decoder, event);
    return VR_OK;
}

static enum vr_status
read_audio(struct reader *r, struct sonic_event *event)
{
    struct sonic_span content = string(r, "content");
    event->content = SONIC_CONTENT_AUDIO;
    r->decoder->counters.audio_fallback++;
    decoder_complete(r->decoder, event);
    if (!decoder_reserve_samples(r->decoder,
                                 base64_decoded_bytes_max(content.bytes)))
        return VR_NO_MEMORY;
    long bytes = base64_decode(content.text, content.bytes,
                               (uint8_t *)r->decoder->samples);
    if (bytes >= 0)
        decoder_deliver_audio(r->decoder, event, (size_t)bytes);
    else
        wrong_type(r, "content", "base64");
    return VR_OK;
}

static enum vr_status
read_tool_use(struct reader *r, struct sonic_event *event)
{
    bool clean;
    char *arguments =
        sonic_object_arguments(member(r->body, "content"), &clean);
    if (!arguments)
        return VR_NO_MEMORY;
    if (!clean)
        wrong_type(r, "content", "a JSON object in a string");
    event->content = SONIC_CONTENT_TOOL;
    event->u.tool_use.id = string(r, "toolUseId");
    event->u.tool_use.name = string(r, "toolName");
    event->u.tool_use.arguments =
        (struct sonic_span){arguments, strlen(arguments)};
    decoder_complete(r->decoder, event);
    decoder_deliver(r->decoder, event);
    free(arguments);
    return VR_OK;
}

static void
read_stop(struct reader *r, struct sonic_event *event)
{
    struct sonic_span text = string(r, "stopReason");
    event->u.end.reason_text = text;
    event->u.end.reason = text.bytes ? SONIC_STOP_OTHER : SONIC_STOP_NONE;
    for (int i = 1; i < SONIC_STOP_OTHER; i++)
        if (strcmp(stops[i], text.text) == 0)
            event->u.end.reason = (enum sonic_stop)i;
}

static enum vr_status
read_content_end(struct reader *r, struct sonic_event *event)
{
    event->content =
        (enum sonic_content)one_of(r, "type", contents, "TEXT, AUDIO or TOOL");
    read_stop(r, event);
    decoder_complete(r->decoder, event);
    decoder_content_close(r->decoder, event->content_id);
    decoder_deliver(r->decoder, event);
    return VR_OK;
}

static enum vr_status
read_completion_end(struct reader *r, struct sonic_event *event)
{
    read_stop(r, event);
    decoder_deliver(r->decoder, event);
    return VR_OK;
}

static uint64_t
count(struct reader *r, const cJSON *parent, const char *key)
{
    return (uint64_t)integer(r, parent, key, 0);
}

static struct sonic_tokens
tokens(struct reader *r, const cJSON *side, const char *direction)
{
    const cJSON *kinds = object(r, side, direction);
    return (struct sonic_tokens){count(r, kinds, "speechTokens"),
                                 count(r, kinds, "textTokens")};
}

static enum vr_status
read_usage(struct reader *r, struct sonic_event *event)
{
    struct sonic_usage *usage = &event->u.usage;
    const cJSON *details = object(r, r->body, "details");
    const cJSON *delta = object(r, details, "delta");
    const cJSON *total = object(r, details, "total");
    usage->has_delta = delta != NULL;
    usage->has_total = total != NULL;
    usage->delta_input = tokens(r, delta, "input");
    usage->delta_output = tokens(r, delta, "output");
    usage->total_input = tokens(r, total, "input");
    usage->total_output = tokens(r, total, "output");
    usage->input_tokens = count(r, r->body, "totalInputTokens");
    usage->output_tokens = count(r, r->body, "totalOutputTokens");
    usage->tokens = count(r, r->body, "totalTokens");
    decoder_deliver(r->decoder, event);
    return VR_OK;
}

static enum vr_status
read_speech(struct reader *r, struct sonic_event *event)
{
    event->u.speech.offset_ms = integer(r, r->body, "inputAudioOffsetMs", -1);
    event->u.speech.detection_offset_ms = -1;
    if (r->type == SONIC_SPEECH_END)
        event->u.speech.detection_offset_ms =
            integer(r, r->body, "inputAudioDetectionOffsetMs", -1);
    decoder_deliver(r->decoder, event);
    return VR_OK;
}

static enum vr_status
read_plain(struct reader *r, struct sonic_event *event)
{
    decoder_deliver(r->decoder, event);
    return VR_OK;
}

enum vr_status
decoder_read(struct sonic_decoder *decoder, enum sonic_event_type type,
             const cJSON *body)
{
    static enum vr_status (*const readers[SONIC_EVENT_TYPE_COUNT])(
        struct reader *, struct sonic_event *) = {
        [SONIC_SPEECH_START] = read_speech,
        [SONIC_SPEECH_END] = read_speech,
        [SONIC_COMPLETION_START] = read_plain,
        [SONIC_CONTENT_START] = read_content_start,
        [SONIC_TEXT] = read_text,
        [SONIC_TOOL_USE] = read_tool_use,
        [SONIC_AUDIO] = read_audio,
        [SONIC_CONTENT_END] = read_content_end,
        [SONIC_USAGE] = read_usage,
        [SONIC_COMPLETION_END] = read_completion_end,
    };
    struct reader r = {decoder, type, body};
    struct sonic_event event = event_of(&r);
    unknown_keys(&r);
    return readers[type](&r, &event);
}

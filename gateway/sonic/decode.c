#include <stdlib.h>
#include <string.h>

#include "gateway/sonic/decoder.h"
#include "gateway/sonic/object.h"
#include "gateway/sonic/utf8.h"

static void
deliver_unknown(struct sonic_decoder *decoder, const char *name)
{
    static const struct sonic_span nothing = {"", 0};
    struct sonic_event event = {
        .type = SONIC_UNKNOWN,
        .session_id = nothing,
        .prompt_name = nothing,
        .completion_id = nothing,
        .content_id = nothing,
        .u.unknown = {name, strlen(name)},
    };
    decoder_problem(decoder, SONIC_PROBLEM_UNKNOWN_EVENT, "", "event.%s", name);
    decoder_deliver(decoder, &event);
}

/* The members of one kind: one, unless a key is repeated. */
static enum vr_status
read_kind(struct sonic_decoder *decoder, enum sonic_event_type type,
          const cJSON *event)
{
    enum vr_status status = VR_OK;
    for (const cJSON *item = event->child; item; item = item->next) {
        if (cJSON_IsNull(item) || decoder_event_type(item->string) != type)
            continue;
        if (type == SONIC_UNKNOWN) {
            deliver_unknown(decoder, item->string);
        } else if (!cJSON_IsObject(item)) {
            decoder_problem(decoder, SONIC_PROBLEM_WRONG_TYPE, "an object",
                            "event.%s", item->string);
        } else {
            enum vr_status failed = decoder_read(decoder, type, item);
            status = failed == VR_OK ? status : failed;
        }
    }
    return status;
}

static enum vr_status
read_event(struct sonic_decoder *decoder, const cJSON *event)
{
    enum vr_status status = VR_OK;
    for (int type = 0; type < SONIC_EVENT_TYPE_COUNT; type++) {
        enum vr_status failed =
            read_kind(decoder, (enum sonic_event_type)type, event);
        status = failed == VR_OK ? status : failed;
    }
    return status;
}

static enum vr_status
malformed(struct sonic_decoder *decoder, const char *expected, const char *path)
{
    decoder_problem(decoder, SONIC_PROBLEM_MALFORMED, expected, "%s", path);
    return VR_CORRUPT;
}

static enum vr_status
read_root(struct sonic_decoder *decoder, const cJSON *root)
{
    if (!cJSON_IsObject(root))
        return malformed(decoder, "one JSON object", "(the whole text)");
    const cJSON *event = cJSON_GetObjectItemCaseSensitive(root, "event");
    for (const cJSON *item = root->child; item; item = item->next)
        if (!cJSON_IsNull(item) && strcmp(item->string, "event") != 0)
            decoder_problem(decoder, SONIC_PROBLEM_UNKNOWN_KEY, "", "%s",
                            item->string);
    if (!cJSON_IsObject(event))
        return malformed(decoder, "an object", "event");
    return read_event(decoder, event);
}

enum vr_status
decoder_read_text(struct sonic_decoder *decoder, const char *json, size_t bytes)
{
    size_t clean_bytes = sonic_utf8_clean_json(json, bytes, NULL);
    char *clean = malloc(clean_bytes + 1);
    if (!clean)
        return VR_NO_MEMORY;
    sonic_utf8_clean_json(json, bytes, clean);
    clean[clean_bytes] = '\0';
    cJSON *root = sonic_object_parse(clean, clean_bytes);
    enum vr_status status = read_root(decoder, root);
    cJSON_Delete(root);
    free(clean);
    return status;
}

enum vr_status
sonic_decode(struct sonic_decoder *decoder, const char *json, size_t bytes)
{
    if (decoder_scan_audio(decoder, json, bytes))
        return VR_OK;
    return decoder_read_text(decoder, json, bytes);
}

#include <stdlib.h>
#include <string.h>
#include <cjson/cJSON.h>

#include "gateway/base64.h"
#include "gateway/sonic/audio_input.h"
#include "gateway/sonic/batch.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "samples are sent as they lie in memory, which must be little endian"
#endif

#define SAMPLES_MAX ((size_t)1 << 20)

static const char suffix[] = "\"}}}";

struct sonic_audio_input {
    size_t prefix_bytes;
    size_t samples_max;
    char text[]; /* prefix, base64, suffix */
};

/* The event with an empty content: all that comes before its end is constant.
 */
static enum vr_status
empty_event(struct sonic_batch *batch, const char *prompt_name,
            const char *content_name)
{
    cJSON *root = cJSON_CreateObject();
    cJSON *event = cJSON_AddObjectToObject(root, "event");
    cJSON *body = cJSON_AddObjectToObject(event, "audioInput");
    char *text = NULL;
    if (cJSON_AddStringToObject(body, "promptName", prompt_name) &&
        cJSON_AddStringToObject(body, "contentName", content_name) &&
        cJSON_AddStringToObject(body, "content", ""))
        text = cJSON_PrintUnformatted(root);
    enum vr_status status = VR_NO_MEMORY;
    if (text)
        status = sonic_batch_append(batch, text, strlen(text));
    cJSON_free(text);
    cJSON_Delete(root);
    return status;
}

struct sonic_audio_input *
sonic_audio_input_new(const char *prompt_name, const char *content_name,
                      size_t samples_max)
{
    struct sonic_audio_input *audio = NULL;
    struct sonic_batch batch;
    sonic_batch_init(&batch);
    if (samples_max > SAMPLES_MAX ||
        empty_event(&batch, prompt_name, content_name) != VR_OK)
        goto out;
    size_t bytes;
    const char *text = sonic_batch_event(&batch, 0, &bytes);
    size_t prefix_bytes = bytes - (sizeof suffix - 1);
    audio = malloc(sizeof *audio + prefix_bytes +
                   base64_encoded_bytes(2 * samples_max) + sizeof suffix);
    if (!audio)
        goto out;
    audio->prefix_bytes = prefix_bytes;
    audio->samples_max = samples_max;
    memcpy(audio->text, text, prefix_bytes);
out:
    sonic_batch_fini(&batch);
    return audio;
}

void
sonic_audio_input_free(struct sonic_audio_input **audio)
{
    free(*audio);
    *audio = NULL;
}

const char *
sonic_audio_input_write(struct sonic_audio_input *audio, const int16_t *samples,
                        size_t count, size_t *bytes)
{
    if (count == 0 || count > audio->samples_max)
        return NULL;
    size_t at = audio->prefix_bytes;
    at += base64_encode((const uint8_t *)samples, 2 * count, audio->text + at);
    memcpy(audio->text + at, suffix, sizeof suffix);
    *bytes = at + sizeof suffix - 1;
    return audio->text;
}

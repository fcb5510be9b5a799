#include "tests/local/talk.h"

#include <math.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define CHUNK_MS 32

static void
on_emit(void *arg, const char *json, size_t json_bytes)
{
    struct talk *t = arg;
    cJSON *root = cJSON_ParseWithLength(json, json_bytes);
    cJSON *event = cJSON_GetObjectItem(root, "event");
    cJSON *body;

    assert_false(t->ended);
    assert_int_equal(cJSON_GetArraySize(event), 1);
    body = cJSON_DetachItemViaPointer(event, event->child);
    cJSON_AddStringToObject(body, "_name", body->string);
    cJSON_AddItemToArray(t->events, body);
    cJSON_Delete(root);
}

static void
on_fail(void *arg, const char *exception, const char *message)
{
    struct talk *t = arg;

    assert_false(t->ended);
    t->ended = true;
    snprintf(t->exception, sizeof(t->exception), "%s", exception);
    snprintf(t->message, sizeof(t->message), "%s", message);
}

static void
on_end(void *arg)
{
    struct talk *t = arg;

    assert_false(t->ended);
    t->ended = true;
}

static void
on_note(void *arg, const char *kind, const char *text)
{
    struct talk *t = arg;
    char line[512];

    snprintf(line, sizeof(line), "%s: %s", kind, text);
    cJSON_AddItemToArray(t->notes, cJSON_CreateString(line));
}

static struct script *
load(const char *text)
{
    char problem[512] = "";
    char path[] = "/tmp/voxring-talk-XXXXXX";
    struct script *script;
    int fd;

    if (text == NULL)
        return script_load(NULL, problem, sizeof(problem));
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    script = script_load(path, problem, sizeof(problem));
    unlink(path);
    if (script == NULL)
        fail_msg("%s", problem);
    return script;
}

void
talk_open_scaled(struct talk *t, const char *script, enum conversation_ear ear,
                 const char *model, double time_scale)
{
    static const struct conversation_ops ops = {
        .emit = on_emit, .fail = on_fail, .end = on_end, .note = on_note};
    struct conversation_config config = {NULL, model, ear, time_scale, 1000};
    char problem[512];

    memset(t, 0, sizeof(*t));
    t->script = load(script);
    assert_non_null(t->script);
    if (ear == EAR_REAL &&
        !script_prepare_ear(t->script, problem, sizeof(problem)))
        fail_msg("%s", problem);
    config.script = t->script;
    t->now_ms = config.now_ms;
    t->events = cJSON_CreateArray();
    t->notes = cJSON_CreateArray();
    t->rate_hz = 16000;
    t->conversation = conversation_new(&config, &ops, t);
    assert_non_null(t->conversation);
}

void
talk_open(struct talk *t, const char *script, enum conversation_ear ear,
          const char *model)
{
    talk_open_scaled(t, script, ear, model, 1);
}

void
talk_close(struct talk *t)
{
    conversation_free(&t->conversation);
    script_free(&t->script);
    cJSON_Delete(t->events);
    cJSON_Delete(t->notes);
}

void
talk_send(struct talk *t, const char *format, ...)
{
    char *json;
    va_list args;
    int bytes;

    va_start(args, format);
    bytes = vasprintf(&json, format, args);
    va_end(args);
    assert_true(bytes >= 0);
    conversation_on_event(t->conversation, json, (size_t)bytes, t->now_ms);
    free(json);
}

void
talk_setup(struct talk *t, const char *tools)
{
    talk_send(t, "{\"event\":{\"sessionStart\":{\"inferenceConfiguration\":"
                 "{\"maxTokens\":1024,\"topP\":0.9,\"temperature\":0.7}}}}");
    talk_send(t,
              "{\"event\":{\"promptStart\":{\"promptName\":\"P\","
              "\"textOutputConfiguration\":{\"mediaType\":\"text/plain\"},"
              "\"audioOutputConfiguration\":{\"mediaType\":\"audio/lpcm\","
              "\"sampleRateHertz\":24000,\"sampleSizeBits\":16,"
              "\"channelCount\":1,\"voiceId\":\"matthew\",\"encoding\":"
              "\"base64\",\"audioType\":\"SPEECH\"},"
              "\"toolUseOutputConfiguration\":{\"mediaType\":"
              "\"application/json\"},"
              "\"toolConfiguration\":{\"tools\":[%s]}}}}",
              tools);
    talk_send(t, "{\"event\":{\"contentStart\":{\"promptName\":\"P\","
                 "\"contentName\":\"sys\",\"type\":\"TEXT\",\"interactive\":"
                 "false,\"role\":\"SYSTEM\",\"textInputConfiguration\":"
                 "{\"mediaType\":\"text/plain\"}}}}");
    talk_send(t, "{\"event\":{\"textInput\":{\"promptName\":\"P\","
                 "\"contentName\":\"sys\",\"content\":\"You are kind.\"}}}");
    talk_send(t, "{\"event\":{\"contentEnd\":{\"promptName\":\"P\","
                 "\"contentName\":\"sys\"}}}");
}

void
talk_start(struct talk *t, const char *tools)
{
    talk_setup(t, tools);
    talk_send(t,
              "{\"event\":{\"contentStart\":{\"promptName\":\"P\","
              "\"contentName\":\"A\",\"type\":\"AUDIO\",\"interactive\":true,"
              "\"role\":\"USER\",\"audioInputConfiguration\":{\"mediaType\":"
              "\"audio/lpcm\",\"sampleRateHertz\":%ld,\"sampleSizeBits\":16,"
              "\"channelCount\":1,\"audioType\":\"SPEECH\",\"encoding\":"
              "\"base64\"}}}}",
              t->rate_hz);
}

void
talk_text(struct talk *t, const char *name, const char *text)
{
    talk_send(t,
              "{\"event\":{\"contentStart\":{\"promptName\":\"P\","
              "\"contentName\":\"%s\",\"type\":\"TEXT\",\"interactive\":true,"
              "\"role\":\"USER\",\"textInputConfiguration\":{\"mediaType\":"
              "\"text/plain\"}}}}",
              name);
    talk_send(t,
              "{\"event\":{\"textInput\":{\"promptName\":\"P\","
              "\"contentName\":\"%s\",\"content\":\"%s\"}}}",
              name, text);
    talk_send(t,
              "{\"event\":{\"contentEnd\":{\"promptName\":\"P\","
              "\"contentName\":\"%s\"}}}",
              name);
}

void
talk_result(struct talk *t, const char *name, const char *tool_use_id,
            const char *result)
{
    cJSON *quoted = cJSON_CreateString(result);
    char *content = cJSON_PrintUnformatted(quoted);

    talk_send(t,
              "{\"event\":{\"contentStart\":{\"promptName\":\"P\","
              "\"contentName\":\"%s\",\"interactive\":false,\"type\":"
              "\"TOOL\",\"role\":\"TOOL\",\"toolResultInputConfiguration\":"
              "{\"toolUseId\":\"%s\",\"type\":\"TEXT\","
              "\"textInputConfiguration\":{\"mediaType\":\"text/plain\"}}}}}",
              name, tool_use_id);
    talk_send(t,
              "{\"event\":{\"toolResult\":{\"promptName\":\"P\","
              "\"contentName\":\"%s\",\"content\":%s}}}",
              name, content);
    talk_send(t,
              "{\"event\":{\"contentEnd\":{\"promptName\":\"P\","
              "\"contentName\":\"%s\"}}}",
              name);
    cJSON_free(content);
    cJSON_Delete(quoted);
}

static void
pass(struct talk *t, unsigned ms)
{
    uint64_t until_ms = t->now_ms + ms;

    for (;;) {
        uint64_t at_ms = conversation_deadline_ms(t->conversation);

        if (t->ended || at_ms > until_ms)
            break;
        if (at_ms > t->now_ms)
            t->now_ms = at_ms;
        conversation_tick(t->conversation, t->now_ms);
    }
    t->now_ms = until_ms;
}

void
talk_wait(struct talk *t, unsigned ms)
{
    pass(t, ms);
}

void
talk_audio(struct talk *t, const int16_t *samples, size_t frames)
{
    size_t chunk = (size_t)t->rate_hz * CHUNK_MS / 1000;

    while (frames > 0 && !t->ended) {
        size_t count = frames < chunk ? frames : chunk;
        char *text = malloc(count * 2 * 4 / 3 + 8);

        assert_non_null(text);
        EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)samples,
                        (int)(count * 2));
        pass(t, CHUNK_MS);
        if (!t->ended)
            talk_send(t,
                      "{\"event\":{\"audioInput\":{\"promptName\":\"P\","
                      "\"contentName\":\"A\",\"content\":\"%s\"}}}",
                      text);
        free(text);
        samples += count;
        frames -= count;
    }
}

static void
send_wave(struct talk *t, unsigned ms, double amplitude)
{
    size_t frames = (size_t)t->rate_hz * ms / 1000;
    int16_t *samples = calloc(frames + 1, sizeof(*samples));

    assert_non_null(samples);
    for (size_t i = 0; i < frames; i++)
        samples[i] = (int16_t)(amplitude * sin((double)i * 0.2));
    talk_audio(t, samples, frames);
    free(samples);
}

void
talk_silence(struct talk *t, unsigned ms)
{
    send_wave(t, ms, 0);
}

void
talk_tone(struct talk *t, unsigned ms)
{
    send_wave(t, ms, 8000);
}

void
talk_finish(struct talk *t)
{
    talk_send(t, "{\"event\":{\"contentEnd\":{\"promptName\":\"P\","
                 "\"contentName\":\"A\"}}}");
    talk_send(t, "{\"event\":{\"promptEnd\":{\"promptName\":\"P\"}}}");
    talk_send(t, "{\"event\":{\"sessionEnd\":{}}}");
}

const char *
talk_string(const cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(object, key));

    return text == NULL ? "" : text;
}

const cJSON *
talk_find(const struct talk *t, const char *name, int *from)
{
    const cJSON *item = cJSON_GetArrayItem(t->events, *from);

    for (; item != NULL; item = item->next) {
        (*from)++;
        if (strcmp(talk_string(item, "_name"), name) == 0)
            return item;
    }
    return NULL;
}

int
talk_count(const struct talk *t, const char *name)
{
    int from = 0;
    int count = 0;

    while (talk_find(t, name, &from) != NULL)
        count++;
    return count;
}

const char *
talk_said(const struct talk *t, const char *role, const char *stage, int *from)
{
    const cJSON *start;

    while ((start = talk_find(t, "contentStart", from)) != NULL) {
        const cJSON *text = start->next;

        if (strcmp(talk_string(start, "role"), role) == 0 &&
            strstr(talk_string(start, "additionalModelFields"), stage) &&
            strcmp(talk_string(text, "_name"), "textOutput") == 0)
            return talk_string(text, "content");
    }
    return NULL;
}

int
talk_notes(const struct talk *t, const char *kind)
{
    const cJSON *item;
    int count = 0;

    cJSON_ArrayForEach(item, t->notes)
    {
        count += strncmp(item->valuestring, kind, strlen(kind)) == 0;
    }
    return count;
}

char *
talk_flow(const struct talk *t)
{
    size_t room = 1, used = 0;
    char *flow;
    const char *last = "";
    const cJSON *item;

    room += (size_t)cJSON_GetArraySize(t->events) * 64;
    flow = calloc(room, 1);
    assert_non_null(flow);
    cJSON_ArrayForEach(item, t->events)
    {
        const char *name = talk_string(item, "_name");
        const char *fields = talk_string(item, "additionalModelFields");
        const char *detail = talk_string(item, "stopReason");

        if (strcmp(name, "usageEvent") == 0)
            continue;
        if (strcmp(name, last) == 0 && strcmp(name, "audioOutput") == 0)
            continue;
        last = name;
        if (strcmp(name, "contentStart") == 0)
            detail = strstr(fields, "SPECULATIVE") ? "SPECULATIVE"
                     : strstr(fields, "FINAL")     ? "FINAL"
                                                   : talk_string(item, "type");
        used += (size_t)snprintf(
            flow + used, room - used, "%s%s%s%s%s", used == 0 ? "" : " ", name,
            detail[0] == '\0' ? "" : "(", detail, detail[0] == '\0' ? "" : ")");
    }
    return flow;
}

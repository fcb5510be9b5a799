#include "gateway/local/emit.h"

#include <cjson/cJSON.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every this many events of a kind come without their optional role. */
#define ROLE_GAP 3

void
emit_new_id(char id[EMIT_ID_BYTES])
{
    unsigned char b[16] = {0};

    /* Unique is enough here; a failed generator leaves a counter. */
    if (RAND_bytes(b, sizeof(b)) != 1) {
        static uint64_t count;

        count++;
        memcpy(b, &count, sizeof(count));
    }
    b[6] = (unsigned char)(0x40 | (b[6] & 0x0f));
    b[8] = (unsigned char)(0x80 | (b[8] & 0x3f));
    snprintf(id, EMIT_ID_BYTES,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
             "%02x%02x%02x%02x%02x%02x",
             b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10],
             b[11], b[12], b[13], b[14], b[15]);
}

void
emit_init(struct emit *e, emit_fn *send, void *arg)
{
    memset(e, 0, sizeof(*e));
    e->send = send;
    e->arg = arg;
    emit_new_id(e->session_id);
}

void
emit_fini(struct emit *e)
{
    free(e->prompt_name);
    memset(e, 0, sizeof(*e));
}

void
emit_prompt(struct emit *e, const char *prompt_name)
{
    free(e->prompt_name);
    e->prompt_name = strdup(prompt_name);
    e->failed |= e->prompt_name == NULL;
    emit_new_id(e->completion_id);
}

/* {"event":{NAME:{...}}}: gives the inner object, owned by *root. */
static cJSON *
begin(struct emit *e, cJSON **root, const char *name)
{
    cJSON *body;

    *root = cJSON_CreateObject();
    body =
        cJSON_AddObjectToObject(cJSON_AddObjectToObject(*root, "event"), name);
    cJSON_AddStringToObject(body, "sessionId", e->session_id);
    cJSON_AddStringToObject(body, "promptName",
                            e->prompt_name == NULL ? "" : e->prompt_name);
    return body;
}

static cJSON *
begin_content(struct emit *e, cJSON **root, const char *name, const char *id)
{
    cJSON *body = begin(e, root, name);

    cJSON_AddStringToObject(body, "completionId", e->completion_id);
    cJSON_AddStringToObject(body, "contentId", id);
    return body;
}

static void
send_and_free(struct emit *e, cJSON *root)
{
    char *text = root == NULL ? NULL : cJSON_PrintUnformatted(root);

    if (text == NULL)
        e->failed = true;
    else
        e->send(e->arg, text, strlen(text));
    cJSON_free(text);
    cJSON_Delete(root);
}

static void
add_role(struct emit *e, cJSON *body, const char *role)
{
    if (++e->role_count % ROLE_GAP != 0)
        cJSON_AddStringToObject(body, "role", role);
}

void
emit_completion_start(struct emit *e)
{
    cJSON *root;
    cJSON *body;

    if (e->completion_open)
        return;
    e->completion_open = true;
    body = begin(e, &root, "completionStart");
    cJSON_AddStringToObject(body, "completionId", e->completion_id);
    send_and_free(e, root);
}

void
emit_completion_end(struct emit *e)
{
    cJSON *root;
    cJSON *body;

    if (!e->completion_open)
        return;
    e->completion_open = false;
    body = begin(e, &root, "completionEnd");
    cJSON_AddStringToObject(body, "completionId", e->completion_id);
    cJSON_AddStringToObject(body, "stopReason", "END_TURN");
    send_and_free(e, root);
}

static void
content_start(struct emit *e, const char *id, const char *type,
              const char *role, const char *stage)
{
    char fields[64];
    cJSON *root;
    cJSON *body = begin_content(e, &root, "contentStart", id);
    cJSON *config;

    if (stage != NULL) {
        snprintf(fields, sizeof(fields), "{\"generationStage\":\"%s\"}", stage);
        cJSON_AddStringToObject(body, "additionalModelFields", fields);
    }
    cJSON_AddStringToObject(body, "type", type);
    cJSON_AddStringToObject(body, "role", role);
    config = cJSON_AddObjectToObject(body, stage != NULL
                                               ? "textOutputConfiguration"
                                               : "toolUseOutputConfiguration");
    cJSON_AddStringToObject(config, "mediaType",
                            stage != NULL ? "text/plain" : "application/json");
    send_and_free(e, root);
}

static void
content_end(struct emit *e, const char *id, const char *type,
            const char *stop_reason)
{
    cJSON *root;
    cJSON *body = begin_content(e, &root, "contentEnd", id);

    cJSON_AddStringToObject(body, "stopReason", stop_reason);
    cJSON_AddStringToObject(body, "type", type);
    send_and_free(e, root);
}

void
emit_text(struct emit *e, const char *role, const char *stage,
          const char *content, const char *stop_reason)
{
    char id[EMIT_ID_BYTES];

    emit_completion_start(e);
    emit_new_id(id);
    content_start(e, id, "TEXT", role, stage);
    if (content != NULL) {
        cJSON *root;
        cJSON *body = begin_content(e, &root, "textOutput", id);

        cJSON_AddStringToObject(body, "content", content);
        add_role(e, body, role);
        send_and_free(e, root);
    }
    content_end(e, id, "TEXT", stop_reason);
}

void
emit_tool_use(struct emit *e, const char *tool_use_id, const char *name,
              const char *content)
{
    char id[EMIT_ID_BYTES];
    cJSON *root;
    cJSON *body;

    emit_completion_start(e);
    emit_new_id(id);
    content_start(e, id, "TOOL", "TOOL", NULL);
    body = begin_content(e, &root, "toolUse", id);
    cJSON_AddStringToObject(body, "content", content);
    cJSON_AddStringToObject(body, "toolName", name);
    cJSON_AddStringToObject(body, "toolUseId", tool_use_id);
    add_role(e, body, "TOOL");
    send_and_free(e, root);
    content_end(e, id, "TOOL", "TOOL_USE");
}

void
emit_audio_start(struct emit *e, long rate_hz)
{
    cJSON *root;
    cJSON *body;
    cJSON *config;

    emit_completion_start(e);
    emit_new_id(e->audio_id);
    body = begin_content(e, &root, "contentStart", e->audio_id);
    cJSON_AddStringToObject(body, "type", "AUDIO");
    cJSON_AddStringToObject(body, "role", "ASSISTANT");
    config = cJSON_AddObjectToObject(body, "audioOutputConfiguration");
    cJSON_AddStringToObject(config, "mediaType", "audio/lpcm");
    cJSON_AddNumberToObject(config, "sampleRateHertz", (double)rate_hz);
    cJSON_AddNumberToObject(config, "sampleSizeBits", 16);
    cJSON_AddStringToObject(config, "encoding", "base64");
    cJSON_AddNumberToObject(config, "channelCount", 1);
    send_and_free(e, root);
}

void
emit_audio(struct emit *e, const int16_t *samples, size_t frames)
{
    size_t bytes = frames * sizeof(*samples);
    char *text = malloc(bytes / 3 * 4 + 8);
    cJSON *root;
    cJSON *body;

    if (text == NULL) {
        e->failed = true;
        return;
    }
    EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)samples,
                    (int)bytes);
    body = begin_content(e, &root, "audioOutput", e->audio_id);
    cJSON_AddStringToObject(body, "content", text);
    add_role(e, body, "ASSISTANT");
    send_and_free(e, root);
    free(text);
}

void
emit_audio_end(struct emit *e, const char *stop_reason)
{
    if (e->audio_id[0] == '\0')
        return;
    content_end(e, e->audio_id, "AUDIO", stop_reason);
    e->audio_id[0] = '\0';
}

void
emit_speech_start(struct emit *e, uint64_t offset_ms)
{
    cJSON *root;
    cJSON *body = begin(e, &root, "userSpeechStart");

    cJSON_AddNumberToObject(body, "inputAudioOffsetMs", (double)offset_ms);
    send_and_free(e, root);
}

void
emit_speech_end(struct emit *e, uint64_t offset_ms,
                uint64_t detection_offset_ms)
{
    cJSON *root;
    cJSON *body = begin(e, &root, "userSpeechEnd");

    cJSON_AddNumberToObject(body, "inputAudioOffsetMs", (double)offset_ms);
    cJSON_AddNumberToObject(body, "inputAudioDetectionOffsetMs",
                            (double)detection_offset_ms);
    send_and_free(e, root);
}

static void
add_tokens(cJSON *parent, const char *name, uint64_t speech, uint64_t text)
{
    cJSON *object = cJSON_AddObjectToObject(parent, name);

    cJSON_AddNumberToObject(object, "speechTokens", (double)speech);
    cJSON_AddNumberToObject(object, "textTokens", (double)text);
}

void
emit_usage(struct emit *e)
{
    const struct emit_tokens *t = &e->tokens, *r = &e->reported;
    cJSON *root, *body, *details, *part;

    if (memcmp(t, r, sizeof(*t)) == 0)
        return;
    body = begin(e, &root, "usageEvent");
    cJSON_AddStringToObject(body, "completionId", e->completion_id);
    details = cJSON_AddObjectToObject(body, "details");
    part = cJSON_AddObjectToObject(details, "delta");
    add_tokens(part, "input", t->speech_in - r->speech_in,
               t->text_in - r->text_in);
    add_tokens(part, "output", t->speech_out - r->speech_out,
               t->text_out - r->text_out);
    part = cJSON_AddObjectToObject(details, "total");
    add_tokens(part, "input", t->speech_in, t->text_in);
    add_tokens(part, "output", t->speech_out, t->text_out);
    cJSON_AddNumberToObject(body, "totalInputTokens",
                            (double)(t->speech_in + t->text_in));
    cJSON_AddNumberToObject(body, "totalOutputTokens",
                            (double)(t->speech_out + t->text_out));
    cJSON_AddNumberToObject(
        body, "totalTokens",
        (double)(t->speech_in + t->text_in + t->speech_out + t->text_out));
    send_and_free(e, root);
    e->reported = *t;
}

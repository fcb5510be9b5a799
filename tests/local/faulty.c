#include "tests/local/faulty.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/local/client_control.h"
#include "tests/local/client_events.h"

#define TOOL_PROMPT_START                                                     \
    "{\"event\":{\"promptStart\":{\"promptName\":\"P\","                      \
    "\"textOutputConfiguration\":{\"mediaType\":\"text/plain\"},"             \
    "\"audioOutputConfiguration\":{\"mediaType\":\"audio/lpcm\","             \
    "\"sampleRateHertz\":24000,\"sampleSizeBits\":16,\"channelCount\":1,"     \
    "\"voiceId\":\"matthew\",\"encoding\":\"base64\","                        \
    "\"audioType\":\"SPEECH\"},\"toolUseOutputConfiguration\":{"              \
    "\"mediaType\":\"application/json\"},\"toolConfiguration\":{\"tools\":[{" \
    "\"toolSpec\":{\"name\":\"clock\",\"description\":\"Tells the time.\","   \
    "\"inputSchema\":{\"json\":\"{\\\"type\\\":\\\"object\\\"}\"}}}]}}}}"

static const char script_text[] =
    "{\"lines\": ["
    "{\"hear\": \"use the tool\", \"tool\": {\"name\": \"clock\"},"
    " \"say\": \"It is {clock.time}.\"},"
    "{\"hear\": \"think about it\", \"slow_ms\": 20000, \"say\": \"Done.\"},"
    "{\"hear\": \"tell me a long story\", \"say\": \"Once upon a time there was"
    " a robot that lived in a small house by the sea. Every morning it walked"
    " to the harbour and counted the ships that had come in by night.\"}],"
    "\"audio_speed_percent\": 100, \"endpoint_ms\": 200}";

struct client_program faulty_program;
char faulty_control[96], faulty_record[96];

static char folder[64];

/* ---- the faulty_program, once for all tests ---- */

int
faulty_start(void **state)
{
    char script[96];
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/voxring-faults.XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(faulty_control, sizeof(faulty_control), "%s/control", folder);
    snprintf(faulty_record, sizeof(faulty_record), "%s/record", folder);
    snprintf(script, sizeof(script), "%s/script", folder);
    FILE *file = fopen(script, "w");
    if (file == NULL || mkdir(faulty_record, 0700) != 0)
        return -1;
    fputs(script_text, file);
    fclose(file);
    const char *const arguments[] = {"--ear",        "none",     "--control",
                                     faulty_control, "--record", faulty_record,
                                     "--script",     script,     NULL};
    return client_program_start(&faulty_program, arguments) ? 0 : -1;
}

int
faulty_stop(void **state)
{
    (void)state;
    int status = client_program_stop(&faulty_program);
    bool left = access(faulty_control, F_OK) == 0;
    if (status != 0 || left)
        fprintf(stderr, "exit %d, socket %s\n", status, left ? "left" : "gone");
    client_program_clean(&faulty_program);
    client_control_remove_folder(faulty_record);
    client_control_remove_folder(folder);
    return status != 0 || left;
}

int
faulty_setup(void **state)
{
    struct faulty *f = calloc(1, sizeof(*f));
    client_signer_init(&f->signer);
    f->client =
        client_connect(faulty_program.port, faulty_program.ca_file, "\x02h2");
    client_request_init(&f->request, MODEL, faulty_program.port,
                        client_wall_ms(), &f->signer);
    *state = f;
    return f->client != NULL ? 0 : -1;
}

void
faulty_ask(const char *line)
{
    cJSON *answer = client_control_ask(faulty_control, line);
    if (!cJSON_IsTrue(cJSON_GetObjectItem(answer, "ok")))
        fail_msg("%s: %s", line, cJSON_PrintUnformatted(answer));
    cJSON_Delete(answer);
}

int
faulty_teardown(void **state)
{
    struct faulty *f = *state;
    client_free(&f->client);
    free(f);
    cJSON_Delete(client_control_ask(faulty_control, "{\"clear\":true}"));
    cJSON_Delete(client_control_ask(faulty_control, "{\"wall_offset_ms\":0}"));
    return 0;
}

/* ---- a conversation up to a phase ---- */

void
faulty_add(const char *fault)
{
    char line[1024];
    snprintf(line, sizeof(line), "{\"add\":%s}", fault);
    faulty_ask(line);
}

void
faulty_open(struct faulty *f)
{
    client_request_sign(&f->request, &f->signer, "host");
    f->stream = client_open(f->client, &f->request, false);
}

void
faulty_send(struct faulty *f, const char *const *events)
{
    for (; *events != NULL; events++)
        client_send_event(f->client, f->stream, &f->signer, *events);
}

void
faulty_begin(struct faulty *f)
{
    static const char *const events[] = {SESSION_START, TOOL_PROMPT_START,
                                         SYSTEM_START,  SYSTEM_TEXT,
                                         SYSTEM_END,    NULL};
    faulty_send(f, events);
}

void
faulty_say_text(struct faulty *f, const char *text)
{
    char event[512];
    client_send_event(f->client, f->stream, &f->signer, LIVE_START("T"));
    snprintf(event, sizeof(event), LIVE_TEXT("T", "%s"), text);
    client_send_event(f->client, f->stream, &f->signer, event);
    client_send_event(f->client, f->stream, &f->signer, LIVE_END("T"));
}

/* A quarter of a second of square wave, and what it is in base64. */
void
faulty_say_sound(struct faulty *f)
{
    static int16_t samples[4000];
    static char event[16384];
    for (size_t i = 0; i < 4000; i++)
        samples[i] = i / 20 % 2 != 0 ? 8000 : -8000;
    int used = snprintf(event, sizeof(event),
                        "{\"event\":{\"audioInput\":{\"promptName\":\"P\","
                        "\"contentName\":\"A\",\"content\":\"");
    used += EVP_EncodeBlock((uint8_t *)event + used, (const uint8_t *)samples,
                            sizeof(samples));
    snprintf(event + used, sizeof(event) - (size_t)used, "\"}}}");
    client_send_event(f->client, f->stream, &f->signer, event);
}

/* Opens a stream and brings it into the phase. */
void
faulty_reach(struct faulty *f, const char *phase)
{
    static const char *const audio[] = {AUDIO_START, AUDIO_INPUT, NULL};
    faulty_open(f);
    if (strcmp(phase, "request") == 0)
        return;
    faulty_begin(f);
    if (strcmp(phase, "setup") == 0)
        return;
    faulty_send(f, audio);
    if (strcmp(phase, "user_speaking") == 0)
        faulty_say_sound(f);
    else if (strcmp(phase, "thinking") == 0)
        faulty_say_text(f, "think about it");
    else if (strcmp(phase, "speaking") == 0)
        faulty_say_text(f, "tell me a long story");
    else if (strcmp(phase, "tool") == 0)
        faulty_say_text(f, "use the tool");
}

bool
faulty_run(struct faulty *f, bool (*done)(const struct client_stream *stream))
{
    return client_run(f->client, done, f->stream, WAIT_MS);
}

/* The connection goes on for a while and nothing is waited for. */
bool
faulty_never(const struct client_stream *stream)
{
    (void)stream;
    return false;
}

void
faulty_wait(struct faulty *f)
{
    client_run(f->client, faulty_never, f->stream, QUIET_MS);
}

/* Ends the stream in order; the answer's end must be a good one. */
void
faulty_end(struct faulty *f)
{
    static const char *const ending[] = {CLIENT_ENDING, NULL};
    faulty_send(f, ending);
    client_send_end(f->client, f->stream, &f->signer);
    client_finish(f->client, f->stream);
    assert_true(faulty_run(f, client_has_ended));
    assert_true(f->stream->ended);
}

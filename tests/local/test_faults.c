/* Each fault over TLS, as a client meets it; the control socket; the record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "tests/local/client_control.h"
#include "tests/local/client_events.h"
#include "tests/local/client_h2.h"
#include "tests/local/client_program.h"

#define MODEL "amazon.nova-2-sonic-v1%3A0"
#define WAIT_MS 15000
#define QUIET_MS 200

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

static struct client_program program;
static char folder[64], control[96], record[96];

struct fixture {
    struct client *client;
    struct client_signer signer;
    struct client_request request;
    struct client_stream *stream;
};

/* ---- the program, once for all tests ---- */

static int
start_program(void **state)
{
    char script[96];
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/voxring-faults.XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(control, sizeof(control), "%s/control", folder);
    snprintf(record, sizeof(record), "%s/record", folder);
    snprintf(script, sizeof(script), "%s/script", folder);
    FILE *file = fopen(script, "w");
    if (file == NULL || mkdir(record, 0700) != 0)
        return -1;
    fputs(script_text, file);
    fclose(file);
    const char *const arguments[] = {"--ear",    "none",     "--control",
                                     control,    "--record", record,
                                     "--script", script,     NULL};
    return client_program_start(&program, arguments) ? 0 : -1;
}

static int
stop_program(void **state)
{
    (void)state;
    int status = client_program_stop(&program);
    bool left = access(control, F_OK) == 0;
    if (status != 0 || left)
        fprintf(stderr, "exit %d, socket %s\n", status, left ? "left" : "gone");
    client_program_clean(&program);
    client_control_remove_folder(record);
    client_control_remove_folder(folder);
    return status != 0 || left;
}

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    client_signer_init(&f->signer);
    f->client = client_connect(program.port, program.ca_file, "\x02h2");
    client_request_init(&f->request, MODEL, program.port, client_wall_ms(),
                        &f->signer);
    *state = f;
    return f->client != NULL ? 0 : -1;
}

static void
ask_good(const char *line)
{
    cJSON *answer = client_control_ask(control, line);
    if (!cJSON_IsTrue(cJSON_GetObjectItem(answer, "ok")))
        fail_msg("%s: %s", line, cJSON_PrintUnformatted(answer));
    cJSON_Delete(answer);
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    client_free(&f->client);
    free(f);
    cJSON_Delete(client_control_ask(control, "{\"clear\":true}"));
    cJSON_Delete(client_control_ask(control, "{\"wall_offset_ms\":0}"));
    return 0;
}

/* ---- a conversation up to a phase ---- */

static void
add(const char *fault)
{
    char line[1024];
    snprintf(line, sizeof(line), "{\"add\":%s}", fault);
    ask_good(line);
}

static void
open_stream(struct fixture *f)
{
    client_request_sign(&f->request, &f->signer, "host");
    f->stream = client_open(f->client, &f->request, false);
}

static void
send_all(struct fixture *f, const char *const *events)
{
    for (; *events != NULL; events++)
        client_send_event(f->client, f->stream, &f->signer, *events);
}

static void
begin(struct fixture *f)
{
    static const char *const events[] = {SESSION_START, TOOL_PROMPT_START,
                                         SYSTEM_START,  SYSTEM_TEXT,
                                         SYSTEM_END,    NULL};
    send_all(f, events);
}

static void
say_text(struct fixture *f, const char *text)
{
    char event[512];
    client_send_event(f->client, f->stream, &f->signer, LIVE_START("T"));
    snprintf(event, sizeof(event), LIVE_TEXT("T", "%s"), text);
    client_send_event(f->client, f->stream, &f->signer, event);
    client_send_event(f->client, f->stream, &f->signer, LIVE_END("T"));
}

/* A quarter of a second of square wave, and what it is in base64. */
static void
say_sound(struct fixture *f)
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
static void
reach(struct fixture *f, const char *phase)
{
    static const char *const audio[] = {AUDIO_START, AUDIO_INPUT, NULL};
    open_stream(f);
    if (strcmp(phase, "request") == 0)
        return;
    begin(f);
    if (strcmp(phase, "setup") == 0)
        return;
    send_all(f, audio);
    if (strcmp(phase, "user_speaking") == 0)
        say_sound(f);
    else if (strcmp(phase, "thinking") == 0)
        say_text(f, "think about it");
    else if (strcmp(phase, "speaking") == 0)
        say_text(f, "tell me a long story");
    else if (strcmp(phase, "tool") == 0)
        say_text(f, "use the tool");
}

static bool
run(struct fixture *f, bool (*done)(const struct client_stream *stream))
{
    return client_run(f->client, done, f->stream, WAIT_MS);
}

/* The connection goes on for a while and nothing is waited for. */
static bool
never(const struct client_stream *stream)
{
    (void)stream;
    return false;
}

static void
wait_quietly(struct fixture *f)
{
    client_run(f->client, never, f->stream, QUIET_MS);
}

static bool
has_tool_use(const struct client_stream *stream)
{
    return client_find(stream, "\"toolUse\"") != NULL;
}

static bool
has_audio(const struct client_stream *stream)
{
    return client_find(stream, "\"audioOutput\"") != NULL;
}

/* Ends the stream in order; the answer's end must be a good one. */
static void
end_well(struct fixture *f)
{
    static const char *const ending[] = {CLIENT_ENDING, NULL};
    send_all(f, ending);
    client_send_end(f->client, f->stream, &f->signer);
    client_finish(f->client, f->stream);
    assert_true(run(f, client_has_ended));
    assert_true(f->stream->ended);
}

/* ---- requests ---- */

static void
refuse(void **state)
{
    struct fixture *f = *state;
    add("{\"fault\":\"refuse\",\"status\":429,\"retry_after\":7}");
    reach(f, "setup");
    assert_true(run(f, client_has_ended));
    assert_int_equal(f->stream->status, 429);
    assert_string_equal(f->stream->errortype, "ThrottlingException");
    assert_string_equal(f->stream->retry_after, "7");
    assert_true(client_program_logged(&program, "refuse strikes stream"));
    /* It strikes once. */
    reach(f, "setup");
    assert_true(run(f, client_has_status));
    assert_int_equal(f->stream->status, 200);
}

static void
refuse_in_other_words(void **state)
{
    struct fixture *f = *state;
    add("{\"fault\":\"refuse\",\"status\":400,\"after_ms\":100,\"errortype\":"
        "\"ServiceQuotaExceededException\",\"message\":\"No more \\\"today\\\"."
        "\"}");
    reach(f, "setup");
    assert_true(run(f, client_has_ended));
    assert_int_equal(f->stream->status, 400);
    assert_string_equal(f->stream->errortype, "ServiceQuotaExceededException");
    assert_string_equal((char *)f->stream->body,
                        "{\"message\":\"No more \\\"today\\\".\"}");
}

static void
expire_token(void **state)
{
    struct fixture *f = *state;
    add("{\"fault\":\"expire_token\",\"phase\":\"request\"}");
    reach(f, "request");
    assert_true(run(f, client_has_ended));
    assert_int_equal(f->stream->status, 403);
    assert_string_equal(f->stream->errortype, "ExpiredTokenException");
    add("{\"fault\":\"expire_token\",\"phase\":\"listening\"}");
    reach(f, "listening");
    assert_true(run(f, client_has_ended));
    assert_non_null(client_find(f->stream, "security token"));
    assert_non_null(client_find(f->stream, "validationException"));
}

static void
throttle(void **state)
{
    struct fixture *f = *state;
    struct client_signer first;
    add("{\"fault\":\"throttle\",\"streams\":1}");
    reach(f, "setup");
    assert_true(run(f, client_has_status));
    assert_int_equal(f->stream->status, 200);
    struct client_stream *stream = f->stream;
    first = f->signer;
    open_stream(f);
    assert_true(run(f, client_has_ended));
    assert_int_equal(f->stream->status, 429);
    f->stream = stream;
    f->signer = first;
    client_send_event(f->client, f->stream, &f->signer, AUDIO_START);
    end_well(f);
    open_stream(f);
    begin(f);
    assert_true(run(f, client_has_status));
    assert_int_equal(f->stream->status, 200);
}

static void
no_answer(void **state)
{
    struct fixture *f = *state;
    add("{\"fault\":\"no_answer\"}");
    reach(f, "listening");
    wait_quietly(f);
    assert_int_equal(f->stream->status, 0);
    assert_int_equal(client_end(f->client), CLIENT_ALIVE);
}

/* A clock an hour ahead: what it refuses says so in its Date, and a client that
 * goes by that is let in. */
static void
clock_skew(void **state)
{
    struct fixture *f = *state;
    char fault[96];
    int64_t skew_ms = 3600000;
    snprintf(fault, sizeof(fault), "{\"fault\":\"clock_skew\",\"ms\":%d}",
             (int)skew_ms);
    add(fault);
    reach(f, "setup");
    assert_true(run(f, client_has_ended));
    assert_int_equal(f->stream->status, 403);
    assert_string_equal(f->stream->errortype, "InvalidSignatureException");
    assert_non_null(strstr((char *)f->stream->body, "Signature expired: "));
    f->signer.skew_ms = skew_ms;
    client_request_init(&f->request, MODEL, program.port,
                        client_wall_ms() + skew_ms, &f->signer);
    reach(f, "listening");
    assert_true(run(f, client_has_status));
    assert_int_equal(f->stream->status, 200);
}

static void
wall_offset(void **state)
{
    struct fixture *f = *state;
    ask_good("{\"wall_offset_ms\":-7200000}");
    reach(f, "setup");
    assert_true(run(f, client_has_ended));
    assert_int_equal(f->stream->status, 403);
    assert_non_null(strstr((char *)f->stream->body, "not yet current"));
}

static void
refuse_connections(void **state)
{
    struct fixture *f = *state;
    add("{\"fault\":\"refuse_connections\",\"ms\":300}");
    reach(f, "setup");
    assert_true(run(f, client_has_status));
    assert_null(client_connect(program.port, program.ca_file, "\x02h2"));
    struct client *again = NULL;
    for (int i = 0; i < 100 && again == NULL; i++) {
        usleep(50000);
        again = client_connect(program.port, program.ca_file, "\x02h2");
    }
    assert_non_null(again);
    client_free(&again);
    /* The old one was left alone. */
    client_send_event(f->client, f->stream, &f->signer, AUDIO_START);
    end_well(f);
}

/* ---- frames ---- */

static void
exception_in_each_phase(void **state)
{
    static const char *const phases[] = {
        "setup", "listening", "user_speaking", "thinking", "speaking", "tool"};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
        char fault[256], logged[64];
        snprintf(fault, sizeof(fault),
                 "{\"fault\":\"exception\",\"phase\":\"%s\",\"after_ms\":20,"
                 "\"name\":\"modelStreamErrorException\",\"message\":\"in "
                 "%s\"}",
                 phases[i], phases[i]);
        add(fault);
        reach(f, phases[i]);
        assert_true(run(f, client_has_ended));
        if (client_find(f->stream, "modelStreamErrorException") == NULL)
            fail_msg("no exception in %s", phases[i]);
        assert_true(f->stream->ended);
        assert_int_equal(strcmp(phases[i], "speaking") == 0,
                         has_audio(f->stream));
        snprintf(logged, sizeof(logged), "in phase %s", phases[i]);
        assert_true(client_program_logged(&program, logged));
        ask_good("{\"clear\":true}");
    }
}

static void
exception_stay(void **state)
{
    struct fixture *f = *state;
    add("{\"fault\":\"exception_stay\",\"phase\":\"listening\",\"name\":"
        "\"validationException\",\"message\":\"Tool Response parsing "
        "error\"}");
    reach(f, "tool");
    assert_true(run(f, has_tool_use));
    assert_non_null(client_find(f->stream, "Tool Response parsing error"));
    end_well(f);
}

static void
error_frame(void **state)
{
    struct fixture *f = *state;
    add("{\"fault\":\"error_frame\",\"code\":\"500\",\"message\":\"oops\"}");
    reach(f, "listening");
    assert_true(run(f, client_has_ended));
    assert_non_null(client_find(f->stream, "oops"));
    assert_null(client_find(f->stream, "xception"));
}

static void
end_stream(void **state)
{
    struct fixture *f = *state;
    add("{\"fault\":\"end_stream\",\"phase\":\"listening\"}");
    reach(f, "listening");
    assert_true(run(f, client_has_ended));
    assert_int_equal(f->stream->status, 200);
    assert_true(f->stream->ended);
    assert_null(client_find(f->stream, "xception"));
}

static void
damaged_frames(void **state)
{
    static const char *const kinds[] = {"bad_crc", "bad_prelude"};
    struct fixture *f = *state;
    for (size_t i = 0; i < 2; i++) {
        char fault[64];
        snprintf(fault, sizeof(fault),
                 "{\"fault\":\"%s\",\"phase\":\"listening\"}", kinds[i]);
        add(fault);
        reach(f, "speaking");
        assert_true(run(f, client_has_status));
        wait_quietly(f);
        assert_int_equal(client_count(f->stream, "audioOutput"), -1);
    }
}

static void
strange_events(void **state)
{
    struct fixture *f = *state;
    add("{\"fault\":\"garbage_json\",\"phase\":\"listening\"}");
    add("{\"fault\":\"unknown_event\",\"phase\":\"listening\"}");
    reach(f, "speaking");
    assert_true(run(f, has_audio));
    assert_int_equal(client_count(f->stream, "half a sen"), 1);
    assert_int_equal(client_count(f->stream, "weatherOutput"), 1);
}

static void
split(void **state)
{
    struct fixture *f = *state;
    add("{\"fault\":\"split\"}");
    reach(f, "tool");
    assert_true(run(f, has_tool_use));
    assert_int_equal(f->stream->data_frames, f->stream->body_bytes);
}

static bool
has_two_tool_uses(const struct client_stream *stream)
{
    return client_count(stream, "\"toolUse\"") == 2;
}

static void
repeat_tool_use(void **state)
{
    struct fixture *f = *state;
    char id[64] = "";
    add("{\"fault\":\"repeat_tool_use\",\"phase\":\"tool\"}");
    reach(f, "tool");
    assert_true(run(f, has_two_tool_uses));
    const char *found =
        strstr(client_find(f->stream, "\"toolUse\""), "\"toolUseId\":\"");
    assert_int_equal(sscanf(found, "\"toolUseId\":\"%63[^\"]", id), 1);
    assert_true(client_count(f->stream, id) >= 2);
}

/* ---- silence ---- */

static void
deaf(void **state)
{
    struct fixture *f = *state;
    add("{\"fault\":\"deaf\",\"phase\":\"listening\"}");
    reach(f, "listening");
    assert_true(run(f, client_has_status));
    wait_quietly(f);
    size_t before = f->stream->body_bytes;
    say_sound(f);
    say_sound(f);
    say_text(f, "tell me a long story");
    wait_quietly(f);
    assert_int_equal(f->stream->body_bytes, before);
    end_well(f);
}

static bool
has_pong(struct fixture *f)
{
    unsigned before = client_pongs(f->client);
    client_ping(f->client);
    for (int i = 0; i < 20 && client_pongs(f->client) == before; i++)
        client_run(f->client, never, f->stream, 10);
    return client_pongs(f->client) > before;
}

static void
stall_send(void **state)
{
    struct fixture *f = *state;
    add("{\"fault\":\"stall_send\",\"phase\":\"speaking\",\"after_ms\":50}");
    reach(f, "speaking");
    assert_true(run(f, has_audio));
    assert_true(client_program_logged(&program, "stall_send strikes"));
    wait_quietly(f);
    size_t before = f->stream->body_bytes;
    wait_quietly(f);
    assert_int_equal(f->stream->body_bytes, before);
    assert_true(has_pong(f));
    assert_false(client_has_ended(f->stream));
}

static void
black_hole(void **state)
{
    struct fixture *f = *state;
    reach(f, "listening");
    assert_true(run(f, client_has_status));
    assert_true(has_pong(f));
    /* On a stream that is there already. */
    add("{\"fault\":\"black_hole\"}");
    assert_true(client_program_logged(&program, "black_hole strikes"));
    assert_false(has_pong(f));
    assert_int_equal(client_end(f->client), CLIENT_ALIVE);
}

static void
slow_reader(void **state)
{
    struct fixture *f = *state;
    add("{\"fault\":\"slow_reader\",\"phase\":\"listening\"}");
    reach(f, "listening");
    assert_true(run(f, client_has_status));
    for (int i = 0; i < 100 && client_window(f->client, f->stream) > 0; i++)
        client_run(f->client, never, f->stream, 10);
    assert_true(client_window(f->client, f->stream) <= 0);
    say_sound(f);
    wait_quietly(f);
    assert_false(client_has_sent(f->stream));
    assert_true(has_pong(f));
}

static void
slow_reader_reads_a_little(void **state)
{
    struct fixture *f = *state;
    add("{\"fault\":\"slow_reader\",\"phase\":\"listening\",\"bytes_per_s\":"
        "60000}");
    reach(f, "listening");
    assert_true(run(f, client_has_status));
    client_run(f->client, never, f->stream, 50);
    for (int i = 0; i < 10; i++)
        say_sound(f);
    client_run(f->client, never, f->stream, 50);
    assert_false(client_has_sent(f->stream));
    assert_true(run(f, client_has_sent));
}

/* ---- the connection ---- */

static void
expect_end(struct fixture *f, const char *fault, const char *phase,
           enum client_end end)
{
    add(fault);
    reach(f, phase);
    client_run(f->client, never, f->stream, WAIT_MS);
    assert_int_equal(client_end(f->client), end);
    assert_false(f->stream->ended);
}

static void
fin(void **state)
{
    expect_end(*state, "{\"fault\":\"fin\",\"phase\":\"listening\"}",
               "listening", CLIENT_NOTIFIED);
}

static void
cut_by_reset(void **state)
{
    struct fixture *f = *state;
    add("{\"fault\":\"cut\",\"phase\":\"speaking\",\"after_ms\":20}");
    reach(f, "speaking");
    client_run(f->client, never, f->stream, WAIT_MS);
    assert_int_equal(client_end(f->client), CLIENT_RESET);
    assert_false(f->stream->ended);
}

static void
cut_by_end(void **state)
{
    struct fixture *f = *state;
    expect_end(f, "{\"fault\":\"cut\",\"phase\":\"listening\",\"how\":\"fin\"}",
               "listening", CLIENT_EOF);
    /* What came ends in the middle of a frame. */
    assert_true(f->stream->body_bytes > 0);
    assert_null(client_find(f->stream, "weatherOutput"));
}

static void
cut_before_the_answer(void **state)
{
    expect_end(*state, "{\"fault\":\"cut\",\"phase\":\"request\"}", "request",
               CLIENT_RESET);
}

static void
tls_alert(void **state)
{
    expect_end(*state, "{\"fault\":\"tls_alert\",\"phase\":\"listening\"}",
               "listening", CLIENT_ALERT);
    assert_int_equal(client_last_alert(), 20);
}

static void
rst(void **state)
{
    struct fixture *f = *state;
    add("{\"fault\":\"rst\",\"phase\":\"listening\",\"code\":2}");
    reach(f, "listening");
    assert_true(run(f, client_has_ended));
    assert_true(f->stream->reset);
    assert_int_equal(f->stream->error, 2);
    assert_true(has_pong(f));
}

static void
goaway_lets_the_stream_live(void **state)
{
    struct fixture *f = *state;
    add("{\"fault\":\"goaway\",\"phase\":\"listening\"}");
    reach(f, "listening");
    for (int i = 0; i < 100 && !client_said_goaway(f->client); i++)
        client_run(f->client, never, f->stream, 20);
    assert_true(client_said_goaway(f->client));
    assert_false(client_has_ended(f->stream));
    end_well(f);
}

static void
goaway_drops_the_stream(void **state)
{
    struct fixture *f = *state;
    add("{\"fault\":\"goaway\",\"phase\":\"request\",\"last_stream\":\"zero\","
        "\"code\":11}");
    reach(f, "listening");
    client_run(f->client, NULL, f->stream, WAIT_MS);
    assert_true(client_said_goaway(f->client));
    assert_int_equal(f->stream->status, 0);
}

/* ---- how often, and where ---- */

static void
only_the_stream_it_is_for(void **state)
{
    struct fixture *f = *state;
    add("{\"fault\":\"refuse\",\"status\":500,\"count\":0,\"model\":"
        "\"amazon.nova-2-5-sonic\"}");
    add("{\"fault\":\"refuse\",\"status\":500,\"probability_percent\":0}");
    add("{\"fault\":\"refuse\",\"status\":500,\"stream\":1000000}");
    reach(f, "setup");
    assert_true(run(f, client_has_status));
    assert_int_equal(f->stream->status, 200);
    for (int i = 0; i < 2; i++) {
        client_request_init(&f->request, "amazon.nova-2-5-sonic", program.port,
                            client_wall_ms(), &f->signer);
        reach(f, "setup");
        assert_true(run(f, client_has_ended));
        assert_int_equal(f->stream->status, 500);
    }
}

/* ---- control ---- */

static void
control_answers_bad_input(void **state)
{
    static const char *const bad[] = {
        "",
        "x",
        "[]",
        "{}",
        "{\"add\":1}",
        "{\"add\":{}}",
        "{\"add\":{\"fault\":\"nothing\"}}",
        "{\"add\":{\"fault\":\"refuse\"}}",
        "{\"add\":{\"fault\":\"refuse\",\"status\":200}}",
        "{\"add\":{\"fault\":\"refuse\",\"status\":429,\"phase\":\"tool\"}}",
        "{\"add\":{\"fault\":\"deaf\",\"phase\":\"request\"}}",
        "{\"add\":{\"fault\":\"deaf\",\"status\":429}}",
        "{\"add\":{\"fault\":\"cut\",\"how\":\"saw\"}}",
        "{\"add\":{\"fault\":\"fin\",\"after_ms\":-1}}",
        "{\"remove\":0}",
        "{\"remove\":999999}",
        "{\"list\":false}",
        "{\"wall_offset_ms\":1e300}",
        "{\"list\":true,\"stats\":true}",
        "{\"list\":true} x",
        "{\"\xff\":true}",
        NULL};
    (void)state;
    int fd = client_control_open(control);
    for (size_t i = 0; bad[i] != NULL; i++) {
        assert_true(client_control_write(fd, bad[i]));
        assert_true(client_control_write(fd, "\n"));
        cJSON *answer = client_control_read(fd);
        if (!cJSON_IsFalse(cJSON_GetObjectItem(answer, "ok")) ||
            !cJSON_IsString(cJSON_GetObjectItem(answer, "error")))
            fail_msg("%s was not refused", bad[i]);
        cJSON_Delete(answer);
    }
    close(fd);
    fd = client_control_open(control);
    char *much = malloc(20001);
    memset(much, '{', 20000);
    much[20000] = '\0';
    client_control_write(fd, much);
    free(much);
    cJSON *answer = client_control_read(fd);
    assert_true(cJSON_IsFalse(cJSON_GetObjectItem(answer, "ok")));
    cJSON_Delete(answer);
    assert_null(client_control_read(fd));
    close(fd);
}

static double
number(const cJSON *object, const char *key)
{
    return cJSON_GetNumberValue(cJSON_GetObjectItem(object, key));
}

static void
control_lists_and_removes(void **state)
{
    struct stat info;
    (void)state;
    assert_int_equal(stat(control, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    cJSON *added = client_control_ask(
        control, "{\"add\":{\"fault\":\"rst\",\"code\":8,\"count\":3}}");
    char line[64];
    cJSON *list = client_control_ask(control, "{\"list\":true}");
    const cJSON *faults = cJSON_GetObjectItem(list, "faults");
    assert_int_equal(cJSON_GetArraySize(faults), 1);
    assert_true(number(faults->child, "id") == number(added, "id"));
    assert_true(number(faults->child, "code") == 8);
    assert_true(number(faults->child, "count") == 3);
    snprintf(line, sizeof(line), "{\"remove\":%.0f}", number(added, "id"));
    ask_good(line);
    cJSON_Delete(list);
    cJSON_Delete(added);
    list = client_control_ask(control, "{\"list\":true}");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(list, "faults")),
                     0);
    cJSON_Delete(list);
}

/* ---- the record ---- */

/* The newest stream of the statistics. */
static cJSON *
newest(cJSON **stats)
{
    *stats = client_control_ask(control, "{\"stats\":true}");
    const cJSON *list = cJSON_GetObjectItem(*stats, "streams");
    return cJSON_GetArrayItem(list, cJSON_GetArraySize(list) - 1);
}

static char *
read_record(const char *ending, unsigned stream, size_t *bytes)
{
    char path[160];
    static char content[65536];
    snprintf(path, sizeof(path), "%s/%04u%s", record, stream, ending);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return NULL;
    *bytes = fread(content, 1, sizeof(content) - 1, file);
    content[*bytes] = '\0';
    fclose(file);
    return content;
}

static bool
has_spoken_start(const struct client_stream *stream)
{
    return client_find(stream, "userSpeechStart") != NULL;
}

static void
record_keeps_what_came(void **state)
{
    struct fixture *f = *state;
    cJSON *stats;
    size_t bytes = 0;
    reach(f, "user_speaking");
    say_text(f, "think about it");
    assert_true(run(f, has_spoken_start));
    const cJSON *stream = newest(&stats);
    unsigned number_of = (unsigned)number(stream, "stream");
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(stream, "open")));
    assert_true(number(stream, "audio_bytes") == 8058);
    assert_true(number(stats, "highest") >= 1);
    assert_true(number(stats, "opened") >= 1);
    /* While it lives. */
    const char *audio = read_record(".s16", number_of, &bytes);
    assert_non_null(audio);
    assert_int_equal(bytes, 8058);
    assert_int_equal(((const int16_t *)(const void *)audio)[29], -8000);
    assert_null(read_record(".json", number_of, &bytes));
    cJSON_Delete(stats);
    end_well(f);
    stream = newest(&stats);
    assert_string_equal(
        cJSON_GetStringValue(cJSON_GetObjectItem(stream, "ended")),
        "sessionEnd");
    cJSON_Delete(stats);
    cJSON *json = cJSON_Parse(read_record(".json", number_of, &bytes));
    assert_non_null(json);
    assert_true(number(json, "samples") == 4029);
    assert_true(number(json, "rate_hz") == 16000);
    assert_string_equal(
        cJSON_GetStringValue(cJSON_GetObjectItem(json, "system")),
        "You are a robot.");
    assert_string_equal(cJSON_GetStringValue(cJSON_GetArrayItem(
                            cJSON_GetObjectItem(json, "texts"), 0)),
                        "think about it");
    assert_string_equal(cJSON_GetStringValue(cJSON_GetArrayItem(
                            cJSON_GetObjectItem(json, "tools"), 0)),
                        "clock");
    cJSON_Delete(json);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(refuse),
        TEST(refuse_in_other_words),
        TEST(expire_token),
        TEST(throttle),
        TEST(no_answer),
        TEST(clock_skew),
        TEST(wall_offset),
        TEST(refuse_connections),
        TEST(exception_in_each_phase),
        TEST(exception_stay),
        TEST(error_frame),
        TEST(end_stream),
        TEST(damaged_frames),
        TEST(strange_events),
        TEST(split),
        TEST(repeat_tool_use),
        TEST(deaf),
        TEST(stall_send),
        TEST(black_hole),
        TEST(slow_reader),
        TEST(slow_reader_reads_a_little),
        TEST(fin),
        TEST(cut_by_reset),
        TEST(cut_by_end),
        TEST(cut_before_the_answer),
        TEST(tls_alert),
        TEST(rst),
        TEST(goaway_lets_the_stream_live),
        TEST(goaway_drops_the_stream),
        TEST(only_the_stream_it_is_for),
        TEST(control_answers_bad_input),
        TEST(control_lists_and_removes),
        TEST(record_keeps_what_came),
    };
    return cmocka_run_group_tests_name("faults", tests, start_program,
                                       stop_program);
}

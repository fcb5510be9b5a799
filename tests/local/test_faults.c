/* Each kind of fault over TLS, as a client meets it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/local/client_events.h"
#include "tests/local/faulty.h"

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

/* ---- requests ---- */

static void
refuse(void **state)
{
    struct faulty *f = *state;
    faulty_add("{\"fault\":\"refuse\",\"status\":429,\"retry_after\":7}");
    faulty_reach(f, "setup");
    assert_true(faulty_run(f, client_has_ended));
    assert_int_equal(f->stream->status, 429);
    assert_string_equal(f->stream->errortype, "ThrottlingException");
    assert_string_equal(f->stream->retry_after, "7");
    assert_true(
        client_program_logged(&faulty_program, "refuse strikes stream"));
    /* It strikes once. */
    faulty_reach(f, "setup");
    assert_true(faulty_run(f, client_has_status));
    assert_int_equal(f->stream->status, 200);
}

static void
refuse_in_other_words(void **state)
{
    struct faulty *f = *state;
    faulty_add(
        "{\"fault\":\"refuse\",\"status\":400,\"after_ms\":100,\"errortype\":"
        "\"ServiceQuotaExceededException\",\"message\":\"No more \\\"today\\\"."
        "\"}");
    faulty_reach(f, "setup");
    assert_true(faulty_run(f, client_has_ended));
    assert_int_equal(f->stream->status, 400);
    assert_string_equal(f->stream->errortype, "ServiceQuotaExceededException");
    assert_string_equal((char *)f->stream->body,
                        "{\"message\":\"No more \\\"today\\\".\"}");
}

static void
expire_token(void **state)
{
    struct faulty *f = *state;
    faulty_add("{\"fault\":\"expire_token\",\"phase\":\"request\"}");
    faulty_reach(f, "request");
    assert_true(faulty_run(f, client_has_ended));
    assert_int_equal(f->stream->status, 403);
    assert_string_equal(f->stream->errortype, "ExpiredTokenException");
    faulty_add("{\"fault\":\"expire_token\",\"phase\":\"listening\"}");
    faulty_reach(f, "listening");
    assert_true(faulty_run(f, client_has_ended));
    assert_non_null(client_find(f->stream, "security token"));
    assert_non_null(client_find(f->stream, "validationException"));
}

static void
throttle(void **state)
{
    struct faulty *f = *state;
    struct client_signer first;
    faulty_add("{\"fault\":\"throttle\",\"streams\":1}");
    faulty_reach(f, "setup");
    assert_true(faulty_run(f, client_has_status));
    assert_int_equal(f->stream->status, 200);
    struct client_stream *stream = f->stream;
    first = f->signer;
    faulty_open(f);
    assert_true(faulty_run(f, client_has_ended));
    assert_int_equal(f->stream->status, 429);
    f->stream = stream;
    f->signer = first;
    client_send_event(f->client, f->stream, &f->signer, AUDIO_START);
    faulty_end(f);
    faulty_open(f);
    faulty_begin(f);
    assert_true(faulty_run(f, client_has_status));
    assert_int_equal(f->stream->status, 200);
}

static void
no_answer(void **state)
{
    struct faulty *f = *state;
    faulty_add("{\"fault\":\"no_answer\"}");
    faulty_reach(f, "listening");
    faulty_wait(f);
    assert_int_equal(f->stream->status, 0);
    assert_int_equal(client_end(f->client), CLIENT_ALIVE);
}

/* A clock an hour ahead: what it refuses says so in its Date, and a client that
 * goes by that is let in. */
static void
clock_skew(void **state)
{
    struct faulty *f = *state;
    char fault[96];
    int64_t skew_ms = 3600000;
    snprintf(fault, sizeof(fault), "{\"fault\":\"clock_skew\",\"ms\":%d}",
             (int)skew_ms);
    faulty_add(fault);
    faulty_reach(f, "setup");
    assert_true(faulty_run(f, client_has_ended));
    assert_int_equal(f->stream->status, 403);
    assert_string_equal(f->stream->errortype, "InvalidSignatureException");
    assert_non_null(strstr((char *)f->stream->body, "Signature expired: "));
    f->signer.skew_ms = skew_ms;
    client_request_init(&f->request, MODEL, faulty_program.port,
                        client_wall_ms() + skew_ms, &f->signer);
    faulty_reach(f, "listening");
    assert_true(faulty_run(f, client_has_status));
    assert_int_equal(f->stream->status, 200);
}

static void
wall_offset(void **state)
{
    struct faulty *f = *state;
    faulty_ask("{\"wall_offset_ms\":-7200000}");
    faulty_reach(f, "setup");
    assert_true(faulty_run(f, client_has_ended));
    assert_int_equal(f->stream->status, 403);
    assert_non_null(strstr((char *)f->stream->body, "not yet current"));
}

static void
refuse_connections(void **state)
{
    struct faulty *f = *state;
    faulty_add("{\"fault\":\"refuse_connections\",\"ms\":300}");
    faulty_reach(f, "setup");
    assert_true(faulty_run(f, client_has_status));
    assert_null(
        client_connect(faulty_program.port, faulty_program.ca_file, "\x02h2"));
    struct client *again = NULL;
    for (int i = 0; i < 100 && again == NULL; i++) {
        client_run(f->client, faulty_never, f->stream, 50);
        again = client_connect(faulty_program.port, faulty_program.ca_file,
                               "\x02h2");
    }
    assert_non_null(again);
    client_free(&again);
    /* The old one was left alone. */
    client_send_event(f->client, f->stream, &f->signer, AUDIO_START);
    faulty_end(f);
}

/* ---- frames ---- */

static void
exception_in_each_phase(void **state)
{
    static const char *const phases[] = {
        "setup", "listening", "user_speaking", "thinking", "speaking", "tool"};
    struct faulty *f = *state;
    for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
        char fault[256], logged[64];
        snprintf(fault, sizeof(fault),
                 "{\"fault\":\"exception\",\"phase\":\"%s\",\"after_ms\":20,"
                 "\"name\":\"modelStreamErrorException\",\"message\":\"in "
                 "%s\"}",
                 phases[i], phases[i]);
        faulty_add(fault);
        faulty_reach(f, phases[i]);
        assert_true(faulty_run(f, client_has_ended));
        if (client_find(f->stream, "modelStreamErrorException") == NULL)
            fail_msg("no exception in %s", phases[i]);
        assert_true(f->stream->ended);
        assert_int_equal(strcmp(phases[i], "speaking") == 0,
                         has_audio(f->stream));
        snprintf(logged, sizeof(logged), "in phase %s", phases[i]);
        assert_true(client_program_logged(&faulty_program, logged));
        faulty_ask("{\"clear\":true}");
    }
}

static void
exception_stay(void **state)
{
    struct faulty *f = *state;
    faulty_add("{\"fault\":\"exception_stay\",\"phase\":\"listening\",\"name\":"
               "\"validationException\",\"message\":\"Tool Response parsing "
               "error\"}");
    faulty_reach(f, "tool");
    assert_true(faulty_run(f, has_tool_use));
    assert_non_null(client_find(f->stream, "Tool Response parsing error"));
    faulty_end(f);
}

static void
error_frame(void **state)
{
    struct faulty *f = *state;
    faulty_add(
        "{\"fault\":\"error_frame\",\"code\":\"500\",\"message\":\"oops\"}");
    faulty_reach(f, "listening");
    assert_true(faulty_run(f, client_has_ended));
    assert_non_null(client_find(f->stream, "oops"));
    assert_null(client_find(f->stream, "xception"));
}

static void
end_stream(void **state)
{
    struct faulty *f = *state;
    faulty_add("{\"fault\":\"end_stream\",\"phase\":\"listening\"}");
    faulty_reach(f, "listening");
    assert_true(faulty_run(f, client_has_ended));
    assert_int_equal(f->stream->status, 200);
    assert_true(f->stream->ended);
    assert_null(client_find(f->stream, "xception"));
}

static void
damaged_frames(void **state)
{
    static const char *const kinds[] = {"bad_crc", "bad_prelude"};
    struct faulty *f = *state;
    for (size_t i = 0; i < 2; i++) {
        char fault[64];
        snprintf(fault, sizeof(fault),
                 "{\"fault\":\"%s\",\"phase\":\"listening\"}", kinds[i]);
        faulty_add(fault);
        faulty_reach(f, "speaking");
        assert_true(faulty_run(f, client_has_status));
        faulty_wait(f);
        assert_int_equal(client_count(f->stream, "audioOutput"), -1);
    }
}

static void
strange_events(void **state)
{
    struct faulty *f = *state;
    faulty_add("{\"fault\":\"garbage_json\",\"phase\":\"listening\"}");
    faulty_add("{\"fault\":\"unknown_event\",\"phase\":\"listening\"}");
    faulty_reach(f, "speaking");
    assert_true(faulty_run(f, has_audio));
    assert_int_equal(client_count(f->stream, "half a sen"), 1);
    assert_int_equal(client_count(f->stream, "weatherOutput"), 1);
}

static void
split(void **state)
{
    struct faulty *f = *state;
    faulty_add("{\"fault\":\"split\"}");
    faulty_reach(f, "tool");
    assert_true(faulty_run(f, has_tool_use));
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
    struct faulty *f = *state;
    char id[64] = "";
    faulty_add("{\"fault\":\"repeat_tool_use\",\"phase\":\"tool\"}");
    faulty_reach(f, "tool");
    assert_true(faulty_run(f, has_two_tool_uses));
    const char *found =
        strstr(client_find(f->stream, "\"toolUse\""), "\"toolUseId\":\"");
    assert_int_equal(sscanf(found, "\"toolUseId\":\"%63[^\"]", id), 1);
    assert_true(client_count(f->stream, id) >= 2);
}

/* ---- silence ---- */

static void
deaf(void **state)
{
    struct faulty *f = *state;
    faulty_add("{\"fault\":\"deaf\",\"phase\":\"listening\"}");
    faulty_reach(f, "listening");
    assert_true(faulty_run(f, client_has_status));
    faulty_wait(f);
    size_t before = f->stream->body_bytes;
    faulty_say_sound(f);
    faulty_say_sound(f);
    faulty_say_text(f, "tell me a long story");
    faulty_wait(f);
    assert_int_equal(f->stream->body_bytes, before);
    faulty_end(f);
}

static bool
has_pong(struct faulty *f)
{
    unsigned before = client_pongs(f->client);
    client_ping(f->client);
    for (int i = 0; i < 20 && client_pongs(f->client) == before; i++)
        client_run(f->client, faulty_never, f->stream, 10);
    return client_pongs(f->client) > before;
}

static void
stall_send(void **state)
{
    struct faulty *f = *state;
    faulty_add(
        "{\"fault\":\"stall_send\",\"phase\":\"speaking\",\"after_ms\":50}");
    faulty_reach(f, "speaking");
    assert_true(faulty_run(f, has_audio));
    assert_true(client_program_logged(&faulty_program, "stall_send strikes"));
    faulty_wait(f);
    size_t before = f->stream->body_bytes;
    faulty_wait(f);
    assert_int_equal(f->stream->body_bytes, before);
    assert_true(has_pong(f));
    assert_false(client_has_ended(f->stream));
}

static void
black_hole(void **state)
{
    struct faulty *f = *state;
    faulty_reach(f, "listening");
    assert_true(faulty_run(f, client_has_status));
    assert_true(has_pong(f));
    /* On a stream that is there already. */
    faulty_add("{\"fault\":\"black_hole\"}");
    assert_true(client_program_logged(&faulty_program, "black_hole strikes"));
    assert_false(has_pong(f));
    assert_int_equal(client_end(f->client), CLIENT_ALIVE);
}

static void
slow_reader(void **state)
{
    struct faulty *f = *state;
    faulty_add("{\"fault\":\"slow_reader\",\"phase\":\"listening\"}");
    faulty_reach(f, "listening");
    assert_true(faulty_run(f, client_has_status));
    for (int i = 0; i < 100 && client_window(f->client, f->stream) > 0; i++)
        client_run(f->client, faulty_never, f->stream, 10);
    assert_true(client_window(f->client, f->stream) <= 0);
    faulty_say_sound(f);
    faulty_wait(f);
    assert_false(client_has_sent(f->stream));
    assert_true(has_pong(f));
}

static void
slow_reader_reads_a_little(void **state)
{
    struct faulty *f = *state;
    faulty_add(
        "{\"fault\":\"slow_reader\",\"phase\":\"listening\",\"bytes_per_s\":"
        "60000}");
    faulty_reach(f, "listening");
    assert_true(faulty_run(f, client_has_status));
    client_run(f->client, faulty_never, f->stream, 50);
    for (int i = 0; i < 10; i++)
        faulty_say_sound(f);
    client_run(f->client, faulty_never, f->stream, 50);
    assert_false(client_has_sent(f->stream));
    assert_true(faulty_run(f, client_has_sent));
}

/* ---- the connection ---- */

static void
expect_end(struct faulty *f, const char *fault, const char *phase,
           enum client_end end)
{
    faulty_add(fault);
    faulty_reach(f, phase);
    client_run(f->client, faulty_never, f->stream, WAIT_MS);
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
    struct faulty *f = *state;
    faulty_add("{\"fault\":\"cut\",\"phase\":\"speaking\",\"after_ms\":20}");
    faulty_reach(f, "speaking");
    client_run(f->client, faulty_never, f->stream, WAIT_MS);
    assert_int_equal(client_end(f->client), CLIENT_RESET);
    assert_false(f->stream->ended);
}

static void
cut_by_end(void **state)
{
    struct faulty *f = *state;
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
    struct faulty *f = *state;
    faulty_add("{\"fault\":\"rst\",\"phase\":\"listening\",\"code\":2}");
    faulty_reach(f, "listening");
    assert_true(faulty_run(f, client_has_ended));
    assert_true(f->stream->reset);
    assert_int_equal(f->stream->error, 2);
    assert_true(has_pong(f));
}

static void
goaway_lets_the_stream_live(void **state)
{
    struct faulty *f = *state;
    faulty_add("{\"fault\":\"goaway\",\"phase\":\"listening\"}");
    faulty_reach(f, "listening");
    for (int i = 0; i < 100 && !client_said_goaway(f->client); i++)
        client_run(f->client, faulty_never, f->stream, 20);
    assert_true(client_said_goaway(f->client));
    assert_false(client_has_ended(f->stream));
    faulty_end(f);
}

static void
goaway_holds_no_request(void **state)
{
    struct faulty *f = *state;
    faulty_add("{\"fault\":\"goaway\",\"phase\":\"request\"}");
    faulty_reach(f, "listening");
    assert_true(faulty_run(f, client_has_status));
    assert_int_equal(f->stream->status, 200);
    faulty_end(f);
    assert_true(client_said_goaway(f->client));
}

static void
goaway_drops_the_stream(void **state)
{
    struct faulty *f = *state;
    faulty_add(
        "{\"fault\":\"goaway\",\"phase\":\"request\",\"last_stream\":\"zero\","
        "\"code\":11}");
    faulty_reach(f, "listening");
    client_run(f->client, NULL, f->stream, WAIT_MS);
    assert_true(client_said_goaway(f->client));
    assert_int_equal(f->stream->status, 0);
}

/* ---- how often, and where ---- */

static void
only_the_stream_it_is_for(void **state)
{
    struct faulty *f = *state;
    faulty_add("{\"fault\":\"refuse\",\"status\":500,\"count\":0,\"model\":"
               "\"amazon.nova-2-5-sonic\"}");
    faulty_add(
        "{\"fault\":\"refuse\",\"status\":500,\"probability_percent\":0}");
    faulty_add("{\"fault\":\"refuse\",\"status\":500,\"stream\":1000000}");
    faulty_reach(f, "setup");
    assert_true(faulty_run(f, client_has_status));
    assert_int_equal(f->stream->status, 200);
    for (int i = 0; i < 2; i++) {
        client_request_init(&f->request, "amazon.nova-2-5-sonic",
                            faulty_program.port, client_wall_ms(), &f->signer);
        faulty_reach(f, "setup");
        assert_true(faulty_run(f, client_has_ended));
        assert_int_equal(f->stream->status, 500);
    }
}

int
main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, faulty_setup, faulty_teardown)
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
        TEST(goaway_holds_no_request),
        TEST(goaway_drops_the_stream),
        TEST(only_the_stream_it_is_for),
    };
    return cmocka_run_group_tests_name("faults", tests, faulty_start,
                                       faulty_stop);
}

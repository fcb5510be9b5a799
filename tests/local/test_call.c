/* One stream without a network and on a clock of the test's own: when the 200
 * comes, what slow clients and silent ones get, how the body is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/local/call.h"
#include "gateway/local/framing.h"
#include "gateway/local/options.h"
#include "tests/local/client_events.h"
#include "tests/local/client_signer.h"

#define START_MS 1000000
#define WALL_MS 1767225600000

struct stage {
    struct call *call;
    struct call_config config;
    struct jsonlog log;
    struct verify_keys keys;
    struct script *script;
    struct client_signer signer;
    struct now now;
    int status; /* of the response, 0: none yet */
    char errortype[64];
    size_t wakes;
    int said;
    int resets;
    bool reset_error;
};

static void
on_respond(void *arg, const struct call_response *response)
{
    struct stage *stage = arg;
    assert_int_equal(stage->status, 0);
    stage->status = response->status;
    snprintf(stage->errortype, sizeof(stage->errortype), "%s",
             response->errortype ? response->errortype : "");
}

static void
on_wake(void *arg)
{
    struct stage *stage = arg;
    assert_int_equal(stage->resets, 0);
    stage->wakes++;
}

static void
on_reset(void *arg, bool error)
{
    struct stage *stage = arg;
    stage->resets++;
    stage->reset_error = error;
}

static const struct call_ops ops = {
    .respond = on_respond, .wake = on_wake, .reset = on_reset};

static void
add(struct stage *stage, const char *name, const char *value)
{
    call_on_header(stage->call, name, strlen(name), value, strlen(value));
}

static void
send_request(struct stage *stage)
{
    struct client_request request;
    client_request_init(&request, "amazon.nova-2-sonic-v1%3A0", 1, WALL_MS,
                        &stage->signer);
    client_request_sign(&request, &stage->signer, "host");
    add(stage, ":method", request.method);
    add(stage, ":authority", request.authority);
    add(stage, ":path", request.path);
    for (size_t i = 0; i < request.header_count; i++)
        add(stage, request.headers[i].name, request.headers[i].value);
    call_on_request(stage->call, stage->now);
}

static int
setup(void **state)
{
    struct stage *stage = calloc(1, sizeof(*stage));
    char problem[512];
    stage->keys = (struct verify_keys){
        OPTIONS_TEST_ACCESS_KEY_ID, OPTIONS_TEST_SECRET_ACCESS_KEY, "", NULL};
    stage->script = script_load(NULL, problem, sizeof(problem));
    stage->config = (struct call_config){.keys = &stage->keys,
                                         .script = stage->script,
                                         .ear = EAR_NONE,
                                         .time_scale = 1,
                                         .log = &stage->log};
    stage->now = (struct now){START_MS, WALL_MS};
    client_signer_init(&stage->signer);
    stage->call =
        call_new(&stage->config, &ops, stage, (struct jsonlog_place){1, 1});
    if (stage->script == NULL || stage->call == NULL)
        return -1;
    send_request(stage);
    *state = stage;
    return 0;
}

static int
teardown(void **state)
{
    struct stage *stage = *state;
    call_free(&stage->call);
    script_free(&stage->script);
    free(stage);
    return 0;
}

static void
send(struct stage *stage, const char *json)
{
    size_t inner_bytes = 0, frame_bytes;
    uint8_t *inner =
        json ? client_inner(json, strlen(json), &inner_bytes) : NULL;
    uint8_t *frame = client_sign_frame(&stage->signer, stage->now.wall_ms,
                                       inner ? (char *)inner : "", inner_bytes,
                                       &frame_bytes);
    call_on_data(stage->call, frame, frame_bytes, stage->now);
    free(inner);
    free(frame);
}

static void
send_all(struct stage *stage, const char *const *events)
{
    for (; *events != NULL; events++)
        send(stage, *events);
}

static void
pass(struct stage *stage, uint64_t ms)
{
    stage->now.mono_ms += ms;
    stage->now.wall_ms += (int64_t)ms;
    call_tick(stage->call, stage->now);
}

static const char *const beginning[] = {CLIENT_BEGINNING, NULL};
static const char *const ending[] = {CLIENT_ENDING, NULL};

static void
answer_is_withheld(void **state)
{
    struct stage *stage = *state;
    uint8_t out[64];
    bool ended;
    assert_int_equal(stage->status, 0);
    assert_int_equal(call_read(stage->call, out, sizeof(out), &ended), 0);
    assert_false(ended);
    send(stage, SESSION_START);
    assert_int_equal(stage->status, 200);
    assert_string_equal(stage->errortype, "");
}

static void
first_event_has_a_deadline(void **state)
{
    struct stage *stage = *state;
    assert_true(call_deadline_ms(stage->call) == START_MS + 20000);
    pass(stage, 19999);
    assert_int_equal(stage->status, 0);
    pass(stage, 1);
    assert_int_equal(stage->status, 400);
    assert_string_equal(stage->errortype, "ValidationException");
    assert_true(call_deadline_ms(stage->call) == UINT64_MAX);
}

/* Reads all there is and checks that it is whole frames; counts them. */
static bool
count_frame(void *arg, const struct framing_frame *frame)
{
    (void)frame;
    ++*(size_t *)arg;
    return true;
}

static bool
read_all(struct stage *stage, size_t capacity, size_t *frame_count,
         size_t *short_reads)
{
    struct framing_decoder decoder;
    uint8_t out[4096];
    bool ended = false;
    size_t count;
    framing_decoder_init(&decoder, 1 << 20);
    do {
        count = call_read(stage->call, out, capacity, &ended);
        assert_true(count <= capacity);
        *short_reads += count < capacity;
        assert_true(
            framing_push(&decoder, out, count, count_frame, frame_count));
    } while (count > 0 && !ended);
    assert_false(framing_midway(&decoder));
    framing_decoder_fini(&decoder);
    return ended;
}

/* Says hello by text, in a block of its own. */
static void
say(struct stage *stage)
{
    static const char *const formats[] = {
        LIVE_START("T%d"), LIVE_TEXT("T%d", "hello"), LIVE_END("T%d")};
    stage->said++;
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        char event[512];
        snprintf(event, sizeof(event), "%.*s%d%s",
                 (int)(strstr(formats[i], "%d") - formats[i]), formats[i],
                 stage->said, strstr(formats[i], "%d") + 2);
        send(stage, event);
    }
}

/* Every size of read gives the same whole frames, some reads are short. */
static void
body_is_cut_at_awkward_places(void **state)
{
    struct stage *stage = *state;
    size_t frame_count = 0, short_reads = 0;
    send_all(stage, beginning);
    say(stage);
    for (int i = 0; i < 200; i++) {
        pass(stage, 20);
        send(stage, AUDIO_INPUT);
        assert_false(
            read_all(stage, 1 + (size_t)i * 17, &frame_count, &short_reads));
    }
    assert_true(frame_count > 10);
    assert_true(short_reads > 10);
    assert_true(stage->wakes > 0);
}

static void
normal_end(void **state)
{
    struct stage *stage = *state;
    size_t frame_count = 0, short_reads = 0;
    send_all(stage, beginning);
    send(stage, AUDIO_INPUT);
    send_all(stage, ending);
    send(stage, NULL);
    call_on_end(stage->call, stage->now);
    for (int i = 0; i < 100; i++)
        pass(stage, 20);
    assert_true(read_all(stage, 4096, &frame_count, &short_reads));
    assert_int_equal(stage->status, 200);
    assert_int_equal(stage->resets, 0);
    assert_false(call_lingers(stage->call));
    assert_true(call_deadline_ms(stage->call) == UINT64_MAX);
}

/* A client that ends the session but not the stream is waited for, then
 * reset without an error. */
static void
stream_that_is_not_ended(void **state)
{
    struct stage *stage = *state;
    send_all(stage, beginning);
    send(stage, AUDIO_INPUT);
    send_all(stage, ending);
    send(stage, NULL);
    for (int i = 0; i < 600 && stage->resets == 0; i++)
        pass(stage, 20);
    assert_int_equal(stage->resets, 1);
    assert_false(stage->reset_error);
    assert_false(call_lingers(stage->call));
}

/* Nobody reads: what waits is bounded, and then the stream is reset. */
static void
slow_reader(void **state)
{
    struct stage *stage = *state;
    send_all(stage, beginning);
    for (int i = 0; i < 8 * 60 * 50 && stage->resets == 0; i++) {
        if (i % 250 == 0)
            say(stage);
        if (i % 25 == 0)
            send(stage, AUDIO_INPUT);
        pass(stage, 20);
    }
    assert_int_equal(stage->resets, 1);
    assert_true(stage->reset_error);
    assert_true(call_deadline_ms(stage->call) == UINT64_MAX);
    send(stage, AUDIO_INPUT);
    call_on_end(stage->call, stage->now);
    assert_int_equal(stage->resets, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(answer_is_withheld),
        TEST(first_event_has_a_deadline),
        TEST(body_is_cut_at_awkward_places),
        TEST(normal_end),
        TEST(stream_that_is_not_ended),
        TEST(slow_reader),
#undef TEST
    };
    return cmocka_run_group_tests_name("local/call", tests, NULL, NULL);
}

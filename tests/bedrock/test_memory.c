/* Whole streams, once for each allocation in them, which fails: over a wire of
 * the test's own every allocation, nghttp2's and cJSON's too; over real TLS
 * those of voxring's own code. And searches for credentials. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "gateway/log.h"
#include "tests/bedrock/scene.h"
#include "tests/bedrock/stage.h"
#include "tests/shared/starve.h"

#define SWEEP_MAX 20000  /* allocations; there are far fewer */
#define SILENCE_MS 60000 /* any of a stream's deadlines passes */
#define LARGE_BYTES 20000

static const char session_start[] = "{\"event\":{\"sessionStart\":{}}}";
static const char audio_input[] = "{\"event\":{\"audioInput\":{}}}";
static const char told_by_model[] = "{\"event\":{\"textOutput\":{}}}";

/* Runs `starved_at(number)` for one number after the other until it returns
 * false: there are no more allocations. Returns how many there are. */
static long
sweep(bool (*starved_at)(long number))
{
    long number = 0;

    if (!starve_works()) {
        print_message("skipped: only glibc lets malloc() be stood in for\n");
        skip();
    }
    starved_at(SWEEP_MAX); /* what is made once is made now */
    for (bool more = true; more && number < SWEEP_MAX; number++) {
        long live = starve_live();
        more = starved_at(number);
        if (starve_live() != live)
            fail_msg("allocation %ld: %ld blocks are lost", number,
                     starve_live() - live);
    }
    assert_in_range(number, 2, SWEEP_MAX - 1);
    return number - 1;
}

/* Memory was short, and that is what the end says. */
static void
assert_blames_memory(const char *message)
{
    if (!strcasestr(message, "memory"))
        fail_msg("\"%s\" does not tell that memory was short", message);
}

/* ---- over a wire of memory ---- */

/* A conversation: what the server does, and how it ends. */
struct play {
    const char *name;
    void (*act)(struct scene *s);
    enum bedrock_end_cause cause;
    bool normal;
    unsigned events;
    const char *body; /* what the server got, if it got all */
};

static const struct play *play;

static void
say(struct scene *s, const char *json)
{
    if (s->record.ends)
        return;
    assert_int_not_equal(
        bedrock_stream_send(s->record.stream, json, strlen(json), true),
        VR_AGAIN);
}

static void
serve_exception(struct scene *s, const char *type, const char *payload)
{
    uint8_t frame[512];
    size_t bytes = frame_make("exception", ":exception-type", type, payload,
                              frame, sizeof(frame));

    fake_h2_data(s->wire.h2, frame, bytes);
}

/* Events whole, split and large, an exception that is outlived, a PING. */
static void
converse(struct scene *s)
{
    static char large[LARGE_BYTES];

    memset(large, ' ', sizeof(large) - 1);
    memcpy(large, told_by_model, sizeof(told_by_model) - 1);
    say(s, session_start);
    say(s, audio_input);
    fake_h2_respond(s->wire.h2, "200", scene_ok_fields, false);
    scene_serve(s, told_by_model);
    fake_wire_deliver(&s->wire);
    s->wire.step = 1000;
    scene_serve(s, large);
    fake_wire_deliver(&s->wire);
    serve_exception(s, "validationException",
                    "{\"message\":\"Tool Response parsing error\"}");
    scene_serve(s, told_by_model);
    fake_wire_deliver(&s->wire);
    fake_wire_pass(&s->wire, 6000);
    fake_wire_deliver(&s->wire);
    say(s, audio_input);
    bedrock_stream_finish(s->record.stream);
    scene_serve(s, told_by_model);
    fake_h2_end(s->wire.h2);
    fake_wire_deliver(&s->wire);
}

static void
break_off(struct scene *s)
{
    say(s, session_start);
    fake_h2_respond(s->wire.h2, "200", scene_ok_fields, false);
    scene_serve(s, told_by_model);
    serve_exception(s, "modelStreamErrorException",
                    "{\"message\":\"The model failed\"}");
    fake_h2_end(s->wire.h2);
    fake_wire_deliver(&s->wire);
}

static void
refuse(struct scene *s)
{
    static const char body[] = "{\"__type\":\"ThrottlingException\","
                               "\"message\":\"Too many requests\"}";
    static const char *const fields[] = {"retry-after", "7", NULL};

    say(s, session_start);
    fake_h2_respond(s->wire.h2, "429", fields, false);
    fake_h2_data(s->wire.h2, body, sizeof(body) - 1);
    fake_h2_end(s->wire.h2);
    fake_wire_deliver(&s->wire);
    if (s->record.end.cause == BEDROCK_END_http_status)
        assert_int_equal(s->record.end.retry_after_ms, 7000);
}

static void
go_away(struct scene *s)
{
    say(s, session_start);
    fake_h2_goaway(s->wire.h2, 0, 0, "maintenance");
    fake_wire_deliver(&s->wire);
}

/* What a stream owes its caller whatever happened: one end, and if that is the
 * one that the play has, nothing is missing before it. */
static void
assert_orderly(struct scene *s, bool reached)
{
    const struct record *r = &s->record;
    bool as_played = r->end.cause == play->cause;

    assert_int_equal(r->ends, 1);
    assert_true(s->wire.closed);
    assert_false(s->wire.h2->broken);
    assert_true(*r->end.message);
    assert_true(as_played || reached);
    if (!as_played) {
        assert_false(r->end.normal);
        assert_blames_memory(r->end.message);
        return;
    }
    assert_int_equal(r->end.normal, play->normal);
    assert_int_equal(r->events, play->events);
    scene_assert_body(s, play->body);
}

static bool
scene_starved_at(long number)
{
    char problem[256] = "";
    struct scene s;

    memset(&s.record, 0, sizeof(s.record));
    fake_wire_init(&s.wire, NULL);
    starve_at(number);
    s.record.stream =
        bedrock_stream_over(&s.wire.wire, &test_target, &test_credentials,
                            &record_ops, &s.record, problem, sizeof(problem));
    if (s.record.stream) {
        fake_wire_connected(&s.wire);
        play->act(&s);
        fake_wire_pass(&s.wire, SILENCE_MS);
    }
    bool reached = starve_end();
    if (s.record.stream)
        assert_orderly(&s, reached);
    else
        assert_blames_memory(problem);
    scene_close(&s);
    return reached;
}

static const struct play plays[] = {
    {"conversation", converse, BEDROCK_END_end_stream, true, 4,
     "{\"event\":{\"sessionStart\":{}}}\n{\"event\":{\"audioInput\":{}}}\n"
     "{\"event\":{\"audioInput\":{}}}\n\n"},
    {"exception", break_off, BEDROCK_END_exception, false, 1,
     "{\"event\":{\"sessionStart\":{}}}\n"},
    {"refusal", refuse, BEDROCK_END_http_status, false, 0,
     "{\"event\":{\"sessionStart\":{}}}\n"},
    {"GOAWAY", go_away, BEDROCK_END_goaway, false, 0,
     "{\"event\":{\"sessionStart\":{}}}\n"},
};

static void
test_any_allocation_of_a_stream_may_fail(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(plays) / sizeof(*plays); i++) {
        play = &plays[i];
        print_message("%s: %ld allocations, each failed once\n", play->name,
                      sweep(scene_starved_at));
    }
}

static bool
dropped_at(long number)
{
    char problem[256];
    struct scene s;

    memset(&s.record, 0, sizeof(s.record));
    fake_wire_init(&s.wire, NULL);
    starve_at(number);
    s.record.stream =
        bedrock_stream_over(&s.wire.wire, &test_target, &test_credentials,
                            &record_ops, &s.record, problem, sizeof(problem));
    if (s.record.stream) {
        fake_wire_connected(&s.wire);
        say(&s, session_start);
        bedrock_stream_close(&s.record.stream);
    }
    bool reached = starve_end();
    assert_true(s.wire.closed);
    scene_close(&s);
    return reached;
}

static void
test_any_allocation_of_a_stream_that_is_dropped_may_fail(void **state)
{
    (void)state;
    print_message("%ld allocations, each failed once\n", sweep(dropped_at));
}

/* ---- over TLS ---- */

static bool
opened_or_over(void *arg)
{
    const struct record *r = arg;
    return r->opened || r->ends;
}

static bool
told_or_over(void *arg)
{
    const struct record *r = arg;
    return r->events || r->ends;
}

static bool
is_over(void *arg)
{
    return ((const struct record *)arg)->ends > 0;
}

/* The stream's connection once its request is there, or NULL at its end. */
static struct fake_peer *
until_request(struct stage *stage, const struct record *record,
              const struct fake_peer *before)
{
    while (!record->ends) {
        struct fake_peer *peer = stage->server.peers;
        if (peer != before && peer->h2->got_request)
            return peer;
        uv_run(&stage->loop, UV_RUN_ONCE);
    }
    return NULL;
}

/* A short conversation, as far as it gets. */
static void
converse_over_tls(struct stage *stage, struct record *record)
{
    const struct fake_peer *before = stage->server.peers;
    struct fake_peer *peer;

    stage_until(stage, opened_or_over, record);
    if (!record->ends &&
        bedrock_stream_send(record->stream, session_start,
                            sizeof(session_start) - 1, true) != VR_OK)
        fail_msg("an open stream takes nothing");
    peer = until_request(stage, record, before);
    if (peer) {
        stage_accept(peer);
        stage_serve(peer, told_by_model);
    }
    stage_until(stage, told_or_over, record);
    bedrock_stream_finish(record->stream);
    if (peer) {
        fake_h2_end(peer->h2);
        fake_peer_flush(peer);
    }
    stage_until(stage, is_over, record);
    assert_int_equal(record->ends, 1);
}

/* One that lacks nothing: whatever failed before is forgotten. */
static void
converse_whole(struct stage *stage)
{
    struct record record;

    stage_open(stage, &record, NULL);
    converse_over_tls(stage, &record);
    assert_string_equal(bedrock_end_name(record.end.cause), "end_stream");
    assert_true(record.end.normal);
    assert_int_equal(record.events, 1);
    record_fini(&record);
}

/* A stream as short of memory as it gets; the client stays. */
static void
converse_starved(struct stage *stage)
{
    char problem[256] = "";
    struct record record;

    memset(&record, 0, sizeof(record));
    record.stream =
        bedrock_stream_open(stage->client, &stage->target, &test_credentials,
                            &record_ops, &record, problem, sizeof(problem));
    if (record.stream) {
        converse_over_tls(stage, &record);
        if (record.end.cause != BEDROCK_END_end_stream)
            assert_blames_memory(record.end.message);
    } else {
        assert_blames_memory(problem);
    }
    record_fini(&record);
}

static bool
stage_starved_at(long number)
{
    struct stage stage;
    bool reached;

    stage_start(&stage, NULL);
    bedrock_client_free(&stage.client);
    starve_ours_at(number);
    stage.client = bedrock_client_new(&stage.loop);
    if (stage.client)
        converse_starved(&stage);
    reached = starve_end();
    if (stage.client)
        converse_whole(&stage);
    stage_stop(&stage);
    return reached;
}

static void
test_any_allocation_of_ours_over_tls_may_fail(void **state)
{
    (void)state;
    print_message("%ld allocations, each failed once\n",
                  sweep(stage_starved_at));
}

/* ---- credentials ---- */

/* Two files with a profile of two halves, in a folder of their own. */
struct home {
    char folder[64];
    char keys[96], config[96];
};

static void
write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    fclose(file);
}

static int
home_make(void **state)
{
    static struct home home;

    snprintf(home.folder, sizeof(home.folder), "/tmp/voxring-test-XXXXXX");
    assert_non_null(mkdtemp(home.folder));
    snprintf(home.keys, sizeof(home.keys), "%s/credentials", home.folder);
    snprintf(home.config, sizeof(home.config), "%s/config", home.folder);
    write_file(home.keys, "[other]\naws_access_key_id = AKIDOTHER\n"
                          "aws_secret_access_key = another\n");
    write_file(home.config, "[profile robot]\nregion = us-east-1\n"
                            "aws_access_key_id = AKIDROBOT\n"
                            "aws_secret_access_key = secret\n"
                            "aws_session_token = token\n"
                            "aws_expiration = 2026-01-31T12:00:00Z\n");
    setenv("AWS_SHARED_CREDENTIALS_FILE", home.keys, 1);
    setenv("AWS_CONFIG_FILE", home.config, 1);
    *state = &home;
    return 0;
}

static int
home_remove(void **state)
{
    const struct home *home = *state;

    unsetenv("AWS_SHARED_CREDENTIALS_FILE");
    unsetenv("AWS_CONFIG_FILE");
    unsetenv("AWS_ACCESS_KEY_ID");
    unsetenv("AWS_SECRET_ACCESS_KEY");
    unsetenv("AWS_SESSION_TOKEN");
    unlink(home->keys);
    unlink(home->config);
    return rmdir(home->folder);
}

static bool
search_starved_at(const char *profile, const char *key, long number)
{
    struct credentials found;
    char tried[2048];
    enum vr_status status;
    bool reached;

    starve_at(number);
    status = credentials_load(profile, &found, tried, sizeof(tried));
    reached = starve_end();
    if (status == VR_OK) {
        assert_string_equal(found.access_key_id, key);
        assert_string_equal(found.session_token, "token");
        return reached;
    }
    assert_true(reached);
    assert_int_equal(status, VR_NO_MEMORY);
    assert_string_equal(found.access_key_id, "");
    assert_blames_memory(tried);
    return true;
}

static bool
profile_starved_at(long number)
{
    return search_starved_at("robot", "AKIDROBOT", number);
}

static bool
environment_starved_at(long number)
{
    return search_starved_at(NULL, "AKIDENVIRONMENT", number);
}

static void
test_any_allocation_of_a_search_may_fail(void **state)
{
    (void)state;
    print_message("profile: %ld allocations, each failed once\n",
                  sweep(profile_starved_at));
    setenv("AWS_ACCESS_KEY_ID", "AKIDENVIRONMENT", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
    setenv("AWS_SESSION_TOKEN", "token", 1);
    print_message("environment: %ld allocations, each failed once\n",
                  sweep(environment_starved_at));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_allocation_of_a_stream_may_fail),
        cmocka_unit_test(
            test_any_allocation_of_a_stream_that_is_dropped_may_fail),
        cmocka_unit_test(test_any_allocation_of_ours_over_tls_may_fail),
        cmocka_unit_test_setup_teardown(
            test_any_allocation_of_a_search_may_fail, home_make, home_remove),
    };
    if (log_levels("off", NULL, 0) != VR_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

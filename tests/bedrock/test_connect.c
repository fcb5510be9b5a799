/* Streams over real sockets and TLS, to a server on the same loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/log.h"
#include "tests/bedrock/stage.h"

static void
assert_ended(const struct record *record, enum bedrock_end_cause cause,
             bool normal, const char *words)
{
    const struct bedrock_end *end = &record->end;

    assert_int_equal(record->ends, 1);
    if (end->cause != cause)
        fail_msg("%s instead of %s: %s", bedrock_end_name(end->cause),
                 bedrock_end_name(cause), end->message);
    if (!strstr(end->message, words))
        fail_msg("\"%s\" lacks \"%s\"", end->message, words);
    assert_int_equal(end->normal, normal);
}

static void
say(struct record *record, const char *json)
{
    assert_int_equal(
        bedrock_stream_send(record->stream, json, strlen(json), true), VR_OK);
}

/* Opens a stream to the stage's server, up to the 200. */
static struct fake_peer *
converse(struct stage *stage, struct record *record)
{
    stage_open(stage, record, NULL);
    stage_until_open(stage, record);
    struct fake_peer *peer = stage_until_request(stage);
    stage_accept(peer);
    stage_serve(peer, "{\"event\":{\"first\":1}}");
    stage_until_event(stage, record, 1);
    assert_int_equal(record->responses, 1);
    return peer;
}

static bool
has_finished(void *arg)
{
    return ((struct fake_peer *)arg)->h2->request_ended;
}

static void
finish(struct stage *stage, struct record *record, struct fake_peer *peer)
{
    bedrock_stream_finish(record->stream);
    stage_until(stage, has_finished, peer);
}

/* ---- a conversation ---- */

static void
test_conversation(void **state)
{
    struct stage stage;
    struct record record;

    (void)state;
    stage_start(&stage, NULL);
    struct fake_peer *peer = converse(&stage, &record);
    say(&record, "{\"event\":{\"sessionStart\":{}}}");
    say(&record, "{\"event\":{\"sessionEnd\":{}}}");
    assert_int_equal(bedrock_stream_unsent_bytes(record.stream), 0);
    finish(&stage, &record, peer);
    struct fake_bytes events = body_events(&peer->h2->body);
    assert_string_equal((const char *)events.at,
                        "{\"event\":{\"sessionStart\":{}}}\n"
                        "{\"event\":{\"sessionEnd\":{}}}\n\n");
    fake_bytes_free(&events);
    stage_serve(peer, "{\"event\":{\"usageEvent\":{}}}");
    fake_h2_end(peer->h2);
    fake_peer_flush(peer);
    stage_until_end(&stage, &record);
    assert_ended(&record, BEDROCK_END_end_stream, true, "after our end");
    assert_int_equal(record.events, 2);
    assert_string_equal(record.request_id, "req-tls");
    record_fini(&record);
    stage_stop(&stage);
}

/* libcurl's chatter goes to the log at trace, and secrets are not in it. */
static void
test_chatter(void **state)
{
    struct stage stage;
    struct record record;
    static char text[65536];
    int pipes[2];

    (void)state;
    assert_int_equal(pipe2(pipes, O_NONBLOCK | O_CLOEXEC), 0);
    log_init(pipes[1]);
    assert_int_equal(log_levels("lib=trace", NULL, 0), VR_OK);
    stage_start(&stage, NULL);
    converse(&stage, &record);
    record_fini(&record);
    stage_stop(&stage);
    log_fini();
    close(pipes[1]);
    ssize_t count = read(pipes[0], text, sizeof(text) - 1);
    assert_true(count > 0);
    close(pipes[0]);
    assert_non_null(strstr(text, "curl: "));
    assert_non_null(strstr(text, "connected to 127.0.0.1:"));
    assert_null(strstr(text, test_credentials.secret_access_key));
    assert_null(strstr(text, test_credentials.session_token));
}

static int
socket_to(unsigned port)
{
    for (int descriptor = 3; descriptor < 256; descriptor++) {
        struct sockaddr_in address = {0};
        socklen_t bytes = sizeof(address);
        if (!getpeername(descriptor, (struct sockaddr *)&address, &bytes) &&
            ntohs(address.sin_port) == port)
            return descriptor;
    }
    fail_msg("no socket to port %u", port);
    return -1;
}

static void
test_socket_options(void **state)
{
    struct stage stage;
    struct record record;
    int value = 0;
    socklen_t bytes = sizeof(value);

    (void)state;
    stage_start(&stage, NULL);
    converse(&stage, &record);
    int descriptor = socket_to(stage.server.port);
    assert_true(fcntl(descriptor, F_GETFD) & FD_CLOEXEC);
    getsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &value, &bytes);
    assert_in_range(value, 32 * 1024, 64 * 1024);
    getsockopt(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &bytes);
    assert_int_equal(value, 10000);
    getsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &value, &bytes);
    assert_int_equal(value, 1);
    record_fini(&record);
    stage_stop(&stage);
}

/* Much model audio at once: all of it arrives. */
static void
test_flood(void **state)
{
    struct stage stage;
    struct record record;
    static char json[100001];

    (void)state;
    memset(json, 'z', sizeof(json) - 1);
    stage_start(&stage, NULL);
    struct fake_peer *peer = converse(&stage, &record);
    for (int i = 0; i < 100; i++)
        stage_serve(peer, json);
    stage_until_event(&stage, &record, 101);
    record_fini(&record);
    stage_stop(&stage);
}

#define MANY 64

static void
test_many_streams(void **state)
{
    struct stage stage;
    static struct record records[MANY];

    (void)state;
    stage_start(&stage, NULL);
    for (int i = 0; i < MANY; i++)
        stage_open(&stage, &records[i], NULL);
    for (int i = 0; i < MANY; i++)
        stage_until_open(&stage, &records[i]);
    for (int i = 0; i < MANY; i++)
        say(&records[i], "{\"hello\":1}");
    assert_int_equal(stage.server.accepted, MANY);
    for (struct fake_peer *p = stage.server.peers; p; p = p->next) {
        while (!p->h2->body.count)
            uv_run(&stage.loop, UV_RUN_ONCE);
        stage_accept(p);
        stage_serve(p, "{}");
        fake_h2_end(p->h2);
        fake_peer_flush(p);
    }
    for (int i = 0; i < MANY; i++) {
        stage_until_end(&stage, &records[i]);
        assert_int_equal(records[i].events, 1);
        record_fini(&records[i]);
    }
    stage_stop(&stage);
}

/* ---- no connection ---- */

static void
fail_to_connect(const struct fake_server_options *options,
                const struct bedrock_target *changes,
                enum bedrock_end_cause cause, const char *words)
{
    struct stage stage;
    struct record record;
    char endpoint[128];

    stage_start(&stage, options);
    if (changes && changes->endpoint) {
        snprintf(endpoint, sizeof(endpoint), "%s:%u", changes->endpoint,
                 cause == BEDROCK_END_refused ? 1 : stage.server.port);
        stage.target.endpoint = endpoint;
    }
    if (changes && changes->ca_file)
        stage.target.ca_file = *changes->ca_file ? changes->ca_file : NULL;
    if (changes)
        stage.target.connect_timeout_ms = changes->connect_timeout_ms;
    stage_open(&stage, &record, NULL);
    assert_int_equal(record.ends, 0);
    stage_until_end(&stage, &record);
    assert_ended(&record, cause, false, words);
    assert_int_equal(record.opened, 0);
    record_fini(&record);
    stage_stop(&stage);
}

static void
test_no_h2(void **state)
{
    static const enum fake_alpn alpns[] = {FAKE_ALPN_NONE, FAKE_ALPN_HTTP1,
                                           FAKE_ALPN_REFUSE};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct fake_server_options options = {.alpn = alpns[i]};
        if (alpns[i] == FAKE_ALPN_HTTP1) {
            /* A choice that was not offered is a broken handshake to some
             * versions of OpenSSL and http/1.1 to others. */
            struct stage stage;
            struct record record;
            stage_start(&stage, &options);
            stage_open(&stage, &record, NULL);
            stage_until_end(&stage, &record);
            assert_true(record.end.cause == BEDROCK_END_no_h2 ||
                        record.end.cause == BEDROCK_END_tls);
            record_fini(&record);
            stage_stop(&stage);
            continue;
        }
        fail_to_connect(&options, NULL, BEDROCK_END_no_h2,
                        "did not agree to HTTP/2");
    }
}

static void
test_certificates(void **state)
{
    (void)state;
    fail_to_connect(NULL, &(struct bedrock_target){.ca_file = ""},
                    BEDROCK_END_tls, "set ca_file");
    fail_to_connect(NULL, &(struct bedrock_target){.ca_file = "/nonexistent"},
                    BEDROCK_END_tls, "check that ca_file \"/nonexistent\"");
    fail_to_connect(NULL,
                    &(struct bedrock_target){.endpoint = "https://bad.test"},
                    BEDROCK_END_tls, "bad.test");
}

static void
test_refused(void **state)
{
    (void)state;
    fail_to_connect(NULL,
                    &(struct bedrock_target){.endpoint = "https://127.0.0.1"},
                    BEDROCK_END_refused, "nothing listens there");
}

static void
test_unknown_name(void **state)
{
    (void)state;
    fail_to_connect(
        NULL, &(struct bedrock_target){.endpoint = "https://missing.test"},
        BEDROCK_END_dns, "missing.test");
}

static void
test_mute_server(void **state)
{
    struct fake_server_options options = {.mood = FAKE_MUTE};

    (void)state;
    fail_to_connect(&options,
                    &(struct bedrock_target){.connect_timeout_ms = 100},
                    BEDROCK_END_connect_timeout, "must be done in time");
}

static void
test_no_tls(void **state)
{
    struct fake_server_options options = {.mood = FAKE_GARBAGE};

    (void)state;
    fail_to_connect(&options, NULL, BEDROCK_END_tls, "Connecting to 127.0.0.1");
}

static void
test_name_of_certificate(void **state)
{
    struct stage stage;
    struct record record;
    char endpoint[64];

    (void)state;
    stage_start(&stage, NULL);
    snprintf(endpoint, sizeof(endpoint), "https://good.test:%u",
             stage.server.port);
    stage.target.endpoint = endpoint;
    struct fake_peer *peer = converse(&stage, &record);
    assert_non_null(strstr(peer->h2->headers, ":authority: good.test:"));
    record_fini(&record);
    stage_stop(&stage);
}

/* A resolver that hangs keeps neither its own stream nor another one. */
static void
test_hanging_resolver(void **state)
{
    struct stage stage;
    struct record stuck, dropped, lively;

    (void)state;
    stage_start(&stage, NULL);
    struct fake_peer *peer = converse(&stage, &lively);
    struct bedrock_target target = stage.target;
    target.endpoint = "https://hang.test";
    target.connect_timeout_ms = 100;
    stage_open(&stage, &stuck, &target);
    stage_open(&stage, &dropped, &target);
    for (unsigned i = 0; i < 50; i++) {
        say(&lively, "{\"event\":{}}");
        stage_serve(peer, "{\"event\":{}}");
        stage_until_event(&stage, &lively, 2 + i);
    }
    record_fini(&dropped);
    stage_until_end(&stage, &stuck);
    assert_ended(&stuck, BEDROCK_END_connect_timeout, false, "Resolving timed");
    record_fini(&stuck);
    stage_serve(peer, "{\"event\":{}}");
    stage_until_event(&stage, &lively, 52);
    record_fini(&lively);
    stage_release_resolver(&stage);
    stage_stop(&stage);
}

/* ---- proxies ---- */

static void
set_proxy(const char *scheme, unsigned port)
{
    char proxy[64];

    snprintf(proxy, sizeof(proxy), "%s127.0.0.1:%u", scheme, port);
    setenv("HTTPS_PROXY", proxy, 1);
}

static void
with_proxy(const char *scheme, int status, const char *no_proxy,
           struct record *record, bool expect_open)
{
    struct fake_server_options options = {.mood = FAKE_PROXY,
                                          .proxy_status = status};
    struct stage stage;

    if (no_proxy)
        options.mood = FAKE_SPEAKS;
    stage_start(&stage, &options);
    set_proxy(scheme, no_proxy ? 1 : stage.server.port);
    if (no_proxy)
        setenv("NO_PROXY", no_proxy, 1);
    stage_open(&stage, record, NULL);
    if (expect_open)
        stage_until_open(&stage, record);
    else
        stage_until_end(&stage, record);
    if (status && !no_proxy && !strcmp(scheme, "http://"))
        assert_memory_equal(stage.server.peers->plain.at,
                            "CONNECT 127.0.0.1:", 18);
    record_fini(record);
    stage_stop(&stage);
    unsetenv("HTTPS_PROXY");
    unsetenv("NO_PROXY");
}

static void
test_proxies(void **state)
{
    struct record record;

    (void)state;
    with_proxy("http://", 200, NULL, &record, true);
    with_proxy("http://", 407, NULL, &record, false);
    assert_ended(&record, BEDROCK_END_proxy, false, "407");
    with_proxy("https://", 200, NULL, &record, false);
    assert_ended(&record, BEDROCK_END_proxy, false, "not supported");
    with_proxy("https://", 200, "localhost,127.0.0.1", &record, true);
}

/* ---- ends ---- */

static void
cut(bool finished, void (*fault)(struct fake_peer *peer),
    enum bedrock_end_cause cause, bool normal, const char *words)
{
    struct stage stage;
    struct record record;

    stage_start(&stage, NULL);
    struct fake_peer *peer = converse(&stage, &record);
    if (finished)
        finish(&stage, &record, peer);
    fault(peer);
    stage_until_end(&stage, &record);
    assert_ended(&record, cause, normal, words);
    record_fini(&record);
    stage_stop(&stage);
}

static void
fault_fin(struct fake_peer *peer)
{
    fake_peer_fin(peer, false);
}

static void
fault_close_notify(struct fake_peer *peer)
{
    fake_peer_fin(peer, true);
}

static void
fault_end(struct fake_peer *peer)
{
    fake_h2_end(peer->h2);
    fake_peer_flush(peer);
}

static void
fault_rst(struct fake_peer *peer)
{
    fake_h2_rst(peer->h2, NGHTTP2_NO_ERROR);
    fake_peer_flush(peer);
}

static void
fault_goaway(struct fake_peer *peer)
{
    fake_h2_goaway(peer->h2, 1, NGHTTP2_NO_ERROR, "");
    fake_peer_flush(peer);
    fake_peer_fin(peer, true);
}

static void
fault_garbage(struct fake_peer *peer)
{
    fake_peer_garbage(peer, "this is no TLS record at all", 28);
}

static void
test_ends(void **state)
{
    (void)state;
    cut(false, fault_fin, BEDROCK_END_fin, false, "before our end");
    cut(false, fault_close_notify, BEDROCK_END_fin, false, "before our end");
    cut(false, fault_end, BEDROCK_END_end_stream, false, "before our end");
    cut(false, fault_rst, BEDROCK_END_rst_stream, false, "before our end");
    cut(false, fault_goaway, BEDROCK_END_goaway, false, "GOAWAY NO_ERROR");
    cut(false, fake_peer_abort, BEDROCK_END_network, false, "reset by peer");
    cut(false, fault_garbage, BEDROCK_END_tls, false, "Connection to");
    cut(true, fault_fin, BEDROCK_END_fin, true, "after our end");
    cut(true, fault_close_notify, BEDROCK_END_fin, true, "after our end");
    cut(true, fault_end, BEDROCK_END_end_stream, true, "after our end");
    cut(true, fault_rst, BEDROCK_END_rst_stream, true, "after our end");
    cut(true, fault_goaway, BEDROCK_END_goaway, true, "GOAWAY NO_ERROR");
    cut(true, fake_peer_abort, BEDROCK_END_network, false, "reset by peer");
}

/* Writing to a peer that is gone raises no SIGPIPE (stage_stop() looks). */
static void
test_writing_to_the_gone(void **state)
{
    struct stage stage;
    struct record record;

    (void)state;
    stage_start(&stage, NULL);
    struct fake_peer *peer = converse(&stage, &record);
    fake_peer_abort(peer);
    uv_run(&stage.server.loop[0], UV_RUN_NOWAIT);
    for (int i = 0; i < 20 && record.stream && !record.ends; i++) {
        enum vr_status status =
            bedrock_stream_send(record.stream, "{\"x\":1}", 7, true);
        assert_true(status == VR_OK || status == VR_CLOSED);
    }
    stage_until_end(&stage, &record);
    assert_false(record.end.normal);
    record_fini(&record);
    stage_stop(&stage);
}

/* ---- silence and back-pressure ---- */

static unsigned
fill(struct record *record)
{
    static char json[2000];
    unsigned taken = 0;

    memset(json, 'a', sizeof(json));
    while (bedrock_stream_send(record->stream, json, sizeof(json), false) ==
           VR_OK)
        taken++;
    return taken;
}

/* The window is empty: audio waits, and the loop sleeps. */
static void
test_peer_gives_no_window(void **state)
{
    struct fake_server_options options = {
        .h2 = {.window_bytes = 30000, .no_window_updates = true}};
    struct stage stage;
    struct record record;

    (void)state;
    stage_start(&stage, &options);
    struct fake_peer *peer = converse(&stage, &record);
    assert_in_range(fill(&record), 20, 80);
    stage_for(&stage, 100);
    stage.turns = 0;
    stage_for(&stage, 300);
    assert_in_range(stage.turns, 0, 10);
    assert_int_equal(record.writables, 0);
    fake_h2_window(peer->h2, 1000000);
    fake_peer_flush(peer);
    while (!record.writables)
        uv_run(&stage.loop, UV_RUN_ONCE);
    assert_int_equal(bedrock_stream_unsent_bytes(record.stream), 0);
    record_fini(&record);
    stage_stop(&stage);
}

/* The socket is full: the same, and then the PING finds the black hole. */
static void
test_peer_reads_nothing(void **state)
{
    struct fake_server_options options = {.h2 = {.window_bytes = 100000000}};
    struct stage stage;
    struct record record;
    unsigned taken = 0;

    (void)state;
    stage_start(&stage, &options);
    stage.target.ping_after_ms = 600;
    stage.target.ping_timeout_ms = 100;
    struct fake_peer *peer = converse(&stage, &record);
    fake_h2_window(peer->h2, 100000000);
    fake_peer_flush(peer);
    stage_for(&stage, 20);
    fake_peer_deafen(peer);
    for (unsigned more = 1; more; taken += more) {
        more = fill(&record);
        stage_for(&stage, 20);
    }
    assert_true(taken > 30);
    stage.turns = 0;
    stage_for(&stage, 200);
    assert_in_range(stage.turns, 0, 10);
    stage_until_end(&stage, &record);
    assert_ended(&record, BEDROCK_END_black_hole, false, "PING");
    record_fini(&record);
    stage_stop(&stage);
}

static void
test_ping_over_tls(void **state)
{
    struct stage stage;
    struct record record;

    (void)state;
    stage_start(&stage, NULL);
    stage.target.ping_after_ms = 20;
    struct fake_peer *peer = converse(&stage, &record);
    while (peer->h2->pings < 3)
        uv_run(&stage.loop, UV_RUN_ONCE);
    assert_int_equal(record.ends, 0);
    record_fini(&record);
    stage_stop(&stage);
}

/* ---- closing ---- */

static void
test_close_at_every_turn(void **state)
{
    struct stage stage;
    struct record record;

    (void)state;
    stage_start(&stage, NULL);
    for (int turns = 0; turns < 30; turns++) {
        stage_open(&stage, &record, NULL);
        for (int i = 0; i < turns; i++)
            uv_run(&stage.loop, UV_RUN_NOWAIT);
        record_fini(&record);
        assert_int_equal(record.ends, 0);
    }
    stage_stop(&stage);
}

static void
test_close_from_callbacks(void **state)
{
    struct stage stage;
    struct record record;

    (void)state;
    stage_start(&stage, NULL);
    stage_open(&stage, &record, NULL);
    record.close_on_open = true;
    stage_until_open(&stage, &record);
    record_fini(&record);

    stage_open(&stage, &record, NULL);
    stage_until_open(&stage, &record);
    record.close_on_event = true;
    struct fake_peer *peer = stage.server.peers;
    while (!peer->h2->got_request)
        uv_run(&stage.loop, UV_RUN_ONCE);
    stage_accept(peer);
    stage_serve(peer, "{}");
    stage_serve(peer, "{}");
    stage_until_event(&stage, &record, 1);
    assert_null(record.stream);
    record_fini(&record);

    stage.target.ca_file = NULL;
    stage_open(&stage, &record, NULL);
    record.close_on_end = true;
    stage_until_end(&stage, &record);
    assert_null(record.stream);
    record_fini(&record);
    stage_stop(&stage);
}

/* A client may go while its last stream's callback is running. */
static void
free_client(void *arg, const struct bedrock_end *end)
{
    struct stage *stage = ((void **)arg)[0];
    struct bedrock_stream **stream = ((void **)arg)[1];

    (void)end;
    bedrock_stream_close(stream);
    bedrock_client_free(&stage->client);
}

static bool
client_gone(void *arg)
{
    return !((struct stage *)arg)->client;
}

static void
test_free_client_from_callback(void **state)
{
    static const struct bedrock_stream_ops ops = {.on_end = free_client};
    struct stage stage;
    struct bedrock_stream *stream;
    char problem[256];
    void *arg[2] = {&stage, &stream};

    (void)state;
    stage_start(&stage, NULL);
    stage.target.ca_file = NULL;
    stream = bedrock_stream_open(stage.client, &stage.target, &test_credentials,
                                 &ops, arg, problem, sizeof(problem));
    assert_non_null(stream);
    stage_until(&stage, client_gone, &stage);
    stage_stop(&stage);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conversation),
        cmocka_unit_test(test_chatter),
        cmocka_unit_test(test_socket_options),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_many_streams),
        cmocka_unit_test(test_no_h2),
        cmocka_unit_test(test_certificates),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_unknown_name),
        cmocka_unit_test(test_mute_server),
        cmocka_unit_test(test_no_tls),
        cmocka_unit_test(test_name_of_certificate),
        cmocka_unit_test(test_proxies),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_writing_to_the_gone),
        cmocka_unit_test(test_peer_gives_no_window),
        cmocka_unit_test(test_peer_reads_nothing),
        cmocka_unit_test(test_ping_over_tls),
        cmocka_unit_test(test_close_at_every_turn),
        cmocka_unit_test(test_close_from_callbacks),
        cmocka_unit_test(test_free_client_from_callback),
        cmocka_unit_test(test_hanging_resolver),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The bridge over streamable HTTP: the test is its gateway, a fake server its
 * server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/mcp/gateway.h"

static void
start(const char *mode, const char *more)
{
    char mcp[400];

    gateway_start_http(mode);
    snprintf(mcp, sizeof mcp, "{\"url\":\"http://127.0.0.1:%d/mcp\"%s}",
             gateway.port, more);
    gateway_start(mcp);
}

/* All that a server may do, whatever the form of its answers. */
static void
a_conversation(const char *mode)
{
    start(mode, "");
    gateway_welcome();
    gateway_say("{\"jsonrpc\":\"2.0\",\"id\":\"tools/list\",\"method\":"
                "\"tools/list\"}");
    gateway_expect("\"name\":\"batch\"");
    for (int i = 0; i < 5; i++)
        gateway_call("1", "echo", "{\"text\":\"hi\"}", "\"text\":\"hi\"");
    gateway_call("2", "protocol_error", "{}", "no such thing (code -32602)");
    gateway_call("3", "fails", "{}", "\"isError\":true");
}

static void
it_talks_in_events(void **state)
{
    (void)state;
    a_conversation("");
    gateway_call("4", "slow", "{}", "\"progress\":1");
    gateway_expect("\"progress\":2");
    gateway_expect("\"progress\":3");
    gateway_expect("slowly done");
}

static void
it_talks_in_json(void **state)
{
    (void)state;
    start("json", "");
    gateway_welcome();
    gateway_call("1", "echo", "{\"text\":\"hi\"}", "\"text\":\"hi\"");
    gateway_call("2", "slow", "{}", "slowly done");
}

#define TOO_LONG "ask it for less, such as a part or a page"

static void
an_event_too_long_fails_its_call(void **state)
{
    static const char *const answers[] = {
        "{}", "{\"form\":\"id last\"}", "{\"form\":\"no id\"}",
        "{\"form\":\"batch\"}", "{\"bytes\":5000000}"};

    (void)state;
    start("", "");
    gateway_welcome();
    gateway_call("0", "silent", "{}", "ended without a result");
    gateway_call("1", "slow", "{\"steps\":100000}", "\"progress\":1");
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        gateway_call("2", i < 4 ? "huge" : "endless", answers[i], NULL);
        do
            gateway_hear();
        while (strstr(gateway.text, "notifications/progress"));
        assert_non_null(strstr(gateway.text, "\"id\":\"2\""));
        assert_non_null(strstr(gateway.text, TOO_LONG));
    }
}

static void
what_is_too_long_and_no_answer_is_skipped(void **state)
{
    (void)state;
    start("", "");
    gateway_welcome();
    gateway_call("1", "huge", "{\"form\":\"notification\"}", "after it");
    gateway_call("2", "huge", "{\"form\":\"request\"}", "after it");
    gateway_await_log("more than 4194304: skipped");
    gateway_await_log("-32600");
    gateway_call("3", "endless", "{\"bytes\":0}", "that does not end");
    gateway_call("4", "echo", "{\"text\":\"on\"}", "\"text\":\"on\"");
}

static void
a_body_too_long_fails_its_call(void **state)
{
    (void)state;
    start("json", "");
    gateway_welcome();
    gateway_call("1", "huge", "{}", TOO_LONG);
    assert_non_null(strstr(gateway.text, "more than 4194304 bytes"));
    gateway_call("2", "echo", "{\"text\":\"on\"}", "\"text\":\"on\"");
}

static void
refuse_list(const char *mode, const char *part)
{
    start(mode, "");
    gateway_expect(part);
    assert_non_null(strstr(gateway.text, "its tools in pages, fewer of them"));
    kill(gateway.pid, SIGTERM);
    assert_int_equal(gateway_await_exit(), 3);
}

static void
an_event_with_a_list_too_long_is_refused(void **state)
{
    (void)state;
    refuse_list("huge-list", "\"error\":\"tools/list failed: the MCP server's "
                             "answer has 52");
}

static void
an_unknown_event_for_a_list_is_refused(void **state)
{
    (void)state;
    refuse_list("huge-unknown", "\"error\":\"tools/list failed: the MCP "
                                "server's answer has 52");
}

static void
a_body_with_a_list_too_long_is_refused(void **state)
{
    (void)state;
    refuse_list("json-huge-list", "\"error\":\"tools/list failed: the MCP "
                                  "server's answer has more than 4194304");
}

static void
notifications_without_end_are_broken_off(void **state)
{
    (void)state;
    start("endless", "");
    gateway_welcome();
    gateway_await_log("an event that does not end");
    gateway_call("1", "echo", "{\"text\":\"on\"}", "\"text\":\"on\"");
    gateway_await_log("begins anew");
    kill(gateway.pid, SIGTERM);
    assert_int_equal(gateway_await_exit(), 0);
}

static void
an_echo_is_refused(void **state)
{
    (void)state;
    start("echo", "");
    gateway_expect("\"error\":\"initialize failed: what came back was the "
                   "request itself");
    kill(gateway.pid, SIGTERM);
    assert_int_equal(gateway_await_exit(), 3);
}

static void
it_needs_no_stream_of_notifications(void **state)
{
    (void)state;
    a_conversation("no-stream");
}

static void
notifications_come_by_their_stream(void **state)
{
    (void)state;
    start("", "");
    gateway_welcome();
    gateway_call("1", "say_log", "{}", "logged");
    gateway_await_log("server: told   so");
    gateway_call("2", "ask_back", "{}", "asked");
    gateway_await_log("\\\"id\\\": \\\"q1\\\"");
    gateway_call("3", "grow", "{}", NULL);
    gateway_hear();
    if (!strstr(gateway.text, "list_changed"))
        gateway_expect("list_changed");
}

static void
a_broken_stream_is_taken_up_again(void **state)
{
    (void)state;
    start("broken", "");
    gateway_welcome();
    gateway_call("1", "echo", "{\"text\":\"whole\"}", "\"text\":\"whole\"");
    gateway_call("2", "slow", "{}", "\"progress\":1");
    gateway_expect("\"progress\":2");
    gateway_expect("\"progress\":3");
    gateway_expect("slowly done");
}

static void
a_lost_session_begins_anew(void **state)
{
    (void)state;
    start("forget", "");
    gateway_welcome();
    for (int i = 0; i < 7; i++)
        gateway_call("1", "echo", "{\"text\":\"hi\"}", "\"text\":\"hi\"");
    gateway_await_log("a new one begins");
}

static void
cancelling_goes_through(void **state)
{
    (void)state;
    start("", "");
    gateway_welcome();
    gateway_call("1", "slow", "{\"steps\":100000}", "\"progress\":1");
    gateway_say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
                "\"params\":{\"requestId\":\"1\",\"reason\":\"enough\"}}");
    do
        gateway_hear();
    while (strstr(gateway.text, "notifications/progress"));
    assert_non_null(strstr(gateway.text, "\"text\":\"cancelled\""));
    gateway_await_log("cancelled enough");
}

static void
write_headers(const char *text, mode_t mode)
{
    char path[100];
    FILE *f;

    snprintf(path, sizeof path, "%s/headers", gateway.dir);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_int_equal(chmod(path, mode), 0);
}

static void
headers_come_from_a_file(void **state)
{
    char more[200];

    (void)state;
    snprintf(more, sizeof more, ",\"headers_file\":\"%s/headers\"",
             gateway.dir);
    write_headers("# the key\n\nX-Key: open\r\n", 0600);
    start("password", more);
    gateway_welcome();
    gateway_call("1", "echo", "{\"text\":\"in\"}", "\"text\":\"in\"");
    write_headers("X-Key: wrong\n", 0600);
    gateway_call("2", "echo", "{}", "answered HTTP 401");
    gateway_await_log("unencrypted");
    assert_null(strstr(gateway.log, "open"));
}

static void
wrong_headers_are_refused(void **state)
{
    static const struct {
        const char *text;
        mode_t mode;
        const char *part;
    } bad[] = {
        {"X-Key: wrong\n", 0600, "answered HTTP 401: it wants other"},
        {"no colon\n", 0600, "line 1 is not \\\"Name: value\\\""},
        {"Host: x\n", 0600, "names a header that voxring gives itself"},
        {"X-Key: open\n", 0666, "only its owner may write"},
    };
    char mcp[400];

    (void)state;
    gateway_start_http("password");
    snprintf(mcp, sizeof mcp,
             "{\"url\":\"http://127.0.0.1:%d/\",\"headers_file\":"
             "\"%s/headers\"}",
             gateway.port, gateway.dir);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        write_headers(bad[i].text, bad[i].mode);
        gateway_start(mcp);
        gateway_expect(bad[i].part);
        kill(gateway.pid, SIGTERM);
        assert_int_equal(gateway_await_exit(), 3);
        close(gateway.boot_fd);
        close(gateway.log_fd);
    }
    gateway.boot_fd = gateway.log_fd = -1;
}

static void
the_session_is_ended_in_order(void **state)
{
    char line[64];
    ssize_t n;

    (void)state;
    start("", "");
    gateway_welcome();
    kill(gateway.pid, SIGTERM);
    assert_int_equal(gateway_await_exit(), 0);
    n = read(gateway.http_out, line, sizeof line - 1);
    assert_true(n > 0);
    line[n] = '\0';
    assert_string_equal(line, "deleted\n");
}

static void
a_server_that_goes_fails_the_call(void **state)
{
    (void)state;
    start("no-stream", "");
    gateway_welcome();
    kill(gateway.http_pid, SIGKILL);
    gateway_call("1", "echo", "{}", "cannot be reached");
    gateway_call("2", "echo", "{}", "cannot be reached");
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, gateway_setup, gateway_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_talks_in_events),
        TEST(it_talks_in_json),
        TEST(an_event_too_long_fails_its_call),
        TEST(what_is_too_long_and_no_answer_is_skipped),
        TEST(a_body_too_long_fails_its_call),
        TEST(an_event_with_a_list_too_long_is_refused),
        TEST(an_unknown_event_for_a_list_is_refused),
        TEST(a_body_with_a_list_too_long_is_refused),
        TEST(notifications_without_end_are_broken_off),
        TEST(an_echo_is_refused),
        TEST(it_needs_no_stream_of_notifications),
        TEST(notifications_come_by_their_stream),
        TEST(a_broken_stream_is_taken_up_again),
        TEST(a_lost_session_begins_anew),
        TEST(cancelling_goes_through),
        TEST(headers_come_from_a_file),
        TEST(wrong_headers_are_refused),
        TEST(the_session_is_ended_in_order),
        TEST(a_server_that_goes_fails_the_call),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

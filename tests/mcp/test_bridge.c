/* The bridge over stdio: the test is its gateway, a fake server its server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/mcp/gateway.h"

#define CANCEL(id)                                                           \
    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\"" \
    ":{\"requestId\":\"" id "\",\"reason\":\"time is up\"}}"
#define LIST \
    "{\"jsonrpc\":\"2.0\",\"id\":\"tools/list\",\"method\":\"tools/list\"}"

static void
it_offers_every_page_of_tools(void **state)
{
    (void)state;
    gateway_start_fake("", "");
    gateway_welcome();
    assert_non_null(strstr(gateway.text, "\"name\":\"fake\",\"token\":\"T\""));
    gateway_say(LIST);
    gateway_expect("\"name\":\"echo\",\"description\":\"Says it again\"");
    assert_non_null(strstr(gateway.text, "\"name\":\"search_web\""));
    assert_non_null(strstr(gateway.text, "\"name\":\"batch\""));
    assert_null(strstr(gateway.text, "$schema"));
    assert_null(strstr(gateway.text, "outputSchema"));
    assert_null(strstr(gateway.text, "annotations"));
    assert_null(strstr(gateway.text, "task_only"));
    gateway_await_log("search/web is not offered");
    gateway_await_log("a line on stderr");
}

static void
it_offers_what_is_allowed_under_a_prefix(void **state)
{
    (void)state;
    gateway_start_fake("", ",\"allow\":[\"echo\",\"search/web\",\"missing\"],"
                           "\"prefix\":\"my.\"");
    gateway_welcome();
    gateway_say(LIST);
    gateway_expect("\"name\":\"my_echo\"");
    assert_non_null(strstr(gateway.text, "\"name\":\"my_search_web\",\"desc"
                                         "ription\":\"Comes too late"));
    assert_null(strstr(gateway.text, "slow"));
    gateway_call("1", "my_echo", "{\"text\":\"hi\"}", "\"text\":\"hi\"");
    gateway_call("2", "echo", "{}", "-32602");
    gateway_await_log("`allow` names missing");
}

static void
results_become_ours(void **state)
{
    (void)state;
    gateway_start_fake("", "");
    gateway_welcome();
    gateway_call("1", "echo", "{\"text\":\"\\u00fc\"}",
                 "\"id\":\"1\",\"result\":{\"content\":[{\"type\":\"text\","
                 "\"text\":\"\xc3\xbc\"}],\"isError\":false}");
    gateway_call("2", "structured", "{}",
                 "\"structuredContent\":{\"degrees\":21.5}");
    gateway_call("3", "picture", "{}",
                 "[image, image/png, 4 bytes, not shown]");
    assert_non_null(strstr(gateway.text, "[audio, audio/wav, 3 bytes, not"));
    assert_null(strstr(gateway.text, "QUJD"));
    gateway_call("4", "resources", "{}", "\"text\":\"inside\"");
    assert_non_null(strstr(gateway.text, "[resource file:///b, application/"
                                         "zip, 2 bytes, not shown]"));
    assert_non_null(strstr(gateway.text, "[link file:///c, see]"));
    assert_non_null(strstr(gateway.text, "[hologram, not shown]"));
    gateway_call("5", "fails", "{}",
                 "\"text\":\"the disk is full\"}],\"isError\":true");
    gateway_call("6", "protocol_error", "{}",
                 "\"text\":\"no such thing (code -32602)\"}],\"isError\":true");
    gateway_call(
        "7", "big", "{\"bytes\":1001}",
        "has 1001 bytes, more than the 1000 allowed\"}],\"isError\":t");
    gateway_call("8", "big", "{\"bytes\":1000}", "\"isError\":false");
    gateway_call("9", "bad_utf8", "{}", "bad ? byte");
    gateway_call("10", "batch", "{}", "\"text\":\"b\"");
}

static void
rubbish_of_the_server_is_skipped(void **state)
{
    (void)state;
    gateway_start_fake("", "");
    gateway_welcome();
    gateway_call("1", "garbage", "{}", "after garbage");
    gateway_await_log("Hello, I am a log line");
    gateway_await_log("it is no JSON");
    gateway_call("2", "huge_line", "{}", "after the line");
    gateway_await_log("a line of 5242888 bytes, more than 4194304");
}

#define TOO_LONG "more than the 4194304 that are read of one; ask it for less"

static void
an_answer_too_long_fails_its_call(void **state)
{
    (void)state;
    gateway_start_fake("", "");
    gateway_welcome();
    gateway_call("0", "silent", "{}", NULL);
    gateway_call("1", "huge", "{}", TOO_LONG);
    assert_non_null(strstr(gateway.text, "\"id\":\"1\""));
    assert_non_null(strstr(gateway.text, "\"isError\":true"));
    gateway_call("2", "huge", "{\"form\":\"id last\"}", TOO_LONG);
    assert_non_null(strstr(gateway.text, "\"id\":\"2\""));
    gateway_call("3", "huge", "{\"form\":\"id inside\"}", TOO_LONG);
    assert_non_null(strstr(gateway.text, "\"id\":\"3\""));
    /* those are not answers */
    gateway_call("4", "huge", "{\"form\":\"notification\"}",
                 "\"id\":\"4\",\"result\":{\"content\":[{\"type\":\"text\","
                 "\"text\":\"after it\"");
    gateway_call("5", "huge", "{\"form\":\"request\"}", "after it");
    gateway_await_log("-32600");
}

static void
an_answer_too_long_to_be_told_fails_all_calls(void **state)
{
    static const char *const forms[] = {"{\"form\":\"no id\"}",
                                        "{\"form\":\"batch\"}"};

    (void)state;
    gateway_start_fake("", "");
    gateway_welcome();
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        gateway_call("1", "silent", "{}", NULL);
        gateway_call("2", "silent", "{}", NULL);
        gateway_call("3", "huge", forms[i], "it may have been the one to this");
        gateway_expect("it may have been the one to this");
        gateway_expect("it may have been the one to this");
        gateway_call("4", "echo", "{\"text\":\"on\"}", "\"text\":\"on\"");
    }
    gateway_await_log("cancelled the answer may be lost");
}

/* Both calls fail, and the bridge ends, when a line does not. */
static void
expect_broken(const char *arguments)
{
    gateway_start_fake("", "");
    gateway_welcome();
    gateway_call("1", "silent", "{}", NULL);
    gateway_call("2", "endless", arguments, "without the end of a line");
    assert_non_null(strstr(gateway.text, "\"isError\":true"));
    gateway_expect("without the end of a line");
    assert_int_equal(gateway_await_exit(), 5);
    assert_non_null(strstr(gateway.log, "it is broken and was ended"));
}

static void
a_line_without_end_ends_the_server(void **state)
{
    (void)state;
    expect_broken("{\"bytes\":0}");
}

static void
a_line_that_stops_ends_the_server(void **state)
{
    (void)state;
    expect_broken("{\"bytes\":5000000}");
}

static void
progress_and_cancelling_go_through(void **state)
{
    (void)state;
    gateway_start_fake("", "");
    gateway_welcome();
    gateway_call("1", "slow", "{}",
                 "\"progressToken\":\"1\",\"progress\":1,\"total\":3,"
                 "\"message\":\"step 1\"");
    gateway_expect("\"progress\":2");
    gateway_expect("\"progress\":3");
    gateway_expect("slowly done");
    gateway_call("2", "slow", "{\"steps\":1000000}", "\"progress\":1");
    gateway_call("3", "silent", "{}", NULL);
    gateway_say(CANCEL("3"));
    do
        gateway_hear();
    while (strstr(gateway.text, "notifications/progress"));
    assert_non_null(strstr(gateway.text, "\"id\":\"3\",\"result\":{\"content\":"
                                         "[{\"type\":\"text\",\"text\":"
                                         "\"cancelled\"}],\"isError\":true"));
    gateway_say(CANCEL("2"));
    do
        gateway_hear();
    while (strstr(gateway.text, "notifications/progress"));
    assert_non_null(strstr(gateway.text, "\"id\":\"2\",\"result\""));
    gateway_await_log("cancelled time is up");
    gateway_say(CANCEL("2"));
    gateway_call("4", "echo", "{}", "\"id\":\"4\"");
}

static void
a_changed_list_is_told(void **state)
{
    (void)state;
    gateway_start_fake("", "");
    gateway_welcome();
    gateway_call("1", "grow", "{}", "\"text\":\"grown\"");
    gateway_expect("\"method\":\"notifications/tools/list_changed\"");
    gateway_say(LIST);
    gateway_expect("\"name\":\"grown\"");
    gateway_call("2", "grown", "{}", "\"text\":\"done\"");
}

static void
the_servers_own_requests_are_answered(void **state)
{
    (void)state;
    gateway_start_fake("", "");
    gateway_welcome();
    gateway_call("1", "ask_back", "{}", "\"text\":\"asked\"");
    gateway_await_log("\\\"id\\\": \\\"q1\\\", \\\"jsonrpc\\\": \\\"2.0\\\", "
                      "\\\"result\\\": {}");
    gateway_await_log("{\\\"code\\\": -32601");
    gateway_call("2", "say_log", "{}", "logged");
    gateway_await_log("\"level\":\"warning\",\"data\":\"server: told   so\"");
}

static void
a_death_fails_its_calls_and_ends_the_bridge(void **state)
{
    (void)state;
    gateway_start_fake("", "");
    gateway_welcome();
    gateway_call("1", "silent", "{}", NULL);
    gateway_call("2", "die", "{}", "was killed by signal 9 (Killed)");
    assert_non_null(strstr(gateway.text, "\"isError\":true"));
    gateway_expect("was killed by signal 9 (Killed)");
    assert_int_equal(gateway_await_exit(), 5);
    assert_non_null(strstr(gateway.log, "was killed by signal 9 (Killed)"));
}

static void
a_server_that_takes_too_much_memory_is_ended(void **state)
{
    (void)state;
    gateway.memory_mb = 100;
    gateway_start_fake("", "");
    gateway_welcome();
    gateway_call("1", "silent", "{}", NULL);
    gateway_call("2", "hog", "{}", "\"text\":\"done\"");
    gateway_expect("took more than its memory_mb of 100 MiB");
    assert_int_equal(gateway_await_exit(), 4);
}

static void
the_server_gets_no_secrets(void **state)
{
    (void)state;
    gateway_start_fake("", ",\"env\":{\"GRANTED\":\"yes\"}");
    gateway_welcome();
    gateway_call("1", "environment", "{}", "GRANTED");
    assert_non_null(strstr(gateway.text, "PATH"));
    assert_null(strstr(gateway.text, "SECRET"));
    assert_null(strstr(gateway.text, "VOXRING_BUILD"));
}

/* Makes the server fork; the two process ids. */
static void
fork_server(pid_t *server, pid_t *child)
{
    const char *text;

    gateway_call("1", "fork", "{}", "\"text\":\"");
    text = strstr(gateway.text, "\"text\":\"") + strlen("\"text\":\"");
    assert_int_equal(sscanf(text, "%d %d", server, child), 2);
}

static void
all_of_it_ends_when_the_bridge_is_killed(void **state)
{
    pid_t server = 0, child = 0;

    (void)state;
    gateway_start_fake("later", "");
    gateway_welcome();
    fork_server(&server, &child);
    kill(gateway.pid, SIGKILL);
    assert_int_equal(gateway_await_exit(), 1000 + SIGKILL);
    gateway_await_gone(server);
    gateway_await_gone(child);
}

static void
all_of_it_ends_with_the_boot_pipe(void **state)
{
    pid_t server = 0, child = 0;

    (void)state;
    gateway_start_fake("later", "");
    gateway_welcome();
    fork_server(&server, &child);
    close(gateway.boot_fd);
    gateway.boot_fd = -1;
    assert_int_equal(gateway_await_exit(), 0);
    gateway_await_gone(server);
    gateway_await_gone(child);
}

static void
what_cannot_work_is_refused_with_the_key(void **state)
{
    static const char *const bad[][2] = {
        {"{\"command\":\"no-such-program\"}",
         "\"error\":\"mcp.fake.command: there is no program no-such-program"},
        {"{\"command\":\"sh\",\"cwd\":\"/no/where\"}",
         "\"error\":\"mcp.fake.cwd: there is no folder /no/where"},
        {"{\"url\":\"ftp://x\"}", "\"error\":\"mcp.fake.url: it must begin"},
        {"{\"url\":\"http://x\",\"command\":\"sh\"}", "both a command and"},
        {"{}", "neither a command nor a url"},
        {"{\"url\":\"http://127.0.0.1:1/\",\"headers_file\":\"/no/file\"}",
         "headers file /no/file cannot be read"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        gateway_start(bad[i][0]);
        gateway_expect(bad[i][1]);
        kill(gateway.pid, SIGTERM);
        assert_int_equal(gateway_await_exit(), 3);
        close(gateway.boot_fd);
        close(gateway.log_fd);
    }
    gateway.boot_fd = gateway.log_fd = -1;
}

static void
another_revision_is_refused(void **state)
{
    (void)state;
    gateway_start_fake("old", "");
    gateway_expect("\"error\":\"it speaks revision 1999-01-01");
}

static void
a_list_too_long_is_refused(void **state)
{
    static const char *const modes[][2] = {
        {"huge-list", "\"error\":\"tools/list failed: the MCP server's answer "
                      "has 52"},
        {"huge-page", "\"error\":\"tools/list failed: the MCP server's answer "
                      "has 52"},
        {"huge-unknown", "\"error\":\"tools/list failed: the MCP server sent"},
        {"huge-hello", "\"error\":\"initialize failed: the MCP server's "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        gateway_start_fake(modes[i][0], "");
        gateway_expect(modes[i][1]);
        if (strstr(gateway.text, "tools/list"))
            assert_non_null(strstr(gateway.text, "its tools in pages, fewer"));
        kill(gateway.pid, SIGTERM);
        assert_int_equal(gateway_await_exit(), 3);
        close(gateway.boot_fd);
        close(gateway.log_fd);
    }
    gateway.boot_fd = gateway.log_fd = -1;
}

static void
a_list_that_gets_too_long_changes_nothing(void **state)
{
    (void)state;
    gateway_start_fake("huge-growth", "");
    gateway_welcome();
    gateway_call("1", "grow", "{}", "\"text\":\"grown\"");
    gateway_await_log("shorter descriptions; the tools stay as they were");
    gateway_call("2", "echo", "{\"text\":\"on\"}", "\"text\":\"on\"");
}

#define HAND(...)                                                             \
    (const char *const[])                                                     \
    {                                                                         \
        "--mcp", "/usr/bin/python3 tests/mcp/fake_server.py stdio", "--name", \
            "me", "--endpoint", gateway.endpoint, __VA_ARGS__ NULL            \
    }

static void
by_hand_it_is_a_remote_worker(void **state)
{
    (void)state;
    gateway_run(HAND("--prefix", "p_", ));
    gateway_welcome();
    assert_non_null(strstr(gateway.text, "\"name\":\"me\",\"instance\":\"pid"));
    assert_null(strstr(gateway.text, "token"));
    gateway_await_log("\"method\":\"ping\"");
    gateway_call("1", "p_echo", "{\"text\":\"x\"}", "\"text\":\"x\"");
    /* nothing is heard for a while, or it is not known: hello again */
    gateway_welcome();
    gateway_say("{\"jsonrpc\":\"2.0\",\"id\":\"ping\",\"error\":{\"code\":"
                "-32003,\"message\":\"Say voxring/hello first\"}}");
    gateway_welcome();
    kill(gateway.pid, SIGINT);
    gateway_expect("\"voxring/bye\"");
    assert_int_equal(gateway_await_exit(), 0);
}

static void
by_hand_a_server_is_started_again(void **state)
{
    (void)state;
    gateway_run(HAND());
    gateway_welcome();
    gateway_call("1", "die", "{\"signal\":15}", "was killed by signal 15");
    gateway_await_log("started again in 1 s");
    gateway_call("2", "echo", "{}", "is not running");
    gateway_await_log("revision 2025-11-25\n");
    for (int i = 0; i < 200; i++) {
        gateway_call("3", "echo", "{\"text\":\"back\"}", "\"id\":\"3\"");
        if (strstr(gateway.text, "\"text\":\"back\""))
            return;
        poll(NULL, 0, 50);
    }
    fail_msg("it did not come back");
}

static void
by_hand_a_refusal_ends_it(void **state)
{
    (void)state;
    gateway_run(HAND());
    gateway_expect("voxring/hello");
    gateway_say("{\"jsonrpc\":\"2.0\",\"id\":\"hello\",\"error\":{\"code\":"
                "-32001,\"message\":\"workers.accept is none\"}}");
    assert_int_equal(gateway_await_exit(), 1);
    assert_non_null(strstr(gateway.log, "workers.accept is none"));
}

static int
check(const char *server, const char *part)
{
    const char *const arguments[] = {"--check", "--mcp", server, NULL};
    int status;

    gateway_run(arguments);
    status = gateway_await_exit();
    close(gateway.log_fd);
    gateway.log_fd = -1;
    if (!strstr(gateway.log, part))
        fail_msg("%s -> %s", server, gateway.log);
    return status;
}

static void
a_person_can_check_a_server(void **state)
{
    (void)state;
    assert_int_equal(check("/usr/bin/python3 tests/mcp/fake_server.py stdio",
                           "{\"tools\":[{\"name\":\"echo\""),
                     0);
    assert_int_equal(check("/usr/bin/python3 tests/mcp/fake_server.py stdio "
                           "loop",
                           "does not end"),
                     0);
    assert_int_equal(check("cat", "initialize failed: what came back was the "
                                  "request itself; is it an MCP server"),
                     1);
    assert_null(strstr(gateway.log, "does not offer"));
    assert_int_equal(check("true", "ended with exit status 0"), 1);
    assert_int_equal(check("http://127.0.0.1:1/", "cannot be reached"), 1);
    assert_int_equal(check("no-such-program", "COMMAND: there is no"), 1);
    assert_int_equal(check("echo $(date)", "is no command line"), 2);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, gateway_setup, gateway_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_offers_every_page_of_tools),
        TEST(it_offers_what_is_allowed_under_a_prefix),
        TEST(results_become_ours),
        TEST(rubbish_of_the_server_is_skipped),
        TEST(an_answer_too_long_fails_its_call),
        TEST(an_answer_too_long_to_be_told_fails_all_calls),
        TEST(a_line_without_end_ends_the_server),
        TEST(a_line_that_stops_ends_the_server),
        TEST(progress_and_cancelling_go_through),
        TEST(a_changed_list_is_told),
        TEST(the_servers_own_requests_are_answered),
        TEST(a_death_fails_its_calls_and_ends_the_bridge),
        TEST(a_server_that_takes_too_much_memory_is_ended),
        TEST(the_server_gets_no_secrets),
        TEST(all_of_it_ends_when_the_bridge_is_killed),
        TEST(all_of_it_ends_with_the_boot_pipe),
        TEST(what_cannot_work_is_refused_with_the_key),
        TEST(another_revision_is_refused),
        TEST(a_list_too_long_is_refused),
        TEST(a_list_that_gets_too_long_changes_nothing),
        TEST(by_hand_it_is_a_remote_worker),
        TEST(by_hand_a_server_is_started_again),
        TEST(by_hand_a_refusal_ends_it),
        TEST(a_person_can_check_a_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

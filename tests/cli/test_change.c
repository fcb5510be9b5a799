/* What is changed in a running conversation, and its history: which question
 * the gateway is asked, and what is shown of its answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ipc/cli/command.h"
#include "tests/cli/played.h"

#define UPDATE "{\"session\":\"robot\",\"config\":"

static const char *
text_file(const char *name, const char *text)
{
    return program_file(name, text, strlen(text));
}

static void
expect_out(const struct program *p, const char *out)
{
    assert_int_equal(p->code, 0);
    assert_string_equal(p->out, out);
}

static void
test_update_takes_assignments(void **state)
{
    (void)state;
    struct program *p = PLAYED_ASK(
        "session.update",
        UPDATE "{\"voice\":\"amy\",\"inference\":{\"temperature\":0.4,"
               "\"top_p\":1},\"tools\":[\"clock\"],\"history_file\":null,"
               "\"greeting\":\"a=b\",\"continuation\":true,\"empty\":\"\","
               "\"quoted\":\"5\"}}",
        "{\"session\":\"robot\",\"state\":\"streaming\",\"applied\":"
        "{\"voice\":\"rotation\"},\"revision\":\"7\",\"note\":\"\\u001b[2J\"}",
        "update", "robot", "voice=amy", "inference.temperature=0.4",
        "inference.top_p=1", "tools=[\"clock\"]", "history_file=null",
        "greeting=a=b", "continuation=true", "empty=", "quoted=\"5\"");
    expect_out(p, "robot streaming\n"
                  "  applied: {\"voice\":\"rotation\"}\n"
                  "  revision: 7\n"
                  "  note: ?[2J\n");
    p = PLAYED_ASK("session.update",
                   UPDATE "{\"speech\":{\"threshold_dbfs\":-50}}}",
                   "{\"applied\":[]}", "update", "robot",
                   "speech.threshold_dbfs=-50", "--json");
    expect_out(p, "{\"applied\":[]}\n");
}

static void
test_update_takes_json_and_files(void **state)
{
    const char *config =
        text_file("c.jsonc", "{ // why\n \"voice\": \"amy\" }");
    char prompt[300];
    (void)state;
    snprintf(prompt, sizeof prompt, "system_prompt=@%s",
             text_file("prompt", "You are \"it\".\n"));
    struct program *p = PLAYED_ASK(
        "session.update",
        UPDATE "{\"voice\":\"amy\",\"rotate_after_s\":300,\"deaf_after_s\":5,"
               "\"system_prompt\":\"You are \\\"it\\\".\\n\"}}",
        "{}", "update", "robot", "--config", config,
        " {\"rotate_after_s\": 300, /* and */ \"deaf_after_s\": 5}", prompt);
    expect_out(p, "robot\n");
}

static void
expect_usage(struct program *p, const char *word)
{
    assert_int_equal(p->code, CLI_USAGE);
    assert_string_equal(p->out, "");
    if (!strstr(p->err, word) || strchr(p->err, '\n') != strrchr(p->err, '\n'))
        fail_msg("no one line with %s: %s", word, p->err);
}

static void
test_update_refuses(void **state)
{
    static const struct {
        const char *arguments[3], *word;
    } cases[] = {
        {{NULL}, "voxring update robot voice=amy"},
        {{"{}"}, "nothing"},
        {{"voice"}, "KEY=VALUE"},
        {{"=amy"}, "KEY=VALUE"},
        {{".a=1"}, "KEY=VALUE"},
        {{"a.=1"}, "KEY=VALUE"},
        {{"a..b=1"}, "KEY=VALUE"},
        {{"a b=1"}, "KEY=VALUE"},
        {{"voice=amy", "voice=tiffany"}, "voice is given twice"},
        {{"{\"a\":1}", "a=1"}, "a is given twice"},
        {{"a=1", "{\"a\":1}"}, "a is given twice"},
        {{"a=1", "a.b=1"}, "a.b is given twice"},
        {{"a.b=1", "a=1"}, "a is given twice"},
        {{"a=[1"}, "begins as JSON"},
        {{"a=\"x"}, "begins as JSON"},
        {{"{\"a\":"}, "update:1"},
        {{"a=@/nonexistent/file"}, "No such file"},
        {{"--config", "[1]"}, "No such file"},
        {{"--config", "{"}, "--config:1"},
    };
    char key[200];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *const *a = cases[i].arguments;
        expect_usage(PROGRAM_RUN("update", "robot", a[0], a[0] ? a[1] : NULL),
                     cases[i].word);
    }
    memset(key, 'a', sizeof key);
    memcpy(key + sizeof key - 3, "=1", 3);
    expect_usage(PROGRAM_RUN("update", "robot", key), "KEY=VALUE");
}

static void
test_reset_rotate_sleep(void **state)
{
    (void)state;
    expect_out(PLAYED_ASK("session.reset",
                          "{\"session\":\"robot\",\"keep_history\":true}",
                          "{\"session\":\"robot\",\"state\":\"connecting\"}",
                          "reset", "robot"),
               "robot connecting\n");
    PLAYED_ASK("session.reset",
               "{\"session\":\"robot\",\"keep_history\":false}", "{}", "reset",
               "robot", "--forget");
    expect_out(PLAYED_ASK("session.rotate", "{\"session\":\"robot\"}",
                          "{\"generation\":4}", "rotate", "robot"),
               "robot\n  generation: 4\n");
    expect_out(PLAYED_ASK("session.sleep", "{\"session\":\"robot\"}",
                          "{\"state\":\"asleep\"}", "sleep", "robot", "--json"),
               "{\"state\":\"asleep\"}\n");
}

static const char history[] =
    "{\"revision\":\"9\",\"messages\":["
    "{\"id\":\"1\",\"turn\":\"1\",\"time\":\"2026-11-21T10:00:00Z\","
    "\"role\":\"user\",\"text\":\"My name is Ada.\",\"pinned\":true},"
    "{\"role\":\"assistant\",\"text\":\"Hello\\u001b, Ada.\","
    "\"interrupted\":true,\"pinned\":false},5,{\"text\":7}]}";

static void
test_history_is_printed(void **state)
{
    (void)state;
    expect_out(PLAYED_ASK("session.history", "{\"session\":\"robot\"}", history,
                          "history", "robot"),
               "2026-11-21T10:00:00Z user: My name is Ada. (pinned)\n"
               "assistant: Hello?, Ada. (interrupted)\n"
               "?: ?\n?: ?\n");
    expect_out(PLAYED_ASK("session.history", "{\"session\":\"robot\"}",
                          "{\"messages\":[]}", "history", "robot"),
               "");
}

static void
test_history_is_added_to(void **state)
{
    (void)state;
    expect_out(PLAYED_ASK("history.append",
                          "{\"session\":\"robot\",\"role\":\"user\",\"text\":"
                          "\"My name is Ada.\",\"pinned\":true,\"revision\":"
                          "\"9\"}",
                          "{\"revision\":\"10\"}", "history", "robot",
                          "--append", "user", "My name is Ada.", "--pinned",
                          "--revision", "9"),
               "robot revision 10\n");
    struct program *p =
        program_start(text_file("t", "Long.\n"),
                      (const char *[]){"history", "robot", "--append",
                                       "assistant", "-", NULL});
    played_expect("history.append", "{\"session\":\"robot\",\"role\":"
                                    "\"assistant\",\"text\":\"Long.\\n\"}");
    played_result("{\"revision\":11}");
    program_wait(p);
    expect_out(p, "robot revision 11\n");
    p = program_start(NULL,
                      (const char *[]){"history", "robot", "--append", "user",
                                       "x", "--revision", "3", NULL});
    played_expect("history.append",
                  "{\"session\":\"robot\",\"role\":\"user\",\"text\":\"x\","
                  "\"revision\":\"3\"}");
    played_error(-32001, "the revision is 11 by now");
    assert_int_equal(program_wait(p), CLI_FAILED);
    assert_non_null(strstr(p->err, "the revision is 11 by now"));
}

/* What --json has printed, an array, JSON on the command line. */
static void
test_history_is_replaced(void **state)
{
    static const char messages[] = "[{\"role\":\"user\",\"text\":\"a\"}]";
    char wanted[256], file[256];
    (void)state;
    snprintf(wanted, sizeof wanted, "{\"session\":\"robot\",\"messages\":%s}",
             messages);
    struct program *saved =
        PLAYED_ASK("session.history", "{\"session\":\"robot\"}",
                   "{\"revision\":\"9\",\"messages\":[{\"role\":\"user\","
                   "\"text\":\"a\"}]}",
                   "history", "robot", "--json");
    snprintf(file, sizeof file, "%s", text_file("saved", saved->out));
    PLAYED_ASK("history.replace", wanted, "{}", "history", "robot", "--replace",
               file);
    PLAYED_ASK("history.replace", wanted, "{}", "history", "robot", "--replace",
               messages);
    PLAYED_ASK("session.open",
               "{\"session\":\"robot\",\"history\":[{\"role\":\"user\","
               "\"text\":\"a\"}],\"config\":{\"voice\":\"amy\"}}",
               "{}", "session", "open", "robot", "--history", file, "--config",
               "{\"voice\": \"amy\"}");
}

static void
test_history_refuses(void **state)
{
    char object[256];
    (void)state;
    snprintf(object, sizeof object, "%s",
             text_file("o", "{\n\"message\": []}"));
    expect_usage(PROGRAM_RUN("history", "robot", "text"), "--append");
    expect_usage(PROGRAM_RUN("history", "robot", "--append", "user"), "TEXT");
    expect_usage(PROGRAM_RUN("history", "robot", "x", "--append", "user",
                             "--replace", "[]"),
                 "go together");
    expect_usage(PROGRAM_RUN("history", "robot", "--pinned"), "--append");
    expect_usage(PROGRAM_RUN("history", "robot", "--revision", "1"),
                 "--replace");
    expect_usage(
        PROGRAM_RUN("history", "robot", "--replace", "[]", "--revision", "-1"),
        "whole number");
    expect_usage(
        PROGRAM_RUN("history", "robot", "--replace", "[]", "--revision", ""),
        "whole number");
    expect_usage(PROGRAM_RUN("history", "robot", "--replace", "[1,"),
                 "--replace:1");
    expect_usage(PROGRAM_RUN("history", "robot", "--replace", object), "array");
    expect_usage(
        PROGRAM_RUN("session", "open", "robot", "--history", "/nonexistent/h"),
        "No such file");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, played_up, played_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_update_takes_assignments),
        TEST(test_update_takes_json_and_files),
        TEST(test_update_refuses),
        TEST(test_reset_rotate_sleep),
        TEST(test_history_is_printed),
        TEST(test_history_is_added_to),
        TEST(test_history_is_replaced),
        TEST(test_history_refuses),
    };
    return cmocka_run_group_tests(tests, program_up, program_down);
}

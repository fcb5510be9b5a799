/* Wrong arguments, no gateway, help: what a script and a person see. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/cli/command.h"
#include "tests/cli/program.h"

/* One line on stderr that holds `word`, nothing on stdout. */
static void
expect_failure(struct program *p, int code, const char *word)
{
    char *end = strchr(p->err, '\n');
    if (p->code != code || !strstr(p->err, word))
        print_error("code %d, stderr: %s\n", p->code, p->err);
    assert_int_equal(p->code, code);
    assert_non_null(strstr(p->err, word));
    assert_string_equal(p->out, "");
    assert_non_null(end);
    assert_string_equal(end, "\n");
}

static void
test_wrong_arguments(void **state)
{
    (void)state;
    expect_failure(PROGRAM_RUN("sned", "robot"), 2, "\"sned robot\" is no");
    expect_failure(PROGRAM_RUN("session", "lst"), 2, "session lst");
    expect_failure(PROGRAM_RUN("send", "robot"), 2, "an argument lacks");
    expect_failure(PROGRAM_RUN("stats", "x"), 2, "too many");
    expect_failure(PROGRAM_RUN("stats", "--jsn"), 2, "--jsn");
    expect_failure(PROGRAM_RUN("stats", "--fast"), 2, "--fast");
    expect_failure(PROGRAM_RUN("stats", "--session"), 2, "needs a value");
    expect_failure(PROGRAM_RUN("tail", "--count", "x"), 2, "\"x\"");
    expect_failure(PROGRAM_RUN("tail", "--count", "-1"), 2, "-1");
    expect_failure(PROGRAM_RUN("record", "a", "b", "--seconds", "nan"), 2,
                   "nan");
    expect_failure(PROGRAM_RUN("text", "a", "b", "--wait", "x"), 2, "accepted");
    expect_failure(PROGRAM_RUN("tool", "call", "a", "[1]"), 2, "JSON object");
    expect_failure(PROGRAM_RUN("session", "open", "a", "--config", "{'x'}"), 2,
                   "--config:1");
    expect_failure(PROGRAM_RUN("record", "a", "-", "--silence"), 2, "--player");
    expect_failure(PROGRAM_RUN("send", "a", "-", "--fast", "--live"), 2,
                   "--live");
    expect_failure(PROGRAM_RUN("send", "a", "-", "--raw", "16000"), 2,
                   "16000,1");
    expect_failure(PROGRAM_RUN("send", "a", "-", "--raw", "16000,1x"), 2,
                   "16000,1x");
    expect_failure(PROGRAM_RUN("send", "a", "-", "--raw", "16000,0"), 2,
                   "0 channels");
}

static void
test_files_that_cannot_be_used(void **state)
{
    (void)state;
    expect_failure(PROGRAM_RUN("send", "a", program_path("none.wav")), 2,
                   "No such file");
    expect_failure(PROGRAM_RUN("send", "a", program_dir), 2, "folder");
    expect_failure(PROGRAM_RUN("send", "a", "-"), 2, "ends before any audio");
    expect_failure(
        PROGRAM_RUN("send", "a", program_file("x.wav", "hello, robot", 12)), 2,
        "--raw");
    expect_failure(PROGRAM_RUN("session", "open", "a", "--config",
                               program_file("x.json", "{\n// c\n\"a\": }", 13)),
                   2, "x.json:3");
    expect_failure(PROGRAM_RUN("session", "open", "a", "--config",
                               program_file("x.json", "a\0b", 3)),
                   2, "no text");
}

static void
test_no_gateway(void **state)
{
    static const char *const commands[][4] = {
        {"text", "robot", "hi"},
        {"session", "list"},
        {"session", "get", "robot"},
        {"tool", "list"},
        {"stats"},
        {"tail"},
        {"log"},
        {"snapshot"},
        {"shutdown"},
        {"record", "robot", "-"},
        {"session", "open", "robot"},
        {"stats", "--prometheus"},
        {"update", "robot", "voice=amy"},
        {"reset", "robot"},
        {"rotate", "robot"},
        {"sleep", "robot"},
        {"history", "robot"},
        {"history", "robot", "--replace", "[]"},
        {"send", "robot", "-"},
    };
    const char *raw = program_file("s.raw", "\0\0\0\0", 4);
    (void)state;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        const char *arguments[10] = {NULL};
        size_t count = 0;
        for (; count < 4 && commands[i][count]; count++)
            arguments[count] = commands[i][count];
        if (strcmp(arguments[0], "send") == 0) {
            arguments[count++] = "--raw";
            arguments[count++] = "16000,1";
        }
        arguments[count++] = "--connect-timeout";
        arguments[count++] = "0";
        expect_failure(program_run(raw, arguments), CLI_ABSENT, program_dir);
    }
    struct program *version = PROGRAM_RUN("version", "--connect-timeout", "0");
    assert_int_equal(version->code, CLI_ABSENT);
    assert_non_null(strstr(version->out, VOXRING_VERSION));
}

static void
listen_at(int fd, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", program_dir,
             name);
    unlink(address.sun_path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 4), 0);
}

/* A name whose owner is dead, and one whose owner is stuck. */
static void
test_nobody_answers(void **state)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)state;
    listen_at(fd, "control.sock");
    expect_failure(PROGRAM_RUN("stats", "--connect-timeout", "0"), CLI_ABSENT,
                   "nobody answers");
    close(fd);
    expect_failure(PROGRAM_RUN("stats", "--connect-timeout", "0"), CLI_ABSENT,
                   "nobody answers");
    unlink(program_path("control.sock"));
    expect_failure(PROGRAM_RUN("stats", "--control", "xyz://a"), CLI_USAGE,
                   "xyz://a");
}

static void
test_help_teaches(void **state)
{
    char first[32], second[32];
    (void)state;
    struct program *all = PROGRAM_RUN("--help");
    assert_int_equal(all->code, 0);
    for (int i = 0; i < COMMAND_COUNT; i++) {
        const struct command *c = command_at(i);
        const char *space = strchr(c->name, ' ');
        assert_non_null(strstr(all->out, c->name));
        snprintf(first, sizeof first, "%.*s",
                 space ? (int)(space - c->name) : 31, c->name);
        snprintf(second, sizeof second, "%s", space ? space + 1 : "--help");
        struct program *p = PROGRAM_RUN(first, second, "--help");
        assert_int_equal(p->code, 0);
        assert_string_equal(p->err, "");
        assert_non_null(strstr(p->out, c->what));
        assert_non_null(strstr(p->out, "  voxring "));
        assert_non_null(strstr(p->out, "exit codes:"));
        assert_non_null(strstr(p->out, "--runtime-dir DIR"));
    }
    struct program *session = PROGRAM_RUN("session", "--help");
    assert_int_equal(session->code, 0);
    assert_non_null(strstr(session->out, "session mute"));
    assert_null(strstr(session->out, "tool call"));
    assert_int_equal(PROGRAM_RUN("--version")->code, 0);
}

/* Types that tail knows are those there are schemas for. */
static void
test_types_are_the_documented(void **state)
{
    static const char *const known[] = {
#define TAIL_TYPE(type) type,
#include "ipc/cli/tail.tbl.h"
#undef TAIL_TYPE
    };
    const char *root = getenv("VOXRING_ROOT");
    size_t count = sizeof known / sizeof known[0], found = 0;
    char path[512];
    (void)state;
    for (size_t i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/ipc/schemas/%s.json", root ? root : ".",
                 known[i]);
        assert_int_equal(access(path, R_OK), 0);
    }
    snprintf(path, sizeof path, "%s/ipc/schemas", root ? root : ".");
    DIR *dir = opendir(path);
    struct dirent *entry;
    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        if (strstr(entry->d_name, ".json"))
            found++;
    }
    closedir(dir);
    assert_int_equal(found, count + 1); /* and envelope.json */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_arguments),
        cmocka_unit_test(test_files_that_cannot_be_used),
        cmocka_unit_test(test_no_gateway),
        cmocka_unit_test(test_nobody_answers),
        cmocka_unit_test(test_help_teaches),
        cmocka_unit_test(test_types_are_the_documented),
    };
    return cmocka_run_group_tests(tests, program_up, program_down);
}

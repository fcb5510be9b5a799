/* What plugins do to the process they run in, and files that are no plugins:
 * each must end in a message and an end, never in a spin. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <elf.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/tools/hosted.h"
#include "tests/tools/shell.h"
#include "tools/toolhost/image.h"

#define MEMORY_64_MB "\"memory_bytes\":67108864"

static void
launch_wild(const char *members)
{
    hosted_compile("wild", "wild", "");
    hosted_launch_plugin("wild", members);
    hosted_hear();
}

/* The call ends the process; its status and last words are as expected. */
static void
expect_end(const char *call, int status, const char *words)
{
    int is;

    hosted_say(call);
    is = hosted_await_exit();
    hosted_read_output();
    if (is != status || !strstr(hosted.text, words))
        fail_msg("%s -> %d: %s", call, is, hosted.text);
}

/* ---- the process ------------------------------------------------------------------ */

static void
an_exit_is_told_and_not_taken_for_the_hosts(void **state)
{
    (void)state;
    launch_wild("");
    expect_end(HOSTED_CALL(1, "exit"), 1, "the plugin called exit(4)");
}

static void
one_that_closes_everything_ends(void **state)
{
    int status;

    (void)state;
    launch_wild("");
    hosted_say(HOSTED_CALL(1, "closes_all"));
    status = hosted_await_exit();
    hosted_read_output();
    /* by us, or by libzmq, which finds its own descriptors gone */
    if (status != 1000 + SIGABRT) {
        assert_int_equal(status, 1);
        assert_non_null(strstr(hosted.text, "not its own"));
    }
}

static void
one_that_closes_the_boot_pipe_ends(void **state)
{
    (void)state;
    launch_wild("");
    expect_end(HOSTED_CALL(1, "closes_boot"), 1,
               "closed a descriptor that is not its own");
}

static void
a_fork_that_returns_ends_alone(void **state)
{
    (void)state;
    launch_wild("");
    hosted_ask(HOSTED_CALL(1, "fork_returns"), "{\\\"copy\\\":1}");
    hosted_ask(HOSTED_CALL(2, "ok"), "{\\\"ok\\\":true}");
    hosted_close_boot();
    assert_int_equal(hosted_await_exit(), 0);
    hosted_read_output();
    assert_non_null(strstr(hosted.text, "a process that the plugin forked"));
}

static void
a_fork_is_mute(void **state)
{
    (void)state;
    launch_wild("");
    hosted_ask(HOSTED_CALL(1, "fork_speaks"), "{\\\"copy\\\":\\\"silent\\\"}");
    hosted_ask(HOSTED_CALL(2, "ok"), "{\\\"ok\\\":true}");
}

static void
what_it_prints_is_no_message(void **state)
{
    (void)state;
    launch_wild("");
    hosted_ask(HOSTED_CALL(2, "prints"), "\"id\":2,");
    hosted_close_boot();
    assert_int_equal(hosted_await_exit(), 0);
    hosted_read_output();
    assert_non_null(strstr(hosted.text, "{\"jsonrpc\":\"2.0\",\"id\":1,"));
}

/* ---- memory ----------------------------------------------------------------------- */

static void
a_leak_ends_at_the_limit(void **state)
{
    (void)state;
    if (hosted_is_sanitized())
        skip();
    launch_wild(MEMORY_64_MB);
    expect_end(HOSTED_CALL(1, "leaks"), 4, "its limit is 64 MiB");
}

static void
a_crash_at_the_limit_is_told_as_such(void **state)
{
    (void)state;
    if (hosted_is_sanitized())
        skip();
    launch_wild(MEMORY_64_MB);
    hosted_say(HOSTED_CALL(1, "grabs"));
    assert_int_equal(hosted_await_exit(), 4);
    hosted_read_output();
    assert_non_null(strstr(hosted.text, "memory"));
}

static void
other_crashes_stay_what_they_are(void **state)
{
    (void)state;
    if (hosted_is_sanitized())
        skip();
    launch_wild(MEMORY_64_MB);
    hosted_say(HOSTED_CALL(1, "segv"));
    assert_int_equal(hosted_await_exit(), 1000 + SIGSEGV);
    launch_wild(MEMORY_64_MB);
    hosted_say(HOSTED_CALL(1, "abort"));
    assert_int_equal(hosted_await_exit(), 1000 + SIGABRT);
}

static void
a_small_limit_is_the_plugins_own(void **state)
{
    (void)state;
    hosted_compile("keen", "keen", "");
    hosted_launch_plugin("keen", "\"memory_bytes\":16777216");
    hosted_hear();
    for (int i = 0; i < 20; i++)
        hosted_say(HOSTED_CALL(5, "crowd"));
    for (int i = 0; i < 20; i++)
        hosted_expect("{\\\"most\\\":");
}

/* ---- the file --------------------------------------------------------------------- */

static void
writing_over_the_file_hurts_nobody(void **state)
{
    char command[300];

    (void)state;
    if (hosted_is_sanitized())
        skip();
    launch_wild("");
    hosted_ask(HOSTED_CALL(1, "ok"), "{\\\"ok\\\":true}");
    snprintf(command, sizeof command,
             "head -c 100000 /dev/zero > %s/zero && cp %s/zero %s/wild.so",
             hosted.dir, hosted.dir, hosted.dir);
    assert_int_equal(shell(command), 0);
    hosted_ask(HOSTED_CALL(2, "fork_speaks"), "{\\\"copy\\\":\\\"silent\\\"}");
    hosted_close_boot();
    assert_int_equal(hosted_await_exit(), 0);
}

/* A plugin finds a library beside it although it is a copy that runs. */
static void
origin_still_works(void **state)
{
    char command[700], check[200];

    (void)state;
    snprintf(command, sizeof command,
             "cd %s && echo 'int beside(void) { return 1; }' > beside.c && "
             "mkdir lib && cc -shared -fPIC -o lib/libbeside.so beside.c",
             hosted.dir);
    assert_int_equal(shell(command), 0);
    snprintf(command, sizeof command,
             "-Wl,--no-as-needed -Wl,-rpath,'$ORIGIN/lib' -L%s/lib -lbeside",
             hosted.dir);
    hosted_compile("wild", "wild", command);
    snprintf(check, sizeof check, "--check %s/wild.so", hosted.dir);
    assert_int_equal(hosted_run(check, "\"name\":\"grabs\""), 0);
    hosted_launch_plugin("wild", "");
    hosted_expect("\"token\":\"T\"}}");
}

struct file {
    unsigned char *bytes;
    size_t count;
};

static struct file
read_wild(void)
{
    struct file file = {NULL, 0};
    char path[200];
    FILE *f;

    hosted_compile("wild", "wild", "");
    snprintf(path, sizeof path, "%s/wild.so", hosted.dir);
    f = fopen(path, "rb");
    assert_non_null(f);
    file.bytes = malloc(1 << 20);
    file.count = fread(file.bytes, 1, 1 << 20, f);
    assert_in_range(file.count, 4096, (1 << 20) - 1);
    fclose(f);
    return file;
}

static void
half_a_file_is_none(void **state)
{
    struct file file = read_wild();
    char why[300];

    (void)state;
    assert_int_equal(image_check(file.bytes, file.count, why, sizeof why),
                     VR_OK);
    for (size_t n = 0; n < file.count; n++) {
        /* of its own size, so that reading beyond is found out */
        unsigned char *part = malloc(n + 1);
        memcpy(part, file.bytes, n);
        why[0] = '\0';
        assert_int_equal(image_check(part, n, why, sizeof why), VR_INVALID);
        if (n >= SELFMAG)
            assert_non_null(strstr(why, "it is not whole"));
        free(part);
    }
    free(file.bytes);
}

static void
a_bent_header_hurts_nobody(void **state)
{
    struct file file = read_wild();
    unsigned char *part = malloc(file.count);
    unsigned random = 12345;
    char why[300];

    (void)state;
    for (int round = 0; round < 3000; round++) {
        memcpy(part, file.bytes, file.count);
        for (int i = 0; i < 8; i++) {
            random = random * 1103515245u + 12345u;
            part[(random >> 8) % 600] = (unsigned char)(random >> 16);
        }
        (void)!image_check(part, file.count, why, sizeof why);
    }
    free(part);
    free(file.bytes);
}

static void
other_kinds_are_named(void **state)
{
    struct file file = read_wild();
    ElfW(Ehdr) header;
    char why[300];

    (void)state;
    memcpy(&header, file.bytes, sizeof header);
    header.e_machine = header.e_machine == EM_RISCV ? EM_ARM : EM_RISCV;
    memcpy(file.bytes, &header, sizeof header);
    assert_int_equal(image_check(file.bytes, file.count, why, sizeof why),
                     VR_INVALID);
    assert_non_null(strstr(why, "this machine is"));
    assert_non_null(strstr(why, header.e_machine == EM_ARM ? "is for arm"
                                                           : "is for riscv"));
    header.e_machine = 0x7777;
    memcpy(file.bytes, &header, sizeof header);
    assert_int_equal(image_check(file.bytes, file.count, why, sizeof why),
                     VR_INVALID);
    assert_non_null(strstr(why, "is for machine number 30583"));
    assert_int_equal(
        image_check((const unsigned char *)"#!/bin/sh\n", 10, why, sizeof why),
        VR_INVALID);
    assert_non_null(strstr(why, "is no shared library"));
    free(file.bytes);
}

static void
a_check_by_hand_says_the_same(void **state)
{
    char command[400];

    (void)state;
    hosted_compile("wild", "wild", "");
    snprintf(command, sizeof command,
             "head -c 9000 %s/wild.so > %s/half.so; "
             "echo 'int main(void) { return 0; }' | cc -no-pie -x c - -o "
             "%s/program; mkfifo %s/fifo.so",
             hosted.dir, hosted.dir, hosted.dir, hosted.dir);
    assert_int_equal(shell(command), 0);
    snprintf(command, sizeof command, "--check %s/half.so", hosted.dir);
    assert_int_equal(hosted_run(command, "cannot be loaded: it is not whole"),
                     1);
    snprintf(command, sizeof command, "--check %s/program", hosted.dir);
    assert_int_equal(hosted_run(command, "another kind of ELF file"), 1);
    snprintf(command, sizeof command, "--check %s/fifo.so", hosted.dir);
    assert_int_equal(hosted_run(command, "no regular file"), 1);
    snprintf(command, sizeof command, "--check %s", hosted.dir);
    assert_int_equal(hosted_run(command, "no regular file"), 1);
    assert_int_equal(hosted_run("--check /nowhere.so", "No such file"), 1);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, hosted_setup, hosted_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_exit_is_told_and_not_taken_for_the_hosts),
        TEST(one_that_closes_everything_ends),
        TEST(one_that_closes_the_boot_pipe_ends),
        TEST(a_fork_that_returns_ends_alone),
        TEST(a_fork_is_mute),
        TEST(what_it_prints_is_no_message),
        TEST(a_leak_ends_at_the_limit),
        TEST(a_crash_at_the_limit_is_told_as_such),
        TEST(other_crashes_stay_what_they_are),
        TEST(a_small_limit_is_the_plugins_own),
        TEST(writing_over_the_file_hurts_nobody),
        TEST(origin_still_works),
        TEST(half_a_file_is_none),
        TEST(a_bent_header_hurts_nobody),
        TEST(other_kinds_are_named),
        TEST(a_check_by_hand_says_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

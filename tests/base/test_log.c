#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/clock.h"
#include "gateway/log.h"

static int fds[2]; /* read end, write end */
static char out[2 * LOG_BUFFER_BYTES];
static uint64_t fake_ns;

static uint64_t
fake_clock(void)
{
    return fake_ns;
}

static int
setup(void **state)
{
    (void)state;
    fake_ns = CLOCK_NS_PER_S;
    log_clock(fake_clock);
    if (pipe2(fds, O_CLOEXEC) != 0)
        return -1;
    log_init(fds[1]);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    close(fds[0]);
    log_fini();
    close(fds[1]);
    log_clock(NULL);
    return 0;
}

/* Everything the pipe holds now. */
static char *
drain(void)
{
    struct pollfd p = {.fd = fds[0], .events = POLLIN};
    size_t at = 0;
    log_flush();
    while (at < sizeof out - 1 && poll(&p, 1, 0) > 0) {
        ssize_t n = read(fds[0], out + at, sizeof out - 1 - at);
        if (n <= 0)
            break;
        at += (size_t)n;
        log_flush();
    }
    out[at] = '\0';
    return out;
}

static size_t
lines_of(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static void
a_line_has_stamp_level_topic_context_and_message(void **state)
{
    (void)state;
    int year, month, day, hour, minute, second, ms, end = 0;
    log_warn(session, "robot 5f0c", "no %s", "producer");
    char *text = drain();
    assert_int_equal(sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &year,
                            &month, &day, &hour, &minute, &second, &ms, &end),
                     7);
    assert_string_equal(text + end, " warn session [robot 5f0c] no producer\n");
    log_info(main, NULL, "up");
    assert_non_null(strstr(drain(), "Z info main up\n"));
}

static void
levels_are_set_by_text_all_or_nothing(void **state)
{
    (void)state;
    char wrong[32];
    char text[128];
    assert_int_equal(log_levels("warn,bedrock=debug, wire=trace", NULL, 0),
                     VR_OK);
    assert_true(log_enabled(LOG_bedrock, LOG_DEBUG));
    assert_false(log_enabled(LOG_bedrock, LOG_TRACE));
    assert_true(log_enabled(LOG_wire, LOG_TRACE));
    assert_false(log_enabled(LOG_main, LOG_INFO));
    log_levels_text(text, sizeof text);
    assert_string_equal(text, "warn,bedrock=debug,wire=trace");
    const char *bad[] = {"loud",  "debug,bedrok=info", "", "wire=", "=info",
                         "info,", "info,,warn"};
    const char *word[] = {"loud", "bedrok=info", "", "wire=", "=info", "", ""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(log_levels(bad[i], wrong, sizeof wrong), VR_INVALID);
        assert_string_equal(wrong, word[i]);
        assert_false(log_enabled(LOG_main, LOG_INFO));
    }
    assert_int_equal(log_levels("off", NULL, 0), VR_OK);
    log_error(main, NULL, "not seen");
    assert_string_equal(drain(), "");
}

static void
control_bytes_cannot_forge_lines_or_move_a_cursor(void **state)
{
    (void)state;
    log_info(main, "a\nb", "x\r\n2026 \x1b[2J \xc2\x9b \xff \xc3\xa9 \x7f\tz");
    char *text = drain();
    assert_int_equal(lines_of(text), 1);
    assert_non_null(strstr(text, "[a\\nb] x\\x0d\\n2026 \\x1b[2J \\xc2\\x9b "
                                 "\\xff \xc3\xa9 \\x7f\\tz\n"));
}

static void
a_long_line_is_cut_and_says_so(void **state)
{
    (void)state;
    static char big[3 * LOG_LINE_BYTES];
    memset(big, 'a', sizeof big - 1);
    log_info(main, big, "%s", big);
    char *text = drain();
    assert_int_equal(lines_of(text), 1);
    assert_true(strlen(text) < LOG_LINE_BYTES + 64);
    assert_string_equal(text + strlen(text) - 5, "a...\n");
}

static void
a_repeated_line_is_one_line_and_a_count(void **state)
{
    (void)state;
    for (int i = 0; i < 500; i++) {
        log_error(bedrock, "robot", "connection refused");
        log_info(session, "robot", "waiting");
    }
    assert_int_equal(lines_of(drain()), 2);
    fake_ns += (LOG_REPEAT_MS + 1) * CLOCK_NS_PER_MS;
    char *text = drain();
    assert_int_equal(lines_of(text), 2);
    assert_non_null(strstr(text, "connection refused (repeated 499 times)\n"));
    log_error(bedrock, "robot", "connection refused");
    assert_non_null(strstr(drain(), "connection refused\n"));
}

static void
different_lines_push_out_a_count_and_trace_is_complete(void **state)
{
    (void)state;
    log_info(main, NULL, "again");
    log_info(main, NULL, "again");
    for (int i = 0; i < 20; i++)
        log_info(main, NULL, "line %d", i);
    assert_non_null(strstr(drain(), "again (repeated 1 times)\n"));
    assert_int_equal(log_levels("trace", NULL, 0), VR_OK);
    for (int i = 0; i < 20; i++)
        log_trace(wire, NULL, "> audioInput 1024 bytes");
    assert_int_equal(lines_of(drain()), 20);
}

static void
a_full_pipe_blocks_nobody_and_drops_are_counted(void **state)
{
    (void)state;
    int flags = fcntl(fds[1], F_GETFL);
    uint64_t n = 0;
    while (log_dropped() < 10) {
        log_info(main, NULL, "line %llu of many, to fill what there is",
                 (unsigned long long)n++);
        log_flush();
    }
    assert_true(log_pending());
    assert_int_equal(fcntl(fds[1], F_GETFL), flags);
    char *text = drain();
    assert_non_null(strstr(text, " warn main 10 log lines dropped"));
    assert_int_equal(lines_of(text), n - 10 + 1);
    assert_false(log_pending());
    log_info(main, NULL, "after");
    assert_int_equal(lines_of(drain()), 1);
}

static void
fini_gives_a_stuck_reader_little_time(void **state)
{
    (void)state;
    for (int i = 0; log_dropped() == 0; i++) {
        log_info(main, NULL, "fill %d", i);
        log_flush();
    }
    uint64_t before_ns = clock_mono_ns();
    log_fini();
    assert_true(clock_mono_ns() - before_ns < 5 * CLOCK_NS_PER_S);
    log_init(fds[1]);
}

static void
a_reader_that_went_away_costs_nothing(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    close(fds[0]);
    fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    for (int i = 0; i < 10000; i++) {
        log_info(main, NULL, "line %d", i);
        log_flush();
    }
    assert_int_equal(log_dropped(), 0);
    assert_false(log_pending());
}

static void
sockets_and_files_work_too(void **state)
{
    (void)state;
    int pair[2];
    char text[128] = "";
    log_fini();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
                     0);
    log_init(pair[1]);
    log_info(main, NULL, "to a socket");
    log_flush();
    assert_true(read(pair[0], text, sizeof text - 1) > 0);
    assert_non_null(strstr(text, "to a socket\n"));
    log_fini();
    close(pair[0]);
    close(pair[1]);

    char path[] = "/tmp/voxring-test-log-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    log_init(fd);
    log_info(main, NULL, "to a file");
    log_fini();
    assert_true(pread(fd, text, sizeof text - 1, 0) > 0);
    assert_non_null(strstr(text, "to a file\n"));
    close(fd);
    log_init(fds[1]);
}

static void
key_ids_show_four_characters(void **state)
{
    (void)state;
    assert_string_equal(log_key_id("AKIAIOSFODNN7EXAMPLE"), "AKIA...");
    assert_string_equal(log_key_id("AKIA"), "...");
    assert_string_equal(log_key_id(NULL), "...");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_line_has_stamp_level_topic_context_and_message),
        TEST(levels_are_set_by_text_all_or_nothing),
        TEST(control_bytes_cannot_forge_lines_or_move_a_cursor),
        TEST(a_long_line_is_cut_and_says_so),
        TEST(a_repeated_line_is_one_line_and_a_count),
        TEST(different_lines_push_out_a_count_and_trace_is_complete),
        TEST(a_full_pipe_blocks_nobody_and_drops_are_counted),
        TEST(fini_gives_a_stuck_reader_little_time),
        TEST(a_reader_that_went_away_costs_nothing),
        TEST(sockets_and_files_work_too),
        TEST(key_ids_show_four_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

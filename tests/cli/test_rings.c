/* voxring send and record on rings that this process hosts as a gateway. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/cli/command.h"
#include "ipc/cli/wav.h"
#include "ipc/ring_host.h"
#include "tests/cli/program.h"

#define RATE_HZ 16000
#define FRAMES_MAX 200000
/* What is with the player at a time. */
#define PLAYER_FRAMES (RATE_HZ / 100)

static int16_t given[FRAMES_MAX];
static int16_t taken[FRAMES_MAX];

/* The rings of the test that runs. */
static struct ring_host *in, *out;

static int
down(void **state)
{
    (void)state;
    ring_host_close(&in);
    ring_host_close(&out);
    return 0;
}

static struct ring_host *
host(enum vr_ring ring, uint64_t frames)
{
    struct ring_host_config config = {
        .runtime_dir = program_dir,
        .session = "robot",
        .ring = ring,
        .format = {RATE_HZ, 1},
        .min_frames = frames,
    };
    struct ring_host *made;
    char why[VR_ERROR_BYTES];
    if (ring_host_open(&made, &config, why, sizeof why) != VR_OK)
        fail_msg("%s", why);
    return made;
}

static void
fill(size_t frames)
{
    for (size_t i = 0; i < frames; i++)
        given[i] = (int16_t)(i * 40503 + 1);
}

/* Reads what the producer writes until the program ends; returns the frames. */
static size_t
take_until_end(struct program *p)
{
    struct ring_host_span span;
    size_t count = 0;
    bool ended;
    do {
        ended = program_ended(p);
        size_t got;
        while ((got = ring_host_peek(in, taken + count, FRAMES_MAX - count,
                                     &span)) > 0) {
            assert_int_equal(span.lost_frames, 0);
            ring_host_advance(in, got);
            count += got;
        }
        program_pause();
    } while (!ended);
    return count;
}

/* Starts recording to r.wav; returns once it reads the ring. */
static struct program *
start_record(const char *option, const char *value, const char *another)
{
    const char *path = program_path("r.wav");
    struct stat found;
    unlink(path);
    struct program *p =
        program_start(NULL, (const char *[]){"record", "robot", path, option,
                                             value, another, NULL});
    while (stat(path, &found) != 0 || found.st_size < WAV_HEADER_BYTES) {
        assert_false(program_ended(p));
        program_pause();
    }
    return p;
}

/* The samples of a recorded WAV, checked against its header. */
static size_t
read_wav(const char *name, int16_t *samples)
{
    struct wav wav;
    size_t bytes;
    uint8_t *file = program_bytes(name, &bytes);
    wav_init(&wav);
    size_t at = wav_feed(&wav, file, bytes);
    assert_int_equal(wav.state, WAV_DATA);
    assert_int_equal(wav.rate_hz, RATE_HZ);
    assert_true(wav.data_bytes <= bytes - at);
    memcpy(samples, file + at, (size_t)wav.data_bytes);
    free(file);
    return (size_t)wav.data_bytes / sizeof *samples;
}

/* ---- send ---- */

static void
test_send_fast_is_bit_exact(void **state)
{
    in = host(VR_RING_IN, 4096);
    (void)state;
    fill(100003);
    const char *path = program_wav("a.wav", RATE_HZ, 1, given, 100003);
    struct program *p = program_start(
        NULL, (const char *[]){"send", "robot", path, "--fast", "--strict",
                               "--silence-before", "10", "--silence-after",
                               "20", NULL});
    assert_int_equal(take_until_end(p), 100003 + 480);
    assert_int_equal(p->code, 0);
    assert_non_null(strstr(p->err, "100483 frames"));
    assert_int_equal(taken[159], 0);
    assert_memory_equal(taken + 160, given, 100003 * sizeof *given);
    assert_int_equal(taken[100003 + 160], 0);
    assert_false(ring_host_has_producer(in));
}

static void
test_send_raw_from_standard_input(void **state)
{
    in = host(VR_RING_IN, 16384);
    (void)state;
    fill(5000);
    const char *path = program_file("a.raw", given, 5000 * sizeof *given + 1);
    struct program *p =
        program_start(path, (const char *[]){"send", "robot", "-", "--raw",
                                             "16000,1", "--live", NULL});
    assert_int_equal(take_until_end(p), 5000);
    assert_int_equal(p->code, 0);
    assert_non_null(strstr(p->err, "last 1 bytes"));
    assert_memory_equal(taken, given, 5000 * sizeof *given);
}

static void
test_send_live_counts_what_nobody_had_room_for(void **state)
{
    (void)state;
    in = host(VR_RING_IN, 4096);
    uint64_t capacity = ring_host_capacity_frames(in);
    fill(FRAMES_MAX);
    const char *path = program_wav("a.wav", RATE_HZ, 1, given, FRAMES_MAX);
    struct program *p =
        PROGRAM_RUN("send", "robot", path, "--live", "--no-drain");
    assert_int_equal(p->code, CLI_LOST);
    char word[64];
    snprintf(word, sizeof word, "%llu frames (", (unsigned long long)capacity);
    assert_non_null(strstr(p->err, word));
}

static void
test_send_is_paced_and_stamped(void **state)
{
    in = host(VR_RING_IN, 65536);
    uint64_t began_ns = vr_now_ns(), position, captured_ns;
    (void)state;
    fill(8000);
    const char *path = program_wav("a.wav", RATE_HZ, 1, given, 8000);
    struct program *p =
        program_start(NULL, (const char *[]){"send", "robot", path, NULL});
    assert_int_equal(take_until_end(p), 8000);
    assert_int_equal(p->code, 0);
    assert_true(vr_now_ns() - began_ns > 480000000);
    assert_true(ring_host_captured(in, vr_now_ns(), &position, &captured_ns));
    assert_int_equal(position, 8000);
    assert_true(captured_ns > began_ns);
}

static void
test_send_converts_or_refuses(void **state)
{
    in = host(VR_RING_IN, 16384);
    (void)state;
    fill(22050 * 2);
    const char *path = program_wav("a.wav", 22050, 2, given, 22050);
    struct program *p = program_start(
        NULL, (const char *[]){"send", "robot", path, "--fast", NULL});
    assert_int_equal(take_until_end(p), 16000);
    assert_int_equal(p->code, 0);
    assert_non_null(strstr(p->err, "converting 22050 Hz with 2"));
    p = PROGRAM_RUN("send", "robot", path, "--strict");
    assert_int_equal(p->code, CLI_USAGE);
    assert_non_null(strstr(p->err, "22050 Hz with 2"));
    assert_non_null(strstr(p->err, "16000 Hz with 1"));
}

static void
test_send_gives_up_when_nobody_reads(void **state)
{
    in = host(VR_RING_IN, 4096);
    (void)state;
    fill(20000);
    const char *path = program_wav("a.wav", RATE_HZ, 1, given, 20000);
    struct program *p =
        PROGRAM_RUN("send", "robot", path, "--fast", "--timeout", "200");
    assert_int_equal(p->code, CLI_TIMEOUT);
    assert_non_null(strstr(p->err, "has read nothing for 200 ms"));
    path = program_wav("a.wav", RATE_HZ, 1, given, 100);
    p = PROGRAM_RUN("send", "robot", path, "--timeout", "200");
    assert_int_equal(p->code, CLI_TIMEOUT);
    ring_host_drain(in);
    ring_host_seek(in, ring_host_head(in));
    p = PROGRAM_RUN("send", "robot", path, "--no-drain");
    assert_int_equal(p->code, 0);
}

static void
test_send_is_refused_while_another_does(void **state)
{
    in = host(VR_RING_IN, 4096);
    struct vr_options options = {.runtime_dir = program_dir, .name = "mike"};
    struct vr_writer *writer;
    (void)state;
    fill(100);
    const char *path = program_wav("a.wav", RATE_HZ, 1, given, 100);
    assert_int_equal(vr_writer_open(&writer, "robot", &options, NULL, 0),
                     VR_OK);
    struct program *p = PROGRAM_RUN("send", "robot", path);
    assert_int_equal(p->code, CLI_BUSY);
    assert_non_null(strstr(p->err, "mike"));
    vr_writer_close(&writer);
}

static void
test_send_stops_cleanly(void **state)
{
    in = host(VR_RING_IN, 65536);
    (void)state;
    fill(FRAMES_MAX);
    const char *path = program_wav("a.wav", RATE_HZ, 1, given, FRAMES_MAX);
    struct program *p =
        program_start(NULL, (const char *[]){"send", "robot", path, NULL});
    while (ring_host_head(in) < 1600 && !program_ended(p))
        program_pause();
    kill(p->pid, SIGINT);
    assert_int_equal(program_wait(p), CLI_INTERRUPTED);
    assert_non_null(strstr(p->err, "interrupted"));
    assert_false(ring_host_has_producer(in));
}

static void
test_send_waits_for_a_gateway_that_starts(void **state)
{
    (void)state;
    fill(100);
    const char *path = program_wav("a.wav", RATE_HZ, 1, given, 100);
    struct program *p = program_start(
        NULL, (const char *[]){"send", "robot", path, "--connect-timeout",
                               "20000", NULL});
    for (int i = 0; i < 100; i++)
        program_pause();
    assert_false(program_ended(p));
    in = host(VR_RING_IN, 4096);
    assert_int_equal(take_until_end(p), 100);
    assert_int_equal(p->code, 0);
}

static void
test_send_tells_when_the_gateway_is_gone(void **state)
{
    in = host(VR_RING_IN, 65536);
    (void)state;
    fill(FRAMES_MAX);
    const char *path = program_wav("a.wav", RATE_HZ, 1, given, FRAMES_MAX);
    struct program *p =
        program_start(NULL, (const char *[]){"send", "robot", path, "--timeout",
                                             "300", NULL});
    while (ring_host_head(in) < 1600 && !program_ended(p))
        program_pause();
    ring_host_close(&in);
    assert_int_equal(program_wait(p), CLI_ABSENT);
    assert_non_null(strstr(p->err, "no gateway for 300 ms"));
}

/* ---- record ---- */

static void
test_record_is_bit_exact_and_marks_only(void **state)
{
    out = host(VR_RING_OUT, 65536);
    (void)state;
    fill(50000);
    struct program *p = start_record("--until-idle", "200", NULL);
    ring_host_write(out, given, 30000);
    ring_host_flush(out, 30000, 1);
    ring_host_write(out, given + 30000, 20000);
    assert_int_equal(program_wait(p), 0);
    assert_int_equal(read_wav("r.wav", taken), 50000);
    assert_memory_equal(taken, given, 50000 * sizeof *given);
    assert_non_null(strstr(p->err, "1 flushes"));
}

static void
test_record_raw_to_standard_output(void **state)
{
    in = host(VR_RING_IN, 65536);
    struct vr_options options = {.runtime_dir = program_dir};
    struct vr_writer *writer;
    (void)state;
    fill(20000);
    assert_int_equal(vr_writer_open(&writer, "robot", &options, NULL, 0),
                     VR_OK);
    assert_int_equal(vr_write(writer, given, 20000, 0), VR_OK);
    struct program *p = PROGRAM_RUN("record", "robot", "-", "--in", "--past",
                                    "1000", "--until-idle", "100");
    assert_int_equal(p->code, 0);
    assert_memory_equal(p->out, given + 4000, 16000 * sizeof *given);
    vr_writer_close(&writer);
}

static void
test_record_ends_by_time_signal_and_close(void **state)
{
    out = host(VR_RING_OUT, 65536);
    const char *path = program_path("r.wav");
    (void)state;
    fill(1000);
    assert_int_equal(
        PROGRAM_RUN("record", "robot", path, "--seconds", "0.1")->code, 0);
    assert_int_equal(read_wav("r.wav", taken), 0);
    struct program *p = start_record(NULL, NULL, NULL);
    ring_host_write(out, given, 1000);
    kill(p->pid, SIGTERM);
    assert_int_equal(program_wait(p), 0);
    assert_int_equal(read_wav("r.wav", taken), 1000);
    p = start_record(NULL, NULL, NULL);
    ring_host_write(out, given, 1000);
    ring_host_close(&out);
    assert_int_equal(program_wait(p), 0);
    assert_non_null(strstr(p->err, "ended"));
    assert_int_equal(read_wav("r.wav", taken), 1000);
}

static void
test_record_goes_on_with_the_next_gateway(void **state)
{
    (void)state;
    out = host(VR_RING_OUT, 65536);
    fill(2000);
    struct program *p = start_record("--keep", "--until-idle", "2000");
    ring_host_write(out, given, 1000);
    ring_host_close(&out);
    out = host(VR_RING_OUT, 65536);
    ring_host_write(out, given + 1000, 1000);
    assert_int_equal(program_wait(p), 0);
    assert_int_equal(read_wav("r.wav", taken), 2000);
    assert_memory_equal(taken, given, 2000 * sizeof *given);
}

static void
test_killed_recorder_leaves_a_whole_wav(void **state)
{
    out = host(VR_RING_OUT, 65536);
    struct stat found;
    (void)state;
    fill(20000);
    const char *path = program_path("r.wav");
    struct program *p = start_record(NULL, NULL, NULL);
    ring_host_write(out, given, 20000);
    while (stat(path, &found) != 0 || found.st_size < 40000)
        program_pause();
    /* the header follows right behind */
    for (int i = 0; i < 100; i++)
        program_pause();
    kill(p->pid, SIGKILL);
    assert_int_equal(program_wait(p), 128 + SIGKILL);
    size_t frames = read_wav("r.wav", taken);
    assert_true(frames >= 8000);
    assert_memory_equal(taken, given, frames * sizeof *given);
}

static void
test_lapped_recorder_says_so(void **state)
{
    out = host(VR_RING_OUT, 4096);
    (void)state;
    fill(40000);
    struct program *p = start_record("--until-idle", "100", NULL);
    kill(p->pid, SIGSTOP);
    ring_host_write(out, given, 40000);
    kill(p->pid, SIGCONT);
    assert_int_equal(program_wait(p), CLI_LOST);
    assert_non_null(strstr(p->err, "overwritten"));
}

/* ---- the player ---- */

static void
test_player_takes_real_time(void **state)
{
    out = host(VR_RING_OUT, 65536);
    (void)state;
    fill(8000);
    struct program *p = start_record("--until-idle", "300", "--player");
    assert_true(ring_host_has_player(out));
    uint64_t began_ns = vr_now_ns();
    ring_host_write(out, given, 8000);
    while (ring_host_played(out) < 8000 && !program_ended(p))
        program_pause();
    assert_true(vr_now_ns() - began_ns >= 499000000);
    assert_int_equal(program_wait(p), 0);
    assert_int_equal(read_wav("r.wav", taken), 8000);
    assert_memory_equal(taken, given, 8000 * sizeof *given);
}

static void
test_player_drops_what_is_flushed(void **state)
{
    out = host(VR_RING_OUT, 65536);
    (void)state;
    fill(40000);
    struct program *p = start_record("--until-idle", "300", "--player");
    ring_host_write(out, given, 32000);
    while (ring_host_played(out) < 1600 && !program_ended(p))
        program_pause();
    ring_host_flush(out, 32000, 7);
    uint64_t heard = ring_host_played(out);
    ring_host_write(out, given + 32000, 1600);
    assert_int_equal(program_wait(p), 0);
    assert_int_equal(ring_host_played(out), 33600);
    size_t frames = read_wav("r.wav", taken);
    /* what was with the loudspeaker is at most two blocks: one that played
     * while we flushed, one that was played before we looked */
    assert_true(frames >= heard + 1600);
    assert_true(frames <= heard + 1600 + 2 * PLAYER_FRAMES);
    assert_memory_equal(taken, given, (frames - 1600) * sizeof *given);
    assert_memory_equal(taken + frames - 1600, given + 32000,
                        1600 * sizeof *given);
}

static void
test_one_player_a_session(void **state)
{
    out = host(VR_RING_OUT, 65536);
    (void)state;
    fill(1000);
    struct program *first = start_record("--until-idle", "300", "--player");
    struct program *p = PROGRAM_RUN("record", "robot", "-", "--player");
    assert_int_equal(p->code, CLI_BUSY);
    assert_non_null(strstr(p->err, "voxring record"));
    ring_host_write(out, given, 160);
    assert_int_equal(program_wait(first), 0);
}

static void
test_player_keeps_the_clock_with_silence(void **state)
{
    out = host(VR_RING_OUT, 65536);
    (void)state;
    struct program *p =
        PROGRAM_RUN("record", "robot", program_path("r.wav"), "--player",
                    "--silence", "--seconds", "0.3");
    assert_int_equal(p->code, 0);
    size_t frames = read_wav("r.wav", taken);
    assert_true(frames > 0 && frames <= RATE_HZ * 3 / 10 + PLAYER_FRAMES);
    for (size_t i = 0; i < frames; i++)
        assert_int_equal(taken[i], 0);
}

#define TEST(name) cmocka_unit_test_teardown(name, down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_send_fast_is_bit_exact),
        TEST(test_send_raw_from_standard_input),
        TEST(test_send_live_counts_what_nobody_had_room_for),
        TEST(test_send_is_paced_and_stamped),
        TEST(test_send_converts_or_refuses),
        TEST(test_send_gives_up_when_nobody_reads),
        TEST(test_send_is_refused_while_another_does),
        TEST(test_send_stops_cleanly),
        TEST(test_send_waits_for_a_gateway_that_starts),
        TEST(test_send_tells_when_the_gateway_is_gone),
        TEST(test_record_is_bit_exact_and_marks_only),
        TEST(test_record_raw_to_standard_output),
        TEST(test_record_ends_by_time_signal_and_close),
        TEST(test_record_goes_on_with_the_next_gateway),
        TEST(test_killed_recorder_leaves_a_whole_wav),
        TEST(test_lapped_recorder_says_so),
        TEST(test_player_takes_real_time),
        TEST(test_player_drops_what_is_flushed),
        TEST(test_one_player_a_session),
        TEST(test_player_keeps_the_clock_with_silence),
    };
    return cmocka_run_group_tests(tests, program_up, program_down);
}

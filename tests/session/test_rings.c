/* What others do to a session's rings, and what it does about that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/jsonx.h"
#include "gateway/session/bell.h"
#include "ipc/ring_host.h"
#include "ipc/ring_layout.h"
#include "tests/session/rig.h"

static struct rig rig;
static char in_the_way[128], inside[140]; /* folders */

static int
setup(void **state)
{
    (void)state;
    rig_begin(&rig, "{\"outage_buffer_s\":0}");
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    /* After a failure they are still there. */
    rmdir(inside);
    rmdir(in_the_way);
    rig_assert_balanced(&rig);
    rig_close(&rig);
    return 0;
}

static const char *
name_of(bool in)
{
    return ring_host_name(in ? session_in_ring(rig.session)
                             : session_out_ring(rig.session));
}

static double
ring_stat(bool in, const char *fault)
{
    cJSON *stats = session_stats(rig.session);
    const cJSON *ring = cJSON_GetObjectItem(cJSON_GetObjectItem(stats, "rings"),
                                            in ? "in" : "out");
    const cJSON *faults = cJSON_GetObjectItem(ring, "faults");
    double value = fault ? jsonx_number(faults, fault, -1)
                         : jsonx_number(ring, "recreated", -1);
    cJSON_Delete(stats);
    return value;
}

static uint64_t
epoch_of(bool in)
{
    return ring_host_epoch(in ? session_in_ring(rig.session)
                              : session_out_ring(rig.session));
}

static bool
is_damaged(bool in)
{
    return ring_host_damaged(in ? session_in_ring(rig.session)
                                : session_out_ring(rig.session));
}

static void
truncate_ring(bool in)
{
    int fd = shm_open(name_of(in), O_RDWR, 0);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 0), 0);
    close(fd);
}

static void
assert_told(const char *code, bool in)
{
    const cJSON *e = fake_bus_last("error", "code", code);
    if (!e)
        fail_msg("no error %s: %s", code, fake_bus_story());
    assert_string_equal(jsonx_text(e, "component", ""), "ring");
    assert_string_equal(jsonx_text(e, "ring", ""), name_of(in));
    assert_true(strlen(jsonx_text(e, "remedy", "")) > 20);
    assert_non_null(strstr(jsonx_text(e, "message", ""), name_of(in)));
}

/* The microphone is heard again, through whatever ring there is now. */
static void
assert_heard_again(void)
{
    int16_t block[160] = {0};
    uint64_t sent = rig_frames(&rig, "input_frames", "sent");
    for (int i = 0; i < 3000; i++) {
        vr_write(rig.mic, block, 160, 0);
        rig_step(&rig);
        if (rig_frames(&rig, "input_frames", "sent") >= sent + 1600)
            return;
    }
    fail_msg("nothing of the microphone is sent");
}

/* ---- damage ---- */

/* Within a test, as cmocka has handlers of its own around each. */
static void
guard(void)
{
    vr_guard_remove();
    assert_int_equal(vr_guard_install(), VR_OK);
}

static void
test_a_truncated_ring_is_made_anew(void **state)
{
    (void)state;
    guard();
    uint64_t epoch = epoch_of(true);
    rig_mic(&rig, 100);
    rig_step(&rig);
    truncate_ring(true);
    RIG_UNTIL(&rig, epoch_of(true) != epoch);
    assert_told("truncated", true);
    assert_false(is_damaged(true));
    assert_int_equal(ring_stat(true, "truncated"), 1);
    assert_int_equal(ring_stat(true, NULL), 1);
    assert_int_equal(ring_stat(false, NULL), 0);
    assert_heard_again();
    rig_assert_balanced(&rig);
    vr_guard_remove();
}

/* Seen where it is used: not at the next second's check. */
static void
test_repair_is_prompt_once_and_then_later_and_later(void **state)
{
    (void)state;
    guard();
    uint64_t begin = uv_hrtime(), ms[3];
    for (int i = 0; i < 3; i++) {
        uint64_t epoch = epoch_of(true);
        uint64_t from = uv_hrtime();
        truncate_ring(true);
        (void)ring_host_readable(session_in_ring(rig.session));
        session_mute(rig.session, false);
        session_tools_changed(rig.session); /* a turn, whatever for */
        RIG_UNTIL(&rig, epoch_of(true) != epoch);
        ms[i] = (uv_hrtime() - from) / 1000000;
    }
    assert_true(ms[1] >= 1000 && ms[2] >= 2000);
    assert_true(uv_hrtime() - begin > 3000000000ull);
    assert_int_equal(ring_stat(true, NULL), 3);
    /* One event for the kind, not one for each time. */
    assert_int_equal(fake_bus_count("error", "code", "truncated"), 1);
    vr_guard_remove();
}

static void
test_unread_frames_are_lost_with_their_ring(void **state)
{
    (void)state;
    fake_stream.full = true;
    rig_mic(&rig, 8000);
    rig_run(&rig, 50);
    uint64_t epoch = epoch_of(true);
    assert_int_equal(shm_unlink(name_of(true)), 0);
    RIG_UNTIL(&rig, epoch_of(true) != epoch);
    assert_told("unlinked", true);
    const cJSON *e = fake_bus_last("capture", "phase", "lost");
    assert_non_null(e);
    assert_non_null(strstr(jsonx_text(e, "reason", ""), "damaged"));
    assert_true(rig_frames(&rig, "input_frames", "lost") > 0);
    rig_assert_balanced(&rig);
    fake_stream_room();
    assert_heard_again();
}

static void
test_unheard_voice_is_told_as_lost(void **state)
{
    (void)state;
    uint64_t epoch = epoch_of(false);
    rig_plans(&rig, "Once upon a time.");
    uint64_t content = rig_audio_begins(&rig);
    rig_audio(content, 3000);
    rig_run(&rig, 20);
    assert_int_equal(shm_unlink(name_of(false)), 0);
    RIG_UNTIL(&rig, epoch_of(false) != epoch);
    assert_told("unlinked", false);
    RIG_UNTIL(&rig, fake_bus_last("playback", "phase", "lost"));
    uint64_t lost = rig_frames(&rig, "output_frames", "lost");
    assert_true(lost > 24000);
    rig_assert_balanced(&rig);
    rig_audio(content, 100);
    rig_content_ends(content, "AUDIO", "END_TURN");
    rig_said(&rig, "Once upon a time.", "END_TURN");
    RIG_UNTIL(&rig, fake_bus_last("turn", NULL, NULL));
    const cJSON *turn = fake_bus_last("turn", NULL, NULL);
    int64_t heard_ms = jsonx_int(turn, "heard_ms", -1);
    int64_t lost_ms = jsonx_int(turn, "lost_ms", -1);
    assert_in_range(heard_ms, 100, 2000);
    assert_in_range(lost_ms, 1000, 3000);
    assert_in_range(heard_ms + lost_ms, 3098, 3101);
    assert_int_equal(fake_bus_count("playback", "phase", "finished"), 1);
}

/* The name is taken by what cannot be taken away: told once, tried later, and
 * the conversation goes on without that ring. */
static void
test_a_ring_that_cannot_be_made_anew(void **state)
{
    (void)state;
    char *path = in_the_way;
    uint64_t recreated;
    snprintf(path, sizeof in_the_way, "/dev/shm%s", name_of(true));
    snprintf(inside, sizeof inside, "%s/x", path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(mkdir(inside, 0700), 0);
    RIG_UNTIL(&rig, fake_bus_last("error", "code", "not_made_anew"));
    assert_told("not_made_anew", true);
    assert_true(jsonx_int(fake_bus_last("error", "code", "not_made_anew"),
                          "retry_in_ms", 0) >= 900);
    rig_run(&rig, 1500);
    assert_int_equal(fake_bus_count("error", "code", "not_made_anew"), 1);
    assert_int_equal(ring_stat(true, NULL), 0);
    /* Silence for the model, and its voice is played. */
    assert_int_equal(session_state(rig.session), SESSION_streaming);
    uint64_t silence = rig_frames(&rig, "input_frames", "inserted_samples");
    rig_run(&rig, 400);
    assert_true(rig_frames(&rig, "input_frames", "inserted_samples") > silence);
    recreated = epoch_of(true);
    assert_int_equal(rmdir(inside), 0);
    assert_int_equal(rmdir(path), 0);
    RIG_UNTIL(&rig, epoch_of(true) != recreated && !is_damaged(true));
    assert_heard_again();
}

/* ---- the doorbell ---- */

static int
open_bell(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/robot.in.bell", rig.dir);
    int fd = open(path, O_RDWR | O_NONBLOCK);
    assert_true(fd >= 0);
    return fd;
}

static void
test_a_bell_that_is_rung_without_end(void **state)
{
    (void)state;
    int bell = open_bell();
    unsigned turns = 0;
    uint64_t end = uv_hrtime() + 1500000000ull;
    /* Each turn of the loop finds it rung. */
    while (uv_hrtime() < end) {
        assert_true(write(bell, "xxxxxxxx", 8) != 0);
        uv_run(&rig.loop, UV_RUN_ONCE);
        turns++;
    }
    assert_told("ringing", true);
    assert_in_range((uint64_t)ring_stat(true, "ringing"), 1, 2);
    /* Two floods at most, and silence each 32 ms. */
    assert_in_range(turns, 1, 2 * BELL_USELESS_MOST + 300);
    assert_heard_again();
    close(bell);
}

static void
test_a_thief_at_the_bell(void **state)
{
    (void)state;
    int bell = open_bell();
    char bytes[64];
    rig_run(&rig, 20);
    uint64_t sent = rig_frames(&rig, "input_frames", "sent");
    uint64_t end = uv_hrtime() + 1000000000ull, written = 0;
    for (uint64_t next = uv_hrtime(); uv_hrtime() < end;) {
        if (uv_hrtime() >= next) {
            rig_mic(&rig, 160);
            written += 160;
            next += 10000000;
        }
        (void)!read(bell, bytes, sizeof bytes);
        rig_step(&rig);
    }
    rig_run(&rig, 100);
    sent = rig_frames(&rig, "input_frames", "sent") - sent;
    assert_in_range(sent, written - 1024, written);
    assert_int_equal(rig_frames(&rig, "input_frames", "lost"), 0);
    close(bell);
}

/* ---- who holds a ring ---- */

static pid_t
holder(bool in)
{
    vr_writer_close(&rig.mic);
    vr_reader_close(&rig.player);
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct vr_options options = {.runtime_dir = rig.dir,
                                     .ring = VR_RING_OUT,
                                     .role = VR_PLAYER,
                                     .name = "idler"};
        struct vr_writer *writer;
        struct vr_reader *reader;
        bool held =
            in ? vr_writer_open(&writer, "robot", &options, NULL, 0) == VR_OK
               : vr_reader_open(&reader, "robot", &options, NULL, 0) == VR_OK;
        if (held && write(ready[1], "", 1) == 1)
            for (;;)
                pause();
        _exit(1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

static void
stop_and_go_on(bool in)
{
    char number[32];
    pid_t pid = holder(in);
    rig_run(&rig, 20);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    RIG_UNTIL(&rig, fake_bus_last("error", "code", "stopped"));
    assert_told("stopped", in);
    const cJSON *e = fake_bus_last("error", "code", "stopped");
    snprintf(number, sizeof number, "%d", (int)pid);
    assert_non_null(strstr(jsonx_text(e, "remedy", ""), number));
    assert_non_null(strstr(jsonx_text(e, "message", ""), "idler"));
    rig_run(&rig, 1200);
    assert_int_equal(fake_bus_count("error", "code", "stopped"), 1);
    assert_int_equal(kill(pid, SIGCONT), 0);
    RIG_UNTIL(&rig,
              in ? fake_bus_last("capture", "phase", "producer_continued")
                 : fake_bus_last("playback", "phase", "player_continued"));
    /* Again within the minute: that is not told again. */
    assert_int_equal(kill(pid, SIGSTOP), 0);
    rig_run(&rig, 2100);
    assert_int_equal(fake_bus_count("error", "code", "stopped"), 1);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void
test_a_stopped_producer(void **state)
{
    (void)state;
    stop_and_go_on(true);
}

static void
test_a_stopped_player(void **state)
{
    (void)state;
    stop_and_go_on(false);
}

/* ---- hostile words ---- */

/* Any value anywhere in the header, again and again: the session lives, and in
 * the end it listens. */
static void
test_any_word_at_any_time(void **state)
{
    static const uint64_t values[] = {
        0, 1, UINT64_MAX, UINT64_C(1) << 62, (UINT64_C(1) << 62) - 1, 4096,
    };
    (void)state;
    for (size_t at = 0; at < sizeof(struct ring_layout); at += 8) {
        for (int in = 0; in < 2; in++) {
            int fd = shm_open(name_of(in), O_RDWR, 0);
            uint64_t value = values[at / 8 % 6];
            if (fd < 0)
                continue;
            assert_int_equal(pwrite(fd, &value, 8, (off_t)at), 8);
            close(fd);
        }
        session_tools_changed(rig.session);
        if (at % 256 == 0)
            rig_step(&rig);
    }
    RIG_UNTIL(&rig, !is_damaged(true) && !is_damaged(false));
    assert_in_range(fake_bus_count("error", NULL, NULL), 1,
                    2 * RING_FAULT_COUNT);
    rig_assert_balanced(&rig);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_truncated_ring_is_made_anew),
        TEST(test_repair_is_prompt_once_and_then_later_and_later),
        TEST(test_unread_frames_are_lost_with_their_ring),
        TEST(test_unheard_voice_is_told_as_lost),
        TEST(test_a_ring_that_cannot_be_made_anew),
        TEST(test_a_bell_that_is_rung_without_end),
        TEST(test_a_thief_at_the_bell),
        TEST(test_a_stopped_producer),
        TEST(test_a_stopped_player),
        TEST(test_any_word_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

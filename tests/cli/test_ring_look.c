/* voxring ring ls, stat and watch: on living, dead and damaged rings. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "ipc/cli/command.h"
#include "tests/cli/hosted.h"
#include "tests/cli/program.h"

#define HERE "--runtime-dir", program_dir

static struct ring_host *in, *out;
static struct vr_writer *mike;
static struct vr_reader *ear, *player;
static int16_t samples[HOSTED_RATE_HZ];

static int
down(void **state)
{
    vr_writer_close(&mike);
    vr_reader_close(&ear);
    vr_reader_close(&player);
    ring_host_close(&in);
    ring_host_close(&out);
    return hosted_end(state);
}

/* A gateway with a producer, a reader of `in` and a player. */
static void
set_up(void)
{
    struct vr_options options = {.runtime_dir = program_dir, .name = "mike"};
    hosted_sine(samples, HOSTED_RATE_HZ);
    in = hosted_ring("robot", VR_RING_IN, 32768);
    out = hosted_ring("robot", VR_RING_OUT, 32768);
    assert_int_equal(vr_writer_open(&mike, "robot", &options, NULL, 0), VR_OK);
    options.name = "ear";
    options.ring = VR_RING_IN;
    assert_int_equal(vr_reader_open(&ear, "robot", &options, NULL, 0), VR_OK);
    options.name = "speaker";
    options.ring = VR_RING_OUT;
    options.role = VR_PLAYER;
    assert_int_equal(vr_reader_open(&player, "robot", &options, NULL, 0),
                     VR_OK);
}

static void
speak(size_t frames)
{
    assert_int_equal(vr_write(mike, samples, frames, vr_now_ns()), VR_OK);
}

static void
expect(const struct program *p, const char *text)
{
    if (!strstr(p->out, text))
        fail_msg("no \"%s\" in: %s%s", text, p->out, p->err);
}

static void
expect_clean(const struct program *p)
{
    for (const char *c = p->out; *c; c++)
        assert_true(*c == '\n' || (*c >= ' ' && *c <= '~'));
}

/* ---- ls and stat ---- */

static void
test_ls_is_a_line_a_ring(void **state)
{
    char instance[17];
    (void)state;
    set_up();
    speak(16000);
    assert_int_equal(ring_host_seek(in, 8000), 8000);
    ring_host_write(out, samples, 1600);
    struct program *p = PROGRAM_RUN("ring", "ls", HERE);
    assert_int_equal(p->code, 0);
    expect(p, "SESSION ");
    expect(p, "16000x1");
    expect(p, " living ");
    expect(p, "mike (pid ");
    expect(p, "speaker (pid ");
    expect(p, "500.0 ms");
    expect(p, "100.0 ms");
    assert_null(strchr(p->out, '!'));
    p = PROGRAM_RUN("ring", "ls");
    snprintf(instance, sizeof instance, "%.16s",
             hosted_name("robot", VR_RING_IN) + strlen("/voxring-"));
    expect(p, instance);
    p = PROGRAM_RUN("ring", "ls", hosted_name("robot", VR_RING_OUT) + 1);
    expect(p, "speaker");
    assert_null(strstr(p->out, "mike"));
    assert_int_equal(ring_host_reader_count(in), 1);
    assert_int_equal(ring_host_reader_count(out), 1);
}

static const cJSON *
member(const cJSON *object, const char *name)
{
    const cJSON *found = cJSON_GetObjectItemCaseSensitive(object, name);
    if (!found)
        fail_msg("no member %s", name);
    return found;
}

static void
expect_text(const cJSON *object, const char *name, const char *text)
{
    assert_string_equal(cJSON_GetStringValue(member(object, name)), text);
}

static void
expect_number(const cJSON *object, const char *name, double number)
{
    double found = cJSON_GetNumberValue(member(object, name));
    if (found < number - 1e-6 || found > number + 1e-6)
        fail_msg("%s is %f, not %f", name, found, number);
}

static void
check_in(const cJSON *ring)
{
    const cJSON *level = cJSON_GetArrayItem(member(ring, "levels"), 0);
    const cJSON *slot = cJSON_GetArrayItem(member(ring, "slots"), 0);
    expect_text(ring, "session", "robot");
    expect_text(ring, "ring", "in");
    expect_text(ring, "name", hosted_name("robot", VR_RING_IN));
    expect_text(ring, "runtime_dir", program_dir);
    expect_text(ring, "head_frame", "16000");
    expect_text(ring, "read_frame", "4000");
    expect_text(ring, "lag_frames", "12000");
    expect_number(ring, "lag_ms", 750);
    expect_text(ring, "bell_at_frame", "24000");
    expect_text(ring, "lost_frames", "0");
    expect_text(member(ring, "gateway"), "state", "living");
    expect_number(member(ring, "gateway"), "pid", getpid());
    expect_number(member(ring, "layout"), "version", RING_ABI);
    expect_text(member(ring, "producer"), "name", "mike");
    expect_text(member(ring, "newest_commit"), "to_frame", "16000");
    assert_true(cJSON_GetNumberValue(member(member(ring, "newest_commit"),
                                            "captured_age_seconds")) < 30);
    expect_number(level, "peak_dbfs", -6.0);
    expect_number(level, "rms_dbfs", -9.0);
    expect_text(level, "frames", "1600");
    expect_text(slot, "name", "ear");
    expect_text(slot, "role", "other");
    expect_text(slot, "lag_frames", "16000");
    assert_int_equal(cJSON_GetArraySize(member(ring, "wrong")), 0);
}

static void
check_out(const cJSON *ring)
{
    expect_text(ring, "ring", "out");
    expect_text(member(ring, "flush"), "to_frame", "1000");
    expect_text(member(ring, "flush"), "turn", "42");
    expect_text(ring, "played_frame", "0");
    expect_text(ring, "lag_frames", "600");
    expect_text(member(ring, "player"), "name", "speaker");
    expect_number(ring, "readers", 1);
    assert_true(cJSON_IsNull(
        member(cJSON_GetArrayItem(member(ring, "levels"), 0), "peak_dbfs")));
}

static void
test_stat_is_json(void **state)
{
    static const int16_t silence[1600];
    (void)state;
    set_up();
    speak(16000);
    assert_int_equal(ring_host_seek(in, 4000), 4000);
    assert_false(ring_host_arm(in, 20000));
    ring_host_write(out, silence, 1600);
    ring_host_flush(out, 1000, 42);
    struct program *p = PROGRAM_RUN("ring", "stat", "robot", "--json", HERE);
    assert_int_equal(p->code, 0);
    assert_ptr_equal(strchr(p->out, '\n'), p->out + strlen(p->out) - 1);
    cJSON *all = cJSON_Parse(p->out);
    const cJSON *rings = member(all, "rings");
    assert_int_equal(cJSON_GetArraySize(rings), 2);
    check_in(cJSON_GetArrayItem(rings, 0));
    check_out(cJSON_GetArrayItem(rings, 1));
    cJSON_Delete(all);
    p = PROGRAM_RUN("ring", "ls", "--json", HERE);
    all = cJSON_Parse(p->out);
    assert_int_equal(cJSON_GetArraySize(member(all, "rings")), 2);
    expect_text(cJSON_GetArrayItem(member(all, "rings"), 0), "head_frame",
                "16000");
    cJSON_Delete(all);
}

static void
test_stat_for_people(void **state)
{
    (void)state;
    set_up();
    speak(16000);
    struct program *p = PROGRAM_RUN("ring", "stat", "robot", "in", HERE);
    assert_int_equal(p->code, 0);
    expect(p, "peak -6.0 dBFS, RMS -9.0 dBFS in the last 100 ms");
    expect(p, "peak -6.0 dBFS, RMS -9.0 dBFS in the last 1000 ms");
    expect(p, "lag 16000 frames (1000.0 ms)");
    expect(p, "slot 1        ear (pid ");
    expect(p, "captured 0.");
    assert_null(strstr(p->out, "speaker"));
    assert_null(strchr(p->out, '!'));
    ring_host_write(out, samples, 0);
    p = PROGRAM_RUN("ring", "stat", "robot", "out", HERE);
    expect(p, "speaker (pid ");
    assert_null(strstr(p->out, "dBFS"));
}

static void
test_remains_of_a_dead_gateway(void **state)
{
    (void)state;
    pid_t pid = hosted_process("robot");
    hosted_kill(pid, SIGSTOP);
    struct program *p = PROGRAM_RUN("ring", "ls", HERE);
    expect(p, " stopped ");
    expect(p, ", stopped)");
    hosted_kill(pid, SIGKILL);
    p = PROGRAM_RUN("ring", "stat", "robot", HERE);
    assert_int_equal(p->code, 0);
    char word[64];
    snprintf(word, sizeof word, "voxringd pid %d, dead", (int)pid);
    expect(p, word);
    snprintf(word, sizeof word, "none; last held by mike (pid %d)", (int)pid);
    expect(p, word);
    expect(p, "peak -6.0 dBFS, RMS -9.0 dBFS in the last 1000 ms");
    expect(p, "up to 1000, of turn 7");
    expect(p, "newest commit");
    p = PROGRAM_RUN("ring", "ls", HERE);
    expect(p, " dead ");
    assert_null(strstr(p->out, "living"));
}

/* ---- what peers may have done ---- */

static void
test_hostile_words(void **state)
{
    static const uint64_t values[] = {0,
                                      1,
                                      UINT64_C(1) << 31,
                                      (UINT64_C(1) << 62) + 1,
                                      INT64_MAX,
                                      UINT64_C(1) << 63,
                                      UINT64_MAX};
    (void)state;
    set_up();
    speak(16000);
    for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
        struct ring_layout *l = hosted_map(ring_host_name(in)), saved;
        memcpy(&saved, l, sizeof saved);
        for (size_t at = 128; at < sizeof *l; at += 8)
            memcpy((char *)l + at, &values[v], 8);
        struct program *p = PROGRAM_RUN("ring", "stat", "robot", "in", HERE);
        assert_int_equal(p->code, 0);
        expect_clean(p);
        expect(p, "readers");
        l->rate_hz = l->channels = (uint32_t)values[v];
        l->capacity_frames = l->first_position = values[v];
        p = PROGRAM_RUN("ring", "stat", "robot", "--json", HERE);
        assert_int_equal(p->code, 0);
        expect(p, "is damaged");
        cJSON *all = cJSON_Parse(p->out);
        assert_non_null(all);
        cJSON_Delete(all);
        p = PROGRAM_RUN("ring", "ls", HERE);
        expect_clean(p);
        expect(p, " ! ");
        memcpy(l, &saved, sizeof saved);
        hosted_unmap(l);
    }
}

static void
test_hostile_texts_and_versions(void **state)
{
    static const char evil[] = "\033[2J\007\"}\n\xc2\x9b evil";
    (void)state;
    set_up();
    struct ring_layout *l = hosted_map(ring_host_name(in));
    memcpy(l->holder.name, evil, sizeof evil - 1);
    memcpy(l->slots[1].name, evil, sizeof evil - 1);
    memset(l->runtime_dir, '\033', sizeof l->runtime_dir);
    struct program *p = PROGRAM_RUN("ring", "stat", "robot", HERE);
    expect_clean(p);
    expect(p, "?[2J?\"}???\x20"
              "evil");
    expect(p, "????????");
    l->abi = l->abi_oldest = 9;
    p = PROGRAM_RUN("ring", "stat", "robot", "in", HERE);
    assert_int_equal(p->code, 0);
    expect(p, "layout version 9");
    expect(p, "living");
    l->magic = 5;
    expect(PROGRAM_RUN("ring", "ls", HERE), "is not a ring");
    hosted_unmap(l);
}

static void
test_objects_that_are_no_rings(void **state)
{
    char path[256];
    (void)state;
    set_up();
    speak(16000);
    snprintf(path, sizeof path, "/dev/shm%s", ring_host_name(in));
    assert_int_equal(truncate(path, 100), 0);
    expect(PROGRAM_RUN("ring", "stat", "robot", "in", HERE), "! wrong");
    snprintf(path, sizeof path, "/dev/shm%s", hosted_name("link", VR_RING_IN));
    assert_int_equal(symlink("/etc/passwd", path), 0);
    struct program *p = PROGRAM_RUN("ring", "ls", HERE);
    expect(p, "symbolic link");
    assert_int_equal(PROGRAM_RUN("ring", "stat", "link", HERE)->code,
                     CLI_FAILED);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    expect(PROGRAM_RUN("ring", "ls", HERE), "is no ring but a pipe");
    assert_int_equal(unlink(path), 0);
    vr_writer_close(&mike);
}

static void
test_names_that_are_no_rings(void **state)
{
    static const char *const ends[] = {
        ".robot.in\033[31m", ".robot",  "..in",    ".ro bot.in",
        ".robot.inn",        ".a.b.in", ".-a.out", ".robot.in.bell"};
    char path[256], word[64];
    (void)state;
    snprintf(word, sizeof word, "evil%d", (int)getpid());
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        snprintf(path, sizeof path, "/dev/shm/voxring-%s%s", word, ends[i]);
        int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        close(fd);
    }
    struct program *p = PROGRAM_RUN("ring", "ls");
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        snprintf(path, sizeof path, "/dev/shm/voxring-%s%s", word, ends[i]);
        unlink(path);
    }
    assert_int_equal(p->code, 0);
    assert_null(strstr(p->out, word));
    expect_clean(p);
}

static void
test_what_is_not_there(void **state)
{
    (void)state;
    assert_int_equal(PROGRAM_RUN("ring", "stat", "nobody", HERE)->code,
                     CLI_ABSENT);
    assert_int_equal(PROGRAM_RUN("ring", "ls", HERE)->code, 0);
    assert_int_equal(PROGRAM_RUN("ring", "watch", "nobody", HERE)->code,
                     CLI_ABSENT);
    assert_int_equal(PROGRAM_RUN("ring", "stat", "no.body", HERE)->code,
                     CLI_USAGE);
    assert_int_equal(PROGRAM_RUN("ring", "stat", "a", "up", HERE)->code,
                     CLI_USAGE);
    assert_int_equal(
        PROGRAM_RUN("ring", "ls", "--runtime-dir", "/nonexistent")->code,
        CLI_ABSENT);
}

static void
test_instance_by_name(void **state)
{
    char instance[64];
    (void)state;
    snprintf(instance, sizeof instance, "cli-%d", (int)getpid());
    struct ring_host_config config = {.runtime_dir = program_dir,
                                      .instance = instance,
                                      .session = "named",
                                      .ring = VR_RING_OUT,
                                      .format = {HOSTED_RATE_HZ, 1},
                                      .min_frames = 1024};
    assert_int_equal(ring_host_open(&out, &config, NULL, 0), VR_OK);
    assert_null(strstr(PROGRAM_RUN("ring", "ls", HERE)->out, "named"));
    expect(PROGRAM_RUN("ring", "ls", "named"), instance);
    setenv("VOXRING_INSTANCE", instance, 1);
    struct program *p = PROGRAM_RUN("ring", "ls", HERE);
    unsetenv("VOXRING_INSTANCE");
    expect(p, "named");
}

/* ---- watch ---- */

static void
test_watch_sees_rate_level_and_loss(void **state)
{
    struct ring_host_span span;
    (void)state;
    set_up();
    ring_host_write(out, samples, 16000);
    struct program *p =
        program_start(NULL, (const char *[]){"ring", "watch", "robot",
                                             "--interval", "100", HERE, NULL});
    program_await(p, "robot        in          0.0 frames/s");
    program_await(p, "frames/s  peak      - RMS      - dBFS");
    speak(1600);
    program_await(p, "peak   -6.0 RMS   -9.0 dBFS |#################...|");
    for (int i = 0; i < 3; i++)
        speak(16000);
    ring_host_peek(in, samples, 1, &span);
    assert_true(span.lost_frames > 0);
    char word[64];
    snprintf(word, sizeof word, "lost %llu\n",
             (unsigned long long)span.lost_frames);
    program_await(p, word);
    assert_int_equal(ring_host_reader_count(in), 1);
    kill(p->pid, SIGINT);
    assert_int_equal(program_wait(p), 0);
    assert_string_equal(p->err, "");
}

static void
test_watch_goes_on(void **state)
{
    (void)state;
    pid_t pid = hosted_process("robot");
    struct program *p =
        program_start(NULL, (const char *[]){"ring", "watch",
                                             hosted_name("robot", VR_RING_OUT),
                                             "--interval", "50", NULL});
    program_await(p, "frames/s");
    hosted_kill(pid, SIGSTOP);
    program_await(p, "is stopped");
    hosted_kill(pid, SIGCONT);
    program_await(p, "goes on");
    hosted_kill(pid, SIGKILL);
    program_await(p, "is dead");
    out = hosted_ring("robot", VR_RING_OUT, 32768);
    program_await(p, "a gateway is there, pid");
    assert_int_equal(ring_host_recreate(out, NULL, 0), VR_OK);
    program_await(p, "made anew (1 times so far)");
    ring_host_close(&out);
    program_await(p, "the ring is gone");
    kill(p->pid, SIGINT);
    assert_int_equal(program_wait(p), 0);
}

static void
test_watch_counts(void **state)
{
    (void)state;
    set_up();
    struct program *p =
        PROGRAM_RUN("ring", "watch", hosted_name("robot", VR_RING_IN),
                    "--interval", "20", "--count", "3");
    size_t lines = 0;
    assert_int_equal(p->code, 0);
    for (const char *c = p->out; *c; c++)
        lines += *c == '\n';
    assert_int_equal(lines, 3);
    assert_int_equal(
        PROGRAM_RUN("ring", "watch", "robot", "--interval", "0", HERE)->code,
        CLI_USAGE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_ls_is_a_line_a_ring, down),
        cmocka_unit_test_teardown(test_stat_is_json, down),
        cmocka_unit_test_teardown(test_stat_for_people, down),
        cmocka_unit_test_teardown(test_remains_of_a_dead_gateway, down),
        cmocka_unit_test_teardown(test_hostile_words, down),
        cmocka_unit_test_teardown(test_hostile_texts_and_versions, down),
        cmocka_unit_test_teardown(test_objects_that_are_no_rings, down),
        cmocka_unit_test_teardown(test_names_that_are_no_rings, down),
        cmocka_unit_test_teardown(test_what_is_not_there, down),
        cmocka_unit_test_teardown(test_instance_by_name, down),
        cmocka_unit_test_teardown(test_watch_sees_rate_level_and_loss, down),
        cmocka_unit_test_teardown(test_watch_goes_on, down),
        cmocka_unit_test_teardown(test_watch_counts, down),
    };
    return cmocka_run_group_tests(tests, program_up, program_down);
}

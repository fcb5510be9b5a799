/* No room in /dev/shm: a ring that cannot be made is refused in words and
 * leaves nothing behind, one that is there goes on, and one that has lost its
 * pages costs nobody more than a look now and then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/ipc/intruder.h"
#include "tests/ipc/scene.h"

#define FILLER "/dev/shm/filler"
#define WHOLE (RING_HEADER_BYTES + 2 * HARNESS_FRAMES)
#define NO_MOUNTS 77

/* Clients look at the gateway at most so often. */
#define LOOK_NS UINT64_C(20000000)

static int16_t samples[2 * HARNESS_FRAMES];

/* ---- a /dev/shm of one's own ------------------------------------------- */

static bool
say_to(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool said =
        fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd >= 0)
        close(fd);
    return said;
}

/* Mounts of this process' own; who is not root becomes a user's, under the
 * same ids, or else could make no file there. */
static bool
own_mounts(void)
{
    char user[64], group[64];

    if (unshare(CLONE_NEWNS) == 0)
        return true;
    snprintf(user, sizeof user, "%u %u 1", getuid(), getuid());
    snprintf(group, sizeof group, "%u %u 1", getgid(), getgid());
    return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
           say_to("/proc/self/setgroups", "deny") &&
           say_to("/proc/self/uid_map", user) &&
           say_to("/proc/self/gid_map", group);
}

/* What `act` returns in a child process, or NO_MOUNTS, where it has a /dev/shm
 * of its own of that size ("size=1m"). */
static void
in_a_small_dev_shm(const char *size, int (*act)(void))
{
    pid_t child = fork();
    int status = -1;

    assert_true(child >= 0);
    if (child == 0) {
        if (!own_mounts() ||
            mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
            mount("tmpfs", "/dev/shm", "tmpfs", 0, size) != 0)
            _exit(NO_MOUNTS);
        _exit(act());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == NO_MOUNTS) {
        print_message("skipped: no mount namespace of our own here\n");
        skip();
    }
    assert_int_equal(status, 0);
}

static bool
fill_up(void)
{
    static char bytes[4096];
    struct statvfs vfs;
    int fd = open(FILLER, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    while (write(fd, bytes, sizeof bytes) > 0)
        continue;
    close(fd);
    return statvfs(FILLER, &vfs) == 0 && vfs.f_bavail == 0;
}

/* ---- no room for a ring ------------------------------------------------ */

/* In a child: 0 if a ring too large is refused as it should be. */
static int
refused_for_space(void)
{
    struct ring_host_config config = {.runtime_dir = harness_dir,
                                      .session = "g8",
                                      .ring = VR_RING_IN,
                                      .format = {16000, 1},
                                      .min_frames = 1 << 20};
    char why[VR_ERROR_BYTES] = "", object[128];
    struct ring_host *host;

    if (ring_host_open(&host, &config, why, sizeof why) != VR_NO_SPACE)
        return 1;
    /* 2^20 frames of 2 bytes, and the header. */
    if (strstr(why, "2101248 bytes") == NULL)
        return 2;
    config.min_frames = 2048;
    if (ring_host_open(&host, &config, why, sizeof why) != VR_OK)
        return 3;
    snprintf(object, sizeof object, "%s", ring_host_name(host));
    ring_host_close(&host);
    return shm_open(object, O_RDWR, 0) >= 0 ? 4 : 0;
}

static void
test_limit_leaves_nothing_behind(void **state)
{
    pid_t child = fork();
    int status = -1;

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit limit = {1 << 20, 1 << 20};

        signal(SIGXFSZ, SIG_IGN);
        _exit(setrlimit(RLIMIT_FSIZE, &limit) != 0 ? 9 : refused_for_space());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void
test_full_dev_shm_leaves_nothing_behind(void **state)
{
    (void)state;
    in_a_small_dev_shm("size=1m", refused_for_space);
}

/* ---- no room for what is to be made anew ------------------------------- */

/* In a child, with a small /dev/shm: its pages are its own, so a ring that is
 * there goes on; one that has to be made anew says why it cannot be, and can
 * be once there is room. */
static int
rings_in_a_full_dev_shm(void)
{
    static struct scene s;
    char why[VR_ERROR_BYTES] = "";

    scene_guard();
    scene_open(&s, "full");
    if (!fill_up())
        return 1;
    scenes_flow(&s, 1, "a full /dev/shm");
    intruder_truncate(s.in, 0);
    intruder_truncate(s.out, 0);
    if (!fill_up())
        return 2;
    for (int i = 0; i < 5; i++) {
        scene_use(&s, "no room");
        if (!ring_host_check(s.in) || !ring_host_check(s.out))
            return 3;
        if (ring_host_recreate(s.in, why, sizeof why) != VR_NO_SPACE ||
            strstr(why, "full.in") == NULL || strstr(why, "bytes") == NULL)
            return 4;
        if (ring_host_recreate(s.out, why, sizeof why) != VR_NO_SPACE)
            return 5;
        if (!ring_host_damaged(s.in) || !ring_host_damaged(s.out))
            return 6;
    }
    if (unlink(FILLER) != 0)
        return 7;
    scenes_flow(&s, 1, "room again");
    scene_close(&s);
    return 0;
}

static void
test_rings_in_a_full_dev_shm(void **state)
{
    (void)state;
    in_a_small_dev_shm("size=64k", rings_in_a_full_dev_shm);
}

/* ---- no room for pages that were taken away ---------------------------- */

/* All that a reader is given is right, whatever happens. */
static void
hear_right(struct vr_reader *r)
{
    struct vr_block block;

    vr_read(r, samples, HARNESS_FRAMES, &block);
    assert_int_equal(
        harness_right(samples, block.position, (size_t)block.frames, 1),
        block.frames);
}

/* In a child, which answers by its exit code. While there is no memory the
 * ring goes again and again; neither of the two spins over it, and with memory
 * audio flows. */
static int
rings_without_their_pages(void)
{
    static struct scene s;
    struct vr_reader_stats heard;
    struct vr_writer_stats said;
    uint64_t since_ns, rounds = 0, most;
    struct vr_block block;

    scene_guard();
    scene_open(&s, "punched");
    scenes_flow(&s, 1, "nothing yet");
    harness_fill(samples, ring_host_head(s.out), 300, 1);
    ring_host_write(s.out, samples, 300);
    intruder_punch(s.out, RING_HEADER_BYTES, WHOLE - RING_HEADER_BYTES);
    intruder_punch(s.in, RING_HEADER_BYTES, WHOLE - RING_HEADER_BYTES);
    if (!fill_up())
        return 4;
    for (since_ns = vr_now_ns(); rounds < 20; rounds++) {
        vr_write(s.mic, samples, 160, 0);
        if (vr_wait(s.ear, 10) == VR_OK)
            vr_read(s.ear, samples, HARNESS_FRAMES, &block);
        /* Comes back at once for nothing but news of the ring. */
        for (int i = 0; i < 50; i++)
            if (vr_write(s.mic, samples, 10, 0) != VR_STATE &&
                vr_wait(s.voice, 1) == VR_OK)
                hear_right(s.voice);
    }
    most = (vr_now_ns() - since_ns) / LOOK_NS + 3;
    vr_reader_stats(s.voice, &heard, sizeof heard);
    vr_writer_stats(s.mic, &said, sizeof said);
    if (heard.attach_count > most || said.attach_count > most)
        return 5;
    if (unlink(FILLER) != 0)
        return 6;
    scenes_flow(&s, 1, "punched");
    scene_close(&s);
    return 0;
}

static void
test_holes_where_there_is_no_memory(void **state)
{
    (void)state;
    in_a_small_dev_shm("size=256k", rings_without_their_pages);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limit_leaves_nothing_behind),
        cmocka_unit_test(test_full_dev_shm_leaves_nothing_behind),
        cmocka_unit_test(test_rings_in_a_full_dev_shm),
        cmocka_unit_test(test_holes_where_there_is_no_memory),
    };

    return cmocka_run_group_tests(tests, harness_up, harness_down);
}

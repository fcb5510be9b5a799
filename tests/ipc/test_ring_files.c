/* What a peer may do to the files of a session's rings: cut, grow, remove,
 * replace, lock, close them to all or open them to all. Audio goes on, or goes
 * on again once the gateway has looked; new clients are refused in words, or
 * served. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/ipc/intruder.h"
#include "tests/ipc/scene.h"

/* The one that an act is about. */
static char path[INTRUDER_PATH_BYTES];

static void
object_path(struct scene *s, enum vr_ring ring)
{
    intruder_object(scene_ring(s, ring), path);
}

static void
cut(struct scene *s, enum vr_ring ring, long bytes)
{
    intruder_truncate(scene_ring(s, ring), bytes);
}

static void
cut_to_nothing(struct scene *s, enum vr_ring ring)
{
    cut(s, ring, 0);
}

static void
cut_to_a_byte(struct scene *s, enum vr_ring ring)
{
    cut(s, ring, 1);
}

static void
cut_to_the_header(struct scene *s, enum vr_ring ring)
{
    cut(s, ring, RING_HEADER_BYTES);
}

static void
cut_to_half(struct scene *s, enum vr_ring ring)
{
    cut(s, ring, RING_HEADER_BYTES + HARNESS_FRAMES);
}

static void
cut_and_grow(struct scene *s, enum vr_ring ring)
{
    cut(s, ring, 0);
    cut(s, ring, RING_HEADER_BYTES + HARNESS_FRAMES * 2);
}

static void
grow_by_a_byte(struct scene *s, enum vr_ring ring)
{
    cut(s, ring, RING_HEADER_BYTES + HARNESS_FRAMES * 2 + 1);
}

static void
grow_a_lot(struct scene *s, enum vr_ring ring)
{
    cut(s, ring, 1L << 40);
}

static void
punch(struct scene *s, enum vr_ring ring)
{
    intruder_punch(scene_ring(s, ring), 0, RING_HEADER_BYTES + HARNESS_FRAMES);
}

static void
take_name(struct scene *s, enum vr_ring ring)
{
    object_path(s, ring);
    assert_int_equal(unlink(path), 0);
}

static int
put_file(const char *text)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    return fd;
}

static void
put_text(struct scene *s, enum vr_ring ring)
{
    take_name(s, ring);
    close(put_file("hello"));
}

static void
put_nothing(struct scene *s, enum vr_ring ring)
{
    take_name(s, ring);
    close(put_file(""));
}

static void
put_fifo(struct scene *s, enum vr_ring ring)
{
    take_name(s, ring);
    assert_int_equal(mkfifo(path, 0600), 0);
}

static void
put_socket(struct scene *s, enum vr_ring ring)
{
    take_name(s, ring);
    assert_int_equal(mknod(path, S_IFSOCK | 0600, 0), 0);
}

static void
put_link_to_nothing(struct scene *s, enum vr_ring ring)
{
    take_name(s, ring);
    assert_int_equal(symlink("/nowhere/at/all", path), 0);
}

/* To a file of the user's, which must stay as it is. */
static void
put_link_to_a_file(struct scene *s, enum vr_ring ring)
{
    char mine[128];
    int fd;

    snprintf(mine, sizeof mine, "%s/mine", harness_dir);
    fd = open(mine, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    assert_int_equal(pwrite(fd, "dear", 4, 0), 4);
    close(fd);
    take_name(s, ring);
    assert_int_equal(symlink(mine, path), 0);
}

static void
check_mine(void)
{
    char mine[128], text[8] = "";
    struct stat st;
    int fd;

    snprintf(mine, sizeof mine, "%s/mine", harness_dir);
    assert_int_equal(stat(mine, &st), 0);
    assert_int_equal(st.st_size, 4);
    assert_int_equal(st.st_mode & 07777, 0640);
    fd = open(mine, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, text, sizeof text), 4);
    close(fd);
    assert_string_equal(text, "dear");
}

static char folders[2][128];
static unsigned folder_count;

static void
put_folder(struct scene *s, enum vr_ring ring)
{
    take_name(s, ring);
    assert_int_equal(mkdir(path, 0700), 0);
    memcpy(folders[folder_count++ % 2], path, sizeof path);
}

/* The harness removes files. */
static int
down(void **state)
{
    for (int i = 0; i < 2; i++)
        rmdir(folders[i]);
    return harness_down(state);
}

/* The other ring of the session, under two names: alive, and held. */
static void
put_other_ring(struct scene *s, enum vr_ring ring)
{
    char other[128];

    intruder_object(scene_ring(s, (enum vr_ring) !ring), other);
    take_name(s, ring);
    assert_int_equal(link(other, path), 0);
}

static int held_fds[64], held_count;

static void
let_go(void)
{
    while (held_count > 0)
        close(held_fds[--held_count]);
}

static void
hold_gateway_byte(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};

    assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
    held_fds[held_count++] = fd;
}

/* As if it were a living gateway's. */
static void
put_held_file(struct scene *s, enum vr_ring ring)
{
    take_name(s, ring);
    hold_gateway_byte(put_file("hello"));
}

/* A ring like the true one, which nobody reads or writes. */
static void
put_held_copy(struct scene *s, enum vr_ring ring)
{
    static char bytes[RING_HEADER_BYTES + 2 * HARNESS_FRAMES];
    int fd;

    object_path(s, ring);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, bytes, sizeof bytes), sizeof bytes);
    close(fd);
    take_name(s, ring);
    fd = put_file("");
    assert_int_equal(write(fd, bytes, sizeof bytes), sizeof bytes);
    hold_gateway_byte(fd);
}

/* open() of it fails until the holder lets go. */
static void
put_leased_file(struct scene *s, enum vr_ring ring)
{
    int fd;

    take_name(s, ring);
    fd = put_file("hello");
    if (fcntl(fd, F_SETLEASE, F_WRLCK) == 0)
        held_fds[held_count++] = fd;
    else
        close(fd);
}

static void
lease_the_ring(struct scene *s, enum vr_ring ring)
{
    int fd;

    object_path(s, ring);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    fcntl(fd, F_SETLEASE, F_RDLCK);
    held_fds[held_count++] = fd;
}

/* Every byte that a reader or producer could come to lock. */
static void
hold_all_other_bytes(struct scene *s, enum vr_ring ring)
{
    int fd;

    object_path(s, ring);
    fd = open(path, O_RDWR | O_CLOEXEC);
    for (long at = 1; at < 100; at++) {
        struct flock lock = {
            .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};
        fcntl(fd, F_OFD_SETLK, &lock);
    }
    held_fds[held_count++] = fd;
}

static void
mode_nothing(struct scene *s, enum vr_ring ring)
{
    object_path(s, ring);
    assert_int_equal(chmod(path, 0), 0);
}

static void
mode_everybody(struct scene *s, enum vr_ring ring)
{
    object_path(s, ring);
    assert_int_equal(chmod(path, 0666), 0);
}

static void
mode_setuid(struct scene *s, enum vr_ring ring)
{
    object_path(s, ring);
    assert_int_equal(chmod(path, 06777), 0);
}

static void
bell_path(struct scene *s)
{
    const char *session = strchr(ring_host_name(s->in), '.') + 1;

    snprintf(path, sizeof path, "%s/%.*s.in.bell", harness_dir,
             (int)strcspn(session, "."), session);
}

static void
bell_gone(struct scene *s, enum vr_ring ring)
{
    (void)ring;
    bell_path(s);
    assert_int_equal(unlink(path), 0);
}

static void
bell_a_file(struct scene *s, enum vr_ring ring)
{
    bell_gone(s, ring);
    close(put_file("hello"));
}

static void
bell_another(struct scene *s, enum vr_ring ring)
{
    bell_gone(s, ring);
    assert_int_equal(mkfifo(path, 0600), 0);
}

static void
bell_a_folder(struct scene *s, enum vr_ring ring)
{
    bell_gone(s, ring);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void
bell_a_link(struct scene *s, enum vr_ring ring)
{
    char mine[128];

    snprintf(mine, sizeof mine, "%s/mine", harness_dir);
    bell_gone(s, ring);
    assert_int_equal(symlink(mine, path), 0);
}

static void
bell_full(struct scene *s, enum vr_ring ring)
{
    char bytes[4096] = "";
    int fd;

    (void)ring;
    bell_path(s);
    fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    while (write(fd, bytes, sizeof bytes) > 0)
        continue;
    held_fds[held_count++] = fd;
}

struct act {
    const char *name;
    void (*harm)(struct scene *, enum vr_ring);
    enum ring_fault fault; /* RING_FAULT_COUNT: none, it does no harm */
    bool both;             /* done to each of the two */
};

static const struct act acts[] = {
    {"cut to nothing", cut_to_nothing, RING_FAULT_TRUNCATE, true},
    {"cut to a byte", cut_to_a_byte, RING_FAULT_TRUNCATE, true},
    {"cut to the header", cut_to_the_header, RING_FAULT_TRUNCATE, true},
    {"cut to half", cut_to_half, RING_FAULT_TRUNCATE, true},
    {"cut and grown again", cut_and_grow, RING_FAULT_HEADER, true},
    {"grown by a byte", grow_by_a_byte, RING_FAULT_TRUNCATE, true},
    {"grown a lot", grow_a_lot, RING_FAULT_TRUNCATE, true},
    {"punched", punch, RING_FAULT_HEADER, true},
    {"unlinked", take_name, RING_FAULT_NAME, true},
    {"a text file", put_text, RING_FAULT_NAME, true},
    {"an empty file", put_nothing, RING_FAULT_NAME, true},
    {"a FIFO", put_fifo, RING_FAULT_NAME, true},
    {"a socket", put_socket, RING_FAULT_NAME, true},
    {"a dangling link", put_link_to_nothing, RING_FAULT_NAME, true},
    {"a link", put_link_to_a_file, RING_FAULT_NAME, true},
    {"a folder", put_folder, RING_FAULT_NAME, true},
    {"the other ring", put_other_ring, RING_FAULT_NAME, true},
    {"a held file", put_held_file, RING_FAULT_NAME, true},
    {"a held copy", put_held_copy, RING_FAULT_NAME, true},
    {"a leased file", put_leased_file, RING_FAULT_NAME, true},
    {"leased", lease_the_ring, RING_FAULT_COUNT, true},
    {"locked", hold_all_other_bytes, RING_FAULT_COUNT, true},
    {"mode 0", mode_nothing, RING_FAULT_MODE, true},
    {"mode 0666", mode_everybody, RING_FAULT_MODE, true},
    {"mode 06777", mode_setuid, RING_FAULT_MODE, true},
    {"bell gone", bell_gone, RING_FAULT_BELL, false},
    {"bell a file", bell_a_file, RING_FAULT_BELL, false},
    {"bell another", bell_another, RING_FAULT_BELL, false},
    {"bell a folder", bell_a_folder, RING_FAULT_BELL, false},
    {"bell a link", bell_a_link, RING_FAULT_BELL, false},
    {"bell full", bell_full, RING_FAULT_COUNT, false},
};
#define ACTS (sizeof acts / sizeof acts[0])

/* The fault is told once, with a word and a remedy, and nothing else is; but
 * for what else the ends may see first when they run into it. */
static void
check_told(const struct scene *s, const struct act *act, bool ran_into_it)
{
    unsigned told = 0;

    for (int i = 0; i < RING_FAULT_COUNT; i++) {
        enum ring_fault fault = (enum ring_fault)i;
        bool due = fault == act->fault;

        told += s->faults[i];
        if (!ran_into_it && (s->faults[i] != 0) != due)
            fail_msg("%s: %u times %s", act->name, s->faults[i],
                     ring_host_fault_name(fault));
        assert_true(strlen(ring_host_fault_remedy(fault)) > 10);
    }
    assert_in_range(told, act->fault != RING_FAULT_COUNT, act->both ? 4 : 2);
}

static void
check_left(struct scene *s, const struct act *act)
{
    struct stat st;
    mode_t mode;

    for (int i = 0; i < 2; i++) {
        object_path(s, (enum vr_ring)i);
        assert_int_equal(lstat(path, &st), 0);
        mode = st.st_mode & (S_IFMT | 07777);
        if (mode != (S_IFREG | 0600))
            fail_msg("%s: mode %o", act->name, mode);
    }
    bell_path(s);
    assert_int_equal(lstat(path, &st), 0);
    assert_int_equal(st.st_mode & (S_IFMT | 07777), S_IFIFO | 0600);
}

/* Each in a session of its own, all at once: who lost its gateway looks for it
 * now and then, and so they wait together. */
static void
do_acts(bool use_meanwhile)
{
    static struct scene scenes[ACTS];
    char session[16];

    scene_guard();
    for (size_t i = 0; i < ACTS; i++) {
        snprintf(session, sizeof session, "a%zu", i);
        scene_open(&scenes[i], session);
    }
    scenes_flow(scenes, ACTS, "nothing yet");
    for (size_t i = 0; i < ACTS; i++) {
        snprintf(session, sizeof session, "a%zu", i);
        acts[i].harm(&scenes[i], VR_RING_IN);
        if (acts[i].both)
            acts[i].harm(&scenes[i], VR_RING_OUT);
        if (use_meanwhile)
            scene_use(&scenes[i], acts[i].name);
        scene_knock(session);
    }
    scenes_flow(scenes, ACTS, use_meanwhile ? "acts in use" : "acts");
    for (size_t i = 0; i < ACTS; i++) {
        check_told(&scenes[i], &acts[i], use_meanwhile);
        check_left(&scenes[i], &acts[i]);
    }
    check_mine();
    let_go();
    for (size_t i = 0; i < ACTS; i++)
        scene_close(&scenes[i]);
    vr_guard_remove();
}

static void
test_everything_that_is_done_to_files(void **state)
{
    (void)state;
    do_acts(false);
}

static void
test_the_same_before_the_gateway_looks(void **state)
{
    (void)state;
    do_acts(true);
}

/* A write ran into it, and the owner did not wait for the next look: told all
 * the same. */
static void
test_what_a_write_runs_into_is_told(void **state)
{
    static struct scene s;
    struct ring_host_faults faults;
    int16_t frames[160] = {0};

    (void)state;
    scene_guard();
    scene_open(&s, "ran");
    cut_to_nothing(&s, VR_RING_OUT);
    ring_host_write(s.out, frames, 160);
    assert_true(ring_host_damaged(s.out));
    assert_int_equal(ring_host_recreate(s.out, NULL, 0), VR_OK);
    assert_int_equal(s.faults[RING_FAULT_TRUNCATE], 1);
    ring_host_faults(s.out, &faults);
    assert_int_equal(faults.count[RING_FAULT_TRUNCATE], 1);
    assert_int_equal(faults.recreated, 1);
    scenes_flow(&s, 1, "cut under a write");
    scene_close(&s);
    vr_guard_remove();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_that_is_done_to_files),
        cmocka_unit_test(test_the_same_before_the_gateway_looks),
        cmocka_unit_test(test_what_a_write_runs_into_is_told),
    };

    /* What a file lease of ours tells us. */
    signal(SIGIO, SIG_IGN);
    return cmocka_run_group_tests(tests, harness_up, down);
}

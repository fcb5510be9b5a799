#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/ring_layout.h"
#include "tests/fuzz/ring_enemy.h"

#define PAGE_BYTES 4096
#define OBJECT_BYTES (RING_HEADER_BYTES + 2 * GROUND_CAPACITY)

static void
reopen(struct enemy *e)
{
    if (e->fd >= 0)
        close(e->fd);
    e->fd = open(e->object, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (e->bell_fd >= 0)
        close(e->bell_fd);
    e->bell_fd = -1;
    if (e->bell[0] != '\0')
        e->bell_fd =
            open(e->bell, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
}

void
enemy_begin(struct enemy *e, enum vr_ring ring)
{
    memset(e, 0, sizeof *e);
    e->fd = e->bell_fd = -1;
    ground_object(e->object, ring);
    if (ring == VR_RING_IN)
        ground_bell(e->bell);
    reopen(e);
}

void
enemy_end(struct enemy *e)
{
    if (e->fd >= 0)
        close(e->fd);
    if (e->bell_fd >= 0)
        close(e->bell_fd);
    e->fd = e->bell_fd = -1;
}

static uint64_t
hostile_value(const struct enemy *e, struct input *in)
{
    uint8_t kind = input_8(in);
    uint64_t near = (uint64_t)(int64_t)(int8_t)input_8(in);

    switch (kind % 16) {
    case 0:
    case 1:
        return near;
    case 2:
        return (UINT64_C(1) << 62) + near;
    case 3:
        return (UINT64_C(1) << 63) + near;
    case 4:
        return (UINT64_C(1) << 40) + e->head + near;
    case 5:
        return (UINT64_C(1) << 32) + near;
    case 6:
        return (UINT64_C(1) << 31) + near;
    case 7:
        return e->first + near;
    case 8:
    case 9:
        return e->head + near;
    case 10:
        return e->head + GROUND_CAPACITY * near;
    case 11:
        return e->head + GROUND_CAPACITY + near;
    case 12:
        return e->head - GROUND_CAPACITY + near;
    case 13:
        return GROUND_CAPACITY * near;
    case 14:
        return vr_now_ns() + near * GROUND_NS_PER_MS;
    default:
        return input_64(in);
    }
}

static void
put(const struct enemy *e, size_t at, const void *bytes, size_t count)
{
    if (pwrite(e->fd, bytes, count, (off_t)at) < 0)
        return;
}

/* A place in the header's live lines, in the slots, or anywhere. */
static size_t
place(struct input *in)
{
    uint8_t where = input_8(in);

    if (where < 128)
        return (size_t)where * 4;
    if (where < 192)
        return offsetof(struct ring_layout, slots) + (where - 128u) * 4u;
    return input_16(in) % OBJECT_BYTES;
}

static void
act_write(struct enemy *e, struct input *in)
{
    size_t at = place(in), bytes = (size_t)1 << (input_8(in) % 4 ^ 3);
    uint64_t value = hostile_value(e, in);

    put(e, at, &value, bytes);
}

/* A lie that is consistent: intent and head together, or one behind. */
static void
act_move_head(struct enemy *e, struct input *in)
{
    uint64_t words[2];

    words[0] = words[1] = hostile_value(e, in);
    words[0] += (uint64_t)(int64_t)(int8_t)input_8(in);
    put(e, offsetof(struct ring_layout, intent), words, sizeof words);
}

static void
act_write_run(struct enemy *e, struct input *in)
{
    size_t at = place(in), count = input_8(in) % 64;
    unsigned char bytes[64];

    for (size_t i = 0; i < count; i++)
        bytes[i] = input_8(in);
    put(e, at, bytes, count);
}

/* Words of the newest flush, one after the other, then what announces them. */
static void
act_flush(struct enemy *e, struct input *in)
{
    uint64_t words[5];

    for (size_t i = 1; i < 5; i++)
        words[i] = hostile_value(e, in);
    words[0] = input_8(in);
    put(e, 192, words, sizeof words);
}

static void
act_resize(struct enemy *e, struct input *in)
{
    static const off_t sizes[] = {
        0,    1,    PAGE_BYTES,   OBJECT_BYTES - 1,
        4095, 4097, OBJECT_BYTES, OBJECT_BYTES + PAGE_BYTES};
    uint8_t which = input_8(in);
    off_t bytes = which < 192 ? sizes[which % 8] : input_16(in);

    if (ftruncate(e->fd, bytes) != 0)
        return;
    if (which & 64 && ftruncate(e->fd, OBJECT_BYTES) != 0)
        return;
}

static void
act_punch(struct enemy *e, struct input *in)
{
    uint8_t which = input_8(in);

    fallocate(e->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
              (which & 1) * PAGE_BYTES, (which & 2) ? PAGE_BYTES : 600);
}

/* Something else in the place of a file. */
static void
replace(const char *path, uint8_t what)
{
    int fd;

    ground_clear(path);
    switch (what % 6) {
    case 1:
        if (symlink(ground_dir(), path) != 0)
            return;
        break;
    case 2:
        mkfifo(path, 0600);
        break;
    case 3:
        mkdir(path, 0700);
        break;
    case 4:
    case 5:
        fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd >= 0 && what % 6 == 5 && ftruncate(fd, OBJECT_BYTES) != 0)
            what = 0;
        if (fd >= 0)
            close(fd);
        break;
    default:
        break;
    }
}

/* The same bytes under the same name, in another file. */
static void
act_copy(struct enemy *e)
{
    unsigned char bytes[OBJECT_BYTES];
    ssize_t n = pread(e->fd, bytes, sizeof bytes, 0);

    replace(e->object, 4);
    reopen(e);
    if (n > 0)
        put(e, 0, bytes, (size_t)n);
}

static void
act_lock(struct enemy *e, struct input *in)
{
    uint8_t which = input_8(in);
    struct flock lock = {.l_type = which & 128 ? F_UNLCK : F_WRLCK,
                         .l_whence = SEEK_SET,
                         .l_start = which & 63,
                         .l_len = which & 64 ? 0 : 1};

    fcntl(e->fd, F_OFD_SETLK, &lock);
}

static void
act_bell(struct enemy *e, struct input *in)
{
    static char bytes[1 << 16];
    uint8_t which = input_8(in);

    if (e->bell_fd < 0)
        return;
    if (which & 1 ? write(e->bell_fd, bytes, (size_t)which << 8) < 0
                  : read(e->bell_fd, bytes, sizeof bytes) < 0)
        return;
}

static void
act_mode(struct enemy *e, struct input *in)
{
    static const mode_t modes[] = {0,     0777,  0600, 04600,
                                   02660, 01000, 0400, 0200};

    if (e->fd >= 0)
        fchmod(e->fd, modes[input_8(in) % 8]);
}

void
enemy_act(struct enemy *e, struct input *in)
{
    switch (input_8(in) % 24) {
    default:
        act_write(e, in);
        break;
    case 10:
    case 11:
    case 12:
        act_move_head(e, in);
        break;
    case 13:
        act_write_run(e, in);
        break;
    case 14:
        act_flush(e, in);
        break;
    case 15:
        act_resize(e, in);
        break;
    case 16:
        act_punch(e, in);
        break;
    case 17:
        replace(e->object, input_8(in));
        break;
    case 18:
        act_copy(e);
        break;
    case 19:
        act_lock(e, in);
        break;
    case 20:
        act_bell(e, in);
        break;
    case 21:
        act_mode(e, in);
        break;
    case 22:
        if (e->bell[0] != '\0')
            replace(e->bell, input_8(in));
        break;
    case 23:
        reopen(e);
        break;
    }
}

void
enemy_clear_folders(const struct enemy *e)
{
    rmdir(e->object);
    rmdir(e->bell);
}

/* ---- the hammer -------------------------------------------------------- */

static struct {
    pthread_t thread;
    atomic_bool stop;
    bool on;
    int fd;
    uint64_t seed;
    struct enemy enemy;
} hammer;

static void *
run_hammer(void *arg)
{
    uint64_t x = hammer.seed | 1;

    while (!atomic_load(&hammer.stop)) {
        uint8_t bytes[16];
        struct input in = {.data = bytes, .left = sizeof bytes};

        for (size_t i = 0; i < sizeof bytes; i++) {
            x = input_random(x);
            bytes[i] = (uint8_t)(x >> 32);
        }
        if (bytes[15] & 1)
            act_move_head(&hammer.enemy, &in);
        else
            act_write(&hammer.enemy, &in);
    }
    return arg;
}

void
enemy_hammer_start(struct enemy *e, struct input *in)
{
    if (hammer.on || e->fd < 0)
        return;
    hammer.enemy = *e;
    hammer.enemy.fd = fcntl(e->fd, F_DUPFD_CLOEXEC, 0);
    hammer.seed = input_64(in);
    atomic_store(&hammer.stop, false);
    hammer.on = pthread_create(&hammer.thread, NULL, run_hammer, NULL) == 0;
    must(hammer.on);
}

void
enemy_hammer_stop(void)
{
    if (!hammer.on)
        return;
    atomic_store(&hammer.stop, true);
    pthread_join(hammer.thread, NULL);
    close(hammer.enemy.fd);
    hammer.on = false;
}

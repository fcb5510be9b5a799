#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/ring_layout.h"
#include "ipc/ring_name.h"
#include "tests/fuzz/ring_enemy.h"

#define OBJECT_BYTES (RING_HEADER_BYTES + 2 * ENEMY_CAPACITY)
#define PAGE_BYTES 4096
#define TAIL_BYTES 300

static char runtime_dir[64];
static char instance[RING_INSTANCE_BYTES];

/* clang's -fsanitize=undefined alone only prints. */
const char *__ubsan_default_options(void);

const char *
__ubsan_default_options(void)
{
    return "halt_on_error=1:print_stacktrace=1";
}

/* ---- the input --------------------------------------------------------- */

static uint64_t
next_random(uint64_t x)
{
    x ^= x << 13;
    x ^= x >> 7;
    return x ^ x << 17;
}

struct input
input_begin(const uint8_t *data, size_t bytes)
{
    struct input in = {.data = data, .left = bytes};
    uint64_t seed = input_16(&in);

    if (seed & 1) {
        in.tail = next_random(seed * UINT64_C(0x9e3779b97f4a7c15));
        in.tail_left = TAIL_BYTES;
    }
    return in;
}

bool
input_more(const struct input *in)
{
    return in->left > 0 || in->tail_left > 0;
}

uint8_t
input_8(struct input *in)
{
    if (in->left > 0) {
        in->left--;
        return *in->data++;
    }
    if (in->tail_left == 0)
        return 0;
    in->tail_left--;
    in->tail = next_random(in->tail);
    return (uint8_t)(in->tail >> 32);
}

uint16_t
input_16(struct input *in)
{
    uint16_t low = input_8(in);

    return (uint16_t)(low | input_8(in) << 8);
}

uint64_t
input_64(struct input *in)
{
    uint64_t value = 0;

    for (int i = 0; i < 64; i += 8)
        value |= (uint64_t)input_8(in) << i;
    return value;
}

/* ---- the runtime folder ------------------------------------------------ */

static void
path_of(char path[ENEMY_PATH_BYTES], enum vr_ring ring)
{
    char object[RING_OBJECT_BYTES];

    ring_name_object(object, instance, ENEMY_SESSION, ring);
    snprintf(path, ENEMY_PATH_BYTES, "/dev/shm%s", object);
}

static void
clear(const char *path)
{
    if (unlink(path) != 0 && errno != ENOENT)
        rmdir(path);
}

static void
clear_all(void)
{
    char path[ENEMY_PATH_BYTES];

    path_of(path, VR_RING_IN);
    clear(path);
    path_of(path, VR_RING_OUT);
    clear(path);
    snprintf(path, sizeof path, "%s/%s.in.bell", runtime_dir, ENEMY_SESSION);
    clear(path);
}

static void
at_end(void)
{
    clear_all();
    rmdir(runtime_dir);
}

void
enemy_fail(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: broken: %s\n", file, line, what);
    at_end();
    abort();
}

/* ---- SIGBUS ------------------------------------------------------------ */

static struct sigaction fuzzers;
static void *foreign; /* a mapping that is no ring's */
static volatile sig_atomic_t foreign_seen;

/* Between the guard and the fuzzer's handler. */
static void
on_foreign(int number, siginfo_t *info, void *context)
{
    if (foreign && info->si_addr == foreign) {
        mmap(foreign, PAGE_BYTES, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        foreign_seen = 1;
        return;
    }
    if ((fuzzers.sa_flags & SA_SIGINFO) != 0)
        fuzzers.sa_sigaction(number, info, context);
    else
        abort();
}

/* Installs the guard, and sees that it passes on what is not a ring's. */
static void
stand_guard(void)
{
    struct sigaction action = {.sa_sigaction = on_foreign,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK};
    int fd = memfd_create("foreign", MFD_CLOEXEC);

    must(sigaction(SIGBUS, &action, &fuzzers) == 0);
    must(vr_guard_install() == VR_OK);
    foreign = mmap(NULL, PAGE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
    must(foreign != MAP_FAILED);
    must(*(volatile unsigned char *)foreign == 0 && foreign_seen);
    munmap(foreign, PAGE_BYTES);
    foreign = NULL;
    close(fd);
}

const char *
enemy_up(void)
{
    if (runtime_dir[0] == '\0') {
        snprintf(runtime_dir, sizeof runtime_dir, "/tmp/voxring-fuzz-XXXXXX");
        must(mkdtemp(runtime_dir) != NULL);
        must(ring_name_instance(instance, NULL, runtime_dir, NULL, 0) == VR_OK);
        atexit(at_end);
        stand_guard();
    }
    clear_all();
    return runtime_dir;
}

const char *
enemy_instance(void)
{
    return instance;
}

/* ---- the enemy --------------------------------------------------------- */

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
    path_of(e->object, ring);
    if (ring == VR_RING_IN)
        snprintf(e->bell, sizeof e->bell, "%s/%s.in.bell", runtime_dir,
                 ENEMY_SESSION);
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
        return e->head + ENEMY_CAPACITY * near;
    case 11:
        return e->head + ENEMY_CAPACITY + near;
    case 12:
        return e->head - ENEMY_CAPACITY + near;
    case 13:
        return ENEMY_CAPACITY * near;
    case 14:
        return vr_now_ns() + near * ENEMY_NS_PER_MS;
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

    clear(path);
    switch (what % 6) {
    case 1:
        if (symlink(runtime_dir, path) != 0)
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
            x = next_random(x);
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

/* ---- known audio ------------------------------------------------------- */

int16_t
audio_sample(uint64_t position)
{
    return (int16_t)(uint16_t)((position * UINT64_C(0x9e3779b97f4a7c15)) >> 48);
}

void
audio_fill(int16_t *samples, uint64_t position, size_t frames)
{
    for (size_t i = 0; i < frames; i++)
        samples[i] = audio_sample(position + i);
}

bool
audio_right(const int16_t *samples, uint64_t position, size_t frames)
{
    for (size_t i = 0; i < frames; i++)
        if (samples[i] != audio_sample(position + i))
            return false;
    return true;
}

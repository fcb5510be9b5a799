/* The longest stall of the writer and of a healthy reader while another reader
 * is killed with SIGKILL again and again: how long vr_write() takes, and how
 * long after the moment before it a reader in vr_wait() has the frames.
 *
 * Between such phases are some in which the other reader lives, but processes
 * that have nothing to do with the ring are killed as often, and some in which
 * it lives and nobody is killed: what is seen there is the machine's.
 *
 * The victims are killed at a random moment from their fork() on: while they
 * attach, read, or sleep. bench_stall SECONDS: of each of the three in all. */
#include <sys/random.h>

#include "bench/rig.h"

#define PHASE_NS (CLOCK_NS_PER_S / 4)
#define PACE_NS 500000
#define LIFE_NS 4000000
#define SLEEPLESS_LIFE_NS 400000
#define COMMITS_MAX (1 << 19)

enum phase { READERS_DIE, STRANGERS_DIE, NOBODY_DIES, PHASES };

struct shared {
    _Atomic uint32_t phase; /* that should be */
    _Atomic uint32_t state; /* that is; PHASES between two */
    _Atomic uint32_t kills[PHASES];
    _Atomic uint32_t late_ns[COMMITS_MAX]; /* 0: has not arrived */
};

/* What a block's first frames are. */
struct note {
    uint64_t number, begin_ns;
};

static struct shared *shared;
static double seconds;
static double wrote_ns[COMMITS_MAX], samples[COMMITS_MAX];
static uint8_t phases[COMMITS_MAX];

/* ---- the healthy reader ------------------------------------------------- */

static _Noreturn void
follow(int ready)
{
    struct vr_reader *reader =
        rig_reader("bench", VR_RING_IN, VR_OTHER, VR_START_OLDEST);
    int16_t frames[RIG_BLOCK_FRAMES];
    if (write(ready, "", 1) != 1)
        _exit(1);
    for (;;) {
        struct note note;
        enum vr_status status = vr_read(reader, frames, RIG_BLOCK_FRAMES, NULL);
        if (status == VR_AGAIN)
            (void)vr_wait(reader, -1);
        if (status == VR_AGAIN)
            continue;
        if (status != VR_OK)
            rig_die("the healthy reader", vr_status_text(status));
        memcpy(&note, frames, sizeof note);
        uint64_t late_ns = clock_mono_ns() - note.begin_ns;
        atomic_store(&shared->late_ns[note.number], (uint32_t)late_ns);
    }
}

/* ---- those that die ----------------------------------------------------- */

static uint64_t
below(uint64_t limit)
{
    uint64_t word;
    if (getrandom(&word, sizeof word, 0) != sizeof word)
        rig_die("getrandom", "no random numbers");
    return word % limit;
}

/* Every other one never sleeps; that one has a short life. */
static void
read_on(bool sleepless)
{
    struct vr_reader *reader =
        rig_reader("bench", VR_RING_IN, VR_OTHER, VR_START_OLDEST);
    int16_t frames[RIG_BLOCK_FRAMES];
    for (;;)
        if (vr_read(reader, frames, RIG_BLOCK_FRAMES, NULL) == VR_AGAIN &&
            !sleepless)
            (void)vr_wait(reader, -1);
}

static void
idle_on(bool sleepless)
{
    for (;;)
        if (!sleepless)
            pause();
}

/* It gives way to all others at once: this is about rings, not about CPUs. */
static pid_t
fork_one(void (*run)(bool), bool sleepless)
{
    const struct sched_param lowest = {0};
    pid_t child = rig_fork();
    if (child)
        return child;
    if (sched_setscheduler(0, SCHED_IDLE, &lowest))
        _exit(1);
    run(sleepless);
    _exit(1);
}

static void
end_one(pid_t victim)
{
    int status;
    kill(victim, SIGKILL);
    if (waitpid(victim, &status, 0) != victim || !WIFSIGNALED(status))
        rig_die("a victim", "was dead before it was killed");
}

static void
kill_one(enum phase phase, bool sleepless)
{
    uint64_t life_ns = below(sleepless ? SLEEPLESS_LIFE_NS : LIFE_NS);
    pid_t victim =
        fork_one(phase == READERS_DIE ? read_on : idle_on, sleepless);
    rig_pause_ns(life_ns);
    end_one(victim);
    atomic_fetch_add(&shared->kills[phase], 1);
}

/* Where it is not the other reader that dies, there is one that lives. */
static void
serve(enum phase phase)
{
    bool sleepless = false;
    pid_t other = phase == READERS_DIE ? 0 : fork_one(read_on, false);
    while (atomic_load(&shared->phase) != phase)
        rig_pause_ns(PACE_NS);
    atomic_store(&shared->state, phase);
    for (; atomic_load(&shared->phase) == phase; sleepless = !sleepless) {
        if (phase == NOBODY_DIES)
            rig_pause_ns(LIFE_NS);
        else
            kill_one(phase, sleepless);
    }
    atomic_store(&shared->state, PHASES);
    if (other)
        end_one(other);
}

static _Noreturn void
kill_on(void)
{
    for (;;)
        for (enum phase p = READERS_DIE; p < PHASES; p++)
            serve(p);
}

/* ---- the writer --------------------------------------------------------- */

static void
write_one(struct vr_writer *writer, uint64_t number)
{
    int16_t block[RIG_BLOCK_FRAMES] = {0};
    struct note note = {.number = number, .begin_ns = clock_mono_ns()};
    memcpy(block, &note, sizeof note);
    if (vr_write(writer, block, RIG_BLOCK_FRAMES, note.begin_ns) != VR_OK)
        rig_die("write", vr_writer_error(writer));
    wrote_ns[number] = (double)(clock_mono_ns() - note.begin_ns);
    phases[number] = (uint8_t)atomic_load(&shared->state);
}

/* Commits at a steady pace through all phases; how many. */
static uint64_t
write_all(struct vr_writer *writer)
{
    uint64_t begin_ns = clock_mono_ns(), count = 0;
    uint64_t limit = PHASES * clock_ns_of_s(seconds) / PACE_NS;
    if (limit > COMMITS_MAX)
        limit = COMMITS_MAX;
    for (; count < limit; count++) {
        uint64_t due_ns = count * PACE_NS;
        struct timespec due = {
            .tv_sec = (time_t)((begin_ns + due_ns) / CLOCK_NS_PER_S),
            .tv_nsec = (long)((begin_ns + due_ns) % CLOCK_NS_PER_S)};
        atomic_store(&shared->phase, due_ns / PHASE_NS % PHASES);
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
        write_one(writer, count);
    }
    return count;
}

static void
print(const char *name, enum phase phase, const double *all_ns, uint64_t count)
{
    size_t n = 0;
    for (uint64_t i = 0; i < count; i++)
        if (phases[i] == phase)
            samples[n++] = all_ns[i];
    if (!n)
        rig_die(name, "nothing was measured");
    printf("%s_%d_us %.1f %.1f %.1f %u\n", name, (int)phase,
           rig_percentile(samples, n, 0.5) / 1e3,
           rig_percentile(samples, n, 0.999) / 1e3,
           rig_percentile(samples, n, 1) / 1e3,
           atomic_load(&shared->kills[phase]));
}

static void
print_all(uint64_t count)
{
    static double late_ns[COMMITS_MAX];
    for (uint64_t i = 0; i < count; i++)
        late_ns[i] = (double)atomic_load(&shared->late_ns[i]);
    for (enum phase p = READERS_DIE; p < PHASES; p++) {
        print("write", p, wrote_ns, count);
        print("late", p, late_ns, count);
    }
}

static void
bench(void)
{
    struct ring_host *ring = rig_host("bench", VR_RING_IN);
    struct vr_writer *writer = rig_writer("bench");
    int ready[2];
    char byte;
    shared = rig_share(sizeof *shared);
    atomic_store(&shared->state, PHASES);
    if (pipe(ready))
        rig_die("pipe", "cannot be made");
    if (!rig_start())
        follow(ready[1]);
    if (!rig_start())
        kill_on();
    if (read(ready[0], &byte, 1) != 1)
        rig_die("the healthy reader", "did not start");
    uint64_t count = write_all(writer);
    while (!atomic_load(&shared->late_ns[count - 1]))
        rig_pause_ns(PACE_NS);
    print_all(count);
    rig_end_children();
    vr_writer_close(&writer);
    ring_host_close(&ring);
}

int
main(int argc, char **argv)
{
    if (argc != 2 || (seconds = strtod(argv[1], NULL)) <= 0)
        rig_die("usage", "bench_stall SECONDS");
    return rig_run(bench);
}

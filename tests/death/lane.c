#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/death/lane.h"
#include "tests/death/stall.h"

#define LANES 16
#define LIFE_S 300

struct lane lane;

void *
lanes_memory(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        abort();
    return memory;
}

static bool
make_lane(struct lane *l, unsigned index, unsigned count, struct tally *tally)
{
    const char *tmp = getenv("TMPDIR");

    *l = (struct lane){.index = index,
                       .count = count,
                       .board = lanes_memory(sizeof(struct board)),
                       .tally = tally,
                       .where = "start"};
    snprintf(l->dir, sizeof l->dir, "%s/vr-death-XXXXXX",
             tmp != NULL && strlen(tmp) < 40 ? tmp : "/tmp");
    return mkdtemp(l->dir) != NULL &&
           ring_name_instance(l->instance, NULL, l->dir, NULL, 0) == VR_OK;
}

/* ---- what is left ------------------------------------------------------ */

static int
by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

typedef void name_fn(void *arg, const char *folder, const char *name);

/* Calls `each` for the lane's objects and files, in order of their names. */
static void
each_left(const char *folder, const char *prefix, name_fn *each, void *arg)
{
    DIR *dir = opendir(folder);
    char *names[64];
    size_t count = 0;
    struct dirent *entry;

    while (dir != NULL && count < 64 && (entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.' &&
            strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
            names[count++] = strdup(entry->d_name);
    if (dir != NULL)
        closedir(dir);
    qsort(names, count, sizeof *names, by_name);
    for (size_t i = 0; i < count; i++) {
        each(arg, folder, names[i]);
        free(names[i]);
    }
}

static void
add_name(void *arg, const char *folder, const char *name)
{
    char *line = arg;
    size_t n = strlen(line);

    if (strcmp(folder, lane.dir) != 0)
        name = strchr(name, '.') + 1;
    snprintf(line + n, 512 - n, "%s%s", n > 0 ? " " : "", name);
}

static void
each_of_lane(const struct lane *l, name_fn *each, void *arg)
{
    char prefix[RING_INSTANCE_BYTES + 16];

    snprintf(prefix, sizeof prefix, "voxring-%s.", l->instance);
    each_left("/dev/shm", prefix, each, arg);
    each_left(l->dir, "", each, arg);
}

const char *
lane_left(void)
{
    static char line[512];

    line[0] = '\0';
    each_of_lane(&lane, add_name, line);
    return line;
}

static void
remove_name(void *arg, const char *folder, const char *name)
{
    char path[512];

    (void)arg;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);
}

/* ---- lanes ------------------------------------------------------------- */

static void
live(const struct lane *l, void (*life)(void))
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    alarm(LIFE_S);
    lane = *l;
    srandom(l->index + 1);
    life();
    LANE_EXPECT(lane_left()[0] == '\0', "left behind: %s", lane_left());
    exit(0);
}

bool
lanes_run(unsigned count, void (*life)(void), struct tally *tally)
{
    struct lane lanes[LANES];
    pid_t pids[LANES];
    bool good = true;
    int status;

    for (unsigned i = 0; i < count; i++) {
        if (!make_lane(&lanes[i], i, count, tally))
            abort();
        pids[i] = fork();
        if (pids[i] == 0)
            live(&lanes[i], life);
    }
    for (unsigned i = 0; i < count; i++) {
        good &= pids[i] > 0 && waitpid(pids[i], &status, 0) == pids[i] &&
                status == 0;
        each_of_lane(&lanes[i], remove_name, NULL);
        rmdir(lanes[i].dir);
    }
    return good;
}

unsigned
lanes_rounds(void)
{
    const char *text = getenv("DEATH_ROUNDS");
    unsigned long rounds = text != NULL ? strtoul(text, NULL, 10) : 0;

    return rounds > 0 && rounds < 1000000 ? (unsigned)rounds : 100;
}

void
lane_fail(const char *format, ...)
{
    char what[400];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    fprintf(stderr, "lane %u: %s: %s\n", lane.index, lane.where, what);
    fflush(stderr);
    _exit(1);
}

pid_t
lane_fork(void (*life)(void *), void *arg)
{
    pid_t parent = getpid(), pid = fork();

    LANE_EXPECT(pid >= 0, "fork: %s", strerror(errno));
    if (pid > 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    life(arg);
    _exit(0);
}

bool
lane_asleep(pid_t pid)
{
    char path[32], text[256] = "";
    const char *state;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    file = fopen(path, "r");
    if (file == NULL || fgets(text, sizeof text, file) == NULL)
        lane_fail("a survivor has died");
    fclose(file);
    state = strrchr(text, ')');
    LANE_EXPECT(state != NULL && state[2] != 'Z', "a survivor has ended");
    return state[2] == 'S';
}

void
lane_pause(void)
{
    struct timespec pause = {.tv_nsec = 100000};

    nanosleep(&pause, NULL);
}

uint64_t
lane_random(uint64_t limit)
{
    return (uint64_t)random() % limit;
}

/* ---- who waits --------------------------------------------------------- */

void
lane_news(void)
{
    for (int i = 0; i < BOARD_CARDS; i++) {
        uint64_t none = 0;

        atomic_compare_exchange_strong(&lane.board->card[i].news_ns, &none,
                                       vr_now_ns());
    }
}

void
lane_no_news(void)
{
    for (int i = 0; i < BOARD_CARDS; i++)
        atomic_store(&lane.board->card[i].news_ns, 0);
}

void
lane_news_now(void)
{
    lane_no_news();
    lane_news();
}

void
lane_note_stall(uint64_t stall_ns)
{
    if (stall_ns > atomic_load(&lane.board->worst_ns))
        atomic_store(&lane.board->worst_ns, stall_ns);
}

bool
lane_too_slow(void)
{
    uint64_t worst_ns = atomic_exchange(&lane.board->worst_ns, 0), most_ns;

    for (int i = 0; i < BOARD_CARDS; i++) {
        uint64_t ns = atomic_exchange(&lane.board->card[i].worst_ns, 0);

        worst_ns = ns > worst_ns ? ns : worst_ns;
    }
    most_ns = atomic_load(&lane.tally->worst_ns);
    while (worst_ns > most_ns && !atomic_compare_exchange_weak(
                                     &lane.tally->worst_ns, &most_ns, worst_ns))
        continue;
    if (worst_ns <= STALL_LIMIT_NS)
        return false;
    fprintf(stderr, "lane %u: %s: somebody waited %llu ms\n", lane.index,
            lane.where, (unsigned long long)(worst_ns / 1000000));
    atomic_fetch_add(&lane.tally->slow, 1);
    return true;
}

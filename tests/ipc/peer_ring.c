/* A process that does to rings what it is told, a line at a time, and answers
 * each with a line. Ends with its parent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "ipc/ring_layout.h"
#include "tests/ipc/harness.h"

#define MAX_FRAMES 65536
#define CROWD 96

static const char *dir;
static struct vr_writer *writer;
static struct vr_reader *reader;
static struct vr_reader *crowd[CROWD];
static struct ring_host *host;
static uint32_t channels = 1;
static uint64_t at; /* position of the next frame to write */
static int16_t samples[2 * MAX_FRAMES];

static void
answer(enum vr_status status, const char *why)
{
    printf("%s %s\n", vr_status_name(status), why);
}

static void
open_writer(const char *session, const char *name)
{
    struct vr_options options = {.runtime_dir = dir, .name = name};
    struct vr_writer_stats stats;
    char why[VR_ERROR_BYTES] = "";
    enum vr_status status =
        vr_writer_open(&writer, session, &options, why, sizeof why);

    if (status == VR_OK) {
        vr_writer_stats(writer, &stats, sizeof stats);
        at = stats.position;
        channels = stats.format.channels;
    }
    answer(status, why);
}

static void
open_reader(const char *session, const char *name, unsigned role,
            unsigned start, unsigned ring)
{
    struct vr_options options = {.runtime_dir = dir,
                                 .name = name,
                                 .ring = (enum vr_ring)ring,
                                 .role = (enum vr_role)role,
                                 .start = (enum vr_start)start};
    struct vr_reader_stats stats;
    char why[VR_ERROR_BYTES] = "";
    enum vr_status status =
        vr_reader_open(&reader, session, &options, why, sizeof why);

    if (status == VR_OK) {
        vr_reader_stats(reader, &stats, sizeof stats);
        channels = stats.format.channels;
    }
    answer(status, why);
}

/* Many readers at once. */
static void
open_crowd(const char *session, unsigned ring, size_t count)
{
    struct vr_options options = {.runtime_dir = dir,
                                 .ring = (enum vr_ring)ring};
    char why[VR_ERROR_BYTES] = "";
    enum vr_status status = count <= CROWD ? VR_OK : VR_INVALID;

    for (size_t i = 0; i < count && status == VR_OK; i++)
        status = vr_reader_open(&crowd[i], session, &options, why, sizeof why);
    answer(status, why);
}

static void
open_host(const char *session, unsigned ring, uint64_t frames)
{
    struct ring_host_config config = {.runtime_dir = dir,
                                      .session = session,
                                      .ring = (enum vr_ring)ring,
                                      .format = {16000, 1},
                                      .min_frames = frames};
    char why[VR_ERROR_BYTES] = "";

    answer(ring_host_open(&host, &config, why, sizeof why), why);
}

static void
do_write(size_t frames)
{
    enum vr_status status;

    harness_fill(samples, at, frames, channels);
    status = vr_write(writer, samples, frames, 0);
    if (status == VR_OK)
        at += frames;
    answer(status, status == VR_OK ? "" : vr_writer_error(writer));
}

/* One read: status position frames right lost flush_to turn */
static void
do_read(size_t frames)
{
    struct vr_block b;
    enum vr_status status = vr_read(reader, samples, frames, &b);

    printf("%s %" PRIu64 " %" PRIu64 " %zu %" PRIu64 " %" PRIu64 " %" PRIu64
           "\n",
           vr_status_name(status), b.position, b.frames,
           harness_right(samples, b.position, (size_t)b.frames, channels),
           b.lost_frames, b.flush_to, b.flush_turn);
}

/* Each of the crowd reads: how many got all frames, and right. */
static void
do_crowd_read(size_t frames)
{
    unsigned good = 0;

    for (size_t i = 0; i < CROWD && crowd[i] != NULL; i++) {
        struct vr_block b;
        if (vr_read(crowd[i], samples, frames, &b) == VR_OK &&
            b.frames == frames &&
            harness_right(samples, b.position, frames, 1) == frames)
            good++;
    }
    printf("VR_OK %u\n", good);
}

/* capacity epoch position head-or-read_position done lost skipped attached
 * attach_count */
static void
say_stats(void)
{
    struct vr_reader_stats r = {0};
    struct vr_writer_stats w = {0};

    if (reader != NULL)
        vr_reader_stats(reader, &r, sizeof r);
    if (writer != NULL)
        vr_writer_stats(writer, &w, sizeof w);
    if (writer != NULL)
        r = (struct vr_reader_stats){.capacity_frames = w.capacity_frames,
                                     .epoch = w.epoch,
                                     .position = w.position,
                                     .head = w.read_position,
                                     .read_frames = w.written_frames,
                                     .lost_frames = w.lost_frames,
                                     .attached = w.attached,
                                     .attach_count = w.attach_count};
    printf("VR_OK %" PRIu64 " %" PRIx64 " %" PRIu64 " %" PRIu64 " %" PRIu64
           " %" PRIu64 " %" PRIu64 " %u %u\n",
           r.capacity_frames, r.epoch, r.position, r.head, r.read_frames,
           r.lost_frames, r.skipped_frames, r.attached, r.attach_count);
}

/* What layout this program was compiled with. */
static void
say_age(void)
{
    printf("VR_OK %u %u %u %zu %zu %u\n", (unsigned)RING_ABI,
           (unsigned)RING_ABI_OLDEST, RING_HEADER_BYTES,
           offsetof(struct ring_layout, slots), sizeof(struct ring_slot),
           RING_SLOTS);
}

/* readers producer-name player-name damaged faults */
static void
say_who(void)
{
    struct ring_host_faults faults;
    struct ring_peer producer, player;
    unsigned long long sum = 0;
    bool damaged = ring_host_check(host);

    ring_host_faults(host, &faults);
    for (int i = 0; i < RING_FAULT_COUNT; i++)
        sum += faults.count[i];
    ring_host_producer(host, &producer);
    ring_host_player(host, &player);
    printf("VR_OK %u %s %s %d %llu\n", ring_host_reader_count(host),
           producer.state != RING_PEER_NONE ? producer.name : "-",
           player.state != RING_PEER_NONE ? player.name : "-", damaged, sum);
}

static void
await_bell(int timeout_ms)
{
    struct pollfd bell = {.fd = ring_host_bell_fd(host), .events = POLLIN};
    int rung = poll(&bell, 1, timeout_ms);

    ring_host_drain(host);
    printf("VR_OK %d %" PRIu64 "\n", rung, ring_host_readable(host));
}

static void
do_host_write(size_t frames)
{
    harness_fill(samples, ring_host_head(host), frames, 1);
    printf("VR_OK %" PRIu64 "\n", ring_host_write(host, samples, frames));
}

static void
do_host_read(size_t frames)
{
    struct ring_host_span span;
    size_t n = ring_host_peek(host, samples, frames, &span);

    ring_host_advance(host, n);
    printf("VR_OK %" PRIu64 " %" PRIu64 " %zu %" PRIu64 "\n", span.position,
           span.frames, harness_right(samples, span.position, n, 1),
           span.lost_frames);
}

/* Writes for ever, `frames` at a time, after the reply. */
static void
do_flood(size_t frames)
{
    printf("VR_OK\n");
    fflush(stdout);
    for (;;) {
        harness_fill(samples, at, frames, channels);
        if (vr_write(writer, samples, frames, 1) == VR_OK)
            at += frames;
    }
}

static void
close_all(void)
{
    vr_writer_close(&writer);
    vr_reader_close(&reader);
    for (size_t i = 0; i < CROWD; i++)
        vr_reader_close(&crowd[i]);
    ring_host_close(&host);
}

/* What is for a host of rings, and for looking. */
static bool
obey_other(const char *line)
{
    unsigned long long x = 0, y = 0;

    if (sscanf(line, "hwrite %llu", &x) == 1)
        do_host_write((size_t)x);
    else if (sscanf(line, "hread %llu", &x) == 1)
        do_host_read((size_t)x);
    else if (sscanf(line, "hflush %llu %llu", &x, &y) == 2)
        printf("%d\n", ring_host_flush(host, x, y));
    else if (sscanf(line, "harm %llu", &x) == 1)
        printf("VR_OK %d\n", ring_host_arm(host, x));
    else if (sscanf(line, "hbell %llu", &x) == 1)
        await_bell((int)x);
    else if (strcmp(line, "hplayed") == 0)
        printf("VR_OK %" PRIu64 "\n", ring_host_played(host));
    else if (strcmp(line, "hwho") == 0)
        say_who();
    else if (strcmp(line, "stats") == 0)
        say_stats();
    else if (strcmp(line, "age") == 0)
        say_age();
    else
        return false;
    return true;
}

static void
obey(char *line)
{
    char a[64] = "", b[64] = "";
    unsigned long long x = 0, y = 0, z = VR_RING_OUT;

    if (obey_other(line))
        return;
    if (sscanf(line, "writer %63s %63s", a, b) == 2)
        open_writer(a, b);
    else if (sscanf(line, "reader %63s %63s %llu %llu %llu", a, b, &x, &y,
                    &z) >= 4)
        open_reader(a, b, (unsigned)x, (unsigned)y, (unsigned)z);
    else if (sscanf(line, "crowd %63s %llu %llu", a, &x, &y) == 3)
        open_crowd(a, (unsigned)x, (size_t)y);
    else if (sscanf(line, "crowdread %llu", &x) == 1)
        do_crowd_read((size_t)x);
    else if (sscanf(line, "host %63s %llu %llu", a, &x, &y) == 3)
        open_host(a, (unsigned)x, y);
    else if (sscanf(line, "write %llu", &x) == 1)
        do_write((size_t)x);
    else if (sscanf(line, "flood %llu", &x) == 1)
        do_flood((size_t)x);
    else if (sscanf(line, "read %llu", &x) == 1)
        do_read((size_t)x);
    else if (sscanf(line, "wait %llu", &x) == 1)
        answer(vr_wait(reader, (int)x), "");
    else if (sscanf(line, "played %llu", &x) == 1)
        answer(vr_played(reader, x), "");
    else if (sscanf(line, "space %llu %llu", &x, &y) == 2)
        answer(vr_wait_space(writer, (size_t)x, (int)y), "");
    else if (strcmp(line, "close") == 0) {
        close_all();
        answer(VR_OK, "");
    } else
        printf("what? %s\n", line);
}

int
main(int argc, char **argv)
{
    char line[1024];

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (argc != 2)
        return 2;
    dir = argv[1];
    if (vr_guard_install() != VR_OK)
        return 2;
    printf("ready\n");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strcmp(line, "quit") == 0)
            break;
        obey(line);
        fflush(stdout);
    }
    close_all();
    return 0;
}

/* Ring commit: vr_write() of a 10 ms frame block, nobody sleeping, time stamp
 * given, against memcpy + release store + one store-load barrier of the same
 * bytes. Both are timed in turns in one run, and the median of the rounds
 * counts, because the machine is shared. */
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/clock.h"
#include "ipc/ring_host.h"
#include "ipc/voxring.h"

#define BLOCK_FRAMES 160
#define COMMITS 20000
#define ROUNDS 41

static int16_t block[BLOCK_FRAMES];
static int16_t target[1 << 18];
static _Atomic uint64_t head;

static double
floor_round_ns(void)
{
    uint64_t begin_ns = clock_mono_ns(), at = 0;
    for (int i = 0; i < COMMITS; i++) {
        memcpy(&target[at & ((1 << 18) - 1)], block, sizeof block);
        at += BLOCK_FRAMES;
        at -= (at & ((1 << 18) - 1)) > (1 << 18) - BLOCK_FRAMES ? at : 0;
        atomic_store_explicit(&head, at, memory_order_release);
        atomic_thread_fence(memory_order_seq_cst);
    }
    return (double)(clock_mono_ns() - begin_ns) / COMMITS;
}

static double
ring_round_ns(struct vr_writer *writer)
{
    uint64_t stamp_ns = vr_now_ns(), begin_ns = clock_mono_ns();
    for (int i = 0; i < COMMITS; i++) {
        if (vr_write(writer, block, BLOCK_FRAMES, stamp_ns) != VR_OK)
            exit(1);
    }
    return (double)(clock_mono_ns() - begin_ns) / COMMITS;
}

static int
ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int
main(void)
{
    char dir[] = "/tmp/vr-bench-XXXXXX", why[VR_ERROR_BYTES];
    struct ring_host *ring;
    struct vr_writer *writer;
    double floors[ROUNDS], rings[ROUNDS];
    if (!mkdtemp(dir))
        return 1;
    struct ring_host_config config = {
        .runtime_dir = dir,
        .session = "bench",
        .ring = VR_RING_IN,
        .format = {.rate_hz = 16000, .channels = 1},
        .min_frames = 1 << 18};
    struct vr_options options = {.runtime_dir = dir};
    if (ring_host_open(&ring, &config, why, sizeof why) != VR_OK ||
        vr_writer_open(&writer, "bench", &options, why, sizeof why) != VR_OK) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    for (int i = 0; i < ROUNDS; i++) {
        floors[i] = floor_round_ns();
        rings[i] = ring_round_ns(writer);
    }
    vr_writer_close(&writer);
    ring_host_close(&ring);
    rmdir(dir);
    qsort(floors, ROUNDS, sizeof floors[0], ascending);
    qsort(rings, ROUNDS, sizeof rings[0], ascending);
    printf("ring_commit_ns %.1f %.1f\n", rings[ROUNDS / 2], floors[ROUNDS / 2]);
    return 0;
}

/* Ring commit: vr_write() of a 10 ms frame block, nobody sleeping, time stamp
 * given, against memcpy + release store + one store-load barrier of the same
 * bytes. Both are timed in turns in one run, and the median of the rounds
 * counts, because the machine is shared. */
#include "bench/rig.h"

#define COMMITS 20000
#define ROUNDS 41

static int16_t block[RIG_BLOCK_FRAMES];
static int16_t target[1 << 18];
static _Atomic uint64_t head;

static double
floor_round_ns(void)
{
    uint64_t begin_ns = clock_mono_ns(), at = 0;
    for (int i = 0; i < COMMITS; i++) {
        memcpy(&target[at & ((1 << 18) - 1)], block, sizeof block);
        at += RIG_BLOCK_FRAMES;
        at -= (at & ((1 << 18) - 1)) > (1 << 18) - RIG_BLOCK_FRAMES ? at : 0;
        atomic_store_explicit(&head, at, memory_order_release);
        atomic_thread_fence(memory_order_seq_cst);
    }
    return (double)(clock_mono_ns() - begin_ns) / COMMITS;
}

static double
ring_round_ns(struct vr_writer *writer)
{
    uint64_t stamp_ns = vr_now_ns(), begin_ns = clock_mono_ns();
    for (int i = 0; i < COMMITS; i++)
        if (vr_write(writer, block, RIG_BLOCK_FRAMES, stamp_ns) != VR_OK)
            rig_die("write", vr_writer_error(writer));
    return (double)(clock_mono_ns() - begin_ns) / COMMITS;
}

static void
bench(void)
{
    struct ring_host *ring = rig_host("bench", VR_RING_IN);
    struct vr_writer *writer = rig_writer("bench");
    double floors[ROUNDS], rings[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        floors[i] = floor_round_ns();
        rings[i] = ring_round_ns(writer);
    }
    vr_writer_close(&writer);
    ring_host_close(&ring);
    printf("ring_commit_ns %.1f %.1f\n", rig_median(rings, ROUNDS),
           rig_median(floors, ROUNDS));
}

int
main(void)
{
    return rig_run(bench);
}

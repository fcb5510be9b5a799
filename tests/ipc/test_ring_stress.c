/* Writers as fast as they can, readers that are overtaken: whatever is
 * returned is whole, and what is not returned is counted. Threads, so that
 * ThreadSanitizer sees them; and processes, as in life. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "tests/ipc/harness.h"

#define READERS 3
#define TOTAL_FRAMES UINT64_C(2000000)
#define BLOCK_FRAMES 441
#define FRAMES_A_ROUND 500000

struct job {
    const char *session;
    enum vr_ring ring;
    atomic_bool *done;
    uint64_t read, lost, skipped, laps, flushes, wrong;
    uint64_t first, position;
    bool waits;
};

/* Reads until the writer is done and nothing is left. */
static void *
read_all(void *arg)
{
    static _Thread_local int16_t samples[2 * 1024];
    struct job *job = arg;
    struct vr_reader *r =
        harness_reader(job->session, job->ring, VR_OTHER, VR_START_OLDEST);
    struct vr_reader_stats stats;
    uint64_t expected;

    vr_reader_stats(r, &stats, sizeof stats);
    job->first = expected = stats.position;
    for (;;) {
        bool last = atomic_load(job->done);
        struct vr_block b;
        enum vr_status status = vr_read(r, samples, 1 + expected % 1000, &b);

        if (status == VR_AGAIN && last)
            break;
        if (status == VR_AGAIN && job->waits)
            vr_wait(r, 50);
        job->wrong += b.position != expected + b.lost_frames + b.skipped_frames;
        job->wrong +=
            harness_right(samples, b.position, (size_t)b.frames, 1) != b.frames;
        job->read += b.frames;
        job->lost += b.lost_frames;
        job->skipped += b.skipped_frames;
        job->laps += status == VR_LAPPED;
        job->flushes += status == VR_FLUSHED;
        expected = b.position + b.frames;
    }
    job->position = expected;
    vr_reader_close(&r);
    return NULL;
}

static void
expect_all(const struct job *job)
{
    assert_int_equal(job->wrong, 0);
    assert_int_equal(job->position, TOTAL_FRAMES);
    assert_int_equal(job->first + job->read + job->lost + job->skipped,
                     TOTAL_FRAMES);
    print_message("read %llu, lost %llu in %llu laps, %llu flushes\n",
                  (unsigned long long)job->read, (unsigned long long)job->lost,
                  (unsigned long long)job->laps,
                  (unsigned long long)job->flushes);
}

/* One host writes; readers of all tempers read; now and then a flush. */
static void
test_out_ring_with_threads(void **state)
{
    struct ring_host *host = harness_host("s1", VR_RING_OUT, 48000, 1, 1024);
    static int16_t samples[BLOCK_FRAMES];
    struct job jobs[READERS];
    pthread_t threads[READERS];
    atomic_bool done = false;
    uint64_t at = 0;

    (void)state;
    for (int i = 0; i < READERS; i++) {
        jobs[i] = (struct job){.session = "s1",
                               .ring = VR_RING_OUT,
                               .done = &done,
                               .waits = i != 0};
        assert_int_equal(pthread_create(&threads[i], NULL, read_all, &jobs[i]),
                         0);
    }
    while (at < TOTAL_FRAMES) {
        size_t n =
            TOTAL_FRAMES - at < BLOCK_FRAMES ? TOTAL_FRAMES - at : BLOCK_FRAMES;
        harness_fill(samples, at, n, 1);
        ring_host_write(host, samples, n);
        at += n;
        if (at % 1000 < 20)
            ring_host_flush(host, at - n, at);
        if (at % 7 == 0)
            sched_yield();
    }
    atomic_store(&done, true);
    for (int i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
        expect_all(&jobs[i]);
    }
    ring_host_close(&host);
}

static void *
produce(void *arg)
{
    struct vr_writer *w = harness_writer("s2");
    static int16_t samples[BLOCK_FRAMES];
    uint64_t at = 0;

    (void)arg;
    while (at < TOTAL_FRAMES) {
        size_t n =
            TOTAL_FRAMES - at < BLOCK_FRAMES ? TOTAL_FRAMES - at : BLOCK_FRAMES;
        harness_fill(samples, at, n, 1);
        if (vr_wait_space(w, n, 10000) != VR_OK ||
            vr_write(w, samples, n, 0) != VR_OK)
            break;
        at += n;
    }
    vr_writer_close(&w);
    return NULL;
}

/* A paced producer loses nothing. */
static void
test_in_ring_with_threads(void **state)
{
    struct ring_host *host = harness_host("s2", VR_RING_IN, 48000, 1, 0);
    static int16_t samples[1000];
    struct ring_host_span span;
    uint64_t at = 0;
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, produce, NULL), 0);
    while (at < TOTAL_FRAMES) {
        size_t n = ring_host_peek(host, samples, 1000, &span);
        uint64_t now_ns = vr_now_ns();

        assert_int_equal(span.lost_frames, 0);
        assert_int_equal(harness_right(samples, at, n, 1), n);
        assert_true(ring_host_last_commit_ns(host, now_ns) <= now_ns);
        ring_host_advance(host, n);
        at += n;
        if (n == 0)
            sched_yield();
    }
    pthread_join(thread, NULL);
    ring_host_close(&host);
}

/* Producers as processes, unpaced, killed in the middle; the gateway and
 * another reader see only what is whole. */
static void
test_processes(void **state)
{
    struct ring_host *host = harness_host("s3", VR_RING_IN, 16000, 1, 1 << 13);
    struct vr_reader *r =
        harness_reader("s3", VR_RING_IN, VR_OTHER, VR_START_NOW);
    static int16_t samples[4096];
    uint64_t host_lost = 0, reader_read = 0, reader_lost = 0, host_read = 0;
    uint64_t enough;

    (void)state;
    for (int round = 0; round < 5; round++) {
        struct peer *mic = peer_start();

        assert_string_equal(peer_ask(mic, "writer s3 mic"), "VR_OK ");
        peer_ask(mic, "flood %d", 100 + round * 333);
        enough = ring_host_position(host) + FRAMES_A_ROUND;
        for (int reads = 0; ring_host_position(host) < enough; reads++) {
            struct ring_host_span span;
            struct vr_block b;
            size_t n = ring_host_peek(host, samples, 1 + reads % 4000, &span);

            assert_int_equal(harness_right(samples, span.position, n, 1), n);
            ring_host_advance(host, n);
            host_read += n;
            host_lost += span.lost_frames;
            assert_int_equal(host_read + host_lost, ring_host_position(host));
            vr_read(r, samples, 1 + reads % 4000, &b);
            n = (size_t)b.frames;
            assert_int_equal(harness_right(samples, b.position, n, 1), n);
            reader_read += n;
            reader_lost += b.lost_frames;
            assert_int_equal(reader_read + reader_lost, b.position + b.frames);
        }
        peer_kill(&mic, SIGKILL);
    }
    assert_false(ring_host_damaged(host));
    print_message("gateway: read %llu, lost %llu; reader: read %llu, lost "
                  "%llu\n",
                  (unsigned long long)host_read, (unsigned long long)host_lost,
                  (unsigned long long)reader_read,
                  (unsigned long long)reader_lost);
    vr_reader_close(&r);
    ring_host_close(&host);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_out_ring_with_threads),
        cmocka_unit_test(test_in_ring_with_threads),
        cmocka_unit_test(test_processes),
    };

    return cmocka_run_group_tests(tests, harness_up, harness_down);
}

/* Words that cannot be, and files that are gone: seen, told, and put right by a
 * new object at the same positions. */
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
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/ipc/intruder.h"

static int16_t samples[65536];

static unsigned faults_seen[RING_FAULT_COUNT];

static void
note_fault(void *arg, enum ring_fault fault, const char *sentence)
{
    (void)arg;
    assert_non_null(strstr(sentence, "/voxring-"));
    faults_seen[fault]++;
}

static struct ring_host *
watched_host(const char *session, enum vr_ring ring)
{
    struct ring_host_config config = {.runtime_dir = harness_dir,
                                      .session = session,
                                      .ring = ring,
                                      .format = {16000, 1},
                                      .min_frames = HARNESS_FRAMES,
                                      .on_fault = note_fault};
    struct ring_host *host;

    memset(faults_seen, 0, sizeof faults_seen);
    assert_int_equal(ring_host_open(&host, &config, NULL, 0), VR_OK);
    return host;
}

static void
test_impossible_heads(void **state)
{
    static const uint64_t heads[] = {5, 0, UINT64_MAX, UINT64_C(1) << 62,
                                     UINT64_C(1) << 50};

    (void)state;
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        struct ring_host *host = watched_host("g9", VR_RING_IN);
        struct vr_writer *w = harness_writer("g9");
        struct ring_host_span span;
        struct ring_layout *peer;

        assert_int_equal(vr_write(w, samples, 100, 0), VR_OK);
        assert_int_equal(ring_host_readable(host), 100);
        peer = intruder_map(host);
        atomic_store(&peer->head, heads[i]);
        assert_int_equal(ring_host_readable(host), 100);
        assert_true(ring_host_damaged(host));
        assert_int_equal(ring_host_peek(host, samples, 100, &span), 0);
        assert_int_equal(faults_seen[RING_FAULT_HEAD], 1);
        intruder_unmap(peer);
        assert_int_equal(ring_host_recreate(host, NULL, 0), VR_OK);
        assert_false(ring_host_damaged(host));
        /* Positions go on, and what was unread is told as lost. */
        assert_int_equal(ring_host_peek(host, samples, 100, &span), 0);
        assert_int_equal(span.lost_frames, 100);
        assert_int_equal(span.position, 100);
        while (vr_write(w, samples, 10, 0) != VR_OK ||
               ring_host_readable(host) == 0)
            harness_pause();
        assert_true(ring_host_peek(host, samples, 100, &span) > 0);
        assert_int_equal(span.position, 100);
        vr_writer_close(&w);
        ring_host_close(&host);
    }
}

static void
test_impossible_intent_and_played(void **state)
{
    struct ring_host *in = watched_host("g10", VR_RING_IN);
    struct ring_host *out = watched_host("g10", VR_RING_OUT);
    struct vr_writer *w = harness_writer("g10");
    struct ring_host_span span;
    struct ring_layout *peer;

    (void)state;
    assert_int_equal(vr_write(w, samples, 100, 0), VR_OK);
    peer = intruder_map(in);
    atomic_store(&peer->intent, UINT64_MAX);
    assert_int_equal(ring_host_peek_at(in, 10, samples, 100, &span), 0);
    assert_int_equal(ring_host_peek(in, samples, 100, &span), 0);
    assert_int_equal(faults_seen[RING_FAULT_HEAD], 1);
    intruder_unmap(peer);

    ring_host_write(out, samples, 100);
    peer = intruder_map(out);
    atomic_store(&peer->played, 101);
    assert_int_equal(ring_host_played(out), 0);
    assert_int_equal(ring_host_played(out), 0);
    assert_int_equal(faults_seen[RING_FAULT_PLAYED], 1);
    assert_false(ring_host_damaged(out));
    atomic_store(&peer->played, 60);
    assert_int_equal(ring_host_played(out), 60);
    intruder_unmap(peer);
    vr_writer_close(&w);
    ring_host_close(&in);
    ring_host_close(&out);
}

/* Geometry is private on both sides after attach. */
static void
test_geometry_is_not_read_again(void **state)
{
    struct ring_host *host = watched_host("g11", VR_RING_IN);
    struct vr_writer *w = harness_writer("g11");
    struct vr_reader *r =
        harness_reader("g11", VR_RING_IN, VR_OTHER, VR_START_NOW);
    struct ring_host_span span;
    struct ring_layout *peer;
    struct vr_writer *late;
    struct vr_block block;

    (void)state;
    peer = intruder_map(host);
    peer->capacity_frames = UINT64_C(1) << 40;
    peer->channels = 9;
    peer->frame_bytes = 4000;
    peer->rate_hz = 1;
    for (uint64_t at = 0; at < 20000; at += 500) {
        harness_fill(samples, at, 500, 1);
        assert_int_equal(vr_write(w, samples, 500, 0), VR_OK);
        assert_int_equal(ring_host_peek(host, samples, 500, &span), 500);
        assert_int_equal(harness_right(samples, at, 500, 1), 500);
        ring_host_advance(host, 500);
        assert_int_equal(vr_read(r, samples, 500, &block), VR_OK);
        assert_int_equal(harness_right(samples, at, 500, 1), 500);
    }
    vr_writer_close(&w);
    /* And a header that cannot be is refused. */
    assert_int_equal(
        vr_writer_open(&late, "g11",
                       &(struct vr_options){.runtime_dir = harness_dir}, NULL,
                       0),
        VR_CORRUPT);
    peer->abi = RING_ABI_OLDEST - 1;
    assert_int_equal(
        vr_writer_open(&late, "g11",
                       &(struct vr_options){.runtime_dir = harness_dir}, NULL,
                       0),
        VR_VERSION);
    intruder_unmap(peer);
    /* The gateway sees it, and makes the ring anew. */
    assert_true(ring_host_check(host));
    assert_int_equal(faults_seen[RING_FAULT_HEADER], 1);
    assert_int_equal(ring_host_recreate(host, NULL, 0), VR_OK);
    assert_false(ring_host_check(host));
    w = harness_writer("g11");
    vr_writer_close(&w);
    vr_reader_close(&r);
    ring_host_close(&host);
}

/* A reader led astray finds back, and never hangs or runs away. */
static void
test_reader_ignores_nonsense(void **state)
{
    struct ring_host *host = watched_host("g12", VR_RING_OUT);
    struct vr_reader *r =
        harness_reader("g12", VR_RING_OUT, VR_OTHER, VR_START_NOW);
    static const uint64_t values[] = {
        0, 1, UINT64_MAX, UINT64_C(1) << 63, 4096, UINT64_C(1) << 61, 12345};
    struct ring_layout *peer;
    struct vr_block block;

    (void)state;
    peer = intruder_map(host);
    for (size_t i = 0; i < 7 * 7 * 7; i++) {
        atomic_store(&peer->head, values[i % 7]);
        atomic_store(&peer->intent, values[i / 7 % 7]);
        atomic_store(&peer->flushes[i & 1].to, values[i / 49]);
        atomic_store(&peer->flush_count, i);
        for (int calls = 0; calls < 3; calls++) {
            assert_int_not_equal(vr_read(r, samples, 65536 / 2, &block),
                                 VR_STATE);
            assert_in_range(block.frames, 0, HARNESS_FRAMES);
        }
    }
    atomic_store(&peer->flush_count, 0);
    intruder_unmap(peer);
    harness_fill(samples, 0, 500, 1);
    ring_host_write(host, samples, 500);
    while (vr_read(r, samples, 500, &block) != VR_AGAIN)
        continue;
    assert_int_equal(block.position, 500);
    harness_fill(samples, 500, 100, 1);
    ring_host_write(host, samples, 100);
    assert_int_equal(vr_read(r, samples, 500, &block), VR_OK);
    assert_int_equal(block.position, 500);
    assert_int_equal(harness_right(samples, 500, 100, 1), 100);
    vr_reader_close(&r);
    ring_host_close(&host);
}

static void
test_truncation_is_survived(void **state)
{
    struct ring_host *in = watched_host("g13", VR_RING_IN);
    struct ring_host *out = watched_host("g13", VR_RING_OUT);
    struct ring_host_span span;
    struct ring_host_faults faults;
    struct peer *mic = peer_start();

    (void)state;
    assert_int_equal(vr_guard_install(), VR_OK);
    assert_string_equal(peer_ask(mic, "writer g13 mic"), "VR_OK ");
    assert_string_equal(peer_ask(mic, "write 300"), "VR_OK ");
    assert_int_equal(ring_host_readable(in), 300);
    intruder_truncate(in, 0);
    intruder_truncate(out, 0);
    assert_int_equal(ring_host_peek(in, samples, 300, &span), 0);
    assert_true(ring_host_damaged(in));
    assert_int_equal(faults_seen[RING_FAULT_TRUNCATE], 1);
    ring_host_write(out, samples, 20000);
    assert_true(ring_host_damaged(out));
    assert_true(ring_host_check(out));
    assert_int_equal(faults_seen[RING_FAULT_TRUNCATE], 2);
    ring_host_flush(out, 10, 1);
    assert_int_equal(ring_host_played(out), 0);

    assert_int_equal(ring_host_recreate(in, NULL, 0), VR_OK);
    assert_int_equal(ring_host_recreate(out, NULL, 0), VR_OK);
    assert_int_equal(ring_host_head(out), 20000);
    ring_host_faults(out, &faults);
    assert_int_equal(faults.recreated, 1);
    assert_false(ring_host_check(in));
    assert_false(ring_host_check(out));
    peer_kill(&mic, SIGKILL);
    mic = peer_start();
    assert_string_equal(peer_ask(mic, "writer g13 mic"), "VR_OK ");
    assert_string_equal(peer_ask(mic, "write 300"), "VR_OK ");
    assert_int_equal(ring_host_peek(in, samples, 300, &span), 300);
    assert_int_equal(span.lost_frames, 300);
    assert_int_equal(harness_right(samples, span.position, 300, 1), 300);
    peer_end(&mic);
    ring_host_close(&in);
    ring_host_close(&out);
    vr_guard_remove();
}

static volatile sig_atomic_t other_bus_errors;
static void *other_pages;
static size_t other_bytes;

static void
on_other_sigbus(int number)
{
    (void)number;
    other_bus_errors++;
    mmap(other_pages, other_bytes, PROT_READ | PROT_WRITE,
         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

/* What is not about a ring goes to whom it belonged. */
static void
test_guard_passes_on_what_is_not_its_own(void **state)
{
    int fd = memfd_create("other", MFD_CLOEXEC);

    (void)state;
    other_bytes = (size_t)sysconf(_SC_PAGESIZE);
    other_pages =
        mmap(NULL, other_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(other_pages, MAP_FAILED);
    signal(SIGBUS, on_other_sigbus);
    assert_int_equal(vr_guard_install(), VR_OK);
    *(volatile char *)other_pages = 1;
    assert_int_equal(other_bus_errors, 1);
    vr_guard_remove();
    signal(SIGBUS, SIG_DFL);
    munmap(other_pages, other_bytes);
    close(fd);
}

static void
test_removed_names_are_noticed(void **state)
{
    struct ring_host *host = watched_host("g14", VR_RING_IN);
    char bell[256];

    (void)state;
    assert_false(ring_host_check(host));
    shm_unlink(ring_host_name(host));
    assert_true(ring_host_check(host));
    assert_int_equal(faults_seen[RING_FAULT_NAME], 1);
    assert_int_equal(ring_host_recreate(host, NULL, 0), VR_OK);
    assert_false(ring_host_check(host));
    snprintf(bell, sizeof bell, "%s/g14.in.bell", harness_dir);
    assert_int_equal(unlink(bell), 0);
    assert_int_equal(mkfifo(bell, 0600), 0);
    assert_true(ring_host_check(host));
    assert_int_equal(faults_seen[RING_FAULT_BELL], 1);
    assert_int_equal(ring_host_recreate(host, NULL, 0), VR_OK);
    assert_false(ring_host_check(host));
    ring_host_close(&host);
    assert_int_equal(access(bell, F_OK), -1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_impossible_heads),
        cmocka_unit_test(test_impossible_intent_and_played),
        cmocka_unit_test(test_geometry_is_not_read_again),
        cmocka_unit_test(test_reader_ignores_nonsense),
        cmocka_unit_test(test_truncation_is_survived),
        cmocka_unit_test(test_guard_passes_on_what_is_not_its_own),
        cmocka_unit_test(test_removed_names_are_noticed),
    };

    return cmocka_run_group_tests(tests, harness_up, harness_down);
}

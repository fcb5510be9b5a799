/* Producers that are broken or hostile, and doorbells that are: audio is looked
 * for by the clock, what is lost with a ring is told, and no work is without
 * bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ipc/ring_layout.h"
#include "tests/capture/mic.h"

#define HZ 16000
#define CHUNK 512
#define SECOND HZ

static struct mic mic;

static int
setup(void **state)
{
    (void)state;
    struct capture_config config = {.model_rate_hz = HZ,
                                    .connect_buffer_ms = 60000};
    mic_open(&mic, (struct vr_format){HZ, 1}, config, 40 * HZ);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    mic_close(&mic);
    return 0;
}

static struct ring_layout *
map_as_peer(int *fd)
{
    *fd = shm_open(ring_host_name(mic.ring), O_RDWR, 0);
    assert_true(*fd >= 0);
    void *pages = mmap(NULL, sizeof(struct ring_layout), PROT_READ | PROT_WRITE,
                       MAP_SHARED, *fd, 0);
    assert_ptr_not_equal(pages, MAP_FAILED);
    return pages;
}

static void
unmap_as_peer(struct ring_layout *layout, int fd)
{
    munmap(layout, sizeof *layout);
    close(fd);
}

static size_t
poll_all(void)
{
    struct capture_chunk chunk;
    size_t given = 0;
    while (capture_poll(mic.capture, mic.now_ns, &chunk))
        given++;
    mic_account(&mic);
    return given;
}

/* ---- the doorbell ---- */

static void
test_a_ring_for_nothing_is_known(void **state)
{
    (void)state;
    capture_begin(mic.capture, mic.now_ns);
    assert_false(capture_rung(mic.capture));
    poll_all();
    assert_false(capture_arm(mic.capture));
    mic_write(&mic, CHUNK - 1);
    assert_false(capture_rung(mic.capture));
    mic_write(&mic, 1);
    assert_true(capture_rung(mic.capture));
    /* Once, also if nobody polls. */
    assert_false(capture_rung(mic.capture));
    assert_int_equal(poll_all(), 1);
    assert_false(capture_arm(mic.capture));
    capture_hold(mic.capture, mic.now_ns);
    mic_write(&mic, CHUNK);
    assert_false(capture_rung(mic.capture));
}

/* Nobody ever rings: no chunk is later than two chunks. */
static void
flow_by_the_clock(unsigned most_chunks)
{
    uint64_t whole_ns = 0;
    size_t given = 0;
    capture_begin(mic.capture, mic.now_ns);
    poll_all();
    capture_arm(mic.capture);
    uint64_t due = capture_deadline_ns(mic.capture, mic.now_ns);
    for (int ms = 0; ms < 2000; ms++) {
        if (ms % 8 == 0)
            mic_write(&mic, CHUNK / 4);
        if (mic.written % CHUNK == 0 && ms % 8 == 0)
            whole_ns = mic.now_ns;
        if (mic.now_ns >= due) {
            given += poll_all();
            assert_int_equal(given, mic.written / CHUNK);
            assert_true(mic.now_ns - whole_ns <= most_chunks * MS(32));
            capture_arm(mic.capture);
            due = capture_deadline_ns(mic.capture, mic.now_ns);
        }
        mic.now_ns += MS(1);
    }
    assert_true(given >= 60);
}

static void
test_a_bell_that_is_silent(void **state)
{
    (void)state;
    flow_by_the_clock(2);
}

static void
test_a_bell_that_nobody_listens_to(void **state)
{
    (void)state;
    capture_by_clock(mic.capture, true);
    flow_by_the_clock(1);
}

static void
test_the_sentry_looks_by_the_clock_while_audio_comes(void **state)
{
    (void)state;
    capture_sentry(mic.capture, mic.now_ns);
    mic.now_ns += MS(2000);
    capture_sentry(mic.capture, mic.now_ns);
    uint64_t due = capture_deadline_ns(mic.capture, mic.now_ns);
    assert_true(due - mic.now_ns > MS(500));
    mic.now_ns = due;
    capture_sentry(mic.capture, mic.now_ns);
    mic_write(&mic, 100);
    mic.now_ns += MS(10);
    capture_sentry(mic.capture, mic.now_ns);
    due = capture_deadline_ns(mic.capture, mic.now_ns);
    assert_true(due - mic.now_ns <= MS(64));
}

/* ---- a damaged ring ---- */

static void
test_what_a_damaged_ring_held_is_lost(void **state)
{
    (void)state;
    int16_t silence[160] = {0};
    capture_begin(mic.capture, mic.now_ns);
    mic_write(&mic, CHUNK);
    assert_int_equal(poll_all(), 1);
    mic_write(&mic, 1000);
    assert_int_equal(ring_host_readable(mic.ring), 1000);
    assert_int_equal(shm_unlink(ring_host_name(mic.ring)), 0);
    assert_true(ring_host_check(mic.ring));
    assert_int_equal(capture_ring_lost(mic.capture), 1000);
    assert_int_equal(capture_ring_lost(mic.capture), 0);
    struct capture_account a = mic_account(&mic);
    assert_int_equal(a.lost, 1000);
    assert_int_equal(a.pending, CHUNK);
    assert_int_equal(mic.lost[CAPTURE_LOSS_RING], 1000);
    assert_int_equal(mic.lost[CAPTURE_LOSS_LAPPED], 0);
    /* The model gets silence meanwhile, as in any gap. */
    poll_all();
    mic.now_ns += MS(400);
    assert_int_equal(mic_poll(&mic).kind, CAPTURE_SILENCE);
    assert_int_equal(ring_host_recreate(mic.ring, NULL, 0), VR_OK);
    assert_int_equal(capture_ring_lost(mic.capture), 0);
    while (ring_host_readable(mic.ring) == 0) {
        vr_write(mic.writer, silence, 160, 0);
        poll(NULL, 0, 1);
    }
    mic.now_ns += MS(1000);
    poll_all();
    assert_int_equal(mic_account(&mic).lost, 1000);
}

/* What was sent, gated or lost before has its fate already. */
static void
test_what_had_a_fate_keeps_it(void **state)
{
    (void)state;
    struct capture_chunk chunk;
    capture_begin(mic.capture, mic.now_ns);
    mic_write(&mic, 2 * CHUNK);
    chunk = mic_poll(&mic);
    capture_chunk_sent(mic.capture, &chunk);
    poll_all();
    capture_rewind(mic.capture, 0, mic.now_ns);
    assert_int_equal(ring_host_position(mic.ring), 0);
    capture_ring_lost(mic.capture);
    struct capture_account a = mic_account(&mic);
    assert_int_equal(a.sent, CHUNK);
    assert_int_equal(a.lost, CHUNK);
    assert_int_equal(a.pending, 0);
}

static void
test_the_sentry_loses_its_preroll_with_the_ring(void **state)
{
    (void)state;
    mic_write(&mic, SECOND);
    assert_false(capture_sentry(mic.capture, mic.now_ns));
    capture_ring_lost(mic.capture);
    struct capture_account a = mic_account(&mic);
    assert_int_equal(a.pending, 0);
    assert_int_equal(a.gated + a.lost, SECOND);
    assert_false(capture_sentry(mic.capture, mic.now_ns));
    mic_account(&mic);
}

/* ---- more than anybody can say ---- */

/* A head that runs ahead as fast as it can. */
static void
test_a_head_without_end(void **state)
{
    (void)state;
    int fd;
    struct ring_layout *peer = map_as_peer(&fd);
    uint64_t head = 0;
    size_t given = 0, polls = 0;
    uint64_t begin_ns = mic.now_ns;
    capture_begin(mic.capture, mic.now_ns);
    for (int i = 0; i < 100000; i++) {
        head += 8 * CHUNK;
        atomic_store(&peer->intent, head);
        atomic_store(&peer->head, head);
        given += poll_all();
        polls += capture_arm(mic.capture);
        mic.now_ns += MS(1) / 10;
    }
    uint64_t audio_ms = (uint64_t)given * 32;
    uint64_t ms = (mic.now_ns - begin_ns) / MS(1);
    assert_true(audio_ms <= CAPTURE_FLOW_BURST_MS + ms * CAPTURE_FLOW + 64);
    /* Nor does the loop turn for nothing. */
    assert_true(polls <= (CAPTURE_FLOW_BURST_MS + ms * CAPTURE_FLOW) / 32 + 2);
    assert_true(polls < 10000);
    mic_account(&mic);
    unmap_as_peer(peer, fd);
}

/* A head that says a chunk is there, and an intent that never lets it be read.
 */
static void
test_audio_that_cannot_be_read(void **state)
{
    (void)state;
    int fd;
    struct ring_layout *peer = map_as_peer(&fd);
    uint64_t capacity = ring_host_capacity_frames(mic.ring);
    size_t polls = 0;
    uint64_t head = CHUNK;
    capture_begin(mic.capture, mic.now_ns);
    for (int i = 0; i < 100000; i++) {
        atomic_store(&peer->intent, head + capacity);
        atomic_store(&peer->head, head);
        poll_all();
        head += 2 * CHUNK;
        atomic_store(&peer->head, head);
        polls += capture_arm(mic.capture);
        mic.now_ns += MS(1) / 10;
    }
    assert_true(polls < 10000);
    mic_account(&mic);
    unmap_as_peer(peer, fd);
}

static void
test_a_sentry_that_is_shouted_at(void **state)
{
    (void)state;
    int fd;
    struct ring_layout *peer = map_as_peer(&fd);
    uint64_t head = 0, looked = 0;
    for (int i = 0; i < 10000; i++) {
        uint64_t before = ring_host_position(mic.ring);
        head += 4 * SECOND;
        atomic_store(&peer->intent, head);
        atomic_store(&peer->head, head);
        capture_sentry(mic.capture, mic.now_ns);
        looked += capture_arm(mic.capture);
        assert_true(ring_host_position(mic.ring) >= before);
        mic.now_ns += MS(1);
    }
    assert_true(looked < 10000 / 2 + 1000);
    assert_true(capture_deadline_ns(mic.capture, mic.now_ns) >= mic.now_ns);
    mic_account(&mic);
    unmap_as_peer(peer, fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_ring_for_nothing_is_known),
        TEST(test_a_bell_that_is_silent),
        TEST(test_a_bell_that_nobody_listens_to),
        TEST(test_the_sentry_looks_by_the_clock_while_audio_comes),
        TEST(test_what_a_damaged_ring_held_is_lost),
        TEST(test_what_had_a_fate_keeps_it),
        TEST(test_the_sentry_loses_its_preroll_with_the_ring),
        TEST(test_a_head_without_end),
        TEST(test_audio_that_cannot_be_read),
        TEST(test_a_sentry_that_is_shouted_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

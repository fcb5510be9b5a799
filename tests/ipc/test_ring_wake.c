/* Who waits, who is woken, and who is left in peace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/ipc/harness.h"

static int16_t samples[65536];

static bool
rung(struct ring_host *host)
{
    struct pollfd bell = {.fd = ring_host_bell_fd(host), .events = POLLIN};

    return poll(&bell, 1, 0) == 1;
}

static void
test_bell_rings_when_asked_and_enough(void **state)
{
    struct ring_host *host = harness_host("w1", VR_RING_IN, 16000, 1, 0);
    struct vr_writer *w = harness_writer("w1");

    (void)state;
    /* A new producer rings once: its predecessor may have died first. */
    assert_true(rung(host));
    ring_host_drain(host);
    assert_false(rung(host));
    assert_int_equal(vr_write(w, samples, 1000, 0), VR_OK);
    assert_false(rung(host));
    ring_host_advance(host, ring_host_readable(host));

    assert_false(ring_host_arm(host, 512));
    assert_int_equal(vr_write(w, samples, 160, 0), VR_OK);
    assert_int_equal(vr_write(w, samples, 160, 0), VR_OK);
    assert_int_equal(vr_write(w, samples, 160, 0), VR_OK);
    assert_false(rung(host));
    assert_int_equal(vr_write(w, samples, 160, 0), VR_OK);
    assert_true(rung(host));
    ring_host_drain(host);
    /* Once for each question. */
    assert_int_equal(vr_write(w, samples, 160, 0), VR_OK);
    assert_false(rung(host));
    /* Enough is there: no bell, but an answer. */
    assert_true(ring_host_arm(host, 512));
    assert_int_equal(vr_write(w, samples, 160, 0), VR_OK);
    assert_false(rung(host));
    /* Taken back. */
    assert_false(ring_host_arm(host, 2000));
    ring_host_disarm(host);
    assert_int_equal(vr_write(w, samples, 3000, 0), VR_OK);
    assert_false(rung(host));
    /* A large write crosses the mark in the middle. */
    ring_host_advance(host, ring_host_readable(host));
    assert_false(ring_host_arm(host, 100));
    assert_int_equal(vr_write(w, samples, 3000, 0), VR_OK);
    assert_true(rung(host));
    ring_host_drain(host);
    vr_writer_close(&w);
    ring_host_close(&host);
}

static void
test_bell_from_another_process(void **state)
{
    struct ring_host *host = harness_host("w2", VR_RING_IN, 16000, 1, 0);
    struct peer *mic = peer_start();
    struct pollfd bell = {.events = POLLIN};

    (void)state;
    assert_string_equal(peer_ask(mic, "writer w2 mic"), "VR_OK ");
    ring_host_drain(host);
    bell.fd = ring_host_bell_fd(host);
    for (int round = 0; round < 100; round++) {
        assert_false(ring_host_arm(host, 100));
        peer_tell(mic, "write 100");
        assert_int_equal(poll(&bell, 1, 15000), 1);
        ring_host_drain(host);
        assert_int_equal(ring_host_readable(host), 100);
        ring_host_advance(host, 100);
        assert_string_equal(peer_hear(mic), "VR_OK ");
    }
    peer_end(&mic);
    ring_host_close(&host);
}

/* Who rings without end fills a pipe, and that is all. */
static void
test_bell_rung_in_a_loop(void **state)
{
    struct ring_host *host = harness_host("w3", VR_RING_IN, 16000, 1, 0);
    struct vr_writer *w = harness_writer("w3");
    char bytes[4096] = "";

    (void)state;
    while (write(ring_host_bell_fd(host), bytes, sizeof bytes) > 0)
        continue;
    ring_host_drain(host);
    assert_true(rung(host));
    assert_false(ring_host_arm(host, 10));
    while (write(ring_host_bell_fd(host), bytes, sizeof bytes) > 0)
        continue;
    assert_int_equal(vr_write(w, samples, 10, 0), VR_OK);
    assert_int_equal(ring_host_readable(host), 10);
    vr_writer_close(&w);
    ring_host_close(&host);
}

static void
test_wait_for_frames(void **state)
{
    struct ring_host *host = harness_host("w4", VR_RING_OUT, 16000, 1, 0);
    struct peer *reader = peer_start();

    (void)state;
    assert_string_equal(peer_ask(reader, "reader w4 r 0 0"), "VR_OK ");
    assert_string_equal(peer_ask(reader, "wait 0"), "VR_TIMEOUT ");
    assert_string_equal(peer_ask(reader, "wait 20"), "VR_TIMEOUT ");
    for (int round = 0; round < 200; round++) {
        char expected[64];
        peer_tell(reader, "wait 15000");
        harness_fill(samples, ring_host_head(host), 10, 1);
        ring_host_write(host, samples, 10);
        assert_string_equal(peer_hear(reader), "VR_OK ");
        snprintf(expected, sizeof expected, "VR_OK %d 10 10 0 0 0", round * 10);
        assert_string_equal(peer_ask(reader, "read 10"), expected);
    }
    peer_end(&reader);
    ring_host_close(&host);
}

static void
test_file_is_paced_by_the_gateway(void **state)
{
    struct ring_host *host = harness_host("w5", VR_RING_IN, 16000, 1, 0);
    struct peer *file = peer_start();
    struct ring_host_span span;
    uint64_t position = 0;

    (void)state;
    assert_string_equal(peer_ask(file, "writer w5 file"), "VR_OK ");
    assert_string_equal(peer_ask(file, "space 4097 0"), "VR_INVALID ");
    for (int round = 0; round < 200; round++) {
        assert_string_equal(peer_ask(file, "space 1000 15000"), "VR_OK ");
        assert_string_equal(peer_ask(file, "write 1000"), "VR_OK ");
        while (ring_host_readable(host) > HARNESS_FRAMES - 1000) {
            size_t n = ring_host_peek(host, samples, 300, &span);
            assert_int_equal(span.lost_frames, 0);
            assert_int_equal(span.position, position);
            assert_int_equal(harness_right(samples, position, n, 1), n);
            ring_host_advance(host, n);
            position += n;
        }
    }
    /* All is read: room for the whole ring. Woken exactly at the mark. */
    peer_tell(file, "space 4096 15000");
    while (ring_host_readable(host) > 0)
        ring_host_advance(host, 100);
    assert_string_equal(peer_hear(file), "VR_OK ");
    peer_end(&file);
    ring_host_close(&host);
}

/* A reader that goes back takes the room away again; who waits for it sees
 * that, and is woken when the room is there once more. */
static void
test_a_rewind_takes_room_from_a_file(void **state)
{
    struct ring_host *host = harness_host("w7", VR_RING_IN, 16000, 1, 0);
    struct peer *file = peer_start();
    struct ring_host_span span;

    (void)state;
    assert_string_equal(peer_ask(file, "writer w7 file"), "VR_OK ");
    assert_string_equal(peer_ask(file, "write 4000"), "VR_OK ");
    ring_host_advance(host, ring_host_readable(host));
    assert_string_equal(peer_ask(file, "space 4096 0"), "VR_OK ");
    for (int round = 0; round < 50; round++) {
        uint64_t head = ring_host_head(host);

        peer_tell(file, "space 4000 15000");
        assert_int_equal(ring_host_seek(host, head - 2000), head - 2000);
        /* Woken by the room there was before, or by what is read from now on:
         * either way nothing is lost of what is read again. */
        while (ring_host_readable(host) > 0) {
            size_t n = ring_host_peek(host, samples, 300, &span);
            assert_int_equal(span.lost_frames, 0);
            assert_int_equal(harness_right(samples, span.position, n, 1), n);
            ring_host_advance(host, n);
        }
        assert_string_equal(peer_hear(file), "VR_OK ");
        assert_int_equal(ring_host_seek(host, head - 3000), head - 3000);
        assert_string_equal(peer_ask(file, "space 1097 0"), "VR_TIMEOUT ");
        peer_tell(file, "space 1097 15000");
        ring_host_advance(host, 1);
        assert_string_equal(peer_hear(file), "VR_OK ");
        assert_string_equal(peer_ask(file, "write 1097"), "VR_OK ");
        ring_host_advance(host, ring_host_readable(host));
    }
    peer_end(&file);
    ring_host_close(&host);
}

static void
test_space_is_signed_arithmetic(void **state)
{
    struct ring_host *host = harness_host("w6", VR_RING_IN, 16000, 1, 0);
    struct vr_writer *w = harness_writer("w6");
    struct ring_host_span span;

    (void)state;
    assert_int_equal(vr_space(w), HARNESS_FRAMES);
    assert_int_equal(vr_write(w, samples, 100, 0), VR_OK);
    assert_int_equal(vr_space(w), HARNESS_FRAMES - 100);
    /* A producer that does not wait laps the gateway: no room, not 2^64. */
    assert_int_equal(vr_write(w, samples, 3 * HARNESS_FRAMES, 0), VR_OK);
    assert_int_equal(vr_space(w), 0);
    assert_true(ring_host_peek(host, samples, 10, &span) > 0);
    ring_host_advance(host, ring_host_readable(host));
    assert_int_equal(vr_space(w), HARNESS_FRAMES);
    assert_int_equal(ring_host_seek(host, ring_host_head(host) - 50),
                     ring_host_head(host) - 50);
    assert_int_equal(vr_space(w), HARNESS_FRAMES - 50);
    vr_writer_close(&w);
    ring_host_close(&host);
}

static void
on_alarm(int number)
{
    (void)number;
}

struct interrupter {
    pthread_t sleeper;
    atomic_bool done;
};

static void *
interrupt(void *arg)
{
    struct interrupter *job = arg;

    while (!atomic_load(&job->done)) {
        harness_pause();
        pthread_kill(job->sleeper, SIGUSR1);
    }
    return NULL;
}

/* A signal handler of the host's is not slept over. */
static void
test_signals_end_a_wait(void **state)
{
    struct ring_host *host = harness_host("w7", VR_RING_OUT, 16000, 1, 0);
    struct vr_reader *r =
        harness_reader("w7", VR_RING_OUT, VR_OTHER, VR_START_NOW);
    struct sigaction action = {.sa_handler = on_alarm}, before;
    struct interrupter job = {.sleeper = pthread_self()};
    pthread_t other;

    (void)state;
    assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
    assert_int_equal(pthread_create(&other, NULL, interrupt, &job), 0);
    assert_int_equal(vr_wait(r, -1), VR_AGAIN);
    atomic_store(&job.done, true);
    pthread_join(other, NULL);
    sigaction(SIGUSR1, &before, NULL);
    vr_reader_close(&r);
    ring_host_close(&host);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bell_rings_when_asked_and_enough),
        cmocka_unit_test(test_bell_from_another_process),
        cmocka_unit_test(test_bell_rung_in_a_loop),
        cmocka_unit_test(test_wait_for_frames),
        cmocka_unit_test(test_file_is_paced_by_the_gateway),
        cmocka_unit_test(test_a_rewind_takes_room_from_a_file),
        cmocka_unit_test(test_space_is_signed_arithmetic),
        cmocka_unit_test(test_signals_end_a_wait),
    };

    return cmocka_run_group_tests(tests, harness_up, harness_down);
}

/* A ring that is written, read and flushed at full speed: whoever looks at it
 * finds nothing wrong, and no frame that is not of its position. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ipc/cli/ring_text.h"
#include "ipc/ring_view.h"
#include "tests/cli/hosted.h"
#include "tests/cli/program.h"

#define FRAMES 1024
#define LOOKS 3000
#define CHUNK_FRAMES 160
#define PERIOD_FRAMES 16 /* of the sine */

static int16_t sine[CHUNK_FRAMES];
static struct ring_host *rings[2];
static pthread_t thread;
static bool running;
static atomic_bool done;

static void *
be_busy(void *arg)
{
    struct vr_options options = {.runtime_dir = program_dir};
    struct vr_writer *writer;
    struct ring_host_span span;
    int16_t taken[4 * CHUNK_FRAMES];
    if (vr_writer_open(&writer, "busy", &options, NULL, 0) != VR_OK)
        return NULL;
    for (unsigned turn = 1; !atomic_load(&done); turn++) {
        if (vr_write(writer, sine, CHUNK_FRAMES, vr_now_ns()) != VR_OK)
            break;
        if (turn % 4 == 0) {
            size_t got =
                ring_host_peek(rings[0], taken, 4 * CHUNK_FRAMES, &span);
            ring_host_advance(rings[0], got);
        }
        uint64_t at = ring_host_write(rings[1], sine, CHUNK_FRAMES);
        ring_host_flush(rings[1], at, turn);
    }
    vr_writer_close(&writer);
    return arg;
}

/* Returns what the thread did. */
static void *
stop(void)
{
    void *result = NULL;
    atomic_store(&done, true);
    if (running)
        pthread_join(thread, &result);
    running = false;
    return result;
}

/* Also where a look failed and all is still at work. */
static int
end(void **state)
{
    stop();
    ring_host_close(&rings[0]);
    ring_host_close(&rings[1]);
    return hosted_end(state);
}

static void
on_wrong(void *arg, const char *what)
{
    fail_msg("look %u: %s", *(unsigned *)arg, what);
}

static size_t
check_frames(const struct ring_view *view)
{
    static int16_t samples[2 * HOSTED_RATE_HZ];
    uint64_t end;
    size_t got = ring_view_frames(view, samples, HOSTED_RATE_HZ, &end);
    for (size_t i = 0; i < got; i++)
        assert_int_equal(samples[i], sine[(end - got + i) % PERIOD_FRAMES]);
    return got;
}

/* Returns how many frames were seen. */
static size_t
look(const char *object, unsigned number)
{
    struct ring_view_name name;
    struct ring_view view;
    int64_t lag;
    assert_true(ring_view_parse(&name, object));
    assert_int_equal(ring_view_open(&view, &name), VR_OK);
    assert_int_equal(view.status, VR_OK);
    ring_text_wrong(&view, on_wrong, &number);
    assert_true(view.living);
    assert_int_equal(ring_view_readers(&view), 0);
    if (ring_view_lag(&view, &lag))
        assert_true(lag >= 0);
    size_t seen = check_frames(&view);
    ring_view_close(&view);
    return seen;
}

static void
test_a_busy_ring_is_seen_whole(void **state)
{
    (void)state;
    rings[0] = hosted_ring("busy", VR_RING_IN, FRAMES);
    rings[1] = hosted_ring("busy", VR_RING_OUT, FRAMES);
    hosted_sine(sine, CHUNK_FRAMES);
    assert_int_equal(pthread_create(&thread, NULL, be_busy, &done), 0);
    running = true;
    for (unsigned i = 0; i < LOOKS; i++)
        look(hosted_name("busy", i % 2 ? VR_RING_IN : VR_RING_OUT), i);
    assert_non_null(stop());
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(
            look(hosted_name("busy", i ? VR_RING_IN : VR_RING_OUT), i), FRAMES);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_a_busy_ring_is_seen_whole, end),
    };
    return cmocka_run_group_tests(tests, program_up, program_down);
}

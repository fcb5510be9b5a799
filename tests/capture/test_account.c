/* Random schedules: whatever happens, every frame has one fate, and what
 * reaches the model is what was said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/capture/gate.h"
#include "tests/capture/mic.h"

#define FRAMES_MAX 4000000
#define FLIGHT_MAX 64

static struct mic mic;
static bool *closed; /* for each frame: written while nobody was to listen */
static bool gate_now, mute_now;
static uint64_t expected; /* the frame that must come next, if none is lost */
static struct capture_chunk flight[FLIGHT_MAX];
static size_t flying;
static bool exact; /* samples are frames */
static uint64_t inserted;
static uint64_t lost_seen[2]; /* when the last two chunks were given */
static uint64_t checked;

/* A small generator of our own, so that a failure can be repeated. */
static uint32_t seed;

static uint32_t
next(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static void
write_some(size_t frames)
{
    if (mic.written + frames > FRAMES_MAX)
        return;
    memset(closed + mic.written, gate_now || mute_now, frames);
    mic_write(&mic, frames);
}

static void
check_samples(const struct capture_chunk *chunk)
{
    uint64_t frames = chunk->to_frame - chunk->from_frame;
    for (size_t i = 0; i < frames; i++) {
        uint64_t frame = chunk->from_frame + i;
        int16_t want = closed[frame] ? 0 : mic_sample(frame);
        if (chunk->samples[i] != want)
            fail_msg("frame %lu is %d, not %d", frame, chunk->samples[i], want);
    }
    if (chunk->inserted_count)
        assert_int_equal(chunk->inserted_at, frames);
}

/* What the resampler looks ahead at belongs to the chunk that follows, so a
 * loss may show in either. */
static bool
nothing_lost_lately(void)
{
    uint64_t lost = mic.lost[0] + mic.lost[1] + mic.lost[2];
    bool none = lost == lost_seen[0] && lost == lost_seen[1];
    lost_seen[1] = lost_seen[0];
    lost_seen[0] = lost;
    return none;
}

static void
check_chunk(const struct capture_chunk *chunk)
{
    inserted += chunk->inserted_count;
    if (chunk->from_frame == chunk->to_frame)
        return;
    uint64_t gated = 0;
    for (uint64_t f = chunk->from_frame; f < chunk->to_frame; f++)
        gated += closed[f];
    if (nothing_lost_lately()) {
        assert_int_equal(chunk->from_frame, expected);
        assert_int_equal(chunk->gated_frames, gated);
        assert_int_equal(chunk->sent_frames + gated,
                         chunk->to_frame - chunk->from_frame);
        if (exact)
            check_samples(chunk);
        checked++;
    }
    expected = chunk->to_frame;
}

static void
poll_some(void)
{
    struct capture_chunk chunk;
    for (uint32_t n = next(40); n > 0 && flying < FLIGHT_MAX; n--) {
        if (!capture_poll(mic.capture, mic.now_ns, &chunk))
            break;
        check_chunk(&chunk);
        flight[flying++] = chunk;
        mic_balance(&mic);
    }
}

static void
send_some(void)
{
    size_t n = flying ? next((uint32_t)flying + 1) : 0;
    if (n == 0)
        return;
    capture_chunk_sent(mic.capture, &flight[n - 1]);
    flying -= n;
    memmove(flight, flight + n, flying * sizeof *flight);
}

static void
step(void)
{
    switch (next(16)) {
    case 0:
        mic.now_ns += MS(next(700));
        break;
    case 1:
        gate_now = !gate_now;
        capture_gate(mic.capture, gate_now);
        break;
    case 2:
        mute_now = next(4) == 0;
        capture_mute(mic.capture, mute_now);
        break;
    case 3:
        if (next(8) == 0) {
            capture_hold(mic.capture, mic.now_ns);
            capture_chunks_dropped(mic.capture);
            flying = 0;
        }
        break;
    case 4:
        capture_begin(mic.capture, mic.now_ns);
        break;
    case 5:
        if (next(30) == 0)
            write_some(300000 + next(300000));
        break;
    case 6:
    case 7:
    case 8:
        send_some();
        break;
    case 9:
    case 10:
    case 11:
        write_some(next(3000));
        mic.now_ns += MS(next(40));
        break;
    default:
        poll_some();
        mic.now_ns += MS(next(20));
    }
    mic_balance(&mic);
}

static void
finish(void)
{
    struct capture_chunk chunk;
    struct capture_account account;
    capture_begin(mic.capture, mic.now_ns);
    while (capture_drain(mic.capture, mic.now_ns, &chunk)) {
        inserted += chunk.inserted_count;
        capture_chunk_sent(mic.capture, &chunk);
        mic_balance(&mic);
    }
    capture_chunks_dropped(mic.capture);
    capture_account(mic.capture, &account);
    assert_int_equal(account.pending, 0);
    assert_int_equal(account.inserted_samples, inserted);
    assert_int_equal(account.resent, 0);
    assert_int_equal(account.lost, mic.lost[0] + mic.lost[1] + mic.lost[2]);
    assert_true(account.sent > 0 && account.gated > 0 && checked > 500);
    mic_balance(&mic);
}

static void
run(struct vr_format format, uint32_t model_rate_hz, uint32_t first_seed)
{
    struct capture_config config = {.model_rate_hz = model_rate_hz,
                                    .connect_buffer_ms = 5000,
                                    .chunk_ms = 20};
    for (seed = first_seed; seed < first_seed + 6; seed++) {
        uint32_t this_seed = seed;
        mic_open(&mic, format, config, 0);
        expected = inserted = checked = 0;
        lost_seen[0] = lost_seen[1] = 0;
        flying = 0;
        gate_now = mute_now = false;
        exact = format.rate_hz == model_rate_hz;
        capture_begin(mic.capture, mic.now_ns);
        for (int i = 0; i < 2000; i++)
            step();
        finish();
        mic_close(&mic);
        seed = this_seed;
    }
}

static void
test_mono_as_it_is(void **state)
{
    (void)state;
    run((struct vr_format){16000, 1}, 16000, 1);
}

static void
test_stereo_mixed(void **state)
{
    (void)state;
    run((struct vr_format){24000, 2}, 24000, 100);
}

static void
test_stereo_resampled(void **state)
{
    (void)state;
    run((struct vr_format){48000, 2}, 16000, 200);
}

static void
test_mono_upsampled(void **state)
{
    (void)state;
    run((struct vr_format){8000, 1}, 24000, 300);
}

/* ---- the gate by itself ---- */

static void
test_gate_edges(void **state)
{
    (void)state;
    struct gate gate = {0};
    gate_set(&gate, true, 100);
    gate_set(&gate, true, 150);
    gate_set(&gate, false, 200);
    gate_set(&gate, true, 300);
    gate_set(&gate, false, 300);
    assert_false(gate_at(&gate, 0));
    assert_int_equal(gate_run(&gate, 0, 500), 100);
    assert_int_equal(gate_run(&gate, 60, 10), 10);
    assert_true(gate_at(&gate, 100));
    assert_int_equal(gate_run(&gate, 100, 500), 100);
    assert_false(gate_at(&gate, 250));
    assert_int_equal(gate_run(&gate, 250, 500), 500);
}

/* Too many changes may silence what could be heard, never the reverse. */
static void
test_gate_overflow_is_on_the_quiet_side(void **state)
{
    (void)state;
    for (seed = 1; seed < 300; seed++) {
        struct gate gate = {0};
        bool truth[2000] = {false}, now = false;
        uint64_t reader = 0;
        for (uint64_t at = 0; at < 2000; at++) {
            if (next(20) == 0) {
                now = !now;
                gate_set(&gate, now, at);
            }
            truth[at] = now;
            for (uint32_t n = at % 500 == 499 ? 400 : 0; n > 0; n--, reader++)
                assert_true(gate_at(&gate, reader) || !truth[reader]);
        }
        assert_true(gate.count <= GATE_EDGES_MAX);
        for (; reader < 2000; reader++)
            assert_true(gate_at(&gate, reader) || !truth[reader]);
        assert_int_equal(gate_at(&gate, 2000), now);
    }
}

static int
setup_all(void **state)
{
    (void)state;
    closed = calloc(FRAMES_MAX, sizeof *closed);
    return closed ? 0 : -1;
}

static int
teardown_all(void **state)
{
    (void)state;
    free(closed);
    return 0;
}

/* Also after a failure. */
static int
close_mic(void **state)
{
    (void)state;
    mic_close(&mic);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_mono_as_it_is, close_mic),
        cmocka_unit_test_teardown(test_stereo_mixed, close_mic),
        cmocka_unit_test_teardown(test_stereo_resampled, close_mic),
        cmocka_unit_test_teardown(test_mono_upsampled, close_mic),
        cmocka_unit_test(test_gate_edges),
        cmocka_unit_test(test_gate_overflow_is_on_the_quiet_side),
    };
    return cmocka_run_group_tests(tests, setup_all, teardown_all);
}

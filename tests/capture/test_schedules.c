/* Random schedules with going back, losses, gates and the sentry, beside a
 * model that keeps a fate for each frame and knows which frame must come next.
 * After each step the account is the model's, and each sample given is the one
 * of the frame that the model says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/capture/capture_state.h"
#include "tests/capture/mic.h"

#define FRAMES_MAX 6000000
#define FLIGHT_MAX 64
#define STEPS 3000

enum model_fate { PENDING, SENT, GATED, LOST, FATES };

static struct mic mic;

/* For each frame. */
static uint8_t *fate;
static bool *closed;  /* written while nobody was to listen */
static bool *skipped; /* passed over since the last rewind */

static uint64_t counts[FATES], resent;
static uint64_t position, seen; /* of the ring; looked at */
static uint64_t cursor;         /* all before are in chunks given */
static uint64_t pending_from;   /* none before is pending */
static bool watching, gate_now, mute_now, exact;
static uint64_t chunks_checked, rewinds, laps;

struct flight {
    struct capture_chunk chunk;
    uint64_t again;
};
static struct flight flight[FLIGHT_MAX];
static size_t flying;

/* A small generator of our own, so that a failure can be repeated. */
static uint32_t seed;

static uint32_t
next(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

/* ---- the model ---- */

static void
decide(uint64_t frame, enum model_fate what)
{
    counts[fate[frame]]--;
    counts[what]++;
    fate[frame] = (uint8_t)what;
}

/* All that is pending in [from, to) becomes something else. */
static void
decide_span(uint64_t from, uint64_t to, enum model_fate what)
{
    for (uint64_t f = from > pending_from ? from : pending_from; f < to; f++)
        if (fate[f] == PENDING)
            decide(f, what);
    while (pending_from < mic.written && fate[pending_from] != PENDING)
        pending_from++;
}

static uint64_t
oldest(void)
{
    uint64_t capacity = ring_host_capacity_frames(mic.ring);
    return mic.written > capacity ? mic.written - capacity : 0;
}

/* Where a reader that was lapped goes on, see ipc/ring_cursor.h. */
static uint64_t
after_lap(void)
{
    uint64_t margin = mic.format.rate_hz / 10;
    uint64_t most = ring_host_capacity_frames(mic.ring) / 16;
    return oldest() + (margin < most ? margin : most);
}

static uint64_t
past_lost(uint64_t frame)
{
    while (frame < seen && fate[frame] == LOST)
        frame++;
    return frame;
}

static void
pass_over(uint64_t from, uint64_t to)
{
    if (from < to)
        memset(skipped + from, true, to - from);
}

/* Frames up to `to` have been read by now. */
static void
model_read(uint64_t to)
{
    uint64_t from = past_lost(position);
    if (to > position && from < oldest()) {
        from = after_lap();
        laps++;
        decide_span(position, from, LOST);
        pass_over(position, from);
    }
    for (uint64_t f = from > seen ? from : seen; f < to; f++)
        if (closed[f])
            decide(f, GATED);
    seen = to > seen ? to : seen;
    position = to;
}

static void
model_hold(void)
{
    uint64_t keep = mic.capture->keep_frames;
    watching = false;
    if (mic.written - position <= keep)
        return;
    uint64_t to = mic.written - keep;
    to = to > oldest() ? to : oldest();
    decide_span(position, to, LOST);
    pass_over(position, to);
    seen = to > seen ? to : seen;
    position = past_lost(to);
}

static uint64_t
model_next(void)
{
    while (cursor < position && (skipped[cursor] || fate[cursor] == LOST))
        cursor++;
    return cursor;
}

static uint64_t
model_rewind(uint64_t frame)
{
    uint64_t was = position, upto = capture_next_frame(mic.capture);
    uint64_t to = frame < upto ? frame : upto;
    if (to < mic.capture->fates.floor)
        to = mic.capture->fates.floor;
    to = to > oldest() ? to : oldest();
    decide_span(pending_from, to < was ? to : was, LOST);
    decide_span(was, to, LOST);
    memset(skipped, false, mic.written);
    seen = to > seen ? to : seen;
    cursor = position = past_lost(to);
    flying = 0;
    watching = false;
    return position;
}

/* What was listened to is given up but for the newest. */
static void
model_give_up(void)
{
    uint64_t keep = mic.capture->preroll_frames + mic.capture->notice_frames;
    uint64_t to = seen > keep ? seen - keep : 0;
    if (to <= position)
        return;
    decide_span(position, to, GATED);
    position = to;
}

static void
model_sentry(void)
{
    if (!watching)
        decide_span(cursor, position, GATED);
    watching = true;
    model_give_up();
    if (seen < mic.written && seen < oldest()) {
        laps++;
        decide_span(position, after_lap(), LOST);
        position = seen = after_lap();
    }
    for (uint64_t f = seen; f < mic.written; f++)
        if (closed[f])
            decide(f, GATED);
    seen = mic.written;
    model_give_up();
    cursor = position;
}

/* ---- against it ---- */

static void
check_account(void)
{
    struct capture_account a;
    capture_account(mic.capture, &a);
    assert_int_equal(ring_host_position(mic.ring), position);
    assert_int_equal(a.produced, mic.written);
    assert_int_equal(a.sent, counts[SENT]);
    assert_int_equal(a.gated, counts[GATED]);
    assert_int_equal(a.lost, counts[LOST]);
    assert_int_equal(a.pending, counts[PENDING]);
    assert_int_equal(a.resent, resent);
    assert_int_equal(a.lost,
                     mic.lost[0] + mic.lost[1] + mic.lost[2] + mic.lost[3]);
    assert_true(capture_account_balances(&a));
}

static void
check_sample(const struct capture_chunk *chunk, size_t at, uint64_t frame)
{
    int16_t want = fate[frame] == GATED ? 0 : mic_sample(frame);
    if (exact && chunk->samples[at] != want)
        fail_msg("frame %lu is %d, not %d", frame, chunk->samples[at], want);
}

/* Returns how many of its frames were sent before. */
static uint64_t
check_chunk(const struct capture_chunk *chunk)
{
    uint64_t again = 0, gated = 0;
    size_t at = 0;
    if (chunk->from_frame == chunk->to_frame)
        return 0;
    assert_int_equal(chunk->from_frame, model_next());
    for (uint64_t f = chunk->from_frame; f < chunk->to_frame; f++) {
        if (skipped[f] || fate[f] == LOST)
            continue;
        again += fate[f] == SENT;
        gated += fate[f] == GATED;
        assert_true(!closed[f] || fate[f] == GATED);
        check_sample(chunk, at++, f);
    }
    assert_int_equal(chunk->resent_frames, again);
    assert_int_equal(chunk->gated_frames, gated);
    assert_int_equal(chunk->sent_frames, at - gated);
    if (exact)
        assert_int_equal(chunk->count - chunk->inserted_count, at);
    cursor = chunk->to_frame;
    chunks_checked++;
    return again;
}

static bool
take_chunk(bool drain)
{
    struct capture_chunk chunk;
    bool given = drain ? capture_drain(mic.capture, mic.now_ns, &chunk)
                       : capture_poll(mic.capture, mic.now_ns, &chunk);
    model_read(ring_host_position(mic.ring));
    if (given)
        flight[flying++] = (struct flight){chunk, check_chunk(&chunk)};
    check_account();
    return given;
}

static void
poll_some(void)
{
    for (uint32_t n = next(40); n > 0 && flying < FLIGHT_MAX; n--)
        if (!take_chunk(false))
            return;
}

/* The first n chunks were handed to TLS. */
static void
send_first(size_t n)
{
    if (n == 0)
        return;
    capture_chunk_sent(mic.capture, &flight[n - 1].chunk);
    for (size_t i = 0; i < n; i++) {
        decide_span(flight[i].chunk.from_frame, flight[i].chunk.to_frame, SENT);
        resent += flight[i].again;
    }
    flying -= n;
    memmove(flight, flight + n, flying * sizeof *flight);
}

static void
drop(void)
{
    for (size_t i = 0; i < flying; i++)
        decide_span(flight[i].chunk.from_frame, flight[i].chunk.to_frame, LOST);
    capture_chunks_dropped(mic.capture);
    flying = 0;
}

static void
go_back(void)
{
    uint64_t to = next(12) == 0 ? UINT64_MAX : 0;
    uint64_t far = next(3) ? next(20000) : next(400000);
    if (to == 0 && position > far)
        to = position - far;
    struct capture_chunk stale = {0};
    if (flying)
        stale = flight[flying - 1].chunk;
    if (next(3) == 0)
        to = capture_unsent_frame(mic.capture);
    bool harmless = to == capture_unsent_frame(mic.capture) && to >= oldest();
    uint64_t lost = counts[LOST];
    uint64_t want = model_rewind(to);
    if (harmless)
        assert_int_equal(counts[LOST], lost);
    assert_int_equal(capture_rewind(mic.capture, to, mic.now_ns), want);
    assert_int_equal(capture_next_frame(mic.capture), want);
    capture_chunk_sent(mic.capture, &stale);
    rewinds++;
}

static void
write_some(size_t frames)
{
    if (mic.written + frames > FRAMES_MAX)
        return;
    memset(closed + mic.written, gate_now || mute_now, frames);
    counts[PENDING] += frames;
    mic_write(&mic, frames);
    /* No faster than capture takes it, whatever is gone back to. */
    mic.now_ns += frames * MS(1000) / mic.format.rate_hz * 4 / CAPTURE_FLOW;
}

static void
hold_or_begin(void)
{
    model_hold();
    if (next(3) == 0)
        capture_hold(mic.capture, mic.now_ns);
    else
        capture_begin(mic.capture, mic.now_ns);
}

static void
listen_or_not(void)
{
    if (next(3)) {
        gate_now = !gate_now;
        capture_gate(mic.capture, gate_now);
    } else {
        mute_now = !mute_now;
        capture_mute(mic.capture, mute_now);
    }
}

static void
rare_step(void)
{
    switch (next(7)) {
    case 0:
        drop();
        break;
    case 1:
    case 2:
        go_back();
        break;
    case 3:
        capture_keep(mic.capture, next(2) ? 5000 : 9000);
        break;
    case 4:
        if (next(4) == 0)
            write_some(150000 + next(300000));
        break;
    case 5:
        model_sentry();
        assert_false(capture_sentry(mic.capture, mic.now_ns));
        break;
    default:
        mic.now_ns += MS(next(700));
    }
}

static void
step(void)
{
    switch (next(14)) {
    case 0:
    case 1:
        rare_step();
        break;
    case 2:
        listen_or_not();
        break;
    case 3:
    case 4:
        hold_or_begin();
        break;
    case 5:
    case 6:
        send_first(flying ? next((uint32_t)flying + 1) : 0);
        break;
    case 7:
    case 8:
    case 9:
        write_some(next(3000));
        mic.now_ns += MS(next(40));
        break;
    default:
        poll_some();
        mic.now_ns += MS(next(20));
    }
    check_account();
}

static void
finish(void)
{
    struct capture_account account;
    model_hold();
    capture_begin(mic.capture, mic.now_ns);
    for (send_first(flying); take_chunk(true);)
        send_first(flying);
    check_account();
    capture_account(mic.capture, &account);
    assert_int_equal(account.pending, 0);
}

static void
run_once(struct vr_format format, uint32_t model_rate_hz)
{
    struct capture_config config = {.model_rate_hz = model_rate_hz,
                                    .connect_buffer_ms = 5000,
                                    .chunk_ms = 20};
    mic_open(&mic, format, config, 0);
    memset(fate, PENDING, FRAMES_MAX);
    memset(skipped, false, FRAMES_MAX);
    memset(counts, 0, sizeof counts);
    resent = position = seen = cursor = pending_from = 0;
    flying = 0;
    watching = gate_now = mute_now = false;
    exact = format.rate_hz == model_rate_hz;
    for (int i = 0; i < STEPS; i++)
        step();
    finish();
    mic_close(&mic);
}

static void
run(struct vr_format format, uint32_t model_rate_hz, uint32_t first_seed)
{
    chunks_checked = rewinds = laps = 0;
    uint64_t all_resent = 0;
    for (uint32_t i = 0; i < 6; i++) {
        seed = first_seed + i;
        run_once(format, model_rate_hz);
        all_resent += resent;
    }
    assert_true(chunks_checked > 3000 && rewinds > 50 && laps > 0);
    assert_true(all_resent > 20000);
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

static int
setup_all(void **state)
{
    (void)state;
    fate = calloc(FRAMES_MAX, sizeof *fate);
    closed = calloc(FRAMES_MAX, sizeof *closed);
    skipped = calloc(FRAMES_MAX, sizeof *skipped);
    return fate && closed && skipped ? 0 : -1;
}

static int
teardown_all(void **state)
{
    (void)state;
    free(fate);
    free(closed);
    free(skipped);
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
    };
    return cmocka_run_group_tests(tests, setup_all, teardown_all);
}

#include <stdlib.h>
#include <string.h>

#include "gateway/playback/response.h"

#define QUEUE_LIMIT_MS_DEFAULT 120000

static bool
allocate(struct playback *p)
{
    p->resampler = resampler_new(p->model_rate_hz, p->format.rate_hz);
    if (!p->resampler)
        return false;
    p->latency_samples = resampler_latency_frames(p->resampler);
    p->converted = malloc(resampler_bound(p->resampler, BLOCK_FRAMES) *
                          sizeof *p->converted);
    return p->converted != NULL;
}

struct playback *
playback_new(const struct playback_config *config,
             const struct playback_ops *ops, void *arg)
{
    uint32_t hz = config->model_rate_hz;
    uint32_t limit_ms = config->queue_limit_ms ? config->queue_limit_ms
                                               : QUEUE_LIMIT_MS_DEFAULT;
    struct playback *p = calloc(1, sizeof *p);
    if (!p || (hz != 8000 && hz != 16000 && hz != 24000)) {
        free(p);
        return NULL;
    }
    p->ring = config->ring;
    p->ops = *ops;
    p->arg = arg;
    p->format = ring_host_format(p->ring);
    p->model_rate_hz = hz;
    p->inside = NOBODY;
    p->loss.epoch = ring_host_epoch(p->ring);
    queue_init(&p->queue, (uint64_t)limit_ms * (p->format.rate_hz / 1000));
    listener_init(&p->listener, p->ring);
    if (!allocate(p))
        playback_free(&p);
    return p;
}

void
playback_free(struct playback **playback)
{
    struct playback *p = *playback;
    if (!p)
        return;
    queue_fini(&p->queue);
    resampler_free(&p->resampler);
    free(p->converted);
    free(p);
    *playback = NULL;
}

/* ---- audio comes ---- */

static void
write_stereo(struct playback *p, const int16_t *frames, size_t count)
{
    while (count > 0) {
        size_t n = count < BLOCK_FRAMES ? count : BLOCK_FRAMES;
        for (size_t i = 0; i < n; i++)
            p->stereo[2 * i] = p->stereo[2 * i + 1] = frames[i];
        ring_host_write(p->ring, p->stereo, n);
        frames += n;
        count -= n;
    }
}

static void
write_ring(struct playback *p, struct response *r, const int16_t *frames,
           size_t count)
{
    if (count == 0)
        return;
    uint64_t at = ring_host_head(p->ring);
    if (p->format.channels == 2)
        write_stereo(p, frames, count);
    else
        ring_host_write(p->ring, frames, count);
    if (r->written == 0)
        r->span.from_frame = at;
    r->span.to_frame = at + count;
    r->written += count;
}

static void
drain_queue(struct playback *p)
{
    const int16_t *frames;
    unsigned owner;
    size_t count;
    while ((count = queue_front(&p->queue, SIZE_MAX, &frames, &owner)) > 0) {
        count = loss_room(p, count);
        if (count == 0)
            return;
        p->overflowing = false;
        p->responses[owner].queued -= count;
        write_ring(p, &p->responses[owner], frames, count);
        queue_pop(&p->queue, count);
    }
}

static void
overflow(struct playback *p, struct response *r, size_t lost)
{
    p->lost += lost;
    r->dropped += lost;
    if (p->overflowing)
        return;
    p->overflowing = true;
    response_tell(p, r, r->span, p->ops.on_overflow);
}

/* Frames at the ring's rate: into the ring, the queue, or nowhere. */
static void
put(struct playback *p, struct response *r, const int16_t *frames, size_t count)
{
    p->received += count;
    r->received += count;
    size_t now = p->queue.frames == 0 ? loss_room(p, count) : 0;
    write_ring(p, r, frames, now);
    if (now == count)
        return;
    unsigned owner = (unsigned)(r - p->responses);
    size_t later = queue_push(&p->queue, owner, frames + now, count - now);
    r->queued += later;
    if (now + later < count)
        overflow(p, r, count - now - later);
}

static void
convert(struct playback *p, struct response *r, const int16_t *samples,
        size_t count)
{
    while (count > 0) {
        size_t n = count < BLOCK_FRAMES ? count : BLOCK_FRAMES;
        size_t frames = resampler_run(p->resampler, samples, n, p->converted);
        put(p, r, p->converted, frames);
        samples = samples ? samples + n : NULL;
        count -= n;
    }
}

/* What the resampler holds back belongs to the response that it came from. */
static void
release(struct playback *p)
{
    if (p->inside == NOBODY)
        return;
    convert(p, &p->responses[p->inside], NULL, p->latency_samples);
    resampler_reset(p->resampler);
    p->inside = NOBODY;
}

/* Audio of an interrupted response: counted, with no sample lost to rounding.
 */
static void
void_late(struct playback *p, struct response *r, size_t count)
{
    uint64_t parts = r->late_part + (uint64_t)count * p->format.rate_hz;
    uint64_t frames = parts / p->model_rate_hz;
    r->late_part = parts % p->model_rate_hz;
    r->received += frames;
    p->received += frames;
    p->flushed += frames;
}

/* The response, if it can be remembered; all others are at their end. */
static struct response *
enter(struct playback *p, uint64_t id, uint64_t turn_id)
{
    struct response *r = response_find(p, id);
    if (r && (r->interrupted || p->inside == r - p->responses))
        return r;
    release(p);
    for (unsigned i = 0; i < RESPONSES_MAX; i++)
        p->responses[i].ended = true;
    if (!r)
        return response_add(p, id, turn_id);
    r->ended = false;
    if (r->over)
        r->started = r->over = false;
    return r;
}

void
playback_write(struct playback *p, uint64_t response_id, uint64_t turn_id,
               const int16_t *samples, size_t count, uint64_t now_ns)
{
    loss_update(p, now_ns);
    drain_queue(p);
    struct response *r = enter(p, response_id, turn_id);
    if (!r) {
        uint64_t frames =
            (uint64_t)count * p->format.rate_hz / p->model_rate_hz;
        p->received += frames;
        p->lost += frames;
    } else if (r->interrupted) {
        void_late(p, r, count);
    } else {
        p->inside = (unsigned)(r - p->responses);
        convert(p, r, samples, count);
    }
    response_tell_progress(p);
}

static void
end_one(struct playback *p, struct response *r)
{
    if (p->inside == r - p->responses)
        release(p);
    r->ended = true;
}

void
playback_end(struct playback *p, uint64_t response_id, uint64_t now_ns)
{
    struct response *r = response_find(p, response_id);
    loss_update(p, now_ns);
    drain_queue(p);
    if (r)
        end_one(p, r);
    response_tell_progress(p);
}

void
playback_end_all(struct playback *p, uint64_t now_ns)
{
    loss_update(p, now_ns);
    drain_queue(p);
    for (unsigned i = 0; i < RESPONSES_MAX; i++)
        if (p->responses[i].used)
            end_one(p, &p->responses[i]);
    response_tell_progress(p);
}

/* ---- interruption ---- */

/* Older audio that is still unheard goes with it: it lies before. */
static void
flush_older(struct playback *p, const struct response *younger)
{
    for (unsigned i = 0; i < RESPONSES_MAX; i++) {
        struct response *r = &p->responses[i];
        if (!r->used || r == younger || r->over || r->written == 0 ||
            r->span.to_frame <= p->listener.position ||
            r->span.to_frame > younger->span.to_frame)
            continue;
        response_fix(p, r);
        response_tell(p, r, r->span, p->ops.on_flushed);
    }
}

/* Makes the response's audio in the ring void; returns how many frames. By
 * estimate all may have been heard and still lie in a sound card: then readers
 * are told as well. */
static uint64_t
flush_ring(struct playback *p, const struct response *r, uint64_t now_ns)
{
    uint64_t before = p->listener.flushed_frames;
    uint64_t to = r->span.to_frame;
    if (r->written == 0 ||
        (to <= p->listener.position && !p->listener.estimated))
        return 0;
    flush_older(p, r);
    ring_host_flush(p->ring, to, r->turn_id);
    listener_flush(&p->listener, to, now_ns);
    return p->listener.flushed_frames - before;
}

static void
cut_short(struct playback *p, struct response *r, uint64_t now_ns,
          struct playback_cut *cut)
{
    unsigned owner = (unsigned)(r - p->responses);
    struct playback_span span = {p->listener.position, r->span.to_frame};
    bool had_audio = r->received > 0 && !r->over;
    if (p->inside == owner) {
        resampler_reset(p->resampler);
        p->inside = NOBODY;
    }
    if (!r->over)
        response_fix(p, r);
    r->interrupted = r->ended = true;
    uint64_t unheard = queue_remove(&p->queue, owner);
    r->queued = 0;
    p->flushed += unheard;
    cut->flushed_frames = unheard + flush_ring(p, r, now_ns);
    if (span.from_frame < r->span.from_frame)
        span.from_frame = r->span.from_frame;
    if (span.from_frame > span.to_frame)
        span.from_frame = span.to_frame;
    if (had_audio)
        response_tell(p, r, span, p->ops.on_flushed);
}

void
playback_interrupt(struct playback *p, uint64_t response_id, uint64_t now_ns,
                   struct playback_cut *cut)
{
    struct response *r = response_find(p, response_id);
    memset(cut, 0, sizeof *cut);
    /* Who has died since the last look is no witness of what was heard. */
    listener_look_again(&p->listener);
    loss_update(p, now_ns);
    if (!r)
        r = response_add(p, response_id, 0);
    if (r && !r->interrupted)
        cut_short(p, r, now_ns, cut);
    if (r) {
        cut->heard_ms = response_milliseconds(p, r->heard_frames);
        cut->estimated = r->heard_estimated;
        cut->flush_to = r->written ? r->span.to_frame : 0;
    }
    drain_queue(p);
    response_tell_progress(p);
}

void
playback_tick(struct playback *p, uint64_t now_ns)
{
    loss_update(p, now_ns);
    drain_queue(p);
    response_tell_progress(p);
}

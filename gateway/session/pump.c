/* Audio from the input ring to the stream, chunk by chunk, and the news of
 * what has left for the account. Nothing here allocates or blocks. */
#include <string.h>

#include "gateway/clock.h"
#include "gateway/session/self.h"

/* What waits for a clip to be said: every input ring has room for so much. */
#define CLIP_KEEP_MS 10000u

/* One session's turn of the loop; the others wait meanwhile. */
#define CHUNKS_PER_TURN 16u

static bool
takes_audio(const struct session *s)
{
    return s->leg.link &&
           (s->state == SESSION_starting || s->state == SESSION_streaming);
}

static void
note_leaving(struct session *s, const struct capture_chunk *chunk,
             uint64_t leaves_at)
{
    size_t at = (s->leaving_first + s->leaving_count++) % SESSION_LEAVING;
    s->leaving[at] = (struct leaving_chunk){leaves_at, *chunk};
}

/* A chunk that was polled is the session's: it waits here for the network. */
static void
hold(struct session *s, const struct capture_chunk *chunk)
{
    if (chunk->samples != s->held_samples)
        memcpy(s->held_samples, chunk->samples,
               chunk->count * sizeof *chunk->samples);
    s->held = *chunk;
    s->held.samples = s->held_samples;
    s->holding = true;
}

static bool
send_chunk(struct session *s, const struct capture_chunk *chunk)
{
    uint64_t leaves_at;
    s->holding = false;
    if (s->leaving_count < SESSION_LEAVING &&
        link_send_audio(s->leg.link, chunk->samples, chunk->count,
                        &leaves_at) == VR_OK) {
        note_leaving(s, chunk, leaves_at);
        s->leg.chunks++;
        return true;
    }
    hold(s, chunk);
    return false;
}

void
pump_begin(struct session *s, uint64_t now_ns)
{
    uint32_t keep_ms = s->settings->outage_buffer_s * 1000;
    if (trigger_active(s)) {
        capture_keep(s->capture,
                     keep_ms < CLIP_KEEP_MS ? CLIP_KEEP_MS : keep_ms);
        capture_hold(s->capture, now_ns);
        return;
    }
    capture_begin(s->capture, now_ns);
    if (s->state == SESSION_streaming)
        capture_keep(s->capture, s->settings->connect_buffer_ms);
}

void
pump_audio(struct session *s, uint64_t now_ns)
{
    struct capture_chunk chunk;
    unsigned given = 0;
    if (!takes_audio(s) || (s->holding && !send_chunk(s, &s->held)))
        return;
    while (given < CHUNKS_PER_TURN &&
           capture_poll(s->capture, now_ns, &chunk)) {
        if (!send_chunk(s, &chunk))
            return;
        given++;
    }
    s->poll_again = given == CHUNKS_PER_TURN || capture_arm(s->capture);
}

void
pump_settle(struct session *s, uint64_t now_ns)
{
    if (!s->leg.link)
        return;
    uint64_t sent_bytes = link_sent_bytes(s->leg.link);
    while (s->leaving_count &&
           s->leaving[s->leaving_first].leaves_at <= sent_bytes) {
        const struct capture_chunk *c = &s->leaving[s->leaving_first].chunk;
        capture_chunk_sent(s->capture, c);
        if (c->captured_ns && c->captured_ns <= now_ns)
            latency_add(&s->mic_to_wire, now_ns - c->captured_ns);
        s->leaving_first = (s->leaving_first + 1) % SESSION_LEAVING;
        s->leaving_count--;
    }
}

bool
pump_drain(struct session *s)
{
    struct capture_chunk chunk;
    if (!s->leg.begun)
        return true;
    if (s->holding && !send_chunk(s, &s->held))
        return false;
    while (capture_drain(s->capture, clock_mono_ns(), &chunk)) {
        if (!send_chunk(s, &chunk))
            return false;
    }
    return true;
}

void
pump_leave_behind(struct session *s)
{
    for (; s->leg.link && s->leaving_count; s->leaving_count--) {
        capture_chunk_sent(s->capture, &s->leaving[s->leaving_first].chunk);
        s->leaving_first = (s->leaving_first + 1) % SESSION_LEAVING;
    }
}

void
pump_clear(struct session *s)
{
    s->leaving_first = 0;
    s->leaving_count = 0;
    s->holding = false;
    s->poll_again = false;
}

void
pump_forget(struct session *s)
{
    pump_clear(s);
    capture_chunks_dropped(s->capture);
}

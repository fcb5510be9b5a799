#include "gateway/bedrock/stream_self.h"

#include <assert.h>

#include "gateway/bedrock/eventstream.h"

int64_t
stream_out_signing_ms(struct bedrock_stream *s)
{
    return s->wire->ops->wall_ms(s->wire) + s->clock_offset_ms;
}

size_t
stream_out_unsent(const struct bedrock_stream *s)
{
    return (size_t)(s->queued - s->sent);
}

/* Refills the staged frames; false when there is nothing to send. */
static bool
frames_fill(struct bedrock_stream *s)
{
    s->frames_head = 0;
    enum vr_status status =
        h2_pull(s->h2, s->frames, sizeof(s->frames), &s->frames_tail);
    if (status != VR_OK) {
        stream_verdict_h2_failed(s, status);
        s->frames_tail = 0;
    }
    return s->frames_tail > 0;
}

/* Hands everything to TLS that it takes now. */
static void
push_out(struct bedrock_stream *s)
{
    for (;;) {
        size_t count = 0;
        if (s->frames_head == s->frames_tail && !frames_fill(s))
            break;
        enum vr_status status =
            s->wire->ops->send(s->wire, s->frames + s->frames_head,
                               s->frames_tail - s->frames_head, &count);
        if (status == VR_AGAIN) {
            s->wire->ops->watch_writable(s->wire, true);
            return;
        }
        if (status != VR_OK) {
            stream_verdict_send_failed(s);
            break;
        }
        s->frames_head += count;
        if (s->frames_head == s->frames_tail)
            s->sent = s->outbox.popped;
    }
    s->wire->ops->watch_writable(s->wire, false);
}

/* Notes whether what is unsent moves. */
static void
flow_watch(struct bedrock_stream *s)
{
    if (!stream_out_unsent(s)) {
        patience_drained(&s->patience);
        return;
    }
    patience_waits(&s->patience, s->sent, s->wire->ops->now_ns(s->wire));
    stream_timer_patience(s);
}

void
stream_out_flush(struct bedrock_stream *s)
{
    if (s->state != STREAM_OPEN || s->receiving || s->closed || s->wire_dead)
        return;
    push_out(s);
    if (s->state == STREAM_OPEN)
        flow_watch(s);
    if (s->crowded && !s->dispatching &&
        stream_out_unsent(s) < s->audio_unsent_bytes)
        stream_timer_need(s, 0);
}

void
stream_out_farewell(struct bedrock_stream *s, uint32_t error)
{
    if (s->wire_dead || s->state == STREAM_CONNECTING || !s->wire)
        return;
    s->state = STREAM_ENDING;
    h2_terminate(s->h2, error);
    push_out(s);
}

void
stream_out_queued(struct bedrock_stream *s, size_t bytes)
{
    s->queued += bytes;
    if (s->patience.answered || s->patience.spoke_ns)
        return;
    patience_spoke(&s->patience, s->wire->ops->now_ns(s->wire));
    stream_timer_patience(s);
}

void
stream_out_finish(struct bedrock_stream *s)
{
    uint8_t *at = outbox_room(&s->outbox, EVENTSTREAM_END_BYTES);

    assert(at);
    size_t bytes = eventstream_encode_end(s->signer, stream_out_signing_ms(s),
                                          at, EVENTSTREAM_END_BYTES);
    outbox_push(&s->outbox, bytes);
    stream_out_queued(s, bytes);
    h2_finish(s->h2);
}

#include "gateway/bedrock/stream_self.h"

#include "gateway/bedrock/end.h"
#include "gateway/clock.h"

void
stream_timer_need(struct bedrock_stream *s, uint64_t deadline_ns)
{
    if (deadline_ns >= s->timer_ns)
        return;
    s->timer_ns = deadline_ns;
    s->wire->ops->set_timer(s->wire, deadline_ns);
}

void
stream_timer_patience(struct bedrock_stream *s)
{
    if (!liveness_asking(&s->liveness))
        stream_timer_need(s, patience_deadline_ns(&s->patience));
}

static void
liveness_act(struct bedrock_stream *s)
{
    uint64_t now_ns = s->wire->ops->now_ns(s->wire);

    switch (liveness_check(&s->liveness, now_ns)) {
    case LIVENESS_FINE:
        break;
    case LIVENESS_PING:
        h2_ping(s->h2);
        break;
    case LIVENESS_DEAD:
        end_by_silence(&s->end, now_ns - s->liveness.heard_ns,
                       now_ns - s->liveness.ping_ns);
        stream_verdict_give(s);
        return;
    }
    stream_timer_need(s, liveness_deadline_ns(&s->liveness));
}

static void
patience_act(struct bedrock_stream *s)
{
    uint64_t now_ns = s->wire->ops->now_ns(s->wire);
    enum patience_verdict verdict = patience_check(&s->patience, now_ns);

    if (verdict == PATIENCE_FINE || liveness_asking(&s->liveness)) {
        stream_timer_patience(s);
        return;
    }
    if (verdict == PATIENCE_STALLED)
        end_by_stall(&s->end, now_ns - s->patience.stuck_ns,
                     stream_out_unsent(s));
    else
        end_by_no_answer(&s->end, now_ns - s->patience.spoke_ns);
    stream_verdict_give(s);
}

static void
refusal_check(struct bedrock_stream *s)
{
    if (!s->refusal_ns)
        return;
    if (s->wire->ops->now_ns(s->wire) >= s->refusal_ns)
        stream_verdict_give(s); /* the response says the rest */
    else
        stream_timer_need(s, s->refusal_ns);
}

static bool
is_alive(const struct bedrock_stream *s)
{
    return s->state == STREAM_OPEN && !s->closed && !s->wire_dead;
}

void
stream_timer_act(struct bedrock_stream *s)
{
    if (is_alive(s))
        liveness_act(s);
    if (is_alive(s))
        refusal_check(s);
    if (is_alive(s))
        patience_act(s);
}

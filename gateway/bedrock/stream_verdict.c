#include "gateway/bedrock/stream_self.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "gateway/bedrock/end.h"

void
stream_verdict_clock(const struct bedrock_stream *s, struct bedrock_end *end)
{
    if (end->server_date_ms)
        end->server_ahead_ms = end->server_date_ms - s->answered_ms;
}

void
stream_verdict_give(struct bedrock_stream *s)
{
    size_t used = strlen(s->end.message);
    bool midway = response_midway(s->response);

    assert(s->state < STREAM_ENDING);
    s->state = STREAM_ENDING;
    if (midway)
        snprintf(s->end.message + used, sizeof(s->end.message) - used,
                 ", in the middle of a message");
    if (!response_end(s->response, &s->end))
        s->end.normal = s->finishing && !midway && end_is_orderly(&s->end);
    stream_verdict_clock(s, &s->end);
    if (!s->dispatching)
        stream_timer_need(s, 0);
}

void
stream_verdict_wire_lost(struct bedrock_stream *s, enum vr_status status)
{
    const char *message = "";

    if (s->state >= STREAM_ENDING)
        return;
    s->wire_dead = true;
    if (h2_going_away(s->h2, &s->end.h2_error))
        end_by_goaway(&s->end, s->finishing);
    else if (status == VR_CLOSED)
        end_by_fin(&s->end, s->finishing);
    else {
        enum bedrock_end_cause cause = s->wire->ops->failure(s->wire, &message);
        end_set(&s->end, cause, "%s", message);
    }
    stream_verdict_give(s);
}

void
stream_verdict_send_failed(struct bedrock_stream *s)
{
    const char *message = "";

    if (s->state >= STREAM_ENDING)
        return;
    s->wire_dead = true;
    enum bedrock_end_cause cause = s->wire->ops->failure(s->wire, &message);
    end_set(&s->end, cause, "%s", message);
    if (!s->dispatching)
        stream_timer_need(s, 0);
}

void
stream_verdict_h2_failed(struct bedrock_stream *s, enum vr_status status)
{
    if (s->state >= STREAM_ENDING)
        return;
    if (status == VR_NO_MEMORY)
        end_by_memory(&s->end, "HTTP/2");
    else
        end_set(&s->end, BEDROCK_END_protocol, "HTTP/2: %s", h2_problem(s->h2));
    stream_verdict_give(s);
}

/* Calls that get the result of another: the model asks again for what runs, or
 * for what has come too late. */
#include <stdlib.h>
#include <string.h>

#include "gateway/clock.h"
#include "gateway/log.h"
#include "gateway/session/calls_state.h"
#include "gateway/session/self.h"

void
calls_forget_kept(struct calls *c, uint64_t now_ns)
{
    uint64_t after_ns = clock_ns_of_s(c->session->settings->async_result_s);
    for (size_t i = 0; i < CALLS_REMEMBERED; i++) {
        struct call *call = &c->log[i];
        if (!call->outcome || now_ns < call->ended_ns + after_ns)
            continue;
        free(call->kept);
        free(call->kept_reason);
        call->kept = call->kept_reason = NULL;
    }
}

void
calls_forget(struct calls *c)
{
    calls_forget_kept(c, UINT64_MAX);
}

struct call *
calls_source(struct calls *c, const struct call *wanted)
{
    calls_forget_kept(c, clock_mono_ns());
    for (size_t i = 0; i < CALLS_REMEMBERED; i++) {
        struct call *call = &c->log[i];
        if (!call->number || call == wanted || call->source ||
            call->mark != wanted->mark || strcmp(call->tool, wanted->tool) != 0)
            continue;
        bool runs = !call->outcome && (call->async || call->orphan);
        if ((runs && !call->cancel_why) || call->kept)
            return call;
    }
    return NULL;
}

/* What was kept is told once: who asks after that wants it anew. */
static void
hand_over_kept(struct calls *c, struct call *call, struct call *source)
{
    char *kept = source->kept, *reason = source->kept_reason;
    struct call_end end = {
        .outcome = source->outcome, .content = kept, .reason = reason};
    source->kept = source->kept_reason = NULL;
    calls_answer(c, call, &end);
    free(kept);
    free(reason);
}

void
calls_join(struct calls *c, struct call *call, struct call *source)
{
    struct session *s = c->session;
    log_info(tools, s->context, "call %llu gets the result of call %llu",
             (unsigned long long)call->number,
             (unsigned long long)source->number);
    if (source->outcome)
        hand_over_kept(c, call, source);
    else if (source->async && !s->family->features.async_tools)
        calls_still_running(c, call);
}

size_t
calls_serve(struct calls *c, const struct call *source,
            const struct call_end *end)
{
    size_t count = 0;
    for (size_t i = 0; i < CALLS_REMEMBERED; i++) {
        struct call *call = &c->log[i];
        if (!call->number || call->outcome || call->source != source->number)
            continue;
        count += calls_answer(c, call, end);
    }
    return count;
}

/* What people and programs ask of a session by control. */
#include <string.h>

#include "gateway/clock.h"
#include "gateway/jsonx.h"
#include "gateway/log.h"
#include "gateway/session/rest.h"
#include "gateway/session/self.h"

static bool
can_take_text(struct session *s, const char *text, struct rpc_call *call)
{
    if (!s->family->features.interactive_text)
        rpc_fail(call, RPC_UNSUPPORTED, NULL,
                 "%s takes no text while it listens; use a model of Nova 2 or "
                 "later, such as amazon.nova-2-sonic-v1:0, or speak",
                 s->family->title);
    else if (!text[strspn(text, " \t\r\n")])
        rpc_fail(call, RPC_PARAMS, NULL, "params.text: it is empty");
    else if (strlen(text) > TEXTS_BYTES_MAX)
        rpc_fail(call, RPC_PARAMS, NULL,
                 "params.text: it has %zu bytes, the most is %d", strlen(text),
                 TEXTS_BYTES_MAX);
    else if (s->state == SESSION_closing || s->state == SESSION_closed)
        rpc_fail(call, RPC_CLOSED, NULL, "The session is closing");
    else if (s->state == SESSION_failed)
        rpc_fail(call, RPC_CLOSED, cJSON_Duplicate(s->last_error, true),
                 "The session has no stream (%s: %s); session.open tries again",
                 machine_state_name(s->state),
                 jsonx_text(s->last_error, "message", "not opened"));
    else
        return true;
    return false;
}

void
session_text(struct session *s, const char *text, bool wait_response,
             uint32_t timeout_ms, struct rpc_call *call)
{
    if (!can_take_text(s, text, call))
        return;
    uint64_t deadline_ns =
        clock_mono_ns() + (uint64_t)timeout_ms * CLOCK_NS_PER_MS;
    enum vr_status status =
        texts_add(&s->texts, text, false, wait_response, deadline_ns, call);
    if (status == VR_LIMIT)
        rpc_fail(call, RPC_LIMIT, NULL,
                 "%d texts wait already; try again when they are answered",
                 TEXTS_MAX);
    else if (status != VR_OK)
        rpc_fail(call, rpc_error_of(status), NULL,
                 "The text could not be kept: %s", vr_status_text(status));
    else
        rest_wake(s, "a text came");
    session_turn(s);
}

enum vr_status
session_interrupt(struct session *s, double *heard_ms)
{
    struct response *r = cut_target(s);
    uint64_t id = r ? r->id : 0;
    bool tools = calls_interrupted(s->calls, 0) > 0;
    bool voice = cut_signalled(s, CUT_CONTROL, NULL);
    r = voice ? dialogue_response(s->dialogue, id) : NULL;
    *heard_ms = r ? r->heard_ms : 0;
    session_turn(s);
    return voice || tools ? VR_OK : VR_STATE;
}

void
session_mute(struct session *s, bool muted)
{
    if (muted != s->muted)
        log_info(session, s->context, muted ? "muted" : "unmuted");
    s->muted = muted;
    capture_mute(s->capture, muted);
    session_turn(s);
}

/* The orderly end of a stream: the audio still in the ring, then the ends of
 * what was begun, in their order, then reading for the last events. */
#include "gateway/clock.h"
#include "gateway/log.h"
#include "gateway/session/self.h"
#include "gateway/sonic/encode.h"

/* How long reading goes on after a close, for the last usage. */
#define CLOSE_WAIT_NS (2 * CLOCK_NS_PER_S)

/* How much of it a full network may keep the last audio waiting. */
#define DRAIN_WAIT_NS (CLOCK_NS_PER_S)

/* A step that fails does not keep the next from being tried. */
void
closing_send_ends(struct session *s, struct link *link)
{
    struct sonic_batch *outbox = link_outbox(link);
    const char *prompt = link_prompt_name(link);
    enum vr_status statuses[] = {
        sonic_encode_content_end(outbox, prompt, link_audio_name(link)),
        sonic_encode_prompt_end(outbox, prompt),
        sonic_encode_session_end(outbox),
    };
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        if (statuses[i] != VR_OK)
            log_warn(session, s->context, "not every end could be sent: %s",
                     vr_status_text(statuses[i]));
    }
}

void
closing_go_on(struct session *s, uint64_t now_ns)
{
    if (!s->leg.link) /* ended before it had taken all */
        s->draining = false;
    if (!s->draining || (!pump_drain(s) && now_ns < s->drain_deadline_ns))
        return;
    s->draining = false;
    if (s->leg.begun)
        closing_send_ends(s, s->leg.link);
    link_finish(s->leg.link);
}

void
closing_begin(struct session *s)
{
    uint64_t now_ns = clock_mono_ns();
    calls_cancel_all(s->calls, "The conversation is being closed");
    texts_fail(&s->texts, "The session is closing");
    s->close_deadline_ns = now_ns + CLOSE_WAIT_NS;
    s->drain_deadline_ns = now_ns + DRAIN_WAIT_NS;
    s->draining = true;
    if (trigger_active(s) && s->leg.begun) {
        trigger_stop(s);
        pump_begin(s, now_ns);
    }
    closing_go_on(s, now_ns);
}

#include "gateway/session/boundary.h"

#include "gateway/clock.h"
#include "gateway/session/self.h"

/* How long an answer to what was said is waited for. */
#define PATIENCE_NS (10 * CLOCK_NS_PER_S)

static bool
user_is_done(const struct session *s, uint64_t now_ns)
{
    struct capture_speech speech;
    capture_speech(s->capture, &speech);
    return !speech.speaking && !trigger_active(s) &&
           !utterance_pending(&s->utterance, now_ns, PATIENCE_NS) &&
           !texts_awaiting(&s->texts, now_ns, PATIENCE_NS);
}

static bool
model_is_done(struct session *s)
{
    const struct response *r = dialogue_current(s->dialogue);
    return !r || r->tools_pending;
}

static bool
was_heard(struct session *s, uint64_t now_ns)
{
    return !playback_is_busy(s->playback, now_ns);
}

bool
boundary_near(struct session *s, uint64_t now_ns)
{
    const struct response *r = dialogue_current(s->dialogue);
    return user_is_done(s, now_ns) && (!r || r->generated);
}

bool
boundary_quiet(struct session *s, uint64_t now_ns)
{
    return user_is_done(s, now_ns) && model_is_done(s) && was_heard(s, now_ns);
}

bool
boundary_reached(struct session *s, bool despite_tools, uint64_t now_ns)
{
    bool tools = calls_open(s->calls) > 0;
    return boundary_quiet(s, now_ns) && (!tools || despite_tools) &&
           (despite_tools || !dialogue_current(s->dialogue)) &&
           link_clear(s->leg.link) && s->leaving_count == 0;
}

/* Barge-in: which response a sign of it means, what is flushed, what was
 * heard. Every sign may come, in any order, once or more. */
#include "gateway/clock.h"
#include "gateway/log.h"
#include "gateway/session/self.h"

static const struct {
    const char *name;
    uint32_t setting;   /* 0: always acted on */
    bool model_stopped; /* the model itself has stopped talking */
    bool needs_sound;   /* means nothing while the robot is silent */
} signals[] = {
    [CUT_MARKER] = {"marker", CONFIG_INTERRUPT_MARKER, true, false},
    [CUT_STOP_REASON] = {"stop_reason", CONFIG_INTERRUPT_STOP_REASON, true,
                         false},
    [CUT_SPEECH_START] = {"speech_start", CONFIG_INTERRUPT_SPEECH_START, false,
                          true},
    [CUT_USER_TEXT] = {"user_text", 0, true, true},
    [CUT_CONTROL] = {"control", 0, false, true},
};

/* The response that can still be cut: the one being generated, or the last one
 * while its audio has not been played out. */
struct response *
cut_target(struct session *s)
{
    struct response *r = dialogue_current(s->dialogue);
    if (r)
        return r;
    r = dialogue_latest(s->dialogue);
    if (r && r->has_audio && !r->played && !r->interrupted)
        return r;
    return NULL;
}

static void
cut(struct session *s, struct response *r, enum cut_signal signal,
    uint64_t now_ns)
{
    struct playback_cut cut = {0};
    if (!r->interrupted) {
        playback_interrupt(s->playback, r->id, now_ns, &cut);
        s->counters.interruptions++;
        report_interruption(s, r, signals[signal].name, cut.heard_ms,
                            cut.estimated, cut.flush_to);
    }
    dialogue_interrupted(s->dialogue, r, signals[signal].model_stopped,
                         cut.heard_ms, cut.estimated, now_ns);
    calls_interrupted(s->calls, 0);
}

bool
cut_signalled(struct session *s, enum cut_signal signal,
              const struct response *meant)
{
    uint64_t now_ns = clock_mono_ns();
    struct response *r = cut_target(s);
    uint32_t setting = signals[signal].setting;
    if (!r || (meant && meant != r))
        return false;
    if (signals[signal].needs_sound && !playback_is_busy(s->playback, now_ns) &&
        !(signal == CUT_CONTROL && r->status == RESPONSE_OPEN))
        return false;
    if (setting && !(s->settings->interrupt_on & setting)) {
        log_debug(session, s->context, "%s is not set to interrupt",
                  signals[signal].name);
        if (signals[signal].model_stopped) {
            dialogue_generated(s->dialogue, r, now_ns);
            playback_end(s->playback, r->id, now_ns);
        }
        return false;
    }
    cut(s, r, signal, now_ns);
    return true;
}

#include "gateway/session/replay.h"

#include <string.h>

#include "gateway/clock.h"
#include "gateway/log.h"
#include "gateway/session/remember.h"
#include "gateway/session/self.h"

/* What nobody has answered for so long was not meant to be answered, or is too
 * old to be; what is deaf takes its time to be noticed. */
#define PATIENCE_NS (30 * CLOCK_NS_PER_S)

/* An answer of which less was heard is as good as none. */
#define HARDLY_HEARD_MS 1000

static uint64_t
patience_ns(const struct session *s)
{
    return PATIENCE_NS + clock_ns_of_s(s->settings->deaf_after_s);
}

static bool
still_speaking(const struct session *s)
{
    struct capture_speech speech;
    capture_speech(s->capture, &speech);
    return s->utterance.speaking || speech.speaking;
}

/* The response that had begun and gave nothing to hear yet: its question counts
 * as not answered. */
static uint64_t
unheard_response(struct session *s)
{
    const struct response *r = dialogue_current(s->dialogue);
    return r && !r->first_audio_ns && !r->generated ? r->id : 0;
}

static bool
say_as_text(struct session *s, const struct turn *turn)
{
    const char *words = strbuf_text(&turn->user_text);
    if (texts_hold(&s->texts, words))
        return true; /* the stream that they were for was not accepted */
    enum vr_status status = texts_add_known(&s->texts, words, true);
    if (status == VR_OK)
        return true;
    log_error(session, s->context, "what was said cannot be said again: %s",
              vr_status_text(status));
    return false;
}

static void
say_as_audio(struct session *s, const struct turn *turn)
{
    const struct config_session *c = s->settings;
    uint64_t start = s->utterance.start_frame;
    uint64_t preroll = (uint64_t)c->speech.preroll_ms * c->input.rate_hz / 1000;
    s->replay = REPLAY_AUDIO;
    s->replay_frame = start > preroll ? start - preroll : 0;
    if (!turn)
        return;
    remember_not(s, turn->id);
    dialogue_unsay(s->dialogue, turn->id);
}

void
replay_plan(struct session *s, uint64_t now_ns)
{
    const struct utterance *u = &s->utterance;
    const struct turn *turn = dialogue_unanswered_turn(s->dialogue);
    bool text = u->text && !still_speaking(s) && turn &&
                turn->user_text.bytes && s->family->features.interactive_text;
    if (s->replay != REPLAY_NONE)
        return; /* planned for a stream that did not come so far */
    s->replay_frame = UINT64_MAX;
    texts_unsend(&s->texts, unheard_response(s), s->leg.answered);
    bool due = utterance_pending(u, now_ns, patience_ns(s)) &&
               !(turn && turn->text_input);
    if (due && !(text && say_as_text(s, turn)) && u->start_frame != UINT64_MAX)
        say_as_audio(s, turn);
    else if (texts_again(&s->texts))
        s->replay = REPLAY_TEXT;
    if (s->replay != REPLAY_NONE)
        s->counters.replays++;
}

/* What it answers can be asked again: written words, or the last ones said. */
static bool
can_ask_again(struct session *s, const struct response *r)
{
    const struct turn *turn = dialogue_turn(s->dialogue, r->turn_id);
    return utterance_reopen(&s->utterance, r->started_ns) ||
           (turn && turn->text_input);
}

static void
judge_answer(struct session *s, uint64_t now_ns)
{
    struct response *r = dialogue_current(s->dialogue);
    struct playback_heard heard = {0};
    struct playback_cut cut;
    if (!r || r->generated || r->interrupted || !r->first_audio_ns)
        return;
    playback_heard(s->playback, r->id, now_ns, &heard);
    if (heard.heard_ms < HARDLY_HEARD_MS && can_ask_again(s, r)) {
        playback_interrupt(s->playback, r->id, now_ns, &cut);
        dialogue_unheard(s->dialogue, r);
    } else {
        remember_cut(s, r);
    }
}

void
replay_plan_lost(struct session *s, uint64_t now_ns)
{
    judge_answer(s, now_ns);
    replay_plan(s, now_ns);
}

bool
replay_wanted(const struct session *s)
{
    return s->replay != REPLAY_NONE || texts_again(&s->texts);
}

void
replay_rewind(struct session *s, uint64_t now_ns)
{
    uint64_t unsent = capture_unsent_frame(s->capture);
    capture_rewind(s->capture,
                   s->replay_frame < unsent ? s->replay_frame : unsent, now_ns);
    pump_clear(s);
    capture_keep(s->capture, s->settings->outage_buffer_s * 1000);
}

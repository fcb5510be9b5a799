#include "gateway/session/trigger.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/clock.h"
#include "gateway/log.h"
#include "gateway/session/remember.h"
#include "gateway/session/self.h"

/* Models miss the beginning of what a stream begins with (PROTOCOL 2). */
#define LEAD_MS 500

/* How long an answer is waited for once the clip was said. */
#define PATIENCE_NS (5 * CLOCK_NS_PER_S)

/* A loop that was late by less makes up for it. */
#define LATE_NS (200 * CLOCK_NS_PER_MS)

/* ---- the clip ---- */

static const char *
path_of(const struct session *s)
{
    return s->settings->trigger_clip ? s->settings->trigger_clip
                                     : s->services->ready_clip;
}

static size_t
chunk_of(const struct session *s)
{
    return capture_chunk_samples(s->capture);
}

static uint64_t
chunk_ns(const struct session *s)
{
    return s->settings->chunk_ms * CLOCK_NS_PER_MS;
}

/* Silence before it, up to whole chunks, and one chunk of silence behind. */
static bool
set_in_silence(struct session *s, struct clip *clip)
{
    size_t chunk = chunk_of(s);
    size_t lead = (size_t)s->settings->model_input_rate_hz / 1000 * LEAD_MS;
    size_t chunks = (lead + clip->count + chunk - 1) / chunk + 1;
    int16_t *samples = calloc(chunks * chunk, sizeof *samples);
    if (!samples)
        return false;
    memcpy(samples + lead, clip->samples, clip->count * sizeof *samples);
    free(clip->samples);
    clip->samples = samples;
    clip->count = chunks * chunk;
    return true;
}

static void
tell_unusable(struct session *s, const char *why)
{
    struct session_fault fault = {
        .class_ = "config",
        .code = "trigger_clip",
        .message = why,
        .remedy = "Correct trigger_clip: a WAV file of 16-bit PCM, mono or "
                  "stereo, 8 to 48 kHz, at most 10 s. Until then the robot "
                  "waits to be spoken to",
        .component = "session",
        .recoverable = true};
    report_fault(s, &fault);
}

static bool
load(struct session *s, const struct leg *leg)
{
    struct trigger *t = &s->trigger;
    char why[CLIP_WHY_BYTES];
    if (t->clip.count)
        return true;
    if (t->unusable)
        return false;
    t->unusable = true;
    if (!path_of(s)) {
        log_warn(session, s->context,
                 "%s takes no text: the greeting is not sent, and there is no "
                 "clip to speak to it instead. Set trigger_clip, or build "
                 "voxring where espeak-ng is",
                 leg->family->title);
        return false;
    }
    if (clip_load(&t->clip, path_of(s), s->settings->model_input_rate_hz, why,
                  sizeof why) != VR_OK) {
        tell_unusable(s, why);
        return false;
    }
    if (!set_in_silence(s, &t->clip)) {
        clip_fini(&t->clip);
        tell_unusable(s, vr_status_text(VR_NO_MEMORY));
        return false;
    }
    t->unusable = false;
    return true;
}

/* ---- when ---- */

static uint64_t
newest_response(const struct session *s)
{
    const struct response *r = dialogue_latest(s->dialogue);
    return r ? r->id : 0;
}

bool
trigger_active(const struct session *s)
{
    return s->trigger.phase == TRIGGER_CLIP ||
           s->trigger.phase == TRIGGER_PAUSE;
}

bool
trigger_pending(const struct session *s)
{
    return trigger_active(s) && newest_response(s) == s->trigger.answers_id;
}

bool
trigger_prepare(struct session *s, const struct leg *leg)
{
    bool wanted = s->settings->greeting || s->settings->trigger_clip;
    bool again = trigger_pending(s);
    if (again && s->trigger.turn_id)
        remember_not(s, s->trigger.turn_id);
    return wanted && (again || !s->greeted) &&
           !leg->family->features.interactive_text && load(s, leg);
}

void
trigger_start(struct session *s)
{
    struct trigger *t = &s->trigger;
    uint64_t now_ns = clock_mono_ns();
    t->phase = TRIGGER_CLIP;
    t->at = 0;
    t->blocked = false;
    t->next_ns = now_ns + chunk_ns(s);
    t->answers_id = newest_response(s);
    t->turn_id = 0;
    log_info(session, s->context,
             "%s is spoken to the model, so that it speaks first; the "
             "microphone waits",
             path_of(s));
}

static void
end(struct session *s, enum trigger_phase phase)
{
    s->trigger.phase = phase;
    clip_fini(&s->trigger.clip);
}

void
trigger_stop(struct session *s)
{
    end(s, TRIGGER_NONE);
    s->trigger.turn_id = 0;
}

bool
trigger_is_answered_by(const struct session *s, const struct response *r)
{
    return s->trigger.phase != TRIGGER_NONE &&
           r->id == s->trigger.answers_id + 1;
}

bool
trigger_owns_words(const struct session *s)
{
    const struct trigger *t = &s->trigger;
    const struct response *r = dialogue_latest(s->dialogue);
    if (t->phase == TRIGGER_NONE || !t->turn_id)
        return false;
    if (trigger_pending(s))
        return true;
    if (s->utterance.open)
        return false;
    return t->phase == TRIGGER_UNANSWERED
               ? newest_response(s) == t->answers_id
               : r && r->id == t->answers_id + 1 && !r->generated;
}

/* ---- saying it ---- */

static bool
send_chunk(struct session *s, uint64_t now_ns)
{
    struct trigger *t = &s->trigger;
    size_t chunk = chunk_of(s), said = t->clip.count - chunk;
    uint64_t leaves_at;
    t->blocked = link_send_audio(s->leg.link, t->clip.samples + t->at, chunk,
                                 &leaves_at) != VR_OK;
    if (t->blocked)
        return false;
    s->leg.chunks++;
    t->next_ns += chunk_ns(s);
    if (t->next_ns + LATE_NS < now_ns)
        t->next_ns = now_ns;
    if (t->at < said)
        t->at += chunk;
    if (t->phase == TRIGGER_CLIP && t->at == said) {
        t->phase = TRIGGER_PAUSE;
        t->said_ns = now_ns;
    }
    return true;
}

/* An endpoint that has not accepted the stream yet cannot answer. */
static uint64_t
patience_ends_ns(const struct session *s)
{
    const struct trigger *t = &s->trigger;
    uint64_t since_ns = t->said_ns;
    if (t->phase != TRIGGER_PAUSE || s->state != SESSION_streaming)
        return UINT64_MAX;
    if (s->leg.answered_ns > since_ns)
        since_ns = s->leg.answered_ns;
    return since_ns + PATIENCE_NS;
}

static void
give_word(struct session *s, enum trigger_phase phase, uint64_t now_ns)
{
    end(s, phase);
    if (phase == TRIGGER_UNANSWERED)
        log_warn(session, s->context,
                 "the model did not answer the clip; it waits to be spoken to");
    pump_begin(s, now_ns);
}

void
trigger_tick(struct session *s, uint64_t now_ns)
{
    struct trigger *t = &s->trigger;
    if (!trigger_pending(s)) {
        give_word(s, TRIGGER_ANSWERED, now_ns);
        return;
    }
    if (now_ns >= patience_ends_ns(s)) {
        give_word(s, TRIGGER_UNANSWERED, now_ns);
        return;
    }
    if (!t->turn_id)
        t->turn_id = dialogue_trigger(s->dialogue, now_ns);
    while (now_ns >= t->next_ns && send_chunk(s, now_ns))
        ;
}

uint64_t
trigger_deadline_ns(const struct session *s)
{
    const struct trigger *t = &s->trigger;
    uint64_t due_ns = patience_ends_ns(s);
    return t->blocked || due_ns < t->next_ns ? due_ns : t->next_ns;
}

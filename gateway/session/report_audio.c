/* What the bus and the log are told of the audio: the loudspeaker's, the
 * microphone's, and who is at the rings. */
#include "gateway/clock.h"
#include "gateway/events/event.h"
#include "gateway/log.h"
#include "gateway/session/self.h"

static void
tell_playback(struct session *s, const char *phase,
              const struct playback_notice *notice)
{
    struct event_playback e;
    event_playback_init(&e);
    e.phase = phase;
    e.response = notice->response_id;
    e.from_frame = notice->span.from_frame;
    e.to_frame = notice->span.to_frame;
    e.estimated = notice->estimated;
    event_playback_publish(s->services->bus, &s->subject, &e);
}

static void
on_play_started(void *arg, const struct playback_notice *notice)
{
    tell_playback(arg, "started", notice);
}

/* Of its audio: the turn may be over. */
static void
nothing_left(struct session *s, const struct playback_notice *notice)
{
    if (s->played_count < SESSION_PLAYED)
        s->played[s->played_count++] = notice->response_id;
}

static void
on_play_finished(void *arg, const struct playback_notice *notice)
{
    tell_playback(arg, "finished", notice);
    nothing_left(arg, notice);
}

static void
on_play_flushed(void *arg, const struct playback_notice *notice)
{
    tell_playback(arg, "flushed", notice);
    nothing_left(arg, notice);
}

static void
on_play_overflow(void *arg, const struct playback_notice *notice)
{
    struct session_fault fault = {
        .class_ = "peer",
        .code = "playback_overflow",
        .message = "The player is so far behind that audio of the model is "
                   "dropped",
        .remedy = "Look at the player: does it read, and report vr_played()?",
        .component = "playback",
        .recoverable = true};
    (void)notice;
    report_fault(arg, &fault);
}

static void
on_play_lost(void *arg, const struct playback_notice *notice)
{
    struct session *s = arg;
    struct event_playback e;
    event_playback_init(&e);
    e.phase = "lost";
    e.response = notice->response_id;
    e.from_frame = notice->span.from_frame;
    e.to_frame = notice->span.to_frame;
    e.frames = notice->lost_frames;
    e.estimated = notice->estimated;
    event_playback_publish(s->services->bus, &s->subject, &e);
    log_warn(playback, s->context,
             "%llu frames of response %llu are lost with their ring",
             (unsigned long long)notice->lost_frames,
             (unsigned long long)notice->response_id);
}

const struct playback_ops report_playback_ops = {
    .on_started = on_play_started,
    .on_finished = on_play_finished,
    .on_flushed = on_play_flushed,
    .on_overflow = on_play_overflow,
    .on_lost = on_play_lost,
};

static void
tell_capture(struct session *s, const char *phase, uint64_t frames,
             uint64_t at_frame)
{
    struct event_capture e;
    event_capture_init(&e);
    e.phase = phase;
    e.frames = frames;
    e.in_ring_frame = at_frame;
    event_capture_publish(s->services->bus, &s->subject, &e);
}

static void
on_starved(void *arg, uint64_t frame)
{
    tell_capture(arg, "starved", EVENT_NO_U64, frame);
}

static void
on_resumed(void *arg, uint64_t frame, uint64_t starved_ns)
{
    (void)starved_ns;
    tell_capture(arg, "resumed", EVENT_NO_U64, frame);
}

static const char *const loss_reasons[CAPTURE_LOSS_COUNT] = {
    [CAPTURE_LOSS_LAPPED] = "the producer overwrote them unread",
    [CAPTURE_LOSS_WAITING] = "they waited longer than connect_buffer_ms "
                             "allows, or after a loss outage_buffer_s",
    [CAPTURE_LOSS_UNSENT] = "their stream ended before it sent them",
    [CAPTURE_LOSS_RING] = "their ring was damaged before they were read",
};

static void
tell_loss(struct session *s, enum capture_loss why, uint64_t now_ns)
{
    struct lost_news *news = &s->lost_news[why];
    bool told = why == CAPTURE_LOSS_WAITING && s->waiting_loss_told;
    struct event_capture e;
    event_capture_init(&e);
    e.phase = "lost";
    e.frames = news->frames;
    e.in_ring_frame = news->frame;
    e.reason = loss_reasons[why];
    event_capture_publish(s->services->bus, &s->subject, &e);
    s->waiting_loss_told = why == CAPTURE_LOSS_WAITING;
    if (told) /* an outage loses some each second */
        log_debug(capture, s->context, "%llu frames more are lost",
                  (unsigned long long)news->frames);
    else
        log_warn(capture, s->context, "%llu frames before %llu are lost: %s",
                 (unsigned long long)news->frames,
                 (unsigned long long)news->frame, loss_reasons[why]);
    *news = (struct lost_news){.told_ns = now_ns};
}

static bool
is_due(const struct lost_news *news, uint64_t now_ns)
{
    return news->frames > 0 && (!news->told_ns || now_ns < news->told_ns ||
                                now_ns - news->told_ns >= CLOCK_NS_PER_S);
}

void
report_losses(struct session *s, uint64_t now_ns)
{
    uint64_t told_ns = now_ns == UINT64_MAX ? clock_mono_ns() : now_ns;
    for (int why = 0; why < CAPTURE_LOSS_COUNT; why++)
        if (is_due(&s->lost_news[why], now_ns))
            tell_loss(s, (enum capture_loss)why, told_ns);
}

/* The first at once, what follows within a second together: a producer can
 * lose frames as often as it likes. */
static void
on_lost(void *arg, enum capture_loss why, uint64_t frames, uint64_t frame)
{
    struct session *s = arg;
    uint64_t now_ns = clock_mono_ns();
    s->lost_news[why].frames += frames;
    s->lost_news[why].frame = frame;
    if (is_due(&s->lost_news[why], now_ns))
        tell_loss(s, why, now_ns);
}

/* Speech by its energy: what a stream is given up for if it does not hear it,
 * and where what was said begins if it has to be said again. */
static void
on_speech(void *arg, bool started, uint64_t frame)
{
    struct session *s = arg;
    uint64_t now_ns = clock_mono_ns();
    s->activity_ns = now_ns;
    if (started) {
        s->speech_ns = now_ns;
        utterance_began(&s->utterance, frame, false, now_ns);
    } else {
        utterance_ended(&s->utterance, false, now_ns);
    }
    struct event_speech e;
    event_speech_init(&e);
    e.phase = started ? "started" : "ended";
    e.source = "gateway";
    e.in_ring_frame = frame;
    event_speech_publish(s->services->bus, &s->subject, &e);
}

const struct capture_ops report_capture_ops = {
    .on_speech = on_speech,
    .on_starved = on_starved,
    .on_resumed = on_resumed,
    .on_lost = on_lost,
};

void
report_producer(struct session *s, bool attached)
{
    struct ring_peer peer;
    struct event_capture e;
    event_capture_init(&e);
    ring_host_producer(s->in_ring, &peer);
    e.phase = attached ? "producer_attached" : "producer_lost";
    e.in_ring_frame = ring_host_head(s->in_ring);
    e.producer = attached ? peer.name : NULL;
    event_capture_publish(s->services->bus, &s->subject, &e);
    log_info(ring, s->context, "%s%s%s",
             attached ? "producer attached: " : "the producer left",
             attached ? peer.name : "", "");
}

static void
tell_player(struct session *s, const char *phase)
{
    struct event_playback e;
    event_playback_init(&e);
    e.phase = phase;
    e.from_frame = e.to_frame = ring_host_played(s->out_ring);
    event_playback_publish(s->services->bus, &s->subject, &e);
}

void
report_continued(struct session *s, enum vr_ring which, bool present)
{
    const char *who = which == VR_RING_IN ? "producer" : "player";
    log_info(ring, s->context, "the %s that was stopped %s", who,
             present ? "goes on" : "is gone");
    if (which == VR_RING_OUT)
        tell_player(s, present ? "player_continued" : "player_lost");
    else if (present)
        tell_capture(s, "producer_continued", EVENT_NO_U64,
                     ring_host_head(s->in_ring));
}

/* What every entry into a session ends with: texts and audio go out, deadlines
 * pass, the timer is set for the next one. */
#include <string.h>

#include "gateway/clock.h"
#include "gateway/log.h"
#include "gateway/session/boundary.h"
#include "gateway/session/recovery.h"
#include "gateway/session/remember.h"
#include "gateway/session/rest.h"
#include "gateway/session/self.h"
#include "gateway/session/setup.h"
#include "gateway/sonic/encode.h"

/* when_quiet: the room rings on after the loudspeaker. */
#define QUIET_TAIL_NS (300 * CLOCK_NS_PER_MS)

#define METRICS_NS (10 * CLOCK_NS_PER_S)

void
session_check_tools(struct session *s, uint64_t now_ns)
{
    if (s->state == SESSION_preparing &&
        (setup_tools_ready(s->settings, s->services->broker) ||
         now_ns >= s->tools_deadline_ns))
        session_move(s, SESSION_ON_tools_ready, "tools looked for");
}

/* ---- sending ---- */

static bool
is_live(const struct session *s)
{
    return s->leg.link && s->leg.begun &&
           (s->state == SESSION_starting || s->state == SESSION_streaming);
}

static void
flush_links(struct session *s)
{
    if (s->handover.next.link && s->handover.begun_ns &&
        link_flush(s->handover.next.link) != VR_OK)
        log_debug(session, s->context, "the next stream takes nothing");
    if (!s->leg.link)
        return;
    enum vr_status status = link_flush(s->leg.link);
    if (status != VR_LIMIT && status != VR_NO_MEMORY)
        return;
    struct session_fault fault = {
        .class_ = "peer",
        .code = "endpoint_does_not_read",
        .message = "The endpoint has not read for so long that the events "
                   "for it fill their buffer",
        .remedy = "Check the network",
        .component = "bedrock"};
    if (s->state == SESSION_closing)
        session_move(s, SESSION_ON_lost, "the endpoint does not read");
    else
        recovery_give_stream_up(s, &fault, "the endpoint does not read");
}

static enum vr_status
send_text(struct session *s, const struct text_entry *entry)
{
    char name[UUID_TEXT_BYTES];
    uuid_make(name);
    struct sonic_text_block block = {.prompt_name =
                                         link_prompt_name(s->leg.link),
                                     .content_name = name,
                                     .role = SONIC_ROLE_USER,
                                     .interactive = true,
                                     .text = entry->text,
                                     .text_bytes = strlen(entry->text)};
    return sonic_encode_text(link_outbox(s->leg.link), &block);
}

/* The turn and the history get what the user wrote, once. */
static void
note_text(struct session *s, const struct text_entry *entry, uint64_t now_ns)
{
    dialogue_text_input(s->dialogue, entry->text, entry->silent || entry->told,
                        now_ns);
    if (!entry->silent && !entry->known)
        remember_written(s, dialogue_last_turn_id(s->dialogue), entry->text);
    s->activity_ns = now_ns;
}

/* The stream goes on with a fallback that is spoken to only. */
static void
refuse_texts(struct session *s)
{
    log_warn(session, s->context,
             "%s takes no text: %zu that waited are not sent", s->family->title,
             s->texts.count);
    texts_fail(&s->texts, "The model that the conversation goes on with takes "
                          "no text");
}

static void
send_texts(struct session *s, uint64_t now_ns)
{
    struct text_entry *entry;
    if (!s->texts.count)
        return;
    if (is_live(s) && !s->family->features.interactive_text)
        refuse_texts(s);
    bool quiet = boundary_quiet(s, now_ns);
    while (is_live(s) && !rotation_resets(s) && link_clear(s->leg.link) &&
           (entry = texts_next(&s->texts, quiet))) {
        enum vr_status status = send_text(s, entry);
        if (status != VR_OK) {
            log_error(session, s->context, "a text could not be sent: %s",
                      vr_status_text(status));
            texts_refuse(&s->texts, entry, status);
            continue;
        }
        note_text(s, entry, now_ns);
        texts_sent(entry, now_ns);
        flush_links(s);
        quiet = false;
    }
}

/* ---- listening and being heard ---- */

/* Asleep, and not to be woken by speech: what is said is nobody's business. */
static bool
is_private(const struct session *s)
{
    return s->state == SESSION_asleep &&
           s->settings->mode != CONFIG_MODE_ON_AUDIO;
}

static void
set_gate(struct session *s, uint64_t now_ns)
{
    bool when_quiet = s->settings->listen == CONFIG_LISTEN_WHEN_QUIET;
    if (when_quiet && playback_is_busy(s->playback, now_ns))
        s->loud_until_ns = now_ns + QUIET_TAIL_NS;
    capture_gate(s->capture,
                 (when_quiet && now_ns < s->loud_until_ns) || is_private(s));
}

static void
settle_played(struct session *s, uint64_t now_ns)
{
    for (size_t i = 0; i < s->played_count; i++)
        dialogue_played(s->dialogue, s->played[i], now_ns);
    s->played_count = 0;
}

/* ---- time ---- */

static void
pass_deadlines(struct session *s, uint64_t now_ns)
{
    if (streams_granted(s))
        session_move(s, SESSION_ON_open, s->next_reason);
    session_check_tools(s, now_ns);
    if (s->state == SESSION_closing && !s->leg.link && !parting_any(s))
        session_move(s, SESSION_ON_ended, "the endpoint ended the streams");
    if (s->state == SESSION_closing && now_ns >= s->close_deadline_ns)
        session_move(s, SESSION_ON_deadline,
                     "the endpoint did not end the stream in time");
    if (s->state == SESSION_streaming && now_ns >= s->next_metrics_ns) {
        if (s->next_metrics_ns)
            report_metrics(s);
        s->next_metrics_ns = now_ns + METRICS_NS;
    }
}

static uint64_t
sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t
next_deadline(struct session *s, uint64_t now_ns)
{
    uint64_t due = rings_deadline_ns(s);
    if (s->poll_again || streams_granted(s))
        return now_ns;
    if (s->state == SESSION_preparing)
        due = sooner(due, s->tools_deadline_ns);
    if (s->state == SESSION_closing)
        due = sooner(due, s->close_deadline_ns);
    if (s->draining)
        due = sooner(due, s->drain_deadline_ns);
    if (s->loud_until_ns > now_ns)
        due = sooner(due, s->loud_until_ns);
    if (!s->holding)
        due = sooner(due, capture_deadline_ns(s->capture, now_ns));
    due = sooner(due, playback_deadline_ns(s->playback, now_ns));
    due = sooner(due, dialogue_deadline_ns(s->dialogue));
    due = sooner(due, handover_deadline_ns(s, now_ns));
    due = sooner(due, recovery_deadline_ns(s, now_ns));
    if (is_live(s) && trigger_active(s))
        due = sooner(due, trigger_deadline_ns(s));
    due = sooner(due, rest_deadline_ns(s, now_ns));
    due = sooner(due, ending_deadline_ns(s));
    due = sooner(due, parting_tick(s, now_ns));
    return sooner(due, texts_expire(&s->texts, now_ns));
}

static void
move_audio(struct session *s, uint64_t now_ns)
{
    bool sentry =
        s->state == SESSION_asleep && s->settings->mode == CONFIG_MODE_ON_AUDIO;
    bool clip = is_live(s) && trigger_active(s);
    if (clip)
        trigger_tick(s, now_ns);
    if (is_live(s) && !trigger_active(s))
        pump_audio(s, now_ns);
    else if (s->draining)
        closing_go_on(s, now_ns);
    else if (!sentry)
        capture_hold(s->capture, now_ns);
    else
        s->poll_again = capture_arm(s->capture);
    pump_settle(s, now_ns);
}

void
session_turn(struct session *s)
{
    uint64_t now_ns = clock_mono_ns();
    s->poll_again = false;
    rings_tick(s, now_ns);
    pass_deadlines(s, now_ns);
    recovery_tick(s, now_ns);
    rest_tick(s, now_ns);
    ending_tick(s, now_ns);
    flush_links(s);
    send_texts(s, now_ns);
    dialogue_tick(s->dialogue, now_ns);
    playback_tick(s->playback, now_ns);
    settle_played(s, now_ns);
    set_gate(s, now_ns);
    pump_settle(s, now_ns);
    handover_tick(s, now_ns);
    move_audio(s, now_ns);
    rings_tick(s, now_ns);
    handles_schedule(s, now_ns, next_deadline(s, now_ns));
}

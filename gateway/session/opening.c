#include "gateway/session/opening.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/log.h"
#include "gateway/session/remember.h"
#include "gateway/session/self.h"
#include "gateway/session/setup.h"

static struct setup
setup_of(const struct session *s, const struct leg *leg)
{
    return (struct setup){.settings = s->settings,
                          .family = leg->family,
                          .broker = s->services->broker,
                          .prompt_name = link_prompt_name(leg->link),
                          .audio_name = link_audio_name(leg->link),
                          .context = s->context};
}

enum vr_status
opening_head(struct session *s, struct leg *leg)
{
    struct sonic_batch *outbox = link_outbox(leg->link);
    struct setup setup = setup_of(s, leg);
    setup_warn_tools(s->settings, s->services->broker, s->context);
    leg->serial = s->settings_serial;
    leg->tools_mark =
        setup_tools_mark(s->settings, s->family, s->services->broker);
    enum vr_status status = setup_encode_head(&setup, outbox);
    if (status == VR_OK && !link_fits(leg->link, 0))
        status = VR_LIMIT;
    return status;
}

/* ---- what is to be answered first ---- */

static enum vr_status
say_first(struct session *s, const struct leg *leg, char *unanswered)
{
    bool first = !s->greeted || trigger_pending(s);
    if (unanswered && !s->greeted)
        return texts_add_known(&s->texts, unanswered, false);
    if (!first || !s->settings->greeting ||
        !leg->family->features.interactive_text)
        return VR_OK;
    return texts_add(&s->texts, s->settings->greeting, true, false, UINT64_MAX,
                     NULL);
}

/* Words at the history's end that the model is to answer go to it another way,
 * so they are not to be there, too: live, because nobody has answered them yet
 * or their answer was lost, or as audio. */
static unsigned
selection_flags(const struct session *s, const struct leg *leg)
{
    bool live = leg->family->features.interactive_text;
    bool first = !s->greeted && live;
    return first || s->replay != REPLAY_NONE || texts_again(&s->texts)
               ? HISTORY_TAKE_UNANSWERED
               : 0;
}

static void
tell_left_out(struct session *s, const struct history_selection *h)
{
    if (h->left_out_messages || h->cut_bytes)
        remember_tell(s, "trimmed",
                      h->pinned_left_out
                          ? "the limits leave no room even for what is pinned"
                          : "a stream is given no more than history_limits",
                      h->left_out_messages);
}

enum vr_status
opening_tail(struct session *s, struct leg *leg, struct stream_news *news)
{
    struct setup setup = setup_of(s, leg);
    struct history_selection history;
    struct sonic_batch *outbox = link_outbox(leg->link);
    size_t first = sonic_batch_count(outbox);
    bool clip = trigger_prepare(s, leg);
    enum vr_status status =
        history_select(s->history, selection_flags(s, leg), &history);
    setup.history = &history;
    if (status == VR_OK)
        status = setup_encode_tail(&setup, outbox);
    if (status == VR_OK)
        status = say_first(s, leg, history.unanswered);
    if (status != VR_OK)
        sonic_batch_truncate(outbox, first);
    else
        tell_left_out(s, &history);
    if (status == VR_OK && clip)
        trigger_start(s);
    else if (status == VR_OK)
        trigger_stop(s);
    s->greeted = s->greeted || status == VR_OK;
    news->history_messages = history.count;
    news->history_bytes = history.bytes;
    news->replay = s->replay;
    history_selection_fini(&history);
    return status;
}

void
opening_failed(struct session *s, enum vr_status status, bool goes_on)
{
    bool large = status == VR_LIMIT;
    struct session_fault fault = {
        .class_ = large ? "config" : "retry",
        .code = "set_up_failed",
        .message = large ? "The settings and tools make an event larger than "
                           "the endpoint takes"
                         : vr_status_text(status),
        .remedy = large ? "Name fewer tools in the session's `tools`, or "
                          "shorten `extra`"
                        : "Free memory on this machine",
        .component = "session",
        .recoverable = goes_on};
    report_fault(s, &fault);
}

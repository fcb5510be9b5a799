/* Results that come after their stream. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/clock.h"
#include "gateway/log.h"
#include "gateway/session/calls_state.h"
#include "gateway/session/self.h"

/* Of a late result that is told as a text. */
#define TOLD_BYTES 8192

/* An instruction, because the model takes a mere statement for the user's. */
static bool
tell_model(struct session *s, const struct call *call, const char *content)
{
    char text[TOLD_BYTES];
    size_t fits = history_cut(content, strlen(content), TOLD_BYTES - 256);
    snprintf(text, sizeof text,
             "The tool %s, which you called before, has answered now: %.*s. "
             "Tell the user what it says, unless it does not matter any more",
             call->tool, (int)fits, content);
    enum vr_status status = texts_add_quiet(&s->texts, text);
    if (status != VR_OK)
        log_error(tools, s->context,
                  "the late result of %s cannot be told to the model: %s",
                  call->tool, vr_status_text(status));
    return status == VR_OK;
}

/* The question that it was called for is said to the new stream again, which
 * will ask for it again, too. */
static bool
asked_anew(struct session *s, const struct call *orphan)
{
    const struct turn *turn = dialogue_turn(s->dialogue, orphan->turn_id);
    return turn && !turn->published && turn->response_id != orphan->response_id;
}

/* Keeps a result for the model to ask again; false if it is not to be. */
static bool
keep(struct calls *c, struct call *late, const struct call_end *end)
{
    calls_forget_kept(c, clock_mono_ns());
    if (c->session->settings->async_result_s <= 0)
        return false;
    late->kept = strdup(end->content);
    late->kept_reason = end->reason ? strdup(end->reason) : NULL;
    return late->kept;
}

const char *
calls_pass_on(struct calls *c, struct call *late, const struct call_end *end)
{
    struct session *s = c->session;
    s->counters.late_results++;
    if (calls_serve(c, late, end) > 0)
        return "answer";
    if (strcmp(end->outcome, "cancelled") == 0)
        return "nothing";
    if (s->family->features.interactive_text && !asked_anew(s, late) &&
        tell_model(s, late, end->content))
        return "text";
    return keep(c, late, end) ? "kept" : "nothing";
}

void
calls_make_orphan(struct calls *c, struct call *call)
{
    uint64_t now_ns = clock_mono_ns();
    if (calls_is_detached(call))
        return;
    dialogue_tool_answered(c->session->dialogue, call->response_id, now_ns);
    c->open--;
    call->orphan = true;
    /* It only waited for another, which runs on. */
    if (call->source)
        calls_answer_error(c, call, "cancelled", "Its stream is gone");
}

void
calls_orphan(struct calls *c, uint32_t keep_generation)
{
    for (size_t i = 0; c->open && i < CALLS_REMEMBERED; i++) {
        struct call *call = &c->log[i];
        if (call->number && !call->outcome &&
            (!keep_generation || call->generation != keep_generation))
            calls_make_orphan(c, call);
    }
}

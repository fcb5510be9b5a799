/* Results that come after their stream. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/clock.h"
#include "gateway/log.h"
#include "gateway/session/calls_state.h"
#include "gateway/session/self.h"

/* How long a late result is kept for the model to ask again. */
#define KEPT_NS (300 * CLOCK_NS_PER_S)

/* Of a late result that is told as a text. */
#define TOLD_BYTES 8192

/* An instruction, because the model takes a mere statement for the user's. */
static void
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
}

/* The question that it was called for is said to the new stream again, which
 * will ask for it again, too. */
static bool
asked_anew(struct session *s, const struct call *orphan)
{
    const struct turn *turn = dialogue_turn(s->dialogue, orphan->turn_id);
    return turn && !turn->published && turn->response_id != orphan->response_id;
}

void
calls_pass_on(struct calls *c, struct call *orphan, const char *content)
{
    struct session *s = c->session;
    struct call *asker =
        orphan->partner ? calls_find(c, orphan->partner) : NULL;
    s->counters.late_results++;
    if (asker && !asker->outcome)
        calls_answer(c, asker, orphan->outcome, content, NULL);
    else if (s->family->features.interactive_text && !asked_anew(s, orphan))
        tell_model(s, orphan, content);
    else
        orphan->kept = strdup(content);
}

/* An orphan of the same call, running or with its result kept. */
static struct call *
find_orphan(struct calls *c, const struct call *wanted, uint64_t now_ns)
{
    for (size_t i = 0; i < CALLS_REMEMBERED; i++) {
        struct call *call = &c->log[i];
        bool same = call->number && call->orphan && !call->partner &&
                    call->mark == wanted->mark &&
                    strcmp(call->tool, wanted->tool) == 0;
        bool kept = call->kept && now_ns < call->ended_ns + KEPT_NS;
        if (same && (!call->outcome || kept))
            return call;
    }
    return NULL;
}

bool
calls_adopt(struct calls *c, struct call *call)
{
    struct call *orphan = find_orphan(c, call, clock_mono_ns());
    if (!orphan)
        return false;
    orphan->partner = call->number;
    call->partner = orphan->number;
    if (orphan->outcome)
        calls_answer(c, call, orphan->outcome, orphan->kept, NULL);
    return true;
}

void
calls_make_orphan(struct calls *c, struct call *call)
{
    struct call *own = call->partner ? calls_find(c, call->partner) : NULL;
    uint64_t now_ns = clock_mono_ns();
    dialogue_tool_answered(c->session->dialogue, call->response_id, now_ns);
    c->open--;
    call->orphan = true;
    if (!call->partner)
        return;
    /* It only waited for another orphan, which is free again. */
    if (own)
        own->partner = 0;
    calls_answer_error(c, call, "cancelled", "Its stream is gone");
}

void
calls_orphan(struct calls *c, uint32_t keep)
{
    for (size_t i = 0; c->open && i < CALLS_REMEMBERED; i++) {
        struct call *call = &c->log[i];
        if (call->number && !call->outcome && !call->orphan &&
            (!keep || call->generation != keep))
            calls_make_orphan(c, call);
    }
}

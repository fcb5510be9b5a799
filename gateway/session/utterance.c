#include "gateway/session/utterance.h"

#include "gateway/clock.h"

/* The model and the energy tell of the same speech within this time. */
#define SAME_SPEECH_NS (3 * CLOCK_NS_PER_S)

void
utterance_began(struct utterance *u, uint64_t frame, bool by_model,
                uint64_t now_ns)
{
    bool same = u->open && (u->speaking || u->text ||
                            now_ns < u->sign_ns + SAME_SPEECH_NS);
    if (!same)
        *u = (struct utterance){
            .open = true, .start_frame = frame, .began_ns = now_ns};
    else if (frame < u->start_frame)
        u->start_frame = frame;
    u->text = false; /* of the words before, not of these */
    if (by_model) {
        u->heard = true;
        u->speaking = true;
    }
    u->sign_ns = now_ns;
}

void
utterance_ended(struct utterance *u, bool by_model, uint64_t now_ns)
{
    if (by_model)
        u->speaking = false;
    if (u->open)
        u->sign_ns = now_ns;
}

void
utterance_words(struct utterance *u, uint64_t speech_frame, uint64_t now_ns)
{
    if (!u->open)
        *u = (struct utterance){
            .open = true, .start_frame = speech_frame, .began_ns = now_ns};
    u->heard = true;
    u->text = true;
    u->sign_ns = now_ns;
}

void
utterance_answered(struct utterance *u, uint64_t response_ns)
{
    if (!u->open || response_ns < u->began_ns)
        return;
    u->open = false;
    u->answer_ns = response_ns;
}

bool
utterance_reopen(struct utterance *u, uint64_t response_ns)
{
    if (u->open || !u->answer_ns || u->answer_ns != response_ns)
        return false;
    u->open = true;
    return true;
}

bool
utterance_pending(const struct utterance *u, uint64_t now_ns,
                  uint64_t patience_ns)
{
    return u->open && (u->speaking || now_ns < u->sign_ns + patience_ns);
}

/* The model's voice into the output ring, and what became of it.
 *
 * The model speaks faster than real time. What would overwrite frames that the
 * player has not played waits in a bounded private queue; the ring never
 * waits. An interruption makes the audio of one response void, up to its end,
 * whatever came after it stays.
 *
 * Positions are frames of the out ring. Up to where people have heard is what
 * the player says. Without a player, or with one that says nothing while there
 * is much to say, it is estimated from the clock, and `estimated` is true.
 *
 * When the ring is damaged, what was written and not heard is lost, and counted
 * and told as that. What comes then waits in the queue until the ring's owner
 * has made it anew, 3 s at most.
 *
 * The account, in frames of the out ring:
 * received = played + flushed + pending + lost.
 *
 * Sans-IO in time: now_ns is on the clock of gateway/clock.h. Nothing is
 * allocated while audio goes straight into the ring. */
#ifndef GATEWAY_PLAYBACK_PLAYBACK_H
#define GATEWAY_PLAYBACK_PLAYBACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/ring_host.h"
#include "ipc/status.h"

struct playback;

struct playback_config {
    struct ring_host *ring;  /* an `out` ring; must outlive the playback */
    uint32_t model_rate_hz;  /* 8000, 16000 or 24000 */
    uint32_t queue_limit_ms; /* private queue; 0: 120000 */
};

/* Where a response's audio lies in the out ring, as far as it was written or
 * waits to be: what is queued has the place it will have if nothing is
 * flushed before it. */
struct playback_span {
    uint64_t from_frame, to_frame;
};

/* What was heard of a response. */
struct playback_heard {
    double received_ms; /* of audio that the model gave */
    double heard_ms;
    double lost_ms; /* with a damaged ring, or for want of room */
    bool estimated;
};

/* What an interruption did. */
struct playback_cut {
    double heard_ms; /* of the response, when it was interrupted */
    bool estimated;
    uint64_t flush_to;       /* out-ring frame; 0 if nothing was in the ring */
    uint64_t flushed_frames; /* by this call: in the ring and in the queue */
};

struct playback_notice {
    uint64_t response_id, turn_id;
    struct playback_span span; /* started: so far; flushed: what was flushed;
                                  lost: what of it was in the ring */
    uint64_t lost_frames;      /* lost: since it was told last */
    double heard_ms;
    bool estimated;
};

/* Called from inside the functions below; may ask the questions below, and
 * nothing else. Any member may be NULL. Each response with audio has one
 * finished or flushed, and before that a started unless it was flushed first;
 * none if it is forgotten for age (32 responses are remembered). No started
 * if all of it was lost. */
struct playback_ops {
    /* Its first frame is, or is next, at the loudspeaker. */
    void (*on_started)(void *arg, const struct playback_notice *notice);
    /* Nothing of it is left to be heard, and playback_end() was called for it:
     * all was played but for what on_lost() told. */
    void (*on_finished)(void *arg, const struct playback_notice *notice);
    /* It was interrupted before its end. */
    void (*on_flushed)(void *arg, const struct playback_notice *notice);
    /* The queue is full: audio of this response is lost. Told once for each
     * time that the queue is full; the account has the frames. */
    void (*on_overflow)(void *arg, const struct playback_notice *notice);
    /* Audio of this response is lost with a ring that was damaged, or waited
     * too long for one; no oftener than once a second. What comes of it later
     * is played. */
    void (*on_lost)(void *arg, const struct playback_notice *notice);
};

/* NULL when memory is out or the configuration breaks its contract. [loop] */
struct playback *playback_new(const struct playback_config *config,
                              const struct playback_ops *ops, void *arg);

/* Accepts NULL inside. The ring stays. [loop] */
void playback_free(struct playback **playback);

/* ---- audio comes ---- */

/* Takes `count` samples (mono, at the model's rate) of a response. Audio of a
 * response that was interrupted is counted as flushed. A response whose first
 * audio this is follows the ones before it, which are taken to be at their
 * end. [rt, but for the private queue] */
void playback_write(struct playback *playback, uint64_t response_id,
                    uint64_t turn_id, const int16_t *samples, size_t count,
                    uint64_t now_ns);

/* No more audio comes for this response. [loop] */
void playback_end(struct playback *playback, uint64_t response_id,
                  uint64_t now_ns);

/* No more audio comes for any response: the stream is over. [loop] */
void playback_end_all(struct playback *playback, uint64_t now_ns);

/* Makes the rest of a response void: the ring up to the end of its audio, what
 * is queued of it, and what comes of it later. A second time nothing happens
 * and *cut tells what the first did, with 0 flushed_frames. A response that has
 * no audio yet will have none. [rt] */
void playback_interrupt(struct playback *playback, uint64_t response_id,
                        uint64_t now_ns, struct playback_cut *cut);

/* ---- time passes ---- */

/* Moves queued audio to the ring as it gets room, and tells what has started
 * and finished. Call it at playback_deadline_ns(). [rt] */
void playback_tick(struct playback *playback, uint64_t now_ns);

/* When playback_tick() has something to do; UINT64_MAX: never. [rt] */
uint64_t playback_deadline_ns(const struct playback *playback, uint64_t now_ns);

/* ---- questions ---- */

/* Whether audio is still to be heard, in the ring or in the queue; not what
 * waits there for a player that has stopped playing. [rt] */
bool playback_is_busy(struct playback *playback, uint64_t now_ns);

/* Up to where audio was heard; `estimated` may be NULL. [rt] */
uint64_t playback_position(struct playback *playback, uint64_t now_ns,
                           bool *estimated);

/* False if the response has no audio or is forgotten. [rt] */
bool playback_span(const struct playback *playback, uint64_t response_id,
                   struct playback_span *span);

/* False if the response has no audio or is forgotten. [rt] */
bool playback_heard(struct playback *playback, uint64_t response_id,
                    uint64_t now_ns, struct playback_heard *heard);

/* ---- the account ---- */

/* Frames of the out ring since playback_new(). */
struct playback_account {
    uint64_t received, played, flushed, lost;
    uint64_t pending; /* in the ring and in the queue, not heard yet */
    uint64_t queued;  /* of these, in the queue */
};

/* pending is counted on its own, not as the rest of the others. [loop] */
void playback_account(struct playback *playback, uint64_t now_ns,
                      struct playback_account *account);

/* received = played + flushed + pending + lost. [any] */
bool playback_account_balances(const struct playback_account *account);

#endif

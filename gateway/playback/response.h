/* The inside of a playback, and what it remembers of each response. For the
 * files of this folder. */
#ifndef GATEWAY_PLAYBACK_RESPONSE_H
#define GATEWAY_PLAYBACK_RESPONSE_H

#include "gateway/playback/listener.h"
#include "gateway/playback/playback.h"
#include "gateway/playback/queue.h"
#include "gateway/resampler.h"

/* Responses remembered: one speaks, and the ones before it can be asked for. */
#define RESPONSES_MAX 32
#define NOBODY RESPONSES_MAX
#define BLOCK_FRAMES 1024

/* A ring that is damaged, or was. */
struct loss {
    uint64_t epoch; /* of the ring that the listener listens to */
    bool away;
    uint64_t away_ns; /* since when */
};

struct response {
    bool used;
    uint64_t id, turn_id;
    uint64_t order;            /* a running number: the lowest is the oldest */
    struct playback_span span; /* in the ring */
    uint64_t received, written, queued;
    uint64_t lost;             /* of `written`: with its ring */
    uint64_t dropped;          /* lost before they were written */
    uint64_t untold;           /* of these two, not told yet */
    struct playback_span gone; /* where in the ring the untold ones were */
    uint64_t told_ns;          /* when a loss was told last */
    uint64_t late_part;        /* of a frame, in 1 / model rate */
    bool started, ended, interrupted;
    bool over;             /* finished or flushed was told */
    uint64_t heard_frames; /* once it is interrupted or over */
    bool heard_estimated;
};

struct playback {
    /* Constant. */
    struct ring_host *ring;
    struct playback_ops ops;
    void *arg;
    struct vr_format format;
    uint32_t model_rate_hz;
    struct resampler *resampler;
    size_t latency_samples; /* that the resampler holds back */

    struct listener listener;
    struct queue queue;
    bool overflowing;
    struct loss loss;
    uint64_t now_ns; /* of the newest update */
    struct response responses[RESPONSES_MAX];
    uint64_t orders;    /* given so far; the first is 1 */
    unsigned inside;    /* whose samples the resampler holds, or NOBODY */
    int16_t *converted; /* resampled block */
    int16_t stereo[2 * BLOCK_FRAMES];

    uint64_t received;
    uint64_t flushed, lost; /* beside what was so in the ring */
};

/* NULL if it is not remembered. [rt] */
struct response *response_find(const struct playback *p, uint64_t id);

/* Remembers a new one in place of the oldest that is over or, if none is, the
 * oldest whose audio is all in the ring; NULL if there is none. [rt] */
struct response *response_add(struct playback *p, uint64_t id,
                              uint64_t turn_id);

/* Frames of what was written of it that the listener has passed, heard or lost,
 * as of its last update. [rt] */
uint64_t response_passed_frames(const struct playback *p,
                                const struct response *r);

/* Frames of it that were heard, as of the listener's last update. [rt] */
uint64_t response_heard_frames(const struct playback *p,
                               const struct response *r);

/* What was heard of it will not change any more. [rt] */
void response_fix(struct playback *p, struct response *r);

/* Calls `on_notice` unless it is NULL. [loop] */
void response_tell(struct playback *p, const struct response *r,
                   struct playback_span span,
                   void (*on_notice)(void *, const struct playback_notice *));

/* Tells what has come true of all of them since the last time, the oldest
 * first, so that one finishes before the next starts. [loop] */
void response_tell_progress(struct playback *p);

/* When a loss that is not told yet is to be; UINT64_MAX: never. [rt] */
uint64_t response_loss_due_ns(const struct response *r);

/* Brings the listener up to date (loss.c). If the ring is damaged, or was and
 * has been made anew, what nobody had heard of it is lost; and what waits for
 * one that does not come back is lost too. Tells nothing. [rt] */
void loss_update(struct playback *p, uint64_t now_ns);

/* Frames that the ring takes without harm to what is unplayed, `most` at most;
 * 0 while it is damaged. [rt] */
size_t loss_room(const struct playback *p, size_t most);

/* Of the out ring. [rt] */
double response_milliseconds(const struct playback *p, uint64_t frames);

#endif

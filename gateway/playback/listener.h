/* Up to where the out ring was heard: by the player's word or, without one, by
 * the clock. */
#ifndef GATEWAY_PLAYBACK_LISTENER_H
#define GATEWAY_PLAYBACK_LISTENER_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/ring_host.h"

struct listener {
    struct ring_host *ring;
    uint32_t rate_hz;
    uint64_t position; /* all before it was played or flushed */
    bool estimated;    /* how the position came about */
    uint64_t heard_frames, flushed_frames, lost_frames;
    /* Frames from here on must not be overwritten. */
    uint64_t unplayed;
    uint64_t begin; /* what was before it is in no ring any more */

    /* The estimate: at clock_ns the frame clock_frame was played. */
    uint64_t clock_ns, clock_frame;
    /* The player, as of looked_ns: whether it said anything since it came when
     * the position was `arrived`, and when it last did; dumb: it did not, in
     * time in which it should have. */
    bool looked, present, spoke, dumb;
    uint64_t looked_ns, arrived, said, said_ns;
};

/* Begins at the ring's head. [loop] */
void listener_init(struct listener *listener, struct ring_host *ring);

/* Brings the position up to date; a system call now and then. Call it before
 * writing to the ring: audio written at `now_ns` is played from then on. [rt]
 */
void listener_update(struct listener *listener, uint64_t now_ns);

/* Whether there is a player is asked anew at the next update. [rt] */
void listener_look_again(struct listener *listener);

/* All before `to` was made void. [rt] */
void listener_flush(struct listener *listener, uint64_t to, uint64_t now_ns);

/* As listener_update(), by the clock alone: what the ring says is not asked
 * for. [rt] */
void listener_pass_time(struct listener *listener, uint64_t now_ns);

/* The ring is gone, and with it what nobody has heard. [rt] */
void listener_lose(struct listener *listener, uint64_t now_ns);

/* When the position will be at `frame`, if all goes well. [rt] */
uint64_t listener_eta_ns(const struct listener *listener, uint64_t frame,
                         uint64_t now_ns);

#endif

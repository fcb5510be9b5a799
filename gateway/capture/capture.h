/* The microphone's ring turned into chunks that the model takes: mono, at its
 * rate, all of one size, with silence where there is none.
 *
 * The input clock. A chunk is ready as soon as its last frame is in the ring.
 * Silence starts only when the producer's last commit is older than gap_ms and
 * nothing is left to send, then runs in real time, stops at the first real
 * frame, and what a late caller missed of it is never caught up. When silence
 * starts, what is pending of a chunk is filled up and sent.
 *
 * The account. Each frame of the ring has one first fate:
 * produced = sent + gated + lost + pending. A frame is sent when the caller
 * says that its chunk was handed to TLS.
 *
 * Back-pressure: a caller that has no room does not poll, and audio waits in
 * the ring.
 *
 * Sans-IO in time: now_ns is on the clock of gateway/clock.h. Nothing is
 * allocated after capture_new(). */
#ifndef GATEWAY_CAPTURE_CAPTURE_H
#define GATEWAY_CAPTURE_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/ring_host.h"
#include "ipc/status.h"

#define CAPTURE_CHUNK_MS_MIN 10
#define CAPTURE_CHUNK_MS_MAX 100

struct capture;

struct capture_config {
    struct ring_host *ring;     /* an `in` ring; must outlive the capture */
    uint32_t model_rate_hz;     /* 8000, 16000 or 24000 */
    uint32_t chunk_ms;          /* CAPTURE_CHUNK_MS_MIN to _MAX; 0: 32 */
    uint32_t gap_ms;            /* 0: 300 */
    uint32_t connect_buffer_ms; /* kept while there is no stream; 0: nothing */
};

enum capture_loss {
    CAPTURE_LOSS_LAPPED,  /* the producer overwrote what was not read yet */
    CAPTURE_LOSS_WAITING, /* older than connect_buffer_ms at the start */
    CAPTURE_LOSS_UNSENT   /* handed to a stream that ended before sending it */
};

/* Called from inside the functions below; must not call back. Any member may
 * be NULL. */
struct capture_ops {
    /* Silence begins: the ring ran dry at in-ring frame `frame`. */
    void (*on_starved)(void *arg, uint64_t frame);
    /* Real audio is back; `starved_ns` is how long silence ran. */
    void (*on_resumed)(void *arg, uint64_t frame, uint64_t starved_ns);
    /* Frames before in-ring frame `frame` are lost. */
    void (*on_lost)(void *arg, enum capture_loss why, uint64_t frames,
                    uint64_t frame);
};

enum capture_kind {
    CAPTURE_AUDIO,   /* at least one real frame */
    CAPTURE_SILENCE, /* inserted: the ring had nothing */
    CAPTURE_GATED    /* frames of the ring, none of them let through */
};

/* One chunk. May be copied; `samples` is valid until the next call that gives
 * a chunk, the rest for ever. */
struct capture_chunk {
    enum capture_kind kind;
    const int16_t *samples;
    size_t count; /* always capture_chunk_samples() */
    /* In-ring frames [from, to) that have their place in this chunk; equal in
     * pure silence. to - from = sent + gated + lost frames. */
    uint64_t from_frame, to_frame;
    uint64_t sent_frames;  /* of these, let through */
    uint64_t gated_frames; /* of these, replaced by silence */
    /* Silence that stands for no frame: count samples from this one on. */
    size_t inserted_at, inserted_count;
    uint64_t captured_ns; /* of frame to_frame - 1; 0 if not known */
    uint64_t sent_mark;   /* for capture_chunk_sent() */
};

/* NULL when memory is out or the configuration breaks its contract. [loop] */
struct capture *capture_new(const struct capture_config *config,
                            const struct capture_ops *ops, void *arg);

/* Accepts NULL inside. The ring stays. [loop] */
void capture_free(struct capture **capture);

/* Samples in every chunk. [rt] */
size_t capture_chunk_samples(const struct capture *capture);

/* ---- the stream comes and goes ---- */

/* There is no stream (as after capture_new()): frames stay in the ring, but
 * not more than connect_buffer_ms of them; the oldest are lost. Call it now and
 * then while there is none, at capture_deadline_ns(). Returns how many frames
 * this call gave up. [loop] */
uint64_t capture_hold(struct capture *capture, uint64_t now_ns);

/* A stream takes audio from now on, the kept frames first. Returns as
 * capture_hold(). [loop] */
uint64_t capture_begin(struct capture *capture, uint64_t now_ns);

/* Gives the next chunk, or false if there is none now: then either
 * capture_arm() or capture_deadline_ns() tells when to ask again. [rt] */
bool capture_poll(struct capture *capture, uint64_t now_ns,
                  struct capture_chunk *chunk);

/* As capture_poll(), for the end of a stream: no more silence, but the last
 * partial chunk filled up. False: all that is in the ring was given. [rt] */
bool capture_drain(struct capture *capture, uint64_t now_ns,
                   struct capture_chunk *chunk);

/* Asks the ring's doorbell to ring when the next chunk can be made. True if it
 * can be made already: then nobody rings; poll again, from the loop's next
 * turn if this one has polled. [rt] */
bool capture_arm(struct capture *capture);

/* When capture_poll() (or capture_hold()) should be called even if nobody
 * rings; UINT64_MAX: never. Means nothing to a caller that has stopped polling
 * for want of room. [rt] */
uint64_t capture_deadline_ns(const struct capture *capture, uint64_t now_ns);

/* This chunk, and all before it, was handed to TLS. Any chunk may be left out;
 * once is enough. [rt] */
void capture_chunk_sent(struct capture *capture,
                        const struct capture_chunk *chunk);

/* The stream is gone: what it was given and did not hand to TLS is lost.
 * Returns how many frames. [loop] */
uint64_t capture_chunks_dropped(struct capture *capture);

/* ---- listening ---- */

/* While the gate is closed, or mute is on, frames are taken and counted as
 * gated, and silence is sent in their place. Both begin and end at the frame
 * that the producer writes next, not at the one read next. [loop] */
void capture_gate(struct capture *capture, bool closed);
void capture_mute(struct capture *capture, bool muted); /* [loop] */

/* Whether silence is being inserted. [rt] */
bool capture_is_starved(const struct capture *capture);

/* ---- the account ---- */

/* Frames of the input ring since capture_new(), each with its first fate. */
struct capture_account {
    uint64_t produced, sent, gated, lost, pending;
    uint64_t resent;           /* always 0: nothing is sent twice yet */
    uint64_t inserted_samples; /* silence for no frame, at the model's rate */
    uint64_t inserted_spans;   /* how often silence began */
    uint64_t chunks;
};

/* pending is counted on its own, not as the rest of the others. [loop] */
void capture_account(struct capture *capture, struct capture_account *account);

/* produced = sent + gated + lost + pending. [any] */
bool capture_account_balances(const struct capture_account *account);

#endif

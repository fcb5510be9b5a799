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

/* How what has waited goes out. */
#define CAPTURE_BURST_MS 3000
#define CAPTURE_CATCH_UP 2

/* No producer makes more work than this times real time, after a burst. */
#define CAPTURE_FLOW 16
#define CAPTURE_FLOW_BURST_MS 20000

struct capture;

struct capture_config {
    struct ring_host *ring;     /* an `in` ring; must outlive the capture */
    uint32_t model_rate_hz;     /* 8000, 16000 or 24000 */
    uint32_t chunk_ms;          /* CAPTURE_CHUNK_MS_MIN to _MAX; 0: 32 */
    uint32_t gap_ms;            /* 0: 300 */
    uint32_t connect_buffer_ms; /* kept while there is no stream; 0: nothing */
    double speech_threshold_dbfs; /* least loudness of speech; 0: -45 */
    uint32_t speech_hangover_ms;  /* quiet that ends speech; 0: 500 */
    uint32_t preroll_ms;          /* kept before speech by the sentry; 0: 300 */
};

enum capture_loss {
    CAPTURE_LOSS_LAPPED,  /* the producer overwrote what was not read yet */
    CAPTURE_LOSS_WAITING, /* for a stream, longer than capture_keep() says */
    CAPTURE_LOSS_UNSENT,  /* handed to a stream that ended before sending it */
    CAPTURE_LOSS_RING,    /* unread in a ring that was damaged */
    CAPTURE_LOSS_COUNT
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
    /* The user began to speak at in-ring frame `frame`, or had ended there;
     * both are noticed a little later. */
    void (*on_speech)(void *arg, bool started, uint64_t frame);
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
    uint64_t sent_frames;   /* of these, let through */
    uint64_t gated_frames;  /* of these, replaced by silence */
    uint64_t resent_frames; /* of the sent ones, those sent before */
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

/* How much audio is kept while there is no stream: connect_buffer_ms at first,
 * the outage buffer while one is being replaced. [loop] */
void capture_keep(struct capture *capture, uint32_t keep_ms);

/* There is no stream (as after capture_new()): frames stay in the ring, but
 * not more than capture_keep() says; the oldest are lost, unless they were sent
 * before. Call it now and then while there is none, at capture_deadline_ns().
 * Returns how many frames this call lost. [loop] */
uint64_t capture_hold(struct capture *capture, uint64_t now_ns);

/* A stream takes audio from now on, the kept frames first. Returns as
 * capture_hold(). [loop] */
uint64_t capture_begin(struct capture *capture, uint64_t now_ns);

/* Goes back: what was given to a stream and not handed to TLS is pending
 * again, and the next chunk begins at in-ring frame `frame`, or at the oldest
 * that can still be read, but never beyond capture_next_frame(). Frames that
 * were sent before count as resent when they are sent again, never as sent;
 * gated ones are silence again, lost ones are passed over. What was not sent
 * and is not gone back to is lost. For a stream that has ended or is given up:
 * its chunks mean nothing to capture_chunk_sent() from now on. Follow with
 * capture_hold() or capture_begin(). Returns where it stands. [loop] */
uint64_t capture_rewind(struct capture *capture, uint64_t frame,
                        uint64_t now_ns);

/* The frame that the next chunk given will begin with: all before it are in
 * chunks already given. [rt] */
uint64_t capture_next_frame(const struct capture *capture);

/* The first frame that was given in a chunk and neither handed to TLS nor
 * dropped; capture_next_frame() if there is none. Going back no further than
 * this sends nothing twice and loses nothing. [loop] */
uint64_t capture_unsent_frame(const struct capture *capture);

/* Gives the next chunk, or false if there is none now: then either
 * capture_arm() or capture_deadline_ns() tells when to ask again. [rt] */
bool capture_poll(struct capture *capture, uint64_t now_ns,
                  struct capture_chunk *chunk);

/* As capture_poll(), for the end of a stream: no more silence, not held back,
 * and the last partial chunk filled up. False: all that is in the ring was
 * given. [rt] */
bool capture_drain(struct capture *capture, uint64_t now_ns,
                   struct capture_chunk *chunk);

/* Asks the ring's doorbell to ring when the next chunk can be made, or the
 * sentry has something to listen to. True if that is so already: then nobody
 * rings; poll again, from the loop's next turn if this one has polled. False,
 * and nobody rings, while what has waited is held back. [rt] */
bool capture_arm(struct capture *capture);

/* The doorbell has rung. True if what was asked for is there: then poll. False:
 * it was rung for nothing. [rt] */
bool capture_rung(struct capture *capture);

/* Nobody listens to the doorbell, or does again: capture_deadline_ns() looks
 * for audio each chunk, not only after two in which nobody has rung. [loop] */
void capture_by_clock(struct capture *capture, bool by_clock);

/* When capture_poll() (or _hold(), _sentry()) should be called even if nobody
 * rings; UINT64_MAX: never. While audio comes, two chunks at most: a bell may
 * be silent that should ring. Means nothing to a caller that has stopped
 * polling for want of room. [rt] */
uint64_t capture_deadline_ns(const struct capture *capture, uint64_t now_ns);

/* This chunk, and all before it, was handed to TLS. Any chunk may be left out;
 * once is enough. [rt] */
void capture_chunk_sent(struct capture *capture,
                        const struct capture_chunk *chunk);

/* The stream is gone: what it was given and did not hand to TLS is lost.
 * Returns how many frames. [loop] */
uint64_t capture_chunks_dropped(struct capture *capture);

/* The ring is damaged: what is unread in it is lost. Call it as soon as that is
 * known, and again when the ring was made anew. Returns how many frames.
 * [loop] */
uint64_t capture_ring_lost(struct capture *capture);

/* ---- listening ---- */

/* While the gate is closed, or mute is on, frames are taken and counted as
 * gated, and silence is sent in their place. Both begin and end at the frame
 * that the producer writes next, not at the one read next. [loop] */
void capture_gate(struct capture *capture, bool closed);
void capture_mute(struct capture *capture, bool muted); /* [loop] */

/* Whether silence is being inserted because nothing new comes. [rt] */
bool capture_is_starved(const struct capture *capture);

/* The user's voice by its energy, as far as audio was read. Frames that are
 * gated are no speech; none is listened to twice. */
struct capture_speech {
    bool speaking;
    uint64_t start_frame; /* of the newest speech; 0 if none yet */
    uint64_t end_frame;   /* its end, when not speaking */
    uint64_t ended_ns;    /* when its end was noticed; 0 if speaking */
    uint64_t loud_ms;     /* how long of it was loud */
};

/* [loop] */
void capture_speech(const struct capture *capture,
                    struct capture_speech *speech);

/* Sentry: while there is no stream and the session sleeps, frames are listened
 * to and, once older than preroll_ms (and what it takes to tell speech),
 * counted as gated. True: speech began; it stays so until the next
 * capture_begin(), the position is at its start minus preroll_ms, and frames
 * are kept as by capture_hold(). Speech that was going on when the sentry began
 * does not count: ask capture_speech() before going to sleep. Call it at
 * capture_deadline_ns() and when the bell rang. [loop] */
bool capture_sentry(struct capture *capture, uint64_t now_ns);

/* ---- the account ---- */

/* Frames of the input ring since capture_new(), each with its first fate. */
struct capture_account {
    uint64_t produced, sent, gated, lost, pending;
    uint64_t resent;           /* sent again: apart from the balance */
    uint64_t inserted_samples; /* silence for no frame, at the model's rate */
    uint64_t inserted_spans;   /* how often silence began */
    uint64_t chunks;
};

/* pending is counted on its own, not as the rest of the others. [loop] */
void capture_account(struct capture *capture, struct capture_account *account);

/* produced = sent + gated + lost + pending. [any] */
bool capture_account_balances(const struct capture_account *account);

#endif

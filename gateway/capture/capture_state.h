/* What capture's files share. For them only.
 *
 * Four places in the ring, each frame of which has a number:
 * sent_to <= seen, position <= seen <= head. Before sent_to every frame has
 * its fate: sent, or marked in `fates`. Before `seen` the gate has decided and
 * the voice has been listened to; from there on nothing was looked at. The
 * position goes back with capture_rewind(); the other two never do. */
#ifndef GATEWAY_CAPTURE_CAPTURE_STATE_H
#define GATEWAY_CAPTURE_CAPTURE_STATE_H

#include "gateway/capture/capture.h"
#include "gateway/capture/fates.h"
#include "gateway/capture/flow.h"
#include "gateway/capture/gate.h"
#include "gateway/capture/pace.h"
#include "gateway/capture/voice.h"
#include "gateway/resampler.h"

/* How often it is looked at while there is no stream. */
#define CAPTURE_HOLD_NS UINT64_C(1000000000)
/* A loss while copying means a producer that is faster than memory; it is not
 * waited for. */
#define CAPTURE_LOSSES_PER_CALL 4
#define CAPTURE_NO_FRAME UINT64_MAX

enum capture_state {
    CAPTURE_HELD,   /* no stream: frames stay in the ring */
    CAPTURE_WATCH,  /* no stream: frames are listened to, and given up */
    CAPTURE_LIVE,   /* real audio, or a gap shorter than gap_ms */
    CAPTURE_ENDING, /* the last frames before a gap leave the resampler */
    CAPTURE_SILENT, /* silence runs */
    CAPTURE_DRAINED /* the stream ends and has got everything */
};

/* The frames that have their place in one chunk. */
struct capture_window {
    bool any;
    uint64_t from, to;
    uint64_t sent;  /* let through */
    uint64_t again; /* of these, sent before */
    uint64_t gated;
};

struct capture {
    /* Constant. */
    struct ring_host *ring;
    struct capture_ops ops;
    void *arg;
    struct vr_format format;
    uint64_t start; /* position of the ring when it was taken over */
    size_t chunk_samples, chunk_frames;
    uint64_t chunk_ns, gap_ns;
    uint64_t preroll_frames, notice_frames, listen_frames;
    size_t piece_frames; /* room in `frames` */
    size_t latency_frames;
    struct resampler *resampler;

    /* The clock. */
    enum capture_state state;
    uint64_t keep_frames;
    uint64_t hold_ns;    /* when to look again while there is no stream */
    uint64_t silence_ns; /* when the next silence is due */
    bool starved;
    uint64_t starved_ns; /* since when */
    uint64_t drain_to;   /* where draining ends, CAPTURE_NO_FRAME else */
    struct pace pace;
    struct flow flow;
    uint64_t now_ns;   /* of the newest look */
    uint64_t asked_at; /* head that the bell is to ring for */
    bool by_clock;     /* nobody listens to it */

    /* The chunk in the making. A segment is audio without a gap; the chunk in
     * hand ends with its frame number chunk_end, and the resampler wants
     * latency_frames more before it gives the last samples. */
    uint64_t fed, chunk_end;
    size_t silence_left; /* ENDING: frames still to be fed */
    size_t have;         /* samples in `samples` */
    struct capture_window window, ahead;
    int16_t *samples; /* a chunk, and what resampler_bound() rounds up */
    int16_t *frames;  /* as they lie in the ring */

    /* Listening. */
    bool gate_closed, muted;
    struct gate gate; /* from `seen` on */
    struct voice voice;
    bool woken;           /* the sentry heard speech */
    uint64_t woken_frame; /* where that began */

    /* The account. */
    uint64_t seen, sent_to;
    struct fates fates; /* before `seen`: what is not to be sent */
    uint64_t sent, gated, lost, resent;
    uint64_t given, settled; /* frames in chunks; of these, sent or dropped */
    uint64_t
        again_to; /* of `given`, those between settled and this are again */
    uint64_t given_to; /* where the newest chunk ends */
    uint64_t inserted_samples, inserted_spans, chunks;
};

/* Forgets the chunk in the making. [rt] */
void capture_start_segment(struct capture *c);

/* Frames that have to be read before the chunk in the making is whole. [rt] */
size_t capture_missing(const struct capture *c);

/* Takes from the ring what the chunk in the making wants. False if there was
 * nothing; else *new_frame is the first that was never looked at before, or
 * CAPTURE_NO_FRAME. [rt] */
bool capture_fill(struct capture *c, uint64_t now_ns, uint64_t *new_frame);

/* Two channels become one, in place. [rt] */
void capture_mix(const struct capture *c, size_t frames);

/* These are lost; tells so. [loop] */
void capture_lose(struct capture *c, enum capture_loss why, uint64_t frames);

/* Those of the frames [from, to) that have no fate yet are lost; `to` has been
 * passed by the position. Returns how many. [loop] */
uint64_t capture_lose_span(struct capture *c, enum capture_loss why,
                           uint64_t from, uint64_t to);

/* Moves the position on to `to`; what is passed over and has no fate yet is
 * gated. `to` <= seen. [loop] */
void capture_gate_to(struct capture *c, uint64_t to);

/* Moves the position over lost frames that were seen. [loop] */
void capture_pass_lost(struct capture *c);

/* Frames without a fate in the chunk in the making, and in chunks given and
 * neither sent nor dropped. [rt] */
uint64_t capture_unsettled(const struct capture *c);

/* Nobody is to ring. [rt] */
void capture_disarm(struct capture *c);

/* A stream takes what there is. [rt] */
bool capture_has_stream(const struct capture *c);

#endif

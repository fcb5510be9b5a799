/* The inside of a stream, for the files that make it up: stream (life, and what
 * callers do), stream_in and stream_out (bytes both ways), stream_timer (its
 * deadlines), stream_verdict (how it ends). Nobody else includes this. */
#ifndef GATEWAY_BEDROCK_STREAM_SELF_H
#define GATEWAY_BEDROCK_STREAM_SELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/bedrock/h2.h"
#include "gateway/bedrock/liveness.h"
#include "gateway/bedrock/outbox.h"
#include "gateway/bedrock/patience.h"
#include "gateway/bedrock/request.h"
#include "gateway/bedrock/response.h"
#include "gateway/bedrock/signer.h"
#include "gateway/bedrock/stream.h"
#include "gateway/bedrock/wire.h"

enum stream_state {
    STREAM_CONNECTING,
    STREAM_OPEN,
    STREAM_ENDING, /* the end is known, on_end is due */
    STREAM_ENDED
};

struct bedrock_stream {
    struct wire *wire; /* NULL once ended */
    const struct bedrock_stream_ops *ops;
    void *arg;
    char *context;
    enum stream_state state;
    bool finishing;   /* bedrock_stream_finish() was called */
    bool dispatching; /* an event of the wire is being handled */
    bool receiving;   /* nghttp2 is on the stack: it must not be pulled */
    bool closed;      /* to be freed when the dispatch is over */
    bool wire_dead;   /* nothing can be sent any more */
    bool crowded;     /* on_writable is owed */

    struct signer *signer;
    int64_t clock_offset_ms;
    struct request request;
    struct response *response;
    int64_t answered_ms; /* the wall clock when its headers came */
    unsigned stays;      /* exceptions it has outlived */
    struct h2 *h2;

    size_t audio_unsent_bytes;
    struct outbox outbox;
    uint64_t queued;
    uint64_t sent;
    size_t frames_head, frames_tail;
    uint8_t frames[2 * H2_FRAME_BYTES];

    struct liveness liveness;
    struct patience patience;
    uint64_t refusal_ns; /* when a refusal's body is awaited no more, 0: none */
    uint64_t timer_ns;   /* what the wire's timer is set to */

    struct bedrock_end end;
};

/* ---- stream_timer ---- */

/* Moves the wire's timer forward to `deadline_ns`, if it is later. [rt] */
void stream_timer_need(struct bedrock_stream *s, uint64_t deadline_ns);

/* The same for the deadline of `patience`. While a PING is unanswered it is not
 * known whether the peer is there; its answer, or liveness' own deadline,
 * brings us back. [rt] */
void stream_timer_patience(struct bedrock_stream *s);

/* Does what is due now; may end the stream. [loop] */
void stream_timer_act(struct bedrock_stream *s);

/* ---- stream_verdict ---- */

/* How far the endpoint's clock was ahead of ours, as far as it told. [loop] */
void stream_verdict_clock(const struct bedrock_stream *s,
                          struct bedrock_end *end);

/* Notes the end; on_end follows when the dispatch is over, or from the timer
 * where there is none. s->end holds cause and message already; what the
 * endpoint itself said about it is worth more. [loop] */
void stream_verdict_give(struct bedrock_stream *s);

/* The wire gave `status` instead of bytes. [loop] */
void stream_verdict_wire_lost(struct bedrock_stream *s, enum vr_status status);

/* The wire takes nothing any more. The endpoint may have said why it hung up,
 * and that is still to be read: the end waits until there is no more. [rt] */
void stream_verdict_send_failed(struct bedrock_stream *s);

/* nghttp2 found a breach of HTTP/2, or no memory: `status` is h2_receive()'s or
 * h2_pull()'s. [rt] */
void stream_verdict_h2_failed(struct bedrock_stream *s, enum vr_status status);

/* ---- stream_out ---- */

/* The time to sign with: the wall clock, corrected. [rt] */
int64_t stream_out_signing_ms(struct bedrock_stream *s);

/* Body bytes queued and not yet handed to TLS. [rt] */
size_t stream_out_unsent(const struct bedrock_stream *s);

/* Counts `bytes` that were put into the outbox. [rt] */
void stream_out_queued(struct bedrock_stream *s, size_t bytes);

/* Hands to TLS what it takes now, where that is possible at all. [rt] */
void stream_out_flush(struct bedrock_stream *s);

/* Queues the signed empty frame and END_STREAM. [loop] */
void stream_out_finish(struct bedrock_stream *s);

/* Tells the peer that we go, as far as it takes that at once; `error` is
 * HTTP/2's. [loop] */
void stream_out_farewell(struct bedrock_stream *s, uint32_t error);

/* ---- stream_in ---- */

extern const struct response_ops stream_in_response_ops;
extern const struct h2_ops stream_in_h2_ops;

/* Reads what is there. False if more may be there than one turn may take.
 * [loop] */
bool stream_in_read(struct bedrock_stream *s);

#endif

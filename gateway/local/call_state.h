/* What one call is made of, for call.c and call_strike.c alone. */
#ifndef GATEWAY_LOCAL_CALL_STATE_H
#define GATEWAY_LOCAL_CALL_STATE_H

#include "gateway/local/bytes.h"
#include "gateway/local/call.h"
#include "gateway/local/chain.h"
#include "gateway/local/framing.h"
#include "gateway/local/record.h"
#include "gateway/local/refusal.h"
#include "gateway/local/request.h"

enum call_state {
    CALL_HEADERS,   /* the request is coming in */
    CALL_VERIFIED,  /* good headers; the 200 is withheld until an event */
    CALL_TALKING,   /* the 200 is out, the conversation lives */
    CALL_FINISHING, /* what is unread goes out, then the end */
    CALL_LINGERING, /* the same, and the client's end is still to come */
    CALL_MUTE,      /* by a fault: says nothing, ignores what comes */
    CALL_CUT        /* reset; the states from FINISHING have no conversation */
};

struct call {
    const struct call_config *config;
    const struct call_ops *ops;
    void *arg;
    struct jsonlog_place place;
    enum call_state state;
    char request_id[CALL_REQUEST_ID_BYTES];
    char model_id[VERIFY_MODEL_BYTES];
    uint64_t deadline_ms; /* while verified or lingering */
    bool head;            /* a HEAD request, whose answer has no body */
    struct now now;       /* of the entry point that runs */

    /* in */
    struct request request;
    struct chain chain;
    struct framing_decoder decoder;
    struct bytes json;
    bool end_frame_seen;
    struct conversation *conversation;
    struct record *record;

    /* out */
    struct bytes unread;
    size_t read_bytes; /* of `unread`, given out already */
    uint32_t dice;

    /* faults */
    struct fault_site site;
    int64_t wall_offset_ms; /* of this stream, fixed when it opens */
    bool stalled;           /* nothing more goes out */
    size_t split_bytes;     /* most a DATA frame holds; 0: no such limit */
};

/* Sends an answer that refuses the request. [loop] */
void call_refuse(struct call *call, int status, const char *errortype,
                 const char *message, long retry_after_s);

/* Ends the stream with an exception frame, after a 200 if there was none.
 * [loop] */
void call_except(struct call *call, const char *exception, const char *message);

/* Says how the stream ended; only the first time counts. [loop] */
void call_ended(struct call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Numbers the request and tells what clock it is judged by; before it is
 * verified. [loop] */
void call_strike_open(struct call *call);

/* The request is good, or has not been judged: faults that wait for it hold it
 * back. [loop] */
void call_strike_request(struct call *call);

/* Whatever is due now. [loop] */
void call_strike(struct call *call);

/* When the next may be due; UINT64_MAX: never. [loop] */
uint64_t call_strike_deadline_ms(const struct call *call);

#endif

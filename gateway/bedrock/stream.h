/* One bidirectional stream to Bedrock: a connection made by libcurl, HTTP/2 by
 * nghttp2, events in and out. Knows no rings, no bus and no tools.
 *
 * Everything runs on one libuv loop and calls back on it, never from inside
 * open, send, finish or close. After on_end nothing more is called. */
#ifndef GATEWAY_BEDROCK_STREAM_H
#define GATEWAY_BEDROCK_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "gateway/bedrock/credentials.h"
#include "ipc/status.h"

struct bedrock_client; /* one per loop: the curl multi handle */
struct bedrock_stream;

/* NULL when memory is out. `loop` must outlive the client. [loop] */
struct bedrock_client *bedrock_client_new(uv_loop_t *loop);

/* Every stream must be closed before; its libuv handles are closed on the
 * loop, which must turn once more afterwards. [loop] */
void bedrock_client_free(struct bedrock_client **client);

/* Strings are copied. */
struct bedrock_target {
    const char *region;   /* us-east-1 */
    const char *endpoint; /* https://host[:port], NULL: the region's own */
    const char *ca_file;  /* PEM, NULL: the system's */
    const char *model_id; /* as given by AWS; percent-encoded here */
    const char *context;  /* for log lines: session and conversation */
    uint32_t connect_timeout_ms; /* 0 = 10 s: DNS, TCP, TLS */
    uint32_t ping_after_ms;      /* 0 = 5 s without a byte from the peer */
    uint32_t ping_timeout_ms;    /* 0 = 5 s without an answer to the PING */
    size_t audio_unsent_bytes;   /* 0 = 72 KiB: about 1 s at 16 kHz mono */
    int64_t clock_offset_ms;     /* added to the wall clock when signing */
    uint32_t stall_timeout_ms;   /* 0 = 10 s: unsent events, none leaves */
    uint32_t answer_timeout_ms;  /* 0 = 15 s from the first event to the 200 */
};

enum bedrock_end_cause {
#define BEDROCK_END(code, sentence) BEDROCK_END_##code,
#include "gateway/bedrock/end.tbl.h"
#undef BEDROCK_END
    BEDROCK_END_COUNT
};

/* How a stream ended; valid during on_end. */
struct bedrock_end {
    enum bedrock_end_cause cause;
    bool normal;         /* an orderly end after our bedrock_stream_finish() */
    char code[96];       /* AWS's exception name without URI, or "" */
    char message[768];   /* theirs, or ours: what happened and where */
    char request_id[64]; /* x-amzn-requestid, "" if none came */
    int http_status;     /* 0 if no response came */
    uint32_t h2_error;   /* of RST_STREAM or GOAWAY */
    int64_t server_date_ms; /* the response's Date, 0 if none */
    /* How far that Date was ahead of the wall clock when it came: what
     * clock_offset_ms should be where a signature is refused for its time. The
     * Date of a stream that ends late is old, this is not. 0 if none came. */
    int64_t server_ahead_ms;
    uint32_t retry_after_ms; /* a refusal's Retry-After, at most 10 min */
};

/* "rst_stream", "goaway", ...: for events and logs. [any] */
const char *bedrock_end_name(enum bedrock_end_cause cause);

/* One sentence, capitalised, no final period. Static storage. [any] */
const char *bedrock_end_sentence(enum bedrock_end_cause cause);

struct bedrock_stream_ops {
    /* Connected and the request's headers are sent: events may be sent. */
    void (*on_open)(void *arg);
    /* The response's 200 came; request_id lives during the call. */
    void (*on_response)(void *arg, const char *request_id);
    /* One JSON event, decoded from its chunk; lives during the call. */
    void (*on_event)(void *arg, const char *json, size_t json_bytes);
    /* There is room again: unsent bytes fell below the limit for audio after
     * they had reached it. Not called from inside send. */
    void (*on_writable)(void *arg);
    /* The stream is over, exactly once, never from inside open or send. */
    void (*on_end)(void *arg, const struct bedrock_end *end);
    /* An exception after which the stream goes on (its row in
     * exceptions.tbl.h says `stay`); told as its end would be, lives during
     * the call. If the endpoint ends the stream afterwards, on_end says so. At
     * most BEDROCK_STAY_MAX on a stream: the next one is its end. NULL: such
     * exceptions are only logged. */
    void (*on_exception)(void *arg, const struct bedrock_end *end);
};

/* How many exceptions a stream outlives. */
#define BEDROCK_STAY_MAX 64u

/* The largest JSON event the endpoint accepts (PROTOCOL 1). */
#define BEDROCK_EVENT_BYTES_MAX 1000000u

/* Starts a stream. Failures to connect arrive by on_end, so NULL means memory
 * or a bad target only (`problem` says which). `ops` must outlive the stream,
 * target and credentials are copied. [loop] */
struct bedrock_stream *bedrock_stream_open(
    struct bedrock_client *client, const struct bedrock_target *target,
    const struct credentials *credentials, const struct bedrock_stream_ops *ops,
    void *arg, char *problem, size_t problem_size);

/* Frames, signs and queues one JSON event, and hands to TLS what it takes at
 * once. Nothing is taken with: VR_AGAIN before on_open, or while the unsent
 * bytes stand above the limit (audio) or fill the buffer (control, which has a
 * reserve); VR_LIMIT when the event is larger
 * than BEDROCK_EVENT_BYTES_MAX; VR_CLOSED after finish or end. Allocates
 * nothing. [rt] */
enum vr_status bedrock_stream_send(struct bedrock_stream *stream,
                                   const char *json, size_t json_bytes,
                                   bool control) VR_NODISCARD;

/* Body bytes queued and not yet handed to TLS. [rt] */
size_t bedrock_stream_unsent_bytes(const struct bedrock_stream *stream);

/* Running totals of body bytes queued, and of those handed to TLS: a caller
 * that notes the former after a send knows from the latter when it left.
 * [rt] */
uint64_t bedrock_stream_queued_bytes(const struct bedrock_stream *stream);
uint64_t bedrock_stream_sent_bytes(const struct bedrock_stream *stream);

/* Ends our side: the signed empty frame and END_STREAM, once what is queued is
 * out. Events still arrive until on_end. Before on_open it takes effect when
 * the connection stands, and on_open is not called any more. [loop] */
void bedrock_stream_finish(struct bedrock_stream *stream);

/* Drops the stream at once; nothing is called any more. Allowed inside every
 * callback, and needed after on_end to free the stream. Accepts NULL inside.
 * [loop] */
void bedrock_stream_close(struct bedrock_stream **stream);

#endif

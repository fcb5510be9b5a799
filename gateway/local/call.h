/* One HTTP/2 stream of a client: its request, the signed chunks it sends, the
 * conversation behind them, and the response that waits to go out. Sans-IO:
 * knows neither HTTP/2 frames nor sockets. */
#ifndef GATEWAY_LOCAL_CALL_H
#define GATEWAY_LOCAL_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/local/conversation.h"
#include "gateway/local/faults.h"
#include "gateway/local/jsonlog.h"
#include "gateway/local/ledger.h"
#include "gateway/local/now.h"
#include "gateway/local/verify.h"

struct call;

/* What every call shares; outlives them. */
struct call_config {
    const struct verify_keys *keys;
    const struct script *script;
    enum conversation_ear ear;
    double time_scale;
    const struct jsonlog *log;
    struct faults *faults;  /* NULL: none ever */
    struct ledger *ledger;  /* NULL: nobody asks */
    const char *record_dir; /* NULL: nothing is recorded */
};

#define CALL_REQUEST_ID_BYTES 37

struct call_response {
    int status;
    const char *content_type;
    const char *errortype; /* NULL for 200 */
    const char *request_id;
    long retry_after_s; /* 0: not told */
    size_t body_bytes;  /* of a refusal; a stream's is not known */
    int64_t wall_ms;    /* for the date header */
};

struct call_ops {
    /* The response's headers, exactly once, before anything can be read. The
     * response lives during the call. */
    void (*respond)(void *arg, const struct call_response *response);
    /* call_read() has something again, or has come to the end. */
    void (*wake)(void *arg);
    /* The stream is to be reset, as an error or because the client does not
     * end its side; nothing is called afterwards. */
    void (*reset)(void *arg, bool error);
    /* A fault of the connection's own strikes: cut, fin, tls_alert, rst,
     * goaway, black_hole, slow_reader. It lives during the call. */
    void (*strike)(void *arg, const struct fault *fault);
};

/* How much may wait for a client that reads slowly. */
#define CALL_UNREAD_BYTES_MAX (16 * 1024 * 1024)

/* NULL when memory is out. [loop] */
struct call *call_new(const struct call_config *config,
                      const struct call_ops *ops, void *arg,
                      struct jsonlog_place place);
void call_free(struct call **call);

/* One header of the request, pseudo-headers among them. [loop] */
void call_on_header(struct call *call, const char *name, size_t name_bytes,
                    const char *value, size_t value_bytes);

/* The request's headers are complete: it is verified now. [loop] */
void call_on_request(struct call *call, struct now now);

/* Bytes of the request's body, split anywhere. [loop] */
void call_on_data(struct call *call, const uint8_t *data, size_t count,
                  struct now now);

/* The client ended its side. [loop] */
void call_on_end(struct call *call, struct now now);

/* Moves at most `capacity` bytes of the response's body to `out`; `*ended`
 * tells that these are the last ones. 0 without `*ended`: nothing yet. Now and
 * then it gives less than it could, so that frames get cut at awkward places.
 * [loop] */
size_t call_read(struct call *call, uint8_t *out, size_t capacity, bool *ended);

/* True when the response's end must not be followed by a reset at once: after
 * a normal end the client's own end is still to come, and is checked. [loop] */
bool call_lingers(const struct call *call);

/* Lets time pass; when it must happen next (monotonic, UINT64_MAX: never).
 * [loop] */
void call_tick(struct call *call, struct now now);
uint64_t call_deadline_ms(const struct call *call);

#endif

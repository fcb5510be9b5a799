/* What comes back on a stream: headers, then events or an error in JSON.
 * Sans-IO: bytes in, events and at most one verdict out. */
#ifndef GATEWAY_BEDROCK_RESPONSE_H
#define GATEWAY_BEDROCK_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/bedrock/stream.h"

/* The largest message accepted: a chunk of 1,000,000 bytes (PROTOCOL 1) in
 * base64, with its headers and some padding. */
#define RESPONSE_MESSAGE_BYTES (1500u * 1024)

/* How much of an error's body is kept. */
#define RESPONSE_BODY_BYTES (64u * 1024)

/* A longer Retry-After counts as this one. */
#define RESPONSE_RETRY_AFTER_MS (10u * 60 * 1000)

struct response;

struct response_ops {
    /* A 200 came; lives during the call. */
    void (*on_accept)(void *arg, const char *request_id);
    /* One JSON event; lives during the call. */
    void (*on_event)(void *arg, const char *json, size_t json_bytes);
    /* The verdict is in (response_end()); nothing follows. */
    void (*on_verdict)(void *arg);
    /* An exception came, told as response_end() would; true: it is no verdict,
     * the stream goes on. NULL: each is a verdict. */
    bool (*on_exception)(void *arg, const struct bedrock_end *end);
};

/* NULL when memory is out. [loop] */
struct response *response_new(const struct response_ops *ops, void *arg);
void response_free(struct response **response);

/* One header field of a header block, in order. [loop] */
void response_header(struct response *response, const char *name,
                     size_t name_bytes, const char *value, size_t value_bytes);

/* The header block is whole. False for an informational one (1xx), after which
 * another one comes. [loop] */
bool response_headers_end(struct response *response);

/* Bytes of the body, split anywhere. [loop] */
void response_body(struct response *response, const uint8_t *bytes,
                   size_t count);

/* No more bytes come. Puts into `end` what the response itself says about how
 * the stream ended: status, request id, date and Retry-After if its headers
 * came whole; cause, code and message if it is a verdict (a refusal, an
 * exception, a malformed frame, no memory). Returns whether it is. [loop] */
bool response_end(struct response *response, struct bedrock_end *end);

/* 0 until the headers came. [loop] */
int response_status(const struct response *response);

/* A message has begun and is not whole. [loop] */
bool response_midway(const struct response *response);

/* Frames that were ignored: unknown event types, initial-response. [loop] */
uint64_t response_ignored(const struct response *response);

#endif

/* What is around one JSON event on the wire.
 *
 * From the client: a signed outer frame (:date, :chunk-signature) whose
 * payload is an inner frame (:message-type event, :event-type chunk,
 * :content-type application/json) whose payload is {"bytes":"<base64>"}. To
 * the client: one plain frame whose payload is {"bytes":"...","p":"..."}. */
#ifndef GATEWAY_LOCAL_ENVELOPE_H
#define GATEWAY_LOCAL_ENVELOPE_H

#include <stddef.h>
#include <stdint.h>

#include "gateway/local/bytes.h"
#include "gateway/local/chain.h"
#include "gateway/local/framing.h"

/* The most one event may be, and the outer frame around such a one. */
#define ENVELOPE_EVENT_BYTES_MAX 1000000
#define ENVELOPE_FRAME_BYTES_MAX (1400 * 1024)

enum envelope_kind {
    ENVELOPE_EVENT,         /* one JSON event */
    ENVELOPE_END,           /* the signed empty frame */
    ENVELOPE_BAD_SIGNATURE, /* the chain is broken */
    ENVELOPE_BAD            /* anything else that is wrong */
};

#define ENVELOPE_PROBLEM_BYTES 320

/* Opens one outer frame at wall clock `now_ms`. An event's JSON replaces the
 * content of `json`. For the bad kinds `problem` says what was wrong. [any] */
enum envelope_kind envelope_open(struct chain *chain,
                                 const struct framing_frame *outer,
                                 int64_t now_ms, struct bytes *json,
                                 char problem[ENVELOPE_PROBLEM_BYTES]);

/* Decodes {"bytes":"<base64>"} into `json`, the part of envelope_open() that
 * comes after the signature. [any] */
enum envelope_kind envelope_payload(const uint8_t *payload, size_t count,
                                    struct bytes *json,
                                    char problem[ENVELOPE_PROBLEM_BYTES]);

/* Longest padding that envelope_seal() makes. */
#define ENVELOPE_PADDING_MAX 62

/* Appends the frame of one event to `out`, with "p" of `padding` characters
 * as AWS adds it to hide lengths. Failures show in out->failed. [any] */
void envelope_seal(struct bytes *out, const char *json, size_t json_bytes,
                   size_t padding);

/* Appends an exception frame, named as on the wire ("validationException"),
 * with {"message": ...}. [any] */
void envelope_seal_exception(struct bytes *out, const char *exception,
                             const char *message);

#endif

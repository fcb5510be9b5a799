/* Damaged and surprising bytes for a response: what a fault puts on the wire
 * in place of, or beside, what the conversation says. */
#ifndef GATEWAY_LOCAL_HARM_H
#define GATEWAY_LOCAL_HARM_H

#include "gateway/local/bytes.h"

/* Each appends to `out`; failures show in out->failed. */

/* A frame of :message-type error. [any] */
void harm_error(struct bytes *out, const char *code, const char *message);
/* A frame that is good but for its message CRC. [any] */
void harm_crc(struct bytes *out);
/* A frame that is good but for its prelude's CRC. [any] */
void harm_prelude(struct bytes *out);
/* The first half of a good frame. [any] */
void harm_half(struct bytes *out);
/* A good frame whose event is no JSON. [any] */
void harm_garbage(struct bytes *out);
/* A good frame with an event that nobody knows. [any] */
void harm_unknown(struct bytes *out);

#endif

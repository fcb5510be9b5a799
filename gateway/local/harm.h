/* Damaged and surprising bytes for a response: what a fault puts on the wire
 * in place of, or beside, what the conversation says. */
#ifndef GATEWAY_LOCAL_HARM_H
#define GATEWAY_LOCAL_HARM_H

#include "gateway/local/bytes.h"

/* Each appends to `out`; failures show in out->failed. [any] */

/* A frame of :message-type error. */
void harm_error(struct bytes *out, const char *code, const char *message);
/* A good frame but for the message CRC; but for the prelude's CRC. */
void harm_crc(struct bytes *out);
void harm_prelude(struct bytes *out);
/* The first half of a good frame. */
void harm_half(struct bytes *out);
/* A good frame whose event is no JSON; whose event nobody knows. */
void harm_garbage(struct bytes *out);
void harm_unknown(struct bytes *out);

#endif

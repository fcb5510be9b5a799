/* Writing down how a stream ended. */
#ifndef GATEWAY_BEDROCK_END_H
#define GATEWAY_BEDROCK_END_H

#include <stddef.h>

#include "gateway/bedrock/stream.h"

/* Sets cause and message; what else the end holds stays. [loop] */
void end_set(struct bedrock_end *end, enum bedrock_end_cause cause,
             const char *format, ...) VR_PRINTF(3, 4);

/* Copies text that a peer sent: control characters become spaces, bytes that
 * are no UTF-8 become '?', what does not fit is cut between characters. The
 * result is NUL-terminated. [any] */
void end_copy(char *out, size_t out_size, const char *text, size_t text_bytes);

#endif

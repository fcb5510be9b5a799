/* Writing down how a stream ended. */
#ifndef GATEWAY_BEDROCK_END_H
#define GATEWAY_BEDROCK_END_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/bedrock/h2.h"
#include "gateway/bedrock/stream.h"

/* Sets cause and message; what else the end holds stays. [loop] */
void end_set(struct bedrock_end *end, enum bedrock_end_cause cause,
             const char *format, ...) VR_PRINTF(3, 4);

/* Copies text that a peer sent: control characters become spaces, bytes that
 * are no UTF-8 become '?', what does not fit is cut between characters. The
 * result is NUL-terminated. [any] */
void end_copy(char *out, size_t out_size, const char *text, size_t text_bytes);

/* Whether an end of this kind, coming after ours, is a normal one: orderly, and
 * of a stream that was answered. [any] */
bool end_is_orderly(const struct bedrock_end *end);

/* How HTTP/2 ended it; end->h2_error is set, `problem` is h2_problem(),
 * `finished` whether our own end came first. [loop] */
void end_by_h2(struct bedrock_end *end, enum h2_close how, const char *problem,
               bool finished);

/* The connection ended without a word, or after a GOAWAY (end->h2_error is
 * set). [loop] */
void end_by_fin(struct bedrock_end *end, bool finished);
void end_by_goaway(struct bedrock_end *end, bool finished);

/* The peer gave no sign of life, not even when asked. [loop] */
void end_by_silence(struct bedrock_end *end, uint64_t silent_ns,
                    uint64_t asked_ns);

/* The peer lives, and for `stuck_ns` has taken none of `unsent_bytes`. [loop] */
void end_by_stall(struct bedrock_end *end, uint64_t stuck_ns,
                  size_t unsent_bytes);

/* The peer lives, and has not answered the request. [loop] */
void end_by_no_answer(struct bedrock_end *end, uint64_t waited_ns);

/* There was no memory for `what`. It is not the peer's fault, and as with the
 * network waiting may help. [loop] */
void end_by_memory(struct bedrock_end *end, const char *what);

#endif

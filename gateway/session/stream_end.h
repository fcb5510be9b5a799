/* How the end of a stream, or an error on it, is told to people. */
#ifndef GATEWAY_SESSION_STREAM_END_H
#define GATEWAY_SESSION_STREAM_END_H

#include <stdbool.h>
#include <stdint.h>

struct bedrock_end;
struct session;

/* One error event and one log line for what nobody asked for; `goes_on`: the
 * session does by itself, after `delay_ns`. [loop] */
void stream_end_report(struct session *session, const struct bedrock_end *end,
                       bool goes_on, uint64_t delay_ns);

#endif

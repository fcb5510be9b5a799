/* How the end of a stream is told to people. */
#ifndef GATEWAY_SESSION_STREAM_END_H
#define GATEWAY_SESSION_STREAM_END_H

struct bedrock_end;
struct session;

/* One error event and one log line for an end that nobody asked for.
 * [loop] */
void stream_end_report(struct session *session, const struct bedrock_end *end);

#endif

/* Whether nobody would notice a change of streams now (DESIGN 5): the answer
 * was heard, not only generated, and nothing is owed. */
#ifndef GATEWAY_SESSION_BOUNDARY_H
#define GATEWAY_SESSION_BOUNDARY_H

#include <stdbool.h>
#include <stdint.h>

struct session;

/* A turn boundary, or nothing going on at all. `despite_tools`: open tool calls
 * have been waited for long enough. [loop] */
bool boundary_reached(struct session *session, bool despite_tools,
                      uint64_t now_ns);

/* There may be one soon: all that is left is what plays. [loop] */
bool boundary_near(struct session *session, uint64_t now_ns);

/* The robot's and the user's silence: nobody speaks, nothing is owed, and tools
 * may run. [loop] */
bool boundary_quiet(struct session *session, uint64_t now_ns);

#endif

/* Control methods that live in files of their own. */
#ifndef GATEWAY_SESSION_METHODS_H
#define GATEWAY_SESSION_METHODS_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "gateway/control/rpc.h"

struct session;

/* What history.replace and session.open tell of messages that
 * were not taken whole. */
#define METHODS_LEFT_OUT_BYTES 448

/* session.history, history.append, history.replace: answer `call`. [loop] */
void methods_session_history(struct session *session, struct rpc_call *call);
void methods_history_append(struct session *session, struct rpc_call *call,
                            const cJSON *params); /* [loop] */
void methods_history_replace(struct session *session, struct rpc_call *call,
                             const cJSON *params); /* [loop] */

/* Replaces a session's history by what came from outside, at `path` of the
 * parameters; what was left out of it goes to `left_out`, "" if nothing. False:
 * refused, and `call` is answered. [loop] */
bool methods_import(struct rpc_call *call, struct session *session,
                    const cJSON *given, const char *path, uint64_t revision,
                    char left_out[METHODS_LEFT_OUT_BYTES]);

#endif

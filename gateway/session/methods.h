/* The handlers of the control methods: parameters in, the daemon's and the
 * sessions' functions called, answers out. */
#ifndef GATEWAY_SESSION_METHODS_H
#define GATEWAY_SESSION_METHODS_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "gateway/control/rpc.h"

struct daemon;
struct daemon_session;
struct session;

/* One for each row, named by its symbol; `arg` is the daemon. Each answers
 * `call`, now or later. [loop] */
#define CONTROL_METHOD(symbol, name, params_spec, what)     \
    void methods_##symbol(void *arg, struct rpc_call *call, \
                          const cJSON *params); /* [loop] */
#include "gateway/control/control.tbl.h"
#undef CONTROL_METHOD

/* The one that the parameters name; NULL: there is none, and `call` is
 * answered. [loop] */
struct daemon_session *methods_find(struct daemon *d, struct rpc_call *call,
                                    const cJSON *params);

/* What history.replace and session.open tell of messages that were not taken
 * whole. */
#define METHODS_LEFT_OUT_BYTES 448

/* Replaces a session's history by what came from outside, at `path` of the
 * parameters; what was left out of it goes to `left_out`, "" if nothing. False:
 * refused, and `call` is answered. [loop] */
bool methods_import(struct rpc_call *call, struct session *session,
                    const cJSON *given, const char *path, uint64_t revision,
                    char left_out[METHODS_LEFT_OUT_BYTES]);

#endif

/* voxringd itself: the loop, the bus, control, the tools, the connection
 * maker, and the registry of sessions. Joins the stations; main() is only its
 * command line. */
#ifndef GATEWAY_SESSION_DAEMON_H
#define GATEWAY_SESSION_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "gateway/config.h"
#include "gateway/control/control.h"
#include "gateway/session/asks.h"
#include "gateway/session/local_child.h"
#include "gateway/session/services.h"
#include "gateway/session/session.h"
#include "ipc/ring_name.h"

#define DAEMON_SESSIONS_MAX 1024
#define DAEMON_SIGNALS 3 /* that begin the orderly end */

struct daemon_options {
    const struct config *config; /* outlives the daemon */
    const char *program_dir;     /* where voxring-toolhost lies */
    const char *plugin_dir;      /* when the configuration names none */
    const char *ready_clip;      /* as in struct services; may be NULL */
    bool local;                  /* start voxring-local and use it */
    struct local_child_config local_config; /* loop is filled in */
};

/* A session and who waits for its end. */
struct daemon_session {
    struct session *session;
    struct config_session *owned; /* settings given by control, else NULL */
    struct rpc_call *closing;     /* session.close to be answered, or NULL */
};

struct daemon {
    /* Constant from daemon_run() on. */
    const struct daemon_options *options;
    uv_loop_t loop;
    void *zmq;
    struct services services;
    struct control *control;
    struct asks *asks;
    struct local_child *local;
    uint64_t started_ns;
    char instance[RING_INSTANCE_BYTES];
    int64_t clock_offset_ms; /* the endpoint's clock less ours */

    /* Changing while it runs. */
    struct daemon_session *sessions[DAEMON_SESSIONS_MAX];
    size_t session_count;
    bool ready, stopping, broken;
    uv_signal_t signals[DAEMON_SIGNALS];
    uv_prepare_t before_sleep;
    uv_timer_t log_timer;
    uv_timer_t sweep_timer; /* frees sessions that are over */
};

/* Runs until SIGTERM, SIGINT, SIGHUP, gateway.shutdown or a failure; returns the exit
 * code: 0 after an orderly end, 1 after a failure (which is logged). [loop] */
int daemon_run(const struct daemon_options *options);

/* Begins the orderly end. [loop] */
void daemon_stop(struct daemon *d, const char *why);

/* The session of that name, NULL if there is none. [loop] */
struct daemon_session *daemon_find(struct daemon *d, const char *name);

/* Adds a session, for session_begin(); `owned` is taken if given, also on failure.
 * NULL on failure, `problem` says why. [loop] */
struct daemon_session *daemon_add(struct daemon *d,
                                  const struct config_session *settings,
                                  struct config_session *owned,
                                  const struct session_begin *begin,
                                  char *problem, size_t problem_size);

/* Registers every handler of gateway/control/control.tbl.h (methods.c).
 * [loop] */
void methods_register(struct daemon *d);

/* Answers a session.close that waited for this session, which is gone with its
 * rings; `summary` is taken. [loop] */
void methods_closed(struct daemon_session *entry, cJSON *summary);

#endif

/* The state machine of a session, expanded from session.tbl.h. Pure: it knows
 * states and edges, not what they do. */
#ifndef GATEWAY_SESSION_MACHINE_H
#define GATEWAY_SESSION_MACHINE_H

#include <stddef.h>

enum session_state {
#define SESSION_STATE(name, what) SESSION_##name,
#include "gateway/session/session.tbl.h"
    SESSION_STATE_COUNT
};

enum session_event {
#define SESSION_EVENT(name, what) SESSION_ON_##name,
#include "gateway/session/session.tbl.h"
    SESSION_EVENT_COUNT
};

enum session_action {
    SESSION_DO_nothing,
    SESSION_DO_connect,
    SESSION_DO_prepare,
    SESSION_DO_set_up,
    SESSION_DO_ready,
    SESSION_DO_wind_up,
    SESSION_DO_settle,
    SESSION_DO_fail,
    SESSION_DO_recover,
    SESSION_DO_rest,
    SESSION_ACTION_COUNT
};

struct session_edge {
    enum session_state from;
    enum session_event event;
    enum session_state to;
    enum session_action action;
};

/* The edge an event takes from a state, NULL if there is none. Static
 * storage. [any] */
const struct session_edge *machine_edge(enum session_state from,
                                        enum session_event event);

/* Every edge, for tests and documentation. [any] */
const struct session_edge *machine_edges(size_t *count);

/* Names and meanings as in the table; static storage. [any] */
const char *machine_state_name(enum session_state state);
const char *machine_state_what(enum session_state state);
const char *machine_event_name(enum session_event event);
const char *machine_event_what(enum session_event event);

#endif

#include "gateway/session/machine.h"

struct row {
    const char *name;
    const char *what;
};

static const struct row states[] = {
#define SESSION_STATE(name, what) {#name, what},
#include "gateway/session/session.tbl.h"
};

static const struct row events[] = {
#define SESSION_EVENT(name, what) {#name, what},
#include "gateway/session/session.tbl.h"
};

static const struct session_edge edges[] = {
#define SESSION_EDGE(from, event, to, action) \
    {SESSION_##from, SESSION_ON_##event, SESSION_##to, SESSION_DO_##action},
#include "gateway/session/session.tbl.h"
};

#define EDGE_COUNT (sizeof edges / sizeof edges[0])

const struct session_edge *
machine_edge(enum session_state from, enum session_event event)
{
    for (size_t i = 0; i < EDGE_COUNT; i++) {
        if (edges[i].from == from && edges[i].event == event)
            return &edges[i];
    }
    return NULL;
}

const struct session_edge *
machine_edges(size_t *count)
{
    *count = EDGE_COUNT;
    return edges;
}

const char *
machine_state_name(enum session_state state)
{
    return states[state].name;
}

const char *
machine_state_what(enum session_state state)
{
    return states[state].what;
}

const char *
machine_event_name(enum session_event event)
{
    return events[event].name;
}

const char *
machine_event_what(enum session_event event)
{
    return events[event].what;
}

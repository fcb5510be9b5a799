/* One worker: a process and its connection, from start to death.
 *
 * A worker proves itself (a child by the token in its boot pipe), then lists
 * its tools, then takes calls. It knows which calls are in it; what its death,
 * silence or refusal means is its provider's to decide. */
#ifndef GATEWAY_TOOLBROKER_WORKER_H
#define GATEWAY_TOOLBROKER_WORKER_H

#include "gateway/toolbroker/child.h"
#include "gateway/toolbroker/router.h"
#include "gateway/toolbroker/tool.h"
#include "gateway/toolbroker/toolcall.h"
#include "gateway/toolbroker/worker_message.h"
#include "gateway/uuid.h"

/* The most calls in one worker at once, whatever its rule says; more wait in
 * the provider's queue. */
#define WORKER_CALLS_MAX 64

enum worker_state {
    WORKER_STARTING, /* no hello yet */
    WORKER_LISTING,  /* proved itself; asked for its tools */
    WORKER_READY,    /* takes calls */
    WORKER_RETIRED,  /* takes no new calls, finishes those it has */
    WORKER_STOPPING, /* asked to end */
    WORKER_DEAD      /* the process has ended */
};

/* A call sent and not answered yet. */
struct worker_call {
    uint64_t call_id;
    char tool[64 + 1];
    uint64_t orphan_since_ns; /* the call ended without it; 0: still wanted */
};

struct worker {
    struct provider *provider;
    struct worker *next; /* of the same provider */
    struct child *child; /* NULL: a process of somebody's own */
    enum worker_state state;
    char token[UUID_TEXT_BYTES];
    struct router_peer peer; /* count 0: none yet */
    uint64_t begin_ns;
    uint64_t start_deadline_ns;
    const char *fault; /* why we killed it; NULL: its own death */
    struct worker_call calls[WORKER_CALLS_MAX];
    size_t call_count;
    size_t calls_max; /* of the provider's rule */
    uint64_t calls_taken;
    /* what its child has started (plugin_kin.h) */
    uint64_t kin_due_ns;  /* when to look; 0: not before something happens */
    uint64_t kin_last_ns; /* when it was looked at */
    char kin_fault[160];  /* what `fault` may be */
    /* asking for its tools */
    bool list_asked; /* and not answered yet */
    bool list_stale; /* to be asked again */
    uint64_t list_ns;
    /* of a process of somebody's own (remote.h) */
    char instance[64]; /* tells it from others of its name; "" if not said */
    bool catch_all;
    bool left_out_told;
    uint64_t heard_ns; /* its last message */
    uint64_t doubt_ns; /* when it was found to be silent; 0: it was not */
    uint64_t due_ns;   /* DEAD: how long its tools stay */
    cJSON *listed;     /* {"tools": [...]}, what it offers; NULL: nothing */
    struct tool_list tools; /* the same */
};

/* A worker with a fresh token and no child yet; NULL when memory is out.
 * [loop] */
struct worker *worker_new(struct provider *provider);

/* Accepts NULL inside. [loop] */
void worker_free(struct worker **worker);

/* Whether it could take a call of `tool` now. [loop] */
bool worker_can_take(const struct worker *worker, const char *tool,
                     bool serial);

/* Sends a call and notes it. VR_AGAIN: its queue is full; VR_CLOSED: its
 * connection is gone; VR_NO_MEMORY. [loop] */
enum vr_status worker_send_call(struct worker *worker, struct router *router,
                                struct toolcall *call,
                                uint64_t now_ns) VR_NODISCARD;

/* Marks a call as no longer wanted and tells the worker. [loop] */
void worker_orphan(struct worker *worker, struct router *router,
                   uint64_t call_id, const char *reason, uint64_t now_ns);

/* Forgets an answered call. False if it is not one of this worker's. [loop] */
bool worker_answered(struct worker *worker, uint64_t call_id);

/* Calls in it that somebody still waits for. [loop] */
size_t worker_wanted(const struct worker *worker);

/* When the oldest orphan was made, 0 if there is none. [loop] */
uint64_t worker_oldest_orphan_ns(const struct worker *worker);

#endif

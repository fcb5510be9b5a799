/* The threads that run the plugin's functions: one for init, for calls of
 * serial tools and for fini; a pool for calls of parallel tools. */
#ifndef TOOLS_TOOLHOST_CREW_H
#define TOOLS_TOOLHOST_CREW_H

#include <stdbool.h>

#include "tools/toolhost/library.h"

enum crew_state {
    CREW_STARTING, /* the plugin's init runs */
    CREW_READY,
    CREW_REFUSED, /* init said no: crew_refusal() */
    CREW_ENDED    /* after crew_stop(): fini has run */
};

/* Starts the worker thread, which calls the plugin's init with `host` and
 * `config_json` (both must live on). `threads_max` bounds the pool. outbox_fd()
 * tells when the state is another. [any] once per process */
bool crew_start(const struct library *library, const struct voxring_host *host,
                const char *config_json, unsigned threads_max);

enum crew_state crew_state(void);

/* The sentence of a plugin that refused. [any] */
const char *crew_refusal(void);

/* Makes threads for calls that wait for one, as far as the pool's bound goes;
 * to be called when a call was added or the state is another. [any] one thread */
void crew_grow(void);

/* How many threads the pool has. [any] the thread that calls crew_grow() */
unsigned crew_threads(void);

/* Lets the calls in hand end: then fini, then CREW_ENDED. [any] */
void crew_stop(void);

#endif

/* The calls of this process and the worker thread that runs them.
 *
 * A call lives in a slot and is named by a token (slot and generation), so a
 * completion that comes twice or late finds nothing. The slot is free again
 * when the call was completed and its function has returned. */
#ifndef TOOLS_TOOLHOST_JOBS_H
#define TOOLS_TOOLHOST_JOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/toolhost/library.h"

enum jobs_state {
    JOBS_STARTING, /* the plugin's init runs */
    JOBS_READY,
    JOBS_REFUSED, /* init said no: jobs_refusal() */
    JOBS_ENDED    /* after jobs_stop(): fini has run */
};

/* A call as it arrived; the texts are taken (malloc'ed), NULL as marked. */
struct jobs_request {
    const struct voxring_tool *tool;
    char *id;             /* JSON text */
    char *progress_token; /* JSON text or NULL */
    char *input;          /* an object's text */
    char *session;        /* or NULL */
    char *conversation;   /* or NULL */
    char *turn;           /* or NULL */
    uint32_t timeout_ms;
};

/* Starts the worker thread, which calls the plugin's init with `host` and
 * `config_json` (both must live on). outbox_fd() tells when the state is
 * another. [any] once per process */
bool jobs_start(const struct library *library, const struct voxring_host *host,
                const char *config_json, size_t result_max_bytes);

enum jobs_state jobs_state(void);

/* The sentence of a plugin that refused. [any] */
const char *jobs_refusal(void);

/* Queues a call; on false there is no room and an error answer is out. [any] */
bool jobs_add(struct jobs_request *request);

/* The gateway no longer waits for the call of this id (JSON text). [any] */
void jobs_cancel(const char *id);

/* Answers every call that has not begun with a JSON-RPC error of this code:
 * another process will take it. [any] */
void jobs_drain(int code);

/* Lets the thread end after the call in hand: fini, then JOBS_ENDED. [any] */
void jobs_stop(void);

/* The plugin's side; see voxring_tool.h. [any] */
void jobs_complete(uint64_t token, int status, const char *json);
int jobs_is_cancelled(uint64_t token);
void jobs_progress(uint64_t token, double done, double total,
                   const char *message);
uint64_t jobs_now_ns(void);

#endif

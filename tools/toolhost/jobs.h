/* The calls of this process: from their arrival to their answer.
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

struct job;

/* A call as it arrived; the texts are taken (malloc'ed), NULL as marked. */
struct jobs_request {
    const struct voxring_tool *tool;
    char *id;             /* JSON text */
    char *progress_token; /* JSON text or NULL */
    char *input;          /* an object's text */
    char *session;        /* or NULL */
    char *conversation;   /* or NULL */
    char *turn;           /* or NULL */
    uint32_t timeout_ms;  /* 0: no limit */
};

/* Answers longer than this become errors. [any] once, before any call */
void jobs_init(size_t result_max_bytes);

/* Queues a call; on false there is no room and an error answer is out. [any] */
bool jobs_add(struct jobs_request *request);

/* The gateway no longer waits for the call of this id (JSON text). [any] */
void jobs_cancel(const char *id);

/* Answers every call that has not begun with a JSON-RPC error of this code:
 * another process will take it. [any] */
void jobs_drain(int code);

/* How many calls are not over. [any] */
unsigned jobs_open(void);

/* How many calls of VOXRING_PARALLEL tools run or wait to. [any] */
unsigned jobs_parallel(void);

/* Waits for a call of a tool of this threading that may begin, and takes it.
 * NULL after jobs_stop(). [any] VOXRING_SERIAL: only one thread */
struct job *jobs_take(enum voxring_threading threading);

/* Runs the plugin's function for a call that was taken. [any] the thread that
 * took it */
void jobs_run(struct job *job);

/* Answers every call that waits for a thread and could not be given one.
 * [any] */
void jobs_refuse_parallel(const char *sentence);

/* No call begins any more; those that run are told that nobody waits. [any] */
void jobs_stop(void);

/* After jobs_stop(), waits until no call runs. [any] the thread for serial
 * calls */
void jobs_await_quiet(void);

/* The gateway's name (JSON text) of a call that is still to be completed,
 * malloc'ed; NULL if there is none. [any] */
char *jobs_name_of(uint64_t token);

/* The plugin's side; see voxring_tool.h. [any] */
void jobs_complete(uint64_t token, int status, const char *json);
int jobs_is_cancelled(uint64_t token);
void jobs_progress(uint64_t token, double done, double total,
                   const char *message);
uint64_t jobs_now_ns(void);

#endif

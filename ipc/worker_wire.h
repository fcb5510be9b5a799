/* What a worker writes on the socket: JSON-RPC 2.0. Each returns one message,
 * the caller's by free(), NULL when memory is out. */
#ifndef IPC_WORKER_WIRE_H
#define IPC_WORKER_WIRE_H

#include <cjson/cJSON.h>

#include "ipc/worker_state.h"

/* Prints and deletes; NULL is fine. [any] */
char *worker_wire_print(cJSON *root);

/* A request; id "": a notification. `params` is taken. [any] */
char *worker_wire_request(const char *id, const char *method, cJSON *params);

/* `id` is JSON. `result_json` is trusted to be JSON. [any] */
char *worker_wire_result(const char *id, const char *result_json);
char *worker_wire_error(const char *id, int code, const char *sentence);

/* A CallToolResult with one text block. [any] */
char *worker_wire_call(const char *id, const char *text, bool is_error);

/* voxring/hello; token may be NULL. [any] */
char *worker_wire_hello(const struct vr_worker *worker, const char *id,
                        const char *token);

/* notifications/progress; `token_json` is JSON. [any] */
char *worker_wire_progress(const char *token_json, double done, double total,
                           const char *message);

/* The entry of a tool in tools/list. [any] */
char *worker_wire_tool(const struct vr_worker_tool *tool);

#endif

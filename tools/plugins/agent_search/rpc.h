/* A2A's JSON-RPC requests and answers, in the shapes of 0.3 and of 1.0. */
#ifndef TOOLS_PLUGINS_AGENT_SEARCH_RPC_H
#define TOOLS_PLUGINS_AGENT_SEARCH_RPC_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

enum dialect { DIALECT_0_3, DIALECT_1_0 };

enum rpc_method { RPC_SEND, RPC_STREAM, RPC_GET, RPC_CANCEL };

/* What a message carries, for RPC_SEND and RPC_STREAM. */
struct rpc_message {
    const char *text;
    const char *id;         /* ours, unique */
    const char *context_id; /* "" begins a new conversation */
    const char *task_id;    /* "" begins a new task */
};

/* Errors that A2A defines, and JSON-RPC's own. */
enum rpc_code {
    RPC_TASK_NOT_FOUND = -32001,
    RPC_TASK_NOT_CANCELABLE = -32002,
    RPC_UNSUPPORTED = -32004,
    RPC_VERSION = -32009,
    RPC_INVALID_REQUEST = -32600,
    RPC_NO_METHOD = -32601,
    RPC_INVALID_PARAMS = -32602
};

struct rpc_answer {
    cJSON *root;
    const cJSON *result; /* in root; NULL: it is an error */
    long code;           /* an error's */
    char message[400];   /* an error's, UTF-8; may be empty */
};

/* The text of a request that says something. `tenant` is the card's, "" if it
 * has none; returns_at_once asks for a task to poll instead of an answer that
 * waits for its end. NULL without memory; the caller's to cJSON_free(). [any]
 */
char *rpc_say(enum dialect dialect, enum rpc_method method, const char *tenant,
              const struct rpc_message *message, bool returns_at_once);

/* The text of a request about a task: RPC_GET or RPC_CANCEL. As rpc_say().
 * [any] */
char *rpc_about(enum dialect dialect, enum rpc_method method,
                const char *tenant, const char *task_id);

/* Takes `bytes` of JSON text. False if it is no JSON-RPC answer, with why.
 * Otherwise the answer is the caller's to rpc_close(). Its id is not looked at:
 * it came back on the connection that asked. [any] */
bool rpc_read(struct rpc_answer *answer, const char *json, size_t bytes,
              char *why, size_t why_bytes);

/* Frees what is in it. [any] */
void rpc_close(struct rpc_answer *answer);

#endif

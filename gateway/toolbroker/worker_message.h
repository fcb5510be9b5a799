/* The tool-worker protocol, sans-IO: one JSON-RPC 2.0 message per text.
 *
 * tools/README.md describes the protocol. Nothing a worker sends is trusted:
 * what does not parse or lacks a member is WORKER_MALFORMED with a sentence,
 * never more. Texts are built malloc'ed, for the caller to free(); NULL when
 * memory is out. */
#ifndef GATEWAY_TOOLBROKER_WORKER_MESSAGE_H
#define GATEWAY_TOOLBROKER_WORKER_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "gateway/toolbroker/broker.h"

#define WORKER_PROTOCOL 1
#define WORKER_MESSAGE_MAX_BYTES (1024 * 1024)

/* Of a progress message, the rest is cut. */
#define WORKER_PROGRESS_MAX_BYTES 512

/* JSON-RPC's codes. */
#define WORKER_ERROR_INVALID (-32600)
#define WORKER_ERROR_METHOD (-32601)
#define WORKER_ERROR_PARAMS (-32602)
#define WORKER_ERROR_INTERNAL (-32603)
/* It may not offer tools; to try again without a change is of no use. */
#define WORKER_ERROR_REFUSED (-32001)
/* A drained worker's answer to a call it had not begun. */
#define WORKER_ERROR_NOT_BEGUN (-32002)
/* The gateway does not know it, or not any more: hello is to be said. */
#define WORKER_ERROR_HELLO (-32003)
/* What it asks for a call comes after the call's end. */
#define WORKER_ERROR_OVER (-32004)
/* Config does not grant what it asks for. */
#define WORKER_ERROR_GRANT (-32005)

enum worker_message_kind {
    WORKER_MALFORMED,    /* why, id if it has one */
    WORKER_HELLO,        /* id, protocol, name, token, instance, catch_all,
                          * text: refusal or NULL */
    WORKER_BYE,          /* id if it has one */
    WORKER_CHANGED,      /* its list of tools is another one */
    WORKER_ASK,          /* id, ask, call_id (0: of no call), body: params */
    WORKER_LISTED,       /* body: the result of tools/list */
    WORKER_RESULT,       /* call_id, body */
    WORKER_FAILED,       /* call_id (0: of tools/list), text: its message */
    WORKER_PROGRESS,     /* call_id, done, total, text or NULL */
    WORKER_LOG,          /* level as in syslog words, text */
    WORKER_PING,         /* id */
    WORKER_REQUEST,      /* id; a method we do not have, text: its name */
    WORKER_NOTIFICATION, /* one we do not know, text: its name */
};

/* A parsed message; everything points into `root`. */
struct worker_message {
    enum worker_message_kind kind;
    cJSON *root;
    const cJSON *id;
    const cJSON *body;
    const char *name;
    const char *token;
    const char *text;
    const char *level;
    const char *instance; /* NULL if not told */
    const char *why;
    uint64_t call_id;
    enum broker_ask_kind ask;
    bool catch_all;
    int code; /* of WORKER_FAILED */
    double done;
    double total;
    int protocol; /* 0 if none was named */
};

/* Reads `bytes` bytes, which need no NUL. Always sets *message, to be given
 * back by worker_message_fini(). [any] */
void worker_message_read(struct worker_message *message, const char *bytes,
                         size_t bytes_count);
void worker_message_fini(struct worker_message *message);

/* The answer to a good hello of the worker that is known by `name`: if it is no
 * child, it is taken for dead after a silence of `expires_ms`, and is to say
 * something three times as often. [any] */
char *worker_message_welcome(const cJSON *id, const char *name,
                             uint32_t expires_ms);

/* The answer `result`, which it takes; NULL is {}. [any] */
char *worker_message_answer(const cJSON *id, cJSON *result);

/* The method that asks for this, "voxring/text" for example. Static storage.
 * [any] */
const char *worker_message_ask_method(enum broker_ask_kind ask);

/* An error answer; `id` NULL is sent as null. [any] */
char *worker_message_error(const cJSON *id, int code, const char *sentence);

/* The answer to a ping. [any] */
char *worker_message_pong(const cJSON *id);

/* tools/list. [any] */
char *worker_message_list(void);

/* tools/call; `arguments_json` must be an object's text, `timeout_ms` 0 means
 * no limit. [any] */
char *worker_message_call(uint64_t call_id, const char *tool,
                          const char *arguments_json,
                          const struct broker_caller *caller,
                          uint32_t timeout_ms);

/* notifications/cancelled. [any] */
char *worker_message_cancel(uint64_t call_id, const char *reason);

/* voxring/drain: give back what was not begun. [any] */
char *worker_message_drain(void);

#endif

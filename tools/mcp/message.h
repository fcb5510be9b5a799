/* Messages of the Model Context Protocol: JSON-RPC 2.0, its revisions
 * 2024-11-05 to 2025-11-25. Sans-IO. */
#ifndef TOOLS_MCP_MESSAGE_H
#define TOOLS_MCP_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

/* A message, and what a transport collects for one, has at most so much. */
#define MESSAGE_MAX_BYTES ((size_t)4 * 1024 * 1024)
#define MESSAGE_BATCH_MAX 1000
/* One that has more is skipped, but not for ever: the sender of one that has
 * not ended after so much, or so long after it was too much, is broken. */
#define MESSAGE_ENDLESS_BYTES ((size_t)64 * 1024 * 1024)
#define MESSAGE_ENDLESS_MS 5000

#define MESSAGE_NEWEST "2025-11-25"

/* JSON-RPC's codes that we use. */
#define MESSAGE_UNKNOWN_METHOD (-32601)
#define MESSAGE_INVALID_REQUEST (-32600)

enum message_kind {
    MESSAGE_MALFORMED,    /* why */
    MESSAGE_RESULT,       /* id, body: an object */
    MESSAGE_ERROR,        /* id, code, text */
    MESSAGE_REQUEST,      /* raw_id, text: the method, body: params or NULL */
    MESSAGE_NOTIFICATION, /* text: the method, body: params or NULL */
};

/* Valid as long as the JSON that it was read from. */
struct message {
    enum message_kind kind;
    uint64_t id; /* as we gave it; 0: none of ours */
    const cJSON *raw_id;
    const cJSON *body;
    const char *text;
    int code;
    const char *why;
};

/* Parses bytes, in which invalid UTF-8 is replaced: one message, or an array of
 * them (2025-03-26 knew batches). NULL if they are no JSON. The caller deletes
 * it. [any] */
cJSON *message_parse(char *bytes, size_t count);

/* Reads one message. [any] */
void message_read(struct message *message, const cJSON *item);

/* An id as we give them; 0 if it is none. [any] */
uint64_t message_own_id(const cJSON *id);

/* What a server says of itself; texts valid as long as the JSON. */
struct message_server {
    const char *version; /* of the protocol; one that we speak */
    const char *name;
    const char *release;
    bool has_tools;
};

/* Reads the result of `initialize`. False: `why` says what is wrong. [any] */
bool message_read_server(struct message_server *server, const cJSON *result,
                         char *why, size_t why_size);

/* Each of these returns a malloc'ed text without newlines, or NULL when memory
 * is out. */

/* `initialize`, offering nothing. [any] */
char *message_initialize(uint64_t id);

/* A notification without params. [any] */
char *message_notification(const char *method);

/* `tools/list`; `cursor` NULL for the first page. [any] */
char *message_list(uint64_t id, const char *cursor);

/* `tools/call`; `arguments` NULL for none; with `progress` the id is its
 * progress token too. [any] */
char *message_call(uint64_t id, const char *name, const cJSON *arguments,
                   bool progress);

/* `notifications/cancelled`. [any] */
char *message_cancelled(uint64_t id, const char *reason);

/* An empty result, and an error, for a request of the server. [any] */
char *message_empty_result(const cJSON *raw_id);
char *message_refusal(const cJSON *raw_id, int code, const char *sentence);

#endif

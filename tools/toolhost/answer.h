/* What a toolhost sends, as JSON-RPC 2.0 texts. Each function returns malloc'ed
 * text, or NULL when memory is out. An `id` is JSON text. */
#ifndef TOOLS_TOOLHOST_ANSWER_H
#define TOOLS_TOOLHOST_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

struct cJSON;

#define ANSWER_PROTOCOL 1
/* The id of a hello, a string. */
#define ANSWER_HELLO_ID "hello"
/* The gateway cuts the connection of who sends more. */
#define ANSWER_MAX_BYTES (1024u * 1024)

/* A request, or a notification if `id` is NULL. Takes `params`, which may be
 * NULL. [any] */
char *answer_message(const char *id, const char *method, struct cJSON *params);

/* voxring/hello; `token` NULL if there is none, `refusal` NULL when the plugin
 * is good. [any] */
char *answer_hello(const char *name, const char *token, const char *refusal);

/* A result whose `result_json` is an object's text. [any] */
char *answer_result(const char *id, const char *result_json);

/* A JSON-RPC error. [any] */
char *answer_error(const char *id, int code, const char *sentence);

/* A tool's result: `text` as it came from the plugin. More than `limit_bytes`,
 * or more than fits a message, becomes an error that says so, with the size in
 * its _meta. [any] */
char *answer_call(const char *id, const char *text, bool is_error,
                  size_t limit_bytes);

/* notifications/progress. [any] */
char *answer_progress(const char *token, double done, double total,
                      const char *message);

/* notifications/message; `level` an enum voxring_log_level. [any] */
char *answer_log(int level, const char *message);

#endif

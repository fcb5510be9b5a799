/* What an error means, whether trying again can help, and what a person can do
 * about it. The facts are in exceptions.tbl.h. */
#ifndef GATEWAY_BEDROCK_CLASSIFY_H
#define GATEWAY_BEDROCK_CLASSIFY_H

#include <stdbool.h>

#include "gateway/bedrock/stream.h"

enum classify_kind {
#define CLASSIFY_KIND(name, what) CLASSIFY_KIND_##name,
#include "gateway/bedrock/exceptions.tbl.h"
    CLASSIFY_KIND_COUNT
};

enum classify_action {
#define CLASSIFY_ACTION(name, what) CLASSIFY_ACTION_##name,
#include "gateway/bedrock/exceptions.tbl.h"
    CLASSIFY_ACTION_COUNT
};

/* Everything in it has static storage. */
struct classification {
    enum classify_kind kind;
    enum classify_action action;
    bool recoverable;   /* false: it stays so until a person does something */
    const char *remedy; /* a sentence, no final period */
    /* The request's time may be the reason: the endpoint's clock
     * (bedrock_end.server_ahead_ms) tells. */
    bool clock_suspect;
};

/* Looks an error of AWS's up. `code` is an exception's name in any case, with
 * or without "...#" before and ":..." after it, or "" (or NULL); `http_status`
 * 0 if none; `message` may be NULL. Never NULL. [any] */
const struct classification *classify_error(const char *code, int http_status,
                                            const char *message);

/* Looks the end of a stream up, or an exception that it outlived. `stay` for
 * one that is over means `reconnect`. Never NULL. [any] */
const struct classification *classify_end(const struct bedrock_end *end);

/* "throttle", "auth", ...: for events and logs. [any] */
const char *classify_kind_name(enum classify_kind kind);

/* "reconnect", "give_up", ... [any] */
const char *classify_action_name(enum classify_action action);

#endif

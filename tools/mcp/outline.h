/* What is to be known of a message that is too long to be kept: the outermost
 * members of its JSON, read while its bytes pass. Sans-IO. */
#ifndef TOOLS_MCP_OUTLINE_H
#define TOOLS_MCP_OUTLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#define OUTLINE_TOKEN_BYTES 64

enum outline_kind {
    OUTLINE_ANSWER,     /* to the request of outline_id() */
    OUTLINE_BY_ITSELF,  /* a request or a notification of the server */
    OUTLINE_NO_MESSAGE, /* nobody waits for that */
    OUTLINE_UNKNOWN,    /* an answer, as far as can be told; not whose */
};

enum outline_key {
    OUTLINE_KEY_OTHER,
    OUTLINE_KEY_ID,
};

/* Zeroed it is at a message's begin. */
struct outline {
    char first; /* its first byte that is no blank */
    size_t depth;
    bool in_string;
    bool escaped;
    bool ended;
    bool doubtful; /* no JSON, or names that are written with escapes */
    bool has_method;
    bool has_outcome; /* a result or an error */
    bool has_id;
    enum outline_key key;
    /* the last name or simple value of the outermost object */
    char token[OUTLINE_TOKEN_BYTES];
    size_t token_bytes;           /* with those that did not fit */
    char id[OUTLINE_TOKEN_BYTES]; /* "" if it is too long for one */
};

/* Takes the next bytes of the message. [any] */
void outline_feed(struct outline *outline, const char *bytes, size_t count);

/* What it is, judged by the bytes so far. [any] */
enum outline_kind outline_kind(const struct outline *outline);

/* The id of an OUTLINE_ANSWER. [any] */
uint64_t outline_id(const struct outline *outline);

/* The id as it was written, a string or a number; NULL if there is none. The
 * caller deletes it. [any] */
cJSON *outline_raw_id(const struct outline *outline);

#endif

/* A growing string with a limit: what a peer sends may fill it, never more. */
#ifndef GATEWAY_STRBUF_H
#define GATEWAY_STRBUF_H

#include <stdbool.h>
#include <stddef.h>

struct strbuf {
    char *text; /* NUL-terminated; NULL while empty */
    size_t bytes;
    size_t capacity_bytes;
    size_t limit_bytes;
};

/* Empty, holding at most `limit_bytes`. Allocates nothing. [any] */
void strbuf_init(struct strbuf *buf, size_t limit_bytes);

/* Frees the text and leaves an empty buffer with the same limit. [any] */
void strbuf_fini(struct strbuf *buf);

/* Appends; false when the limit or memory refuses, nothing is appended then.
 * [any] */
bool strbuf_append(struct strbuf *buf, const char *text, size_t bytes);

/* Appends, with one space between two parts that have none. [any] */
bool strbuf_append_words(struct strbuf *buf, const char *text, size_t bytes);

/* Empties without freeing. [any] */
void strbuf_clear(struct strbuf *buf);

/* The text, "" while empty; valid until the next change. [any] */
const char *strbuf_text(const struct strbuf *buf);

#endif

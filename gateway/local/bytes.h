/* A growing run of bytes with a ceiling. An append that does not fit marks the
 * run as failed and changes nothing more, so a caller can append many times
 * and look once. */
#ifndef GATEWAY_LOCAL_BYTES_H
#define GATEWAY_LOCAL_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
    uint8_t *data;
    size_t count;
    size_t capacity;
    size_t limit; /* most bytes it may hold */
    bool failed;  /* an append met the limit or the end of memory */
};

/* Empty, nothing allocated; holds at most `limit` bytes. [any] */
void bytes_init(struct bytes *bytes, size_t limit);

/* Frees what it holds; it is then as after bytes_init(). [any] */
void bytes_fini(struct bytes *bytes);

/* Forgets the content and a failure, keeps the memory. [any] */
void bytes_clear(struct bytes *bytes);

/* Makes room for `count` more bytes and returns where they go, NULL (failed)
 * when there is none; the caller adds to `count` what it wrote. The pointer
 * lives until the next call. [any] */
uint8_t *bytes_reserve(struct bytes *bytes, size_t count);

/* Appends; false when it failed, now or before. [any] */
bool bytes_add(struct bytes *bytes, const void *data, size_t count);
bool bytes_add_text(struct bytes *bytes, const char *text);

/* Drops the first `count` bytes (at most all). [any] */
void bytes_drop(struct bytes *bytes, size_t count);

#endif

/* Text built into a caller's buffer; too little room is noticed once, at the
 * end. */
#ifndef GATEWAY_BEDROCK_TEXT_H
#define GATEWAY_BEDROCK_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct text {
    char *at;
    size_t used, size;
    bool over; /* something did not fit, nothing was added since */
};

/* Adds `count` bytes. [rt] */
static inline void
text_bytes(struct text *text, const void *bytes, size_t count)
{
    if (text->over || count > text->size - text->used) {
        text->over = true;
        return;
    }
    if (count)
        memcpy(text->at + text->used, bytes, count);
    text->used += count;
}

/* Adds one character. [rt] */
static inline void
text_char(struct text *text, char c)
{
    text_bytes(text, &c, 1);
}

/* Adds a string without its NUL. [rt] */
static inline void
text_string(struct text *text, const char *string)
{
    text_bytes(text, string, strlen(string));
}

#endif

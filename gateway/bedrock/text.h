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

/* The value of a hex digit, -1 for another character. [rt] */
static inline int
text_hex_value(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

#endif

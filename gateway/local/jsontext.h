/* JSON text for people: comments are allowed, and an error in the meaning of a
 * file can be told with the line it stands on. */
#ifndef GATEWAY_LOCAL_JSONTEXT_H
#define GATEWAY_LOCAL_JSONTEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Overwrites line comments, block comments and commas before a closing
 * bracket with spaces, in place; lines keep their numbers. False: a comment
 * is not closed. [any] */
bool jsontext_strip(char *text);

/* The line, from 1, on which `at` stands in `text`. [any] */
int jsontext_line_at(const char *text, const char *at);

/* The line of the value at `path`, such as `utterances[2].tool.name`, in a
 * text that cJSON has accepted; the line of the nearest parent when the path
 * goes on below what is there. [any] */
int jsontext_line_of(const char *text, const char *path);

/* Whether the bytes are well-formed UTF-8. [any] */
bool jsontext_is_utf8(const char *text, size_t bytes);

#endif

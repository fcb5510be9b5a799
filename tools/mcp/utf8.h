/* UTF-8 as RFC 3629 has it: what a server sends need not be any. */
#ifndef TOOLS_MCP_UTF8_H
#define TOOLS_MCP_UTF8_H

#include <stddef.h>

/* The bytes of the character at `bytes`, of which `count` are there; 0 if it
 * is none. [any] */
size_t utf8_character(const char *bytes, size_t count);

/* Puts '?' in the place of each byte that belongs to no character. [any] */
void utf8_clean(char *bytes, size_t count);

/* The most bytes, `limit` at most, after which the text can be cut without
 * cutting a character. [any] */
size_t utf8_cut(const char *text, size_t limit);

#endif

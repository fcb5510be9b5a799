/* Small helpers around cJSON: typed reads with a default, and 64-bit numbers,
 * which JSON readers round beyond 2^53 and which therefore travel as decimal
 * text.
 *
 * Reads accept NULL for the object. Adds accept NULL for the object and do
 * nothing when memory is out: an event that lacks a member beats no event. */
#ifndef GATEWAY_JSONX_H
#define GATEWAY_JSONX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

/* The member's text, or `fallback` if it is absent or no string. Lives as
 * long as the object. [any] */
const char *jsonx_text(const cJSON *object, const char *key,
                       const char *fallback);

/* The member as a whole number; `fallback` if it is absent, no number, not
 * whole, or beyond 2^53. [any] */
int64_t jsonx_int(const cJSON *object, const char *key, int64_t fallback);

/* The member as a finite number. [any] */
double jsonx_number(const cJSON *object, const char *key, double fallback);

/* The member as true or false. [any] */
bool jsonx_bool(const cJSON *object, const char *key, bool fallback);

/* A 64-bit number written as decimal text, or as a whole number below 2^53;
 * false, and `*value` untouched, if it is neither. [any] */
bool jsonx_u64(const cJSON *object, const char *key, uint64_t *value);

/* Adds a 64-bit number as decimal text. [any] */
void jsonx_add_u64(cJSON *object, const char *key, uint64_t value);

/* Adds an item under a key, or to an array (`key` NULL), and frees it where it
 * cannot be added; NULL is let pass. False if nothing was added. [any] */
bool jsonx_put(cJSON *parent, const char *key, cJSON *item);

/* Adds a text; NULL adds nothing. Bytes that are no UTF-8 become U+FFFD, so
 * that the document stays valid. [any] */
void jsonx_add_text(cJSON *object, const char *key, const char *text);

/* Bytes of the UTF-8 sequence that `text` begins with, at most `text_bytes`; 0
 * if it begins with none. [any] */
size_t jsonx_utf8_bytes(const char *text, size_t text_bytes);

/* The same text with every byte that is no UTF-8 replaced; NULL when memory
 * is out. Caller frees. [any] */
char *jsonx_utf8(const char *text);

/* Deepest nesting of arrays and objects that is accepted. */
#define JSONX_DEPTH_MAX 64

/* What cJSON would let pass, or cut without a word: bytes that are no UTF-8,
 * raw control characters, \u0000, numbers that no double holds, nesting beyond
 * JSONX_DEPTH_MAX. NULL if there is none, else a phrase, "a number is too
 * large", and the byte it is about in `*offset`. [any] */
const char *jsonx_flaw(const char *text, size_t text_bytes, size_t *offset);

/* Parses exactly one document without flaws and nothing behind it but white
 * space. NULL if it is none: `*offset` is then the byte where it went wrong,
 * and `*flaw` what is wrong (both may be NULL). Of a member that is given
 * twice, the first is found. Caller frees. [any] */
cJSON *jsonx_parse(const char *text, size_t text_bytes, size_t *offset,
                   const char **flaw);

#endif

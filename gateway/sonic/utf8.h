/* Text from outside made valid UTF-8, so that no consumer has to doubt it. */
#ifndef GATEWAY_SONIC_UTF8_H
#define GATEWAY_SONIC_UTF8_H

#include <stddef.h>

/* Bytes of the character at `text` (1 to 4), 0 if it is not valid UTF-8 or does
 * not end within `bytes`. Surrogates and overlong forms are not valid. [rt] */
size_t sonic_utf8_char(const char *text, size_t bytes);

/* Copies text; each byte that belongs to no character, and each NUL, becomes
 * U+FFFD. Returns the size of the result, which is written only if `out` is not
 * NULL: call it twice. No NUL is added. [any] */
size_t sonic_utf8_clean(const char *text, size_t bytes, char *out);

/* The same for a JSON text, where the escape \u0000 and escaped surrogates
 * without their other half become U+FFFD too: they cannot be UTF-8 once
 * unescaped. [any] */
size_t sonic_utf8_clean_json(const char *json, size_t bytes, char *out);

/* The largest prefix of valid UTF-8 of at most `limit` bytes that ends between
 * characters; 0 only if `bytes` is 0 or `limit` is below 4. [any] */
size_t sonic_utf8_cut(const char *text, size_t bytes, size_t limit);

#endif

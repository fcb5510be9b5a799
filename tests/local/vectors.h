/* AWS' test vectors, read in place from the folder that VECTORS names. */
#ifndef TESTS_LOCAL_VECTORS_H
#define TESTS_LOCAL_VECTORS_H

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

/* The whole file, with a NUL behind it; NULL if there is none. To be freed.
 * [any] */
uint8_t *vectors_read(const char *path, size_t *bytes);

/* A JSON file; skips the running test if it is absent. To be deleted. [any] */
cJSON *vectors_json(const char *path);

/* Text member of an object; "" if it is none. [any] */
const char *vectors_text(const cJSON *object, const char *name);

/* Decoded base64 or hex; to be freed. [any] */
uint8_t *vectors_base64(const char *text, size_t *bytes);
uint8_t *vectors_hex(const char *text, size_t *bytes);

#endif

/* Reading AWS's published test vectors in place, from the folder named by the
 * environment variable VECTORS (../shared/vectors when it is not set). */
#ifndef TESTS_BEDROCK_VECTORS_H
#define TESTS_BEDROCK_VECTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

/* Whether the folder is there; prints that the test skips when it is not. */
bool vectors_present(const char *folder);

/* The whole file with a NUL after it, to be freed by the caller; fails the
 * test when it cannot be read. `bytes` may be NULL. */
char *vectors_read(const char *path, size_t *bytes);

/* vectors_read() for a file that may be absent: NULL then. */
char *vectors_read_optional(const char *path, size_t *bytes);

/* The file as JSON, to be deleted by the caller. */
cJSON *vectors_json(const char *path);

/* The string member of an object, or NULL when absent or null. */
const char *vectors_string(const cJSON *object, const char *name);

/* Decodes hex (into at most `size` bytes) and base64 (to be freed). */
size_t vectors_hex(const char *hex, uint8_t *out, size_t size);
uint8_t *vectors_base64(const char *text, size_t *bytes);

/* Names of the folder's entries in order, NULL at the end; free each and the
 * array by vectors_names_free(). */
char **vectors_names(const char *folder);
void vectors_names_free(char **names);

#endif

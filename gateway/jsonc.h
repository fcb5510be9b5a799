/* JSON with comments (// and C's), parsed by cJSON, with the line that each
 * value stands on: cJSON keeps no positions and cJSON_Minify() moves them. */
#ifndef GATEWAY_JSONC_H
#define GATEWAY_JSONC_H

#include <stddef.h>

#include <cjson/cJSON.h>

struct jsonc;

/* Parses one document. On failure NULL; `*line` is then where, and `problem`
 * says what is wrong and what would be right (or that memory is out). [any] */
struct jsonc *jsonc_parse(const char *text, size_t text_bytes, size_t *line,
                          char *problem, size_t problem_size);

/* Accepts NULL inside. [any] */
void jsonc_free(struct jsonc **jsonc);

/* The document. Lives as long as `jsonc`. [any] */
const cJSON *jsonc_root(const struct jsonc *jsonc);

/* The line of a value of the document, or of its key if it has one; 0 for any
 * other value. `jsonc` may be NULL. [any] */
size_t jsonc_line(const struct jsonc *jsonc, const cJSON *item);

#endif

/* Collects what is wrong with a configuration, all of it, one line each. */
#ifndef GATEWAY_CONFIG_PROBLEM_H
#define GATEWAY_CONFIG_PROBLEM_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

#include "gateway/jsonc.h"
#include "gateway/strbuf.h"
#include "ipc/status.h"

#define CONFIG_PROBLEMS_MAX 100 /* more are counted only */

struct config_problems {
    const char *file;          /* NULL: the JSON came from no file */
    const struct jsonc *jsonc; /* for lines, may be NULL */
    struct strbuf text;
    size_t count;
};

/* [any] */
void config_problems_init(struct config_problems *problems, const char *file);

/* Adds "FILE:LINE: PATH: message", the line `item`'s if it has one. [any] */
void config_problem(struct config_problems *problems, const cJSON *item,
                    const char *path, const char *format, ...) VR_PRINTF(4, 5);

/* The same with a line that is known already, and no path. [any] */
void config_problem_at(struct config_problems *problems, size_t line,
                       const char *format, ...) VR_PRINTF(3, 4);

/* The text, to be freed by the caller; NULL if there were no problems or
 * memory is out. Frees the rest. [any] */
char *config_problems_take(struct config_problems *problems);

#endif

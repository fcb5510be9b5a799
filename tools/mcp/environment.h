/* The environment of a server: what every program needs, and what it is
 * granted; everything else may be a secret. */
#ifndef TOOLS_MCP_ENVIRONMENT_H
#define TOOLS_MCP_ENVIRONMENT_H

#include <stdbool.h>

/* Our own environment as far as it is passed on: malloc'ed, NULL at the end;
 * NULL when memory is out. For environment_free(). [any] */
char **environment_new(void);

/* Sets a variable, copied; false when memory is out. [any] */
bool environment_set(char ***environment, const char *name, const char *value);

/* The value of a variable, valid until it is set; NULL if there is none. [any]
 */
const char *environment_get(char *const *environment, const char *name);

/* Frees it and NULLs the caller's pointer; NULL is ignored. [any] */
void environment_free(char ***environment);

#endif

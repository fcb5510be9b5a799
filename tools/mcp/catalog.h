/* The tools of a server, under the names that the gateway gets, and the answer
 * to its tools/list. Sans-IO. */
#ifndef TOOLS_MCP_CATALOG_H
#define TOOLS_MCP_CATALOG_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

/* The gateway takes so many tools of one provider. */
#define CATALOG_MAX 64

struct catalog;

/* `prefix` NULL: none. `allow` names tools as the server does, NULL: all of
 * them are offered. Both are copied. NULL when memory is out; the caller's to
 * catalog_free(). [any] */
struct catalog *catalog_new(const char *prefix, const cJSON *allow);

/* Frees it and NULLs the caller's pointer; NULL is ignored. [any] */
void catalog_free(struct catalog **catalog);

/* A new list begins; the old one holds until it is complete. [loop] */
void catalog_begin(struct catalog *catalog);

/* Takes a page: the `tools` of a tools/list result. What is not offered, and
 * why, is told in the journal. [loop] */
void catalog_add(struct catalog *catalog, const cJSON *tools);

/* The new list is complete and holds from now on. True if it differs from the
 * old one. [loop] */
bool catalog_end(struct catalog *catalog);

/* The tools that are offered. [loop] */
size_t catalog_count(const struct catalog *catalog);

/* The server's name of one that is offered, valid until catalog_end(); NULL if
 * there is none. [loop] */
const char *catalog_find(const struct catalog *catalog, const char *name);

/* {"tools": [...]}, the answer to the gateway's tools/list; valid until
 * catalog_end(). [loop] */
const char *catalog_json(const struct catalog *catalog);

#endif

/* The lines that an HTTP server wants to have in each request, such as
 * `Authorization: Bearer ...`: a file of "Name: value" lines. They are secrets:
 * nothing ever logs one. */
#ifndef TOOLS_MCP_HEADERS_H
#define TOOLS_MCP_HEADERS_H

#include <stdbool.h>
#include <stddef.h>

#include <curl/curl.h>

struct headers {
    struct curl_slist *list;
};

/* Reads the file; `path` NULL: none. Empty lines and those that begin with '#'
 * do not count. False, with none, if it cannot be read, others may write to it,
 * or a line is none: `why` says which, by number. For headers_fini(). [loop] */
bool headers_read(struct headers *headers, const char *path, char *why,
                  size_t why_size);

/* Adds one of our own; false when memory is out. [loop] */
bool headers_add(struct headers *headers, const char *name, const char *value);

/* Frees what is in it. [any] */
void headers_fini(struct headers *headers);

#endif

/* The headers that an agent wants from us, out of a file: its credentials. They
 * are in no message and no log. */
#ifndef TOOLS_PLUGINS_AGENT_SEARCH_HEADERS_H
#define TOOLS_PLUGINS_AGENT_SEARCH_HEADERS_H

#include <stdbool.h>
#include <stddef.h>

#define HEADERS_MAX 32u
#define HEADERS_FILE_BYTES 16384u

struct headers {
    char *text; /* the file's, cut into lines */
    size_t text_bytes;
    const char *lines[HEADERS_MAX];
    size_t count;
};

/* Takes the text of a file, one "Name: value" to a line; empty lines and those
 * that begin with # are skipped. The text is changed and becomes the headers'
 * own (malloc), also on failure. False with why, which names a line but not
 * what is in it. Give it back with headers_fini(). [any] */
bool headers_parse(struct headers *headers, char *text, size_t bytes, char *why,
                   size_t why_bytes);

/* Reads the file at `path`; NULL gives no headers. As headers_parse(). [any] */
bool headers_load(struct headers *headers, const char *path, char *why,
                  size_t why_bytes);

/* Wipes and frees what is in it. [any] */
void headers_fini(struct headers *headers);

#endif

/* One HTTP request's headers, pseudo-headers among them, bounded. */
#ifndef GATEWAY_LOCAL_REQUEST_H
#define GATEWAY_LOCAL_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#define REQUEST_HEADER_COUNT_MAX 64
#define REQUEST_BYTES_MAX (32 * 1024)

struct request_header {
    char *name; /* lower case, such as ":path" or "x-amz-date" */
    char *value;
};

struct request {
    struct request_header headers[REQUEST_HEADER_COUNT_MAX];
    size_t header_count;
    size_t total_bytes;
    bool too_large; /* headers were left out */
};

/* A zeroed request is empty; frees what it holds. [any] */
void request_fini(struct request *request);

/* Keeps a copy of one header. Too many, too large or out of memory: it is
 * left out and `too_large` is set. [any] */
void request_add(struct request *request, const char *name, size_t name_bytes,
                 const char *value, size_t value_bytes);

/* The value of the first header of that name; NULL if absent. [any] */
const char *request_get(const struct request *request, const char *name);

#endif

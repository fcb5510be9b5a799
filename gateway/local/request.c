#include "gateway/local/request.h"

#include <stdlib.h>
#include <string.h>

void
request_fini(struct request *request)
{
    for (size_t i = 0; i < request->header_count; i++) {
        free(request->headers[i].name);
        free(request->headers[i].value);
    }
    *request = (struct request){0};
}

void
request_add(struct request *request, const char *name, size_t name_bytes,
            const char *value, size_t value_bytes)
{
    if (request->header_count == REQUEST_HEADER_COUNT_MAX ||
        request->total_bytes + name_bytes + value_bytes > REQUEST_BYTES_MAX) {
        request->too_large = true;
        return;
    }
    struct request_header header = {strndup(name, name_bytes),
                                    strndup(value, value_bytes)};
    if (header.name == NULL || header.value == NULL) {
        free(header.name);
        free(header.value);
        request->too_large = true;
        return;
    }
    request->headers[request->header_count++] = header;
    request->total_bytes += name_bytes + value_bytes;
}

const char *
request_get(const struct request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (strcmp(request->headers[i].name, name) == 0)
            return request->headers[i].value;
    }
    return NULL;
}

/* Where a stream goes: https://host[:port]. */
#ifndef GATEWAY_BEDROCK_ENDPOINT_H
#define GATEWAY_BEDROCK_ENDPOINT_H

#include <stddef.h>
#include <stdint.h>

#include "ipc/status.h"

#define ENDPOINT_HOST_BYTES 254

struct endpoint {
    char host[ENDPOINT_HOST_BYTES];          /* lower case, IPv6 in brackets */
    char authority[ENDPOINT_HOST_BYTES + 6]; /* host, and :port if not 443 */
    uint16_t port;
};

/* Reads `text`, or makes the region's own endpoint where it is NULL.
 * VR_INVALID says in `problem` what is wrong and what would be right. [any] */
enum vr_status endpoint_parse(struct endpoint *endpoint, const char *text,
                              const char *region, char *problem,
                              size_t problem_size) VR_NODISCARD;

#endif

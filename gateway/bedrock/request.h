/* The request that opens a stream: its path, and its signed headers
 * (PROTOCOL 1.1). Sans-IO. */
#ifndef GATEWAY_BEDROCK_REQUEST_H
#define GATEWAY_BEDROCK_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/bedrock/credentials.h"
#include "gateway/bedrock/endpoint.h"
#include "gateway/bedrock/signer.h"

#define REQUEST_HEADERS_MAX 10
#define REQUEST_MODEL_BYTES 2048 /* PROTOCOL 1: the longest model id */

struct request_header {
    const char *name;
    const char *value;
    bool secret; /* kept out of header compression tables */
};

struct request {
    struct request_header headers[REQUEST_HEADERS_MAX];
    size_t header_count;
    struct endpoint endpoint;
    char *path;
    char *token; /* NULL for long-lived keys */
    char date[17];
    char authorization[1024];
};

/* Keeps endpoint, path and session token. VR_INVALID (model id) with
 * `problem`, or VR_NO_MEMORY. [loop] */
enum vr_status request_init(struct request *request,
                            const struct endpoint *endpoint,
                            const char *model_id,
                            const struct credentials *credentials,
                            char *problem, size_t problem_size) VR_NODISCARD;

/* Wipes and frees; accepts a request that is all zero. [loop] */
void request_fini(struct request *request);

/* Signs for the time `now_ms` and fills `headers`, pseudo headers first; they
 * live as long as the request. [loop] */
enum vr_status request_sign(struct request *request, struct signer *signer,
                            int64_t now_ms) VR_NODISCARD;

#endif

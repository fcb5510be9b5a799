/* The canonical request of SigV4: what the signature is about. */
#ifndef GATEWAY_LOCAL_CANONICAL_H
#define GATEWAY_LOCAL_CANONICAL_H

#include "gateway/local/bytes.h"
#include "gateway/local/request.h"

/* Appends to `out` (NUL-terminated beyond its count) the canonical form of the
 * request under the given SignedHeaders list ("host;x-amz-date") and payload
 * hash. The path, as sent, is percent-encoded once more, as every service but
 * S3 does. `host` that is not sent is taken from :authority. False when out of
 * room, or with the name of a listed header that is not there in `*missing`,
 * which points into the list. [any] */
bool canonical_request(const struct request *request,
                       const char *signed_headers, const char *payload_hash,
                       struct bytes *out, const char **missing);

#endif

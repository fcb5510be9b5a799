/* The texts of AWS Signature Version 4 (PROTOCOL 9.1, 9.2), as functions of
 * their inputs: canonical request, strings to sign, signing key. signer.h puts
 * them in order for one stream. */
#ifndef GATEWAY_BEDROCK_SIGV4_H
#define GATEWAY_BEDROCK_SIGV4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/bedrock/digest.h"
#include "gateway/bedrock/signer.h"

#define SIGV4_DATE_BYTES 17 /* "20260101T000000Z" and a NUL */
#define SIGV4_HEADERS_MAX 64

/* What is done to the path as sent. Every AWS service but S3 does both. */
struct sigv4_path_rules {
    bool normalize; /* "." and ".." segments, repeated slashes */
    bool encode;    /* percent-encode it (again): '%3A' becomes '%253A' */
};

/* Where the parts of a canonical request lie in the text. */
struct sigv4_canonical {
    size_t chars;
    size_t signed_headers_at; /* "content-type;host;..." */
    size_t signed_headers_chars;
};

/* Writes the canonical request, no NUL. Header names may be in any case and
 * order; values are trimmed and runs of white space in them made one space;
 * values of one name are joined by commas in their order. The query may be raw
 * or encoded. VR_LIMIT when it does not fit `size` or there are more than
 * SIGV4_HEADERS_MAX headers or 256 query parameters; VR_NO_MEMORY. [any] */
enum vr_status
sigv4_canonical_request(const struct signer_request *request,
                        struct sigv4_path_rules rules, char *text, size_t size,
                        struct sigv4_canonical *parts) VR_NODISCARD;

/* Writes "20260101T000000Z" and a NUL. Times before 1970 or after 9999 are
 * taken as the nearest of these. Unlike gmtime_r() it takes no lock. [rt] */
void sigv4_date(int64_t wall_ms, char text[SIGV4_DATE_BYTES]);

/* Writes "20260101/us-east-1/bedrock/aws4_request" and a NUL; returns its
 * length, or 0 when `size` is too small. [rt] */
size_t sigv4_scope(const char date[SIGV4_DATE_BYTES], const char *region,
                   const char *service, char *scope, size_t size);

/* Writes the string to sign of a request, no NUL; returns its length, or 0
 * when `size` is too small. [any] */
size_t sigv4_request_string(const char date[SIGV4_DATE_BYTES],
                            const char *scope,
                            const uint8_t request_hash[DIGEST_BYTES],
                            char *text, size_t size);

/* The same for a chunk. `prior` is the signature before it in lower-case hex,
 * `prior_chars` long; the hashes are those of the encoded headers and of the
 * payload. [rt] */
size_t sigv4_chunk_string(const char date[SIGV4_DATE_BYTES], const char *scope,
                          const char *prior, size_t prior_chars,
                          const uint8_t headers_hash[DIGEST_BYTES],
                          const uint8_t payload_hash[DIGEST_BYTES], char *text,
                          size_t size);

/* The key of one day, region and service. `aws4_secret` is "AWS4" and the
 * secret access key. The caller wipes the key. [rt] */
void sigv4_key(const char *aws4_secret, const char date[SIGV4_DATE_BYTES],
               const char *region, const char *service,
               uint8_t key[DIGEST_BYTES]);

#endif

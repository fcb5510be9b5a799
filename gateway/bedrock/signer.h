/* AWS Signature Version 4 for one stream: the request's signature, then the
 * chain of chunk signatures that starts from it (PROTOCOL 9.1, 9.2).
 *
 * Sans-IO: the caller gives the time. One signer belongs to one stream and one
 * writer, because the chain is strictly sequential. */
#ifndef GATEWAY_BEDROCK_SIGNER_H
#define GATEWAY_BEDROCK_SIGNER_H

#include <stddef.h>
#include <stdint.h>

#include "gateway/bedrock/credentials.h"
#include "ipc/status.h"

#define SIGNER_SIGNATURE_BYTES 32

/* The date header of a chunk, encoded: 0x05 ":date" 0x08 and 8 bytes. */
#define SIGNER_DATE_HEADER_BYTES 15

struct signer;

/* Copies what it needs of `credentials`; NULL when memory is out. [loop] */
struct signer *signer_new(const struct credentials *credentials,
                          const char *region, const char *service);

/* Wipes the keys; accepts NULL inside. [loop] */
void signer_free(struct signer **signer);

struct signer_header {
    const char *name; /* in any case */
    const char *value;
};

struct signer_request {
    const char *method;
    const char *path;  /* as sent, already percent-encoded once */
    const char *query; /* as sent, "" or NULL if none */
    const struct signer_header *headers; /* to sign, any order, with host */
    size_t header_count;
    const char *payload_hash; /* hex, or the streaming literal */
};

/* Signs the request and keeps its signature as the first link of the chain.
 * `headers` must hold x-amz-date with the time `now_ms` stands for, and
 * x-amz-security-token when there is one (signer_amz_date() makes the former).
 * `authorization` gets the header's value. VR_LIMIT when it does not fit;
 * VR_NO_MEMORY. [loop] */
enum vr_status signer_request_sign(struct signer *signer,
                                   const struct signer_request *request,
                                   int64_t now_ms, char *authorization,
                                   size_t authorization_size) VR_NODISCARD;

/* "20260101T000000Z" for a wall clock time in ms. [any] */
void signer_amz_date(int64_t now_ms, char text[17]);

/* Starts the chain from a signature in lower-case hex that was made elsewhere,
 * 64 characters, or "" for none. VR_INVALID for anything else. [loop] */
enum vr_status signer_seed(struct signer *signer,
                           const char *signature) VR_NODISCARD;

/* The last signature of the chain, 64 characters of hex; "" before the first.
 * Valid until the next signature. [rt] */
const char *signer_last_signature(const struct signer *signer);

/* Signs one chunk: `payload` is the complete inner message, or nothing at the
 * end of the stream. `date_ms` is the chunk's :date, encoded into
 * `date_header` as signed. Advances the chain. Allocates nothing. [rt] */
void signer_chunk_sign(struct signer *signer, int64_t date_ms,
                       const uint8_t *payload, size_t payload_bytes,
                       uint8_t date_header[SIGNER_DATE_HEADER_BYTES],
                       uint8_t signature[SIGNER_SIGNATURE_BYTES]);

/* The same with any block of encoded headers in the place of :date, dated
 * `date_ms`. [rt] */
void signer_chunk_sign_headers(struct signer *signer, int64_t date_ms,
                               const uint8_t *headers, size_t headers_bytes,
                               const uint8_t *payload, size_t payload_bytes,
                               uint8_t signature[SIGNER_SIGNATURE_BYTES]);

#endif

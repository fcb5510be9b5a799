/* A SigV4 signer for the tests of voxring-local, written for them alone: it
 * can also sign wrongly. */
#ifndef TESTS_LOCAL_CLIENT_SIGNER_H
#define TESTS_LOCAL_CLIENT_SIGNER_H

#include <stddef.h>
#include <stdint.h>

#define CLIENT_HEADERS_MAX 16

struct client_signer {
    const char *access_key_id;
    const char *secret;
    const char *token; /* NULL: none */
    const char *region;
    const char *service;
    char prior[65];
    int64_t skew_ms; /* of the signer's clock */
};

struct client_header {
    char name[48];
    char value[1024];
};

struct client_request {
    const char *method;
    char path[512]; /* as sent */
    char authority[64];
    struct client_header headers[CLIENT_HEADERS_MAX];
    size_t header_count;
};

/* Signs for us-east-1 and bedrock with voxring-local's test keys. [any] */
void client_signer_init(struct client_signer *signer);

/* A good request for the model id, already escaped, with every header but
 * authorization. [any] */
void client_request_init(struct client_request *request, const char *model,
                         int port, int64_t wall_ms,
                         const struct client_signer *signer);

/* Sets, adds or (value NULL) removes a header. [any] */
void client_request_set(struct client_request *request, const char *name,
                        const char *value);

/* Signs all headers there are, and `host_name` ("host" or ":authority"); adds
 * authorization and starts the chain. [any] */
void client_request_sign(struct client_request *request,
                         struct client_signer *signer, const char *host_name);

/* A frame with these (encoded) headers and payload; to be freed. [any] */
uint8_t *client_frame(const uint8_t *headers, size_t header_bytes,
                      const void *payload, size_t payload_bytes,
                      size_t *frame_bytes);

/* The inner message for a JSON event; to be freed. [any] */
uint8_t *client_inner(const char *json, size_t json_bytes, size_t *bytes);

/* The signed frame around an inner message (or nothing); to be freed. [any] */
uint8_t *client_sign_frame(struct client_signer *signer, int64_t date_ms,
                           const void *inner, size_t inner_bytes,
                           size_t *frame_bytes);

/* Milliseconds since 1970. [any] */
int64_t client_wall_ms(void);

#endif

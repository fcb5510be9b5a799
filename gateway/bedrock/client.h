/* libcurl's multi handle on the loop: it resolves, connects, speaks to proxies
 * and does the TLS handshake; what follows is connect.c's. */
#ifndef GATEWAY_BEDROCK_CLIENT_H
#define GATEWAY_BEDROCK_CLIENT_H

#include <curl/curl.h>
#include <uv.h>

#include "gateway/bedrock/stream.h"

/* Called on the loop, outside of libcurl, when an easy handle is done. */
typedef void(client_done_fn)(void *arg, CURLcode result);

/* What an easy handle's CURLOPT_PRIVATE points at. */
struct client_transfer {
    client_done_fn *on_done;
    void *arg;
    struct client_transfer *next_unwatched; /* client.c's */
    bool unwatched;
};

/* Starts a handle whose CURLOPT_PRIVATE is a struct client_transfer. [loop] */
CURLcode client_add(struct bedrock_client *client, CURL *easy);

/* Takes it out and closes its connection; it is not called any more. [loop] */
void client_remove(struct bedrock_client *client, CURL *easy);

/* The loop it runs on. [loop] */
uv_loop_t *client_loop(const struct bedrock_client *client);

#endif

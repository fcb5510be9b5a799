/* A blocking HTTP/2 client over TLS for the tests of voxring-local. */
#ifndef TESTS_LOCAL_CLIENT_H2_H
#define TESTS_LOCAL_CLIENT_H2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/local/client_signer.h"

#define CLIENT_STREAMS_MAX 16

struct client_stream {
    int32_t id;
    int status; /* 0: no response yet */
    char errortype[128];
    char content_type[128];
    char request_id[64];
    char date[64];
    char retry_after[16];
    uint8_t *body;
    size_t body_bytes;
    size_t data_frames;
    bool ended;     /* END_STREAM came */
    bool reset;     /* RST_STREAM came */
    uint32_t error; /* its code */
    /* to be sent */
    uint8_t *out;
    size_t out_bytes, out_sent;
    bool finish; /* END_STREAM after `out` */
};

struct client;

/* Connects and shakes hands; NULL when that fails. `alpn` in wire form, NULL:
 * none. [any] */
struct client *client_connect(int port, const char *ca_file, const char *alpn);
void client_free(struct client **client);

/* TLS' alert that ended the last client_connect() that failed, 0 if none. [any]
 */
int client_last_alert(void);

/* Opens a stream with the request's headers; `end`: and nothing else. [any] */
struct client_stream *client_open(struct client *client,
                                  const struct client_request *request,
                                  bool end);

/* Queues body bytes. [any] */
void client_send(struct client *client, struct client_stream *stream,
                 const void *data, size_t count);

/* Queues a signed event. [any] */
void client_send_event(struct client *client, struct client_stream *stream,
                       struct client_signer *signer, const char *json);

/* Queues the signed empty frame. [any] */
void client_send_end(struct client *client, struct client_stream *stream,
                     struct client_signer *signer);

/* Ends our side when all is sent. [any] */
void client_finish(struct client *client, struct client_stream *stream);

/* Runs until `done` says so, or the connection is gone; false after
 * `timeout_ms`. [any] */
bool client_run(struct client *client,
                bool (*done)(const struct client_stream *stream),
                const struct client_stream *stream, int timeout_ms);

/* Whether the connection is still there. [any] */
bool client_alive(const struct client *client);

/* Whether the server said GOAWAY. [any] */
bool client_said_goaway(const struct client *client);

/* How the connection ended. [any] */
enum client_end {
    CLIENT_ALIVE,
    CLIENT_NOTIFIED, /* close_notify */
    CLIENT_EOF,      /* the socket ended without it */
    CLIENT_RESET,    /* TCP RST */
    CLIENT_ALERT     /* client_last_alert() */
};
enum client_end client_end(const struct client *client);

/* Sends a PING; how many were answered. [any] */
void client_ping(struct client *client);
unsigned client_pongs(const struct client *client);

/* How much the stream's window lets us send. [any] */
int client_window(const struct client *client,
                  const struct client_stream *stream);

/* For client_run(). [any] */
bool client_has_status(const struct client_stream *stream);
bool client_has_ended(const struct client_stream *stream);
bool client_has_sent(const struct client_stream *stream);

/* How many frames of the body have this text; how many follow one another
 * without damage, -1 when one is damaged. [any] */
int client_count(const struct client_stream *stream, const char *text);

/* The first frame of the body that has this text in its payload or headers;
 * chunks are decoded from base64. NULL if none. Static storage. [any] */
const char *client_find(const struct client_stream *stream, const char *text);

#endif

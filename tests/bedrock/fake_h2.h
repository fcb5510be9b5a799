/* The server's side of HTTP/2 for one connection, bytes in and bytes out, told
 * by a test what to do. Shares no code with gateway/. */
#ifndef TESTS_BEDROCK_FAKE_H2_H
#define TESTS_BEDROCK_FAKE_H2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fake_bytes {
    uint8_t *at;
    size_t count, capacity;
};

void fake_bytes_add(struct fake_bytes *bytes, const void *from, size_t count);
void fake_bytes_drop(struct fake_bytes *bytes, size_t count);
void fake_bytes_free(struct fake_bytes *bytes);

struct fake_h2_options {
    uint32_t window_bytes;  /* of the stream, 0: 1 MiB */
    bool no_window_updates; /* the windows only shrink */
};

struct fake_h2 {
    void *session;           /* nghttp2_session */
    int32_t stream_id;       /* 0 before the request */
    char headers[8192];      /* "name: value\n" for each */
    struct fake_bytes body;  /* what the client sent */
    struct fake_bytes reply; /* what the client is to get, not yet framed */
    struct fake_bytes out;   /* frames to send */
    bool reply_ends;         /* END_STREAM behind the reply */
    bool request_ended;      /* the client's END_STREAM came */
    bool reset;              /* the client's RST_STREAM came */
    uint32_t reset_code;
    bool goaway;    /* the client's GOAWAY came */
    unsigned pings; /* the client's, answered */
    bool broken;    /* the client broke HTTP/2 */
    bool got_request;
};

struct fake_h2 *fake_h2_new(const struct fake_h2_options *options);
void fake_h2_free(struct fake_h2 **h2);

/* Bytes from the client; answers gather in `out`. */
void fake_h2_take(struct fake_h2 *h2, const uint8_t *bytes, size_t count);

/* Sends headers: `fields` are name, value, ... up to NULL. With `last`,
 * END_STREAM comes with them. */
void fake_h2_respond(struct fake_h2 *h2, const char *status,
                     const char *const *fields, bool last);
void fake_h2_inform(struct fake_h2 *h2, const char *status);
void fake_h2_data(struct fake_h2 *h2, const void *bytes, size_t count);
void fake_h2_end(struct fake_h2 *h2);
void fake_h2_rst(struct fake_h2 *h2, uint32_t code);
void fake_h2_goaway(struct fake_h2 *h2, int32_t last_id, uint32_t code,
                    const char *text);
void fake_h2_window(struct fake_h2 *h2, int32_t bytes);
/* Bytes that are put on the wire as they are. */
void fake_h2_raw(struct fake_h2 *h2, const void *bytes, size_t count);

#endif

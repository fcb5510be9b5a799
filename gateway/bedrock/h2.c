#include "gateway/bedrock/h2.h"

#include <assert.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/log.h"

/* Model audio arrives faster than it is played; a window this large never
 * makes the endpoint wait for us. */
#define WINDOW_BYTES (16 * 1024 * 1024)

/* Nobody pushes to this client, and a response has few headers. */
#define HEADER_LIST_BYTES (64 * 1024)

/* A PING flood or the like must not grow the queue of answers. */
#define ACKS_MAX 1000

struct h2 {
    const struct h2_ops *ops;
    void *arg;
    struct outbox *body;
    nghttp2_session *session;
    int32_t stream_id;
    bool finishing;
    bool closed;  /* on_close was called */
    int final;    /* nghttp2's error after which it may only be deleted, or 0 */
    bool dropped; /* nghttp2 gave up the stream */
    uint32_t dropped_error;
    bool going_away;
    uint32_t going_away_error;
    char problem[256];
    /* During h2_pull(): where frames go. */
    uint8_t *out;
    size_t out_bytes;
    size_t out_capacity;
};

static void
close_once(struct h2 *h2, enum h2_close how, uint32_t error)
{
    if (h2->closed)
        return;
    h2->closed = true;
    h2->ops->on_close(h2->arg, how, error);
}

static enum vr_status
status_of(const struct h2 *h2)
{
    return !h2->final                       ? VR_OK
           : h2->final == NGHTTP2_ERR_NOMEM ? VR_NO_MEMORY
                                            : VR_PROTOCOL;
}

static void
fail(struct h2 *h2, int error)
{
    h2->final = error;
    if (error == NGHTTP2_ERR_NOMEM || !h2->problem[0])
        snprintf(h2->problem, sizeof(h2->problem), "%s",
                 nghttp2_strerror(error));
}

/* What a call returned may concern that call only, or the session. */
static void
note(struct h2 *h2, int result)
{
    if (!h2->final && nghttp2_is_fatal(result))
        fail(h2, result);
}

/* ---- inbound ---- */

static int
on_header(nghttp2_session *session, const nghttp2_frame *frame,
          const uint8_t *name, size_t name_bytes, const uint8_t *value,
          size_t value_bytes, uint8_t flags, void *arg)
{
    struct h2 *h2 = arg;

    (void)session;
    (void)flags;
    /* Trailers say nothing that a stream needs. */
    if (!h2->closed && frame->hd.stream_id == h2->stream_id &&
        frame->headers.cat != NGHTTP2_HCAT_PUSH_RESPONSE)
        h2->ops->on_header(h2->arg, (const char *)name, name_bytes,
                           (const char *)value, value_bytes);
    return 0;
}

static int
on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id,
        const uint8_t *bytes, size_t count, void *arg)
{
    struct h2 *h2 = arg;

    (void)session;
    (void)flags;
    if (!h2->closed && stream_id == h2->stream_id)
        h2->ops->on_data(h2->arg, bytes, count);
    return 0;
}

static void
goaway_take(struct h2 *h2, const nghttp2_goaway *goaway)
{
    snprintf(
        h2->problem, sizeof(h2->problem), "%.*s",
        (int)(goaway->opaque_data_len < 200 ? goaway->opaque_data_len : 200),
        (const char *)goaway->opaque_data);
    h2->going_away = true;
    h2->going_away_error = goaway->error_code;
    if (h2->stream_id > goaway->last_stream_id)
        close_once(h2, H2_CLOSE_GOAWAY, goaway->error_code);
}

static int
on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct h2 *h2 = arg;
    bool ours = frame->hd.stream_id == h2->stream_id;

    (void)session;
    if (frame->hd.type == NGHTTP2_GOAWAY)
        goaway_take(h2, &frame->goaway);
    if (!ours || h2->closed)
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS)
        h2->ops->on_headers_end(h2->arg);
    if (frame->hd.type == NGHTTP2_RST_STREAM)
        close_once(h2, H2_CLOSE_RESET, frame->rst_stream.error_code);
    else if ((frame->hd.type == NGHTTP2_HEADERS ||
              frame->hd.type == NGHTTP2_DATA) &&
             (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        close_once(h2, H2_CLOSE_END_STREAM, 0);
    return 0;
}

/* Reached first only if nghttp2 itself gave up the stream: it does so before it
 * tells that it could not make a frame. */
static int
on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error,
                void *arg)
{
    struct h2 *h2 = arg;

    (void)session;
    if (stream_id != h2->stream_id)
        return 0;
    h2->dropped = true;
    h2->dropped_error = error;
    if (!h2->out)
        close_once(h2, H2_CLOSE_BROKEN, error);
    return 0;
}

/* A GOAWAY of ours with an error: nghttp2 found the peer in breach. */
static int
on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct h2 *h2 = arg;

    (void)session;
    if (frame->hd.type == NGHTTP2_GOAWAY &&
        frame->goaway.error_code != NGHTTP2_NO_ERROR)
        close_once(h2, H2_CLOSE_BROKEN, frame->goaway.error_code);
    return 0;
}

static int
on_error(nghttp2_session *session, int code, const char *text, size_t bytes,
         void *arg)
{
    struct h2 *h2 = arg;

    (void)session;
    (void)code;
    snprintf(h2->problem, sizeof(h2->problem), "%.*s",
             (int)(bytes < 200 ? bytes : 200), text);
    log_trace(lib, NULL, "nghttp2: %s", h2->problem);
    return 0;
}

/* ---- outbound ---- */

static ssize_t
body_read(nghttp2_session *session, int32_t stream_id, uint8_t *buffer,
          size_t length, uint32_t *flags, nghttp2_data_source *source,
          void *arg)
{
    struct h2 *h2 = arg;
    size_t queued = outbox_bytes(h2->body);

    (void)session;
    (void)stream_id;
    (void)buffer;
    (void)source;
    if (!queued && !h2->finishing)
        return NGHTTP2_ERR_DEFERRED;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (queued <= length && h2->finishing)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)(queued < length ? queued : length);
}

static int
body_send(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *header,
          size_t count, nghttp2_data_source *source, void *arg)
{
    struct h2 *h2 = arg;

    (void)session;
    (void)frame;
    (void)source;
    /* One call of mem_send may pass here several times and then return
     * another frame, which must find room behind these. */
    if (9 + count + H2_FRAME_BYTES > h2->out_capacity - h2->out_bytes)
        return NGHTTP2_ERR_WOULDBLOCK;
    uint8_t *at = h2->out + h2->out_bytes;
    memcpy(at, header, 9);
    memcpy(at + 9, outbox_front(h2->body), count);
    outbox_pop(h2->body, count);
    h2->out_bytes += 9 + count;
    return 0;
}

enum vr_status
h2_pull(struct h2 *h2, uint8_t *out, size_t capacity, size_t *written)
{
    assert(capacity >= 2 * H2_FRAME_BYTES);
    h2->out = out;
    h2->out_bytes = 0;
    h2->out_capacity = capacity;
    while (!h2->final && h2->out_capacity - h2->out_bytes >= H2_FRAME_BYTES) {
        const uint8_t *bytes;
        size_t before = h2->out_bytes;
        ssize_t count = nghttp2_session_mem_send(h2->session, &bytes);
        if (count < 0) {
            fail(h2, (int)count);
            break;
        }
        if (!count && h2->out_bytes == before)
            break;
        assert((size_t)count <= capacity - h2->out_bytes);
        if (count)
            memcpy(out + h2->out_bytes, bytes, (size_t)count);
        h2->out_bytes += (size_t)count;
    }
    *written = h2->out_bytes;
    h2->out = NULL;
    if (h2->dropped && !h2->final)
        close_once(h2, H2_CLOSE_BROKEN, h2->dropped_error);
    return status_of(h2);
}

/* ---- life ---- */

static nghttp2_session_callbacks *
callbacks_new(void)
{
    nghttp2_session_callbacks *c;

    if (nghttp2_session_callbacks_new(&c))
        return NULL;
    nghttp2_session_callbacks_set_on_header_callback(c, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(c, on_frame_sent);
    nghttp2_session_callbacks_set_error_callback2(c, on_error);
    nghttp2_session_callbacks_set_send_data_callback(c, body_send);
    return c;
}

static bool
session_start(struct h2 *h2)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW_BYTES},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEADER_LIST_BYTES},
    };
    nghttp2_session_callbacks *callbacks = callbacks_new();
    nghttp2_option *option = NULL;
    bool ok = callbacks && !nghttp2_option_new(&option);

    if (ok) {
        nghttp2_option_set_max_outbound_ack(option, ACKS_MAX);
        ok = !nghttp2_session_client_new2(&h2->session, callbacks, h2, option);
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return ok &&
           !nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings,
                                    sizeof(settings) / sizeof(*settings)) &&
           !nghttp2_session_set_local_window_size(
               h2->session, NGHTTP2_FLAG_NONE, 0, WINDOW_BYTES);
}

struct h2 *
h2_new(const struct h2_ops *ops, void *arg, struct outbox *body)
{
    struct h2 *h2 = calloc(1, sizeof(*h2));
    if (!h2)
        return NULL;
    h2->ops = ops;
    h2->arg = arg;
    h2->body = body;
    h2->stream_id = -1;
    if (!session_start(h2))
        h2_free(&h2);
    return h2;
}

void
h2_free(struct h2 **h2)
{
    if (!*h2)
        return;
    /* nghttp2 reports the end of a live stream while it is deleted. */
    (*h2)->closed = true;
    nghttp2_session_del((*h2)->session);
    free(*h2);
    *h2 = NULL;
}

enum vr_status
h2_request(struct h2 *h2, const struct request *request)
{
    nghttp2_nv fields[REQUEST_HEADERS_MAX];
    const nghttp2_data_provider provider = {.read_callback = body_read};

    for (size_t i = 0; i < request->header_count; i++) {
        const struct request_header *header = &request->headers[i];
        fields[i] = (nghttp2_nv){
            .name = (uint8_t *)(uintptr_t)header->name,
            .value = (uint8_t *)(uintptr_t)header->value,
            .namelen = strlen(header->name),
            .valuelen = strlen(header->value),
            .flags = header->secret ? NGHTTP2_NV_FLAG_NO_INDEX
                                    : NGHTTP2_NV_FLAG_NONE,
        };
    }
    int32_t id = nghttp2_submit_request(h2->session, NULL, fields,
                                        request->header_count, &provider, NULL);
    note(h2, id);
    if (id < 0)
        return VR_NO_MEMORY;
    h2->stream_id = id;
    return VR_OK;
}

void
h2_resume(struct h2 *h2)
{
    /* Refused when nothing was deferred, which is fine. */
    if (!h2->final)
        note(h2, nghttp2_session_resume_data(h2->session, h2->stream_id));
}

void
h2_finish(struct h2 *h2)
{
    h2->finishing = true;
    h2_resume(h2);
}

void
h2_ping(struct h2 *h2)
{
    if (!h2->final)
        note(h2, nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, NULL));
}

void
h2_terminate(struct h2 *h2, uint32_t error)
{
    h2->closed = true;
    if (h2->final)
        return;
    if (nghttp2_session_find_stream(h2->session, h2->stream_id))
        note(h2, nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE,
                                           h2->stream_id, error));
    note(h2, nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE, 0,
                                   NGHTTP2_NO_ERROR, NULL, 0));
}

enum vr_status
h2_receive(struct h2 *h2, const uint8_t *bytes, size_t count)
{
    if (h2->final)
        return status_of(h2);
    ssize_t taken = nghttp2_session_mem_recv(h2->session, bytes, count);
    if (taken < 0)
        fail(h2, (int)taken);
    return status_of(h2);
}

const char *
h2_problem(const struct h2 *h2)
{
    return h2->problem;
}

bool
h2_going_away(const struct h2 *h2, uint32_t *error)
{
    *error = h2->going_away_error;
    return h2->going_away;
}

const char *
h2_error_name(uint32_t error)
{
    return nghttp2_http2_strerror(error);
}

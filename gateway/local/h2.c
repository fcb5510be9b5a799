#include "gateway/local/h2.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_BYTES (1024 * 1024)
#define HEADER_LIST_BYTES (64 * 1024)

/* How often a slow reader reads a little. */
#define DRIP_MS 100

struct stream {
    struct h2 *h2;
    int32_t id;
    struct call *call;
    bool ended; /* END_STREAM is sent */
    bool slow;  /* by a fault: the window opens by drips */
    size_t bytes_per_s;
    size_t unread_bytes; /* taken, but not told by a WINDOW_UPDATE */
    uint64_t drip_ms;    /* when the next drip is due */
    struct stream *next;
};

struct h2 {
    const struct call_config *config;
    unsigned connection;
    nghttp2_session *session;
    struct stream *streams;
    size_t stream_count;
    bool doomed;
    struct fault doom;
    struct now now; /* of the entry point that runs */
};

/* ---- what a call asks for ---- */

static ssize_t
on_read_body(nghttp2_session *session, int32_t id, uint8_t *out,
             size_t capacity, uint32_t *flags, nghttp2_data_source *source,
             void *user)
{
    struct stream *stream = source->ptr;
    bool ended;
    (void)session;
    (void)id;
    (void)user;
    size_t count = call_read(stream->call, out, capacity, &ended);
    if (ended)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    else if (count == 0)
        return NGHTTP2_ERR_DEFERRED;
    return (ssize_t)count;
}

static nghttp2_nv
pair(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value,
                        strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static void
http_date(int64_t wall_ms, char *text, size_t size)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    strftime(text, size, "%a, %d %b %Y %H:%M:%S GMT", &parts);
}

static void
on_respond(void *arg, const struct call_response *response)
{
    struct stream *stream = arg;
    char status[16], length[32], date[64];
    char retry_after[32];
    nghttp2_nv headers[7];
    size_t count = 0;
    snprintf(status, sizeof(status), "%d", response->status);
    snprintf(length, sizeof(length), "%zu", response->body_bytes);
    http_date(response->wall_ms, date, sizeof(date));
    headers[count++] = pair(":status", status);
    headers[count++] = pair("date", date);
    headers[count++] = pair("content-type", response->content_type);
    headers[count++] = pair("x-amzn-requestid", response->request_id);
    if (response->errortype != NULL) {
        headers[count++] = pair("x-amzn-errortype", response->errortype);
        headers[count++] = pair("content-length", length);
    }
    if (response->retry_after_s > 0) {
        snprintf(retry_after, sizeof(retry_after), "%ld",
                 response->retry_after_s);
        headers[count++] = pair("retry-after", retry_after);
    }
    nghttp2_data_provider body = {.source.ptr = stream,
                                  .read_callback = on_read_body};
    if (nghttp2_submit_response(stream->h2->session, stream->id, headers, count,
                                &body) != 0)
        nghttp2_submit_rst_stream(stream->h2->session, NGHTTP2_FLAG_NONE,
                                  stream->id, NGHTTP2_INTERNAL_ERROR);
}

static void
on_wake(void *arg)
{
    struct stream *stream = arg;
    /* Fails where nothing is deferred, which is as good. */
    nghttp2_session_resume_data(stream->h2->session, stream->id);
}

static void
on_reset(void *arg, bool error)
{
    struct stream *stream = arg;
    nghttp2_submit_rst_stream(
        stream->h2->session, NGHTTP2_FLAG_NONE, stream->id,
        error ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_NO_ERROR);
}

/* Shrinks the windows of the whole connection: what the client may still send
 * becomes little or nothing, at once. */
static void
slow_down(struct stream *stream, const struct fault *fault)
{
    uint32_t window =
        fault->bytes_per_s < 64 * 1024 ? (uint32_t)fault->bytes_per_s : 65536;
    const nghttp2_settings_entry setting = {
        NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window};
    stream->slow = true;
    stream->bytes_per_s = (size_t)fault->bytes_per_s;
    stream->drip_ms = stream->h2->now.mono_ms + DRIP_MS;
    nghttp2_submit_settings(stream->h2->session, NGHTTP2_FLAG_NONE, &setting,
                            1);
}

static void
on_strike(void *arg, const struct fault *fault)
{
    struct stream *stream = arg;
    struct h2 *h2 = stream->h2;
    bool zero = strcmp(fault->last_stream, "zero") == 0;
    if (fault->kind == FAULT_rst) {
        nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, stream->id,
                                  (uint32_t)fault->code);
    } else if (fault->kind == FAULT_goaway) {
        int32_t last = nghttp2_session_get_last_proc_stream_id(h2->session);
        nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE, zero ? 0 : last,
                              (uint32_t)fault->code, NULL, 0);
    } else if (fault->kind == FAULT_slow_reader) {
        slow_down(stream, fault);
    } else {
        h2->doomed = true;
        h2->doom = *fault;
    }
}

static const struct call_ops call_ops = {.respond = on_respond,
                                         .wake = on_wake,
                                         .reset = on_reset,
                                         .strike = on_strike};

/* ---- streams ---- */

static struct stream *
stream_open(struct h2 *h2, int32_t id)
{
    struct stream *stream = calloc(1, sizeof(*stream));
    if (stream == NULL)
        return NULL;
    stream->h2 = h2;
    stream->id = id;
    stream->call = call_new(h2->config, &call_ops, stream,
                            (struct jsonlog_place){h2->connection, (int)id});
    if (stream->call == NULL) {
        free(stream);
        return NULL;
    }
    stream->next = h2->streams;
    h2->streams = stream;
    h2->stream_count++;
    return stream;
}

static void
stream_close(struct stream *stream)
{
    struct stream **link = &stream->h2->streams;
    while (*link != stream)
        link = &(*link)->next;
    *link = stream->next;
    stream->h2->stream_count--;
    call_free(&stream->call);
    free(stream);
}

static struct stream *
stream_of(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

static void
note(struct h2 *h2, int32_t id, const char *kind, const char *text)
{
    jsonlog_note(h2->config->log,
                 (struct jsonlog_place){h2->connection, (int)id}, kind, "%s",
                 text);
}

/* ---- nghttp2's callbacks ---- */

static int
on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame,
                 void *user)
{
    if (frame->hd.type != NGHTTP2_HEADERS ||
        frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    struct stream *stream = stream_open(user, frame->hd.stream_id);
    if (stream == NULL)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, stream);
    return 0;
}

static int
on_header(nghttp2_session *session, const nghttp2_frame *frame,
          const uint8_t *name, size_t name_bytes, const uint8_t *value,
          size_t value_bytes, uint8_t flags, void *user)
{
    struct stream *stream = stream_of(session, frame->hd.stream_id);
    (void)flags;
    (void)user;
    if (stream != NULL && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        call_on_header(stream->call, (const char *)name, name_bytes,
                       (const char *)value, value_bytes);
    return 0;
}

static int
on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct h2 *h2 = user;
    struct stream *stream;
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    stream = stream_of(session, frame->hd.stream_id);
    if (stream == NULL)
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS &&
        frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        call_on_request(stream->call, h2->now);
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        call_on_end(stream->call, h2->now);
    return 0;
}

static int
on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id,
              const uint8_t *data, size_t count, void *user)
{
    struct h2 *h2 = user;
    struct stream *stream = stream_of(session, id);
    (void)flags;
    if (stream != NULL && stream->slow) {
        nghttp2_session_consume_connection(session, count);
        stream->unread_bytes += count;
    } else {
        nghttp2_session_consume(session, id, count);
    }
    if (stream != NULL)
        call_on_data(stream->call, data, count, h2->now);
    return 0;
}

/* A response that ended before the request did is followed by RST_STREAM with
 * NO_ERROR (RFC 9113, 8.1): do not bother to send the rest. */
static int
on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    (void)user;
    if ((frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS) ||
        !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    struct stream *stream = stream_of(session, frame->hd.stream_id);
    if (stream == NULL)
        return 0;
    stream->ended = true;
    if (!call_lingers(stream->call) &&
        nghttp2_session_get_stream_remote_close(session, stream->id) == 0)
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream->id,
                                  NGHTTP2_NO_ERROR);
    return 0;
}

static int
on_stream_close(nghttp2_session *session, int32_t id, uint32_t error,
                void *user)
{
    struct stream *stream = stream_of(session, id);
    if (stream == NULL)
        return 0;
    if (!stream->ended) {
        char text[96];
        snprintf(text, sizeof(text), "closed early: %s",
                 nghttp2_http2_strerror(error));
        note(user, id, "stream", text);
    }
    nghttp2_session_set_stream_user_data(session, id, NULL);
    stream_close(stream);
    return 0;
}

static int
on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame,
                 int error, void *user)
{
    char text[96];
    (void)session;
    snprintf(text, sizeof(text), "HTTP/2: %s", nghttp2_strerror(error));
    note(user, frame->hd.stream_id, "violation", text);
    return 0;
}

/* ---- the connection ---- */

static bool
session_start(struct h2 *h2)
{
    nghttp2_session_callbacks *callbacks;
    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        return false;
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks,
                                                            on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks,
                                                         on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks,
                                                              on_data_chunk);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks,
                                                         on_frame_send);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks,
                                                           on_stream_close);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(
        callbacks, on_invalid_frame);
    nghttp2_option *option;
    if (nghttp2_option_new(&option) != 0) {
        nghttp2_session_callbacks_del(callbacks);
        return false;
    }
    nghttp2_option_set_no_auto_window_update(option, 1);
    int code = nghttp2_session_server_new2(&h2->session, callbacks, h2, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    if (code != 0)
        return false;
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, H2_STREAMS_MAX},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW_BYTES},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEADER_LIST_BYTES}};
    return nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings,
                                   3) == 0 &&
           nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE,
                                                 0, 4 * WINDOW_BYTES) == 0;
}

struct h2 *
h2_new(const struct call_config *config, unsigned connection)
{
    struct h2 *h2 = calloc(1, sizeof(*h2));
    if (h2 == NULL)
        return NULL;
    h2->config = config;
    h2->connection = connection;
    if (!session_start(h2))
        h2_free(&h2);
    return h2;
}

void
h2_free(struct h2 **h2)
{
    if (*h2 == NULL)
        return;
    while ((*h2)->streams != NULL)
        stream_close((*h2)->streams);
    nghttp2_session_del((*h2)->session);
    free(*h2);
    *h2 = NULL;
}

bool
h2_receive(struct h2 *h2, const uint8_t *data, size_t count, struct now now)
{
    h2->now = now;
    ssize_t taken = nghttp2_session_mem_recv(h2->session, data, count);
    if (taken >= 0)
        return true;
    char text[96];
    snprintf(text, sizeof(text), "HTTP/2: %s", nghttp2_strerror((int)taken));
    note(h2, 0, "violation", text);
    if (taken == NGHTTP2_ERR_BAD_CLIENT_MAGIC)
        nghttp2_session_terminate_session(h2->session, NGHTTP2_PROTOCOL_ERROR);
    return false;
}

long
h2_send(struct h2 *h2, const uint8_t **data)
{
    return (long)nghttp2_session_mem_send(h2->session, data);
}

bool
h2_done(const struct h2 *h2)
{
    return !nghttp2_session_want_read(h2->session) &&
           !nghttp2_session_want_write(h2->session);
}

void
h2_goaway(struct h2 *h2)
{
    nghttp2_session_terminate_session(h2->session, NGHTTP2_NO_ERROR);
}

const struct fault *
h2_doom(const struct h2 *h2)
{
    return h2->doomed ? &h2->doom : NULL;
}

/* A slow reader reads what its rate allows. */
static void
drip(struct stream *stream, uint64_t now_ms)
{
    size_t count = stream->bytes_per_s * DRIP_MS / 1000;
    if (!stream->slow || now_ms < stream->drip_ms)
        return;
    stream->drip_ms = now_ms + DRIP_MS;
    if (count > stream->unread_bytes)
        count = stream->unread_bytes;
    stream->unread_bytes -= count;
    if (count > 0)
        nghttp2_session_consume_stream(stream->h2->session, stream->id, count);
}

static uint64_t
drip_deadline_ms(const struct stream *stream)
{
    return stream->slow && stream->bytes_per_s > 0 ? stream->drip_ms
                                                   : UINT64_MAX;
}

void
h2_tick(struct h2 *h2, struct now now)
{
    h2->now = now;
    /* Ticking submits frames at most; streams close while sending. */
    for (struct stream *s = h2->streams; s != NULL; s = s->next) {
        if (call_deadline_ms(s->call) <= now.mono_ms)
            call_tick(s->call, now);
        drip(s, now.mono_ms);
    }
}

uint64_t
h2_deadline_ms(const struct h2 *h2)
{
    uint64_t soonest_ms = UINT64_MAX;
    for (const struct stream *s = h2->streams; s != NULL; s = s->next) {
        uint64_t deadline_ms = call_deadline_ms(s->call);
        if (deadline_ms < soonest_ms)
            soonest_ms = deadline_ms;
        deadline_ms = drip_deadline_ms(s);
        if (deadline_ms < soonest_ms)
            soonest_ms = deadline_ms;
    }
    return soonest_ms;
}

size_t
h2_stream_count(const struct h2 *h2)
{
    return h2->stream_count;
}

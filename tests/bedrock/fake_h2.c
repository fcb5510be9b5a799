#include "tests/bedrock/fake_h2.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/shared/starve.h"

/* ---- growing bytes ---- */

void
fake_bytes_add(struct fake_bytes *bytes, const void *from, size_t count)
{
    if (bytes->count + count > bytes->capacity) {
        size_t capacity = bytes->capacity ? bytes->capacity : 4096;
        while (capacity < bytes->count + count)
            capacity *= 2;
        bytes->at = starve_spare(bytes->at, capacity);
        bytes->capacity = capacity;
    }
    if (count)
        memcpy(bytes->at + bytes->count, from, count);
    bytes->count += count;
}

void
fake_bytes_drop(struct fake_bytes *bytes, size_t count)
{
    bytes->count -= count;
    if (bytes->count)
        memmove(bytes->at, bytes->at + count, bytes->count);
}

void
fake_bytes_free(struct fake_bytes *bytes)
{
    free(bytes->at);
    *bytes = (struct fake_bytes){0};
}

/* ---- inbound ---- */

static int
on_header(nghttp2_session *session, const nghttp2_frame *frame,
          const uint8_t *name, size_t name_bytes, const uint8_t *value,
          size_t value_bytes, uint8_t flags, void *arg)
{
    struct fake_h2 *h2 = arg;
    size_t used = strlen(h2->headers);

    (void)session;
    (void)flags;
    h2->stream_id = frame->hd.stream_id;
    snprintf(h2->headers + used, sizeof(h2->headers) - used, "%.*s: %.*s\n",
             (int)name_bytes, (const char *)name, (int)value_bytes,
             (const char *)value);
    return 0;
}

static int
on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id,
        const uint8_t *bytes, size_t count, void *arg)
{
    struct fake_h2 *h2 = arg;

    (void)session;
    (void)flags;
    (void)stream_id;
    fake_bytes_add(&h2->body, bytes, count);
    return 0;
}

static int
on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct fake_h2 *h2 = arg;

    (void)session;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        h2->got_request = true;
        break;
    case NGHTTP2_RST_STREAM:
        h2->reset = true;
        h2->reset_code = frame->rst_stream.error_code;
        break;
    case NGHTTP2_GOAWAY:
        h2->goaway = true;
        break;
    case NGHTTP2_PING:
        h2->pings += !(frame->hd.flags & NGHTTP2_FLAG_ACK);
        break;
    }
    if (frame->hd.type <= NGHTTP2_HEADERS &&
        frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        h2->request_ended = true;
    return 0;
}

/* ---- outbound ---- */

static ssize_t
reply_read(nghttp2_session *session, int32_t stream_id, uint8_t *buffer,
           size_t length, uint32_t *flags, nghttp2_data_source *source,
           void *arg)
{
    struct fake_h2 *h2 = arg;

    (void)session;
    (void)stream_id;
    (void)source;
    if (!h2->reply.count && !h2->reply_ends)
        return NGHTTP2_ERR_DEFERRED;
    if (length > h2->reply.count)
        length = h2->reply.count;
    if (length)
        memcpy(buffer, h2->reply.at, length);
    fake_bytes_drop(&h2->reply, length);
    if (!h2->reply.count && h2->reply_ends)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)length;
}

static void
pull(struct fake_h2 *h2)
{
    const uint8_t *bytes;
    ssize_t count;

    while ((count = nghttp2_session_mem_send(h2->session, &bytes)) > 0)
        fake_bytes_add(&h2->out, bytes, (size_t)count);
}

void
fake_h2_take(struct fake_h2 *h2, const uint8_t *bytes, size_t count)
{
    if (nghttp2_session_mem_recv(h2->session, bytes, count) < 0)
        h2->broken = true;
    pull(h2);
}

static nghttp2_nv
field(const char *name, const char *value)
{
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
                        .value = (uint8_t *)(uintptr_t)value,
                        .namelen = strlen(name),
                        .valuelen = strlen(value)};
}

void
fake_h2_respond(struct fake_h2 *h2, const char *status,
                const char *const *fields, bool last)
{
    const nghttp2_data_provider provider = {.read_callback = reply_read};
    nghttp2_nv all[16] = {field(":status", status)};
    size_t count = 1;

    for (; fields && *fields && count < 16; fields += 2)
        all[count++] = field(fields[0], fields[1]);
    nghttp2_submit_response(h2->session, h2->stream_id, all, count,
                            last ? NULL : &provider);
    pull(h2);
}

void
fake_h2_inform(struct fake_h2 *h2, const char *status)
{
    nghttp2_nv all[1] = {field(":status", status)};

    nghttp2_submit_headers(h2->session, 0, h2->stream_id, NULL, all, 1, NULL);
    pull(h2);
}

void
fake_h2_data(struct fake_h2 *h2, const void *bytes, size_t count)
{
    fake_bytes_add(&h2->reply, bytes, count);
    nghttp2_session_resume_data(h2->session, h2->stream_id);
    pull(h2);
}

void
fake_h2_end(struct fake_h2 *h2)
{
    h2->reply_ends = true;
    nghttp2_session_resume_data(h2->session, h2->stream_id);
    pull(h2);
}

void
fake_h2_rst(struct fake_h2 *h2, uint32_t code)
{
    nghttp2_submit_rst_stream(h2->session, 0, h2->stream_id, code);
    pull(h2);
}

void
fake_h2_goaway(struct fake_h2 *h2, int32_t last_id, uint32_t code,
               const char *text)
{
    nghttp2_submit_goaway(h2->session, 0, last_id, code, (const uint8_t *)text,
                          strlen(text));
    pull(h2);
}

void
fake_h2_window(struct fake_h2 *h2, int32_t bytes)
{
    nghttp2_submit_window_update(h2->session, 0, h2->stream_id, bytes);
    nghttp2_submit_window_update(h2->session, 0, 0, bytes);
    pull(h2);
}

void
fake_h2_raw(struct fake_h2 *h2, const void *bytes, size_t count)
{
    fake_bytes_add(&h2->out, bytes, count);
}

/* ---- memory that a starving test leaves to the server ---- */

static void *
spare_malloc(size_t bytes, void *arg)
{
    (void)arg;
    return starve_spare(NULL, bytes);
}

static void *
spare_calloc(size_t items, size_t bytes, void *arg)
{
    (void)arg;
    return memset(starve_spare(NULL, items * bytes), 0, items * bytes);
}

static void *
spare_realloc(void *old, size_t bytes, void *arg)
{
    (void)arg;
    return starve_spare(old, bytes);
}

static void
spare_free(void *block, void *arg)
{
    (void)arg;
    free(block);
}

/* ---- life ---- */

static void
session_new(struct fake_h2 *h2, const struct fake_h2_options *options)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
         options->window_bytes ? options->window_bytes : 1024 * 1024},
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1},
    };
    nghttp2_mem memory = {NULL, spare_malloc, spare_free, spare_calloc,
                          spare_realloc};
    nghttp2_session_callbacks *c;
    nghttp2_option *option;
    nghttp2_session *session;

    starve_pause();
    nghttp2_session_callbacks_new(&c);
    nghttp2_session_callbacks_set_on_header_callback(c, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
    nghttp2_option_new(&option);
    nghttp2_option_set_no_auto_window_update(option,
                                             options->no_window_updates);
    if (nghttp2_session_server_new3(&session, c, h2, option, &memory))
        abort();
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(c);
    starve_resume();
    nghttp2_submit_settings(session, 0, settings, 2);
    h2->session = session;
    pull(h2);
}

struct fake_h2 *
fake_h2_new(const struct fake_h2_options *options)
{
    struct fake_h2 *h2 = starve_spare(NULL, sizeof(*h2));

    *h2 = (struct fake_h2){0};
    session_new(h2, options);
    return h2;
}

void
fake_h2_free(struct fake_h2 **h2)
{
    if (!*h2)
        return;
    nghttp2_session_del((*h2)->session);
    fake_bytes_free(&(*h2)->body);
    fake_bytes_free(&(*h2)->reply);
    fake_bytes_free(&(*h2)->out);
    free(*h2);
    *h2 = NULL;
}

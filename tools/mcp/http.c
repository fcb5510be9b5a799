#include "tools/mcp/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tools/mcp/exchange.h"
#include "tools/mcp/journal.h"
#include "tools/mcp/message.h"
#include "tools/mcp/web.h"

/* A stream that breaks off is taken up again so often without a byte. */
#define ATTEMPTS_MAX 5
#define RETRY_DEFAULT_MS 1000
#define RETRY_LEAST_MS 10
#define RETRY_MOST_MS 30000
/* A stream may stay open so long after its answer, the end of a session may
 * take so long. */
#define LINGER_MS 2000

struct waiting {
    struct waiting *next;
    uint64_t id;
    char *text;
    enum transport_order order;
};

struct http {
    struct transport transport;
    struct transport_events events;
    const struct setup *setup;
    uv_loop_t *loop;
    struct web *web;
    struct exchange *exchanges;
    struct waiting *first, **last; /* behind an exchange that is in turn */
    size_t in_turn;
    char session[EXCHANGE_SESSION_BYTES];
    const char *version;
    bool listening;
    bool closing;
    bool web_closed;
    bool web_closing;
};

static void settle(struct exchange *e, enum transport_failure failure,
                   const char *why);

/* ---- the end of exchanges ------------------------------------------------------ */

static void
finish_close(struct http *http)
{
    struct transport_events events = http->events;

    if (!http->closing || http->exchanges)
        return;
    if (!http->web_closing) {
        http->web_closing = true;
        web_close(http->web);
    } else if (http->web_closed) {
        free(http);
        events.on_closed(events.arg);
    }
}

static void
on_timer_closed(uv_handle_t *handle)
{
    struct exchange *e = handle->data;
    struct http *http = e->owner;
    struct exchange **place = &http->exchanges;

    while (*place != e)
        place = &(*place)->next;
    *place = e->next;
    exchange_free(&e);
    finish_close(http);
}

static void
end_exchange(struct exchange *e)
{
    struct http *http = e->owner;

    if (e->closing)
        return;
    e->closing = true;
    if (e->kind == EXCHANGE_LISTEN)
        http->listening = false;
    if (e->easy)
        web_stop(http->web, e->easy);
    uv_close((uv_handle_t *)&e->timer, on_timer_closed);
}

/* ---- the begin of exchanges ---------------------------------------------------- */

static void
on_start_failed(uv_timer_t *timer)
{
    settle(timer->data, TRANSPORT_FAILED, NULL);
}

static void
start(struct exchange *e)
{
    struct http *http = e->owner;
    struct exchange_terms terms = {.url = http->setup->url,
                                   .headers_file = http->setup->headers_file,
                                   .session = http->session,
                                   .version = http->version};
    char why[400] = "memory is out";

    exchange_reset(e);
    if (exchange_prepare(e, &terms, why, sizeof why) &&
        web_start(http->web, e->easy))
        return;
    journal(VOXRING_LOG_ERROR, "%s", why);
    /* not from within the function that sends */
    uv_timer_start(&e->timer, on_start_failed, 0, 0);
}

static struct exchange *
begin(struct http *http, enum exchange_kind kind, uint64_t id, char *text,
      bool in_turn)
{
    struct exchange *e = calloc(1, sizeof *e);

    if (!e) {
        free(text);
        return NULL;
    }
    e->owner = http;
    e->kind = kind;
    e->id = id;
    e->text = text;
    e->in_turn = in_turn;
    http->in_turn += in_turn;
    uv_timer_init(http->loop, &e->timer);
    e->timer.data = e;
    e->next = http->exchanges;
    http->exchanges = e;
    start(e);
    return e;
}

static void
listen_to(struct http *http)
{
    if (!http->listening && !http->closing)
        http->listening = begin(http, EXCHANGE_LISTEN, 0, NULL, false) != NULL;
}

/* What waited for an exchange in turn goes out, up to the next such one. */
static void
release(struct exchange *e)
{
    struct http *http = e->owner;

    if (!e->in_turn)
        return;
    e->in_turn = false;
    http->in_turn--;
    while (http->in_turn == 0 && http->first) {
        struct waiting *w = http->first;
        http->first = w->next;
        if (!http->first)
            http->last = &http->first;
        begin(http, EXCHANGE_POST, w->id, w->text,
              w->order == TRANSPORT_IN_TURN);
        free(w);
    }
}

/* ---- what became of them ------------------------------------------------------- */

static void
on_resume(uv_timer_t *timer)
{
    start(timer->data);
}

/* Goes on with a stream of events some time later. */
static void
resume_later(struct exchange *e)
{
    int64_t wait_ms = e->sse.retry_ms > 0 ? e->sse.retry_ms : RETRY_DEFAULT_MS;

    for (unsigned i = 1; i < e->attempts && wait_ms < RETRY_MOST_MS; i++)
        wait_ms *= 2;
    if (wait_ms < RETRY_LEAST_MS)
        wait_ms = RETRY_LEAST_MS;
    if (wait_ms > RETRY_MOST_MS)
        wait_ms = RETRY_MOST_MS;
    e->attempts += e->attempts < 100;
    exchange_reset(e);
    uv_timer_start(&e->timer, on_resume, (uint64_t)wait_ms, 0);
}

static bool
is_awaited(const struct exchange *e)
{
    return e->kind == EXCHANGE_POST && e->id != 0 && !e->answered;
}

/* The exchange is over; who waits for it is told. */
static void
settle(struct exchange *e, enum transport_failure failure, const char *why)
{
    struct http *http = e->owner;
    bool tell = is_awaited(e);

    tell = tell || failure == TRANSPORT_SESSION_LOST;
    e->answered = true;
    release(e);
    end_exchange(e);
    if (tell && !http->closing)
        http->events.on_failure(http->events.arg, e->id, failure,
                                why ? why : "the request could not be sent");
}

/* The server knows the session no more: 404 says it; many servers answer 400
 * and name the session. */
static bool
session_is_lost(const struct exchange *e, long status)
{
    if (!e->had_session || e->kind == EXCHANGE_DELETE)
        return false;
    return status == 404 || (status == 400 && e->inbox.count > 0 &&
                             strcasestr(e->inbox.bytes, "session"));
}

static void
listener_done(struct exchange *e, long status, const char *why)
{
    if (status >= 200 && status < 300 && e->type == EXCHANGE_STREAM) {
        resume_later(e);
    } else if (status == 0 || status >= 500) {
        resume_later(e);
    } else {
        /* 405: it has none (2025-11-25, "Listening for Messages") */
        if (status != 405)
            journal(VOXRING_LOG_INFO, "no stream of notifications: %s", why);
        end_exchange(e);
    }
}

static void
deliver_json(struct exchange *e)
{
    struct http *http = e->owner;

    if (e->type == EXCHANGE_JSON && e->inbox.count > 0)
        http->events.on_message(http->events.arg, e->inbox.bytes,
                                e->inbox.count);
}

static void
post_done(struct exchange *e, CURLcode code, long status, const char *why)
{
    struct http *http = e->owner;
    bool good = status >= 200 && status < 300;
    bool listen_now = e->in_turn && e->id == 0 && good && code == CURLE_OK;

    if (good && code == CURLE_OK)
        deliver_json(e);
    if (e->closing)
        return;
    if (!e->answered && e->id != 0 && good && !e->overlong && e->sse.id[0] &&
        e->attempts < ATTEMPTS_MAX) {
        /* the rest of the answer comes from a GET stream */
        free(e->text);
        e->text = NULL;
        resume_later(e);
        return;
    }
    if (e->id == 0 && !good)
        journal(VOXRING_LOG_DEBUG, "a notification did not arrive: %s", why);
    settle(e,
           status == 401 || status == 403 ? TRANSPORT_UNAUTHORIZED
           : good && e->overlong          ? TRANSPORT_OVERLONG
                                          : TRANSPORT_FAILED,
           why);
    if (listen_now)
        listen_to(http);
}

static void
on_done(void *arg, CURL *easy, CURLcode code)
{
    struct exchange *e = NULL;
    char why[600];
    long status;

    (void)arg;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&e);
    if (e->closing)
        return;
    status = exchange_status(e);
    exchange_explain(e, code, why, sizeof why);
    /* of a stream taken up again the request was looked at */
    if (session_is_lost(e, status))
        settle(e,
               e->kind == EXCHANGE_POST && !e->text ? TRANSPORT_FAILED
                                                    : TRANSPORT_SESSION_LOST,
               why);
    else if (e->kind == EXCHANGE_LISTEN)
        listener_done(e, status, why);
    else if (e->kind == EXCHANGE_POST)
        post_done(e, code, status, why);
    else
        end_exchange(e);
}

/* ---- what comes in while they run ---------------------------------------------- */

static void
on_long_event(struct exchange *e, size_t bytes)
{
    struct http *http = e->owner;
    enum outline_kind kind = outline_kind(&e->sse.outline);
    char why[120];

    /* of one that is answered it is the time that it may linger */
    if (!e->answered)
        uv_timer_stop(&e->timer);
    journal(VOXRING_LOG_WARN,
            "the server sent an event of %zu bytes, more than %zu: skipped",
            bytes, SSE_LIMIT_BYTES);
    if (kind != OUTLINE_UNKNOWN) {
        http->events.on_overlong(http->events.arg, &e->sse.outline, bytes);
    } else if (is_awaited(e)) {
        /* the answers of others do not come here */
        snprintf(why, sizeof why,
                 "the MCP server's answer has %zu bytes, more than %zu", bytes,
                 SSE_LIMIT_BYTES);
        settle(e, TRANSPORT_OVERLONG, why);
    }
}

static void
on_endless(uv_timer_t *timer)
{
    struct exchange *e = timer->data;
    struct http *http = e->owner;
    char why[160];

    snprintf(why, sizeof why,
             "the MCP server sent %zu bytes of an event that does not end, "
             "where a message has at most %zu",
             e->sse.data_bytes, SSE_LIMIT_BYTES);
    if (e->kind == EXCHANGE_LISTEN) {
        journal(VOXRING_LOG_WARN, "%s: its stream of notifications begins anew",
                why);
        web_stop(http->web, e->easy);
        resume_later(e);
    } else {
        settle(e, TRANSPORT_OVERLONG, why);
    }
}

static void
watch_event(struct exchange *e)
{
    struct http *http = e->owner;

    if (e->closing || http->closing || e->answered || !e->sse.overlong)
        return;
    if (e->sse.data_bytes > MESSAGE_ENDLESS_BYTES)
        on_endless(&e->timer);
    else if (!uv_is_active((uv_handle_t *)&e->timer))
        uv_timer_start(&e->timer, on_endless, MESSAGE_ENDLESS_MS, 0);
}

static void
on_event(void *arg, char *data, size_t count)
{
    struct exchange *e = arg;
    struct http *http = e->owner;

    if (e->closing || http->closing)
        return;
    e->attempts = 0;
    if (data)
        http->events.on_message(http->events.arg, data, count);
    else
        on_long_event(e, count);
}

static void
read_exchange(struct exchange *e)
{
    struct http *http = e->owner;
    long status = exchange_status(e);

    if (status < 200 || status >= 300)
        return;
    if (e->session[0] && !e->had_session && !http->session[0])
        memcpy(http->session, e->session, sizeof http->session);
    if (e->type == EXCHANGE_STREAM && e->inbox.count > 0) {
        struct buffer bytes = e->inbox;
        memset(&e->inbox, 0, sizeof e->inbox);
        sse_feed(&e->sse, bytes.bytes, bytes.count, on_event, e);
        buffer_fini(&bytes);
        watch_event(e);
    }
}

static void
on_bytes(void *arg)
{
    struct http *http = arg;

    /* none is freed in here, new ones come first */
    for (struct exchange *e = http->exchanges; e; e = e->next) {
        if (!e->closing && e->easy)
            read_exchange(e);
    }
}

/* ---- the transport -------------------------------------------------------------- */

static void
http_send(struct transport *transport, uint64_t id, char *text,
          enum transport_order order)
{
    struct http *http = (struct http *)transport;
    struct waiting *w;

    if (!text || http->closing) {
        free(text);
        return;
    }
    if (http->in_turn == 0) {
        begin(http, EXCHANGE_POST, id, text, order == TRANSPORT_IN_TURN);
        return;
    }
    w = calloc(1, sizeof *w);
    if (!w) {
        free(text);
        return;
    }
    w->id = id;
    w->text = text;
    w->order = order;
    *http->last = w;
    http->last = &w->next;
}

static void
on_linger(uv_timer_t *timer)
{
    end_exchange(timer->data);
}

static void
http_forget(struct transport *transport, uint64_t id)
{
    struct http *http = (struct http *)transport;

    for (struct exchange *e = http->exchanges; e; e = e->next) {
        if (e->id != id || e->answered || e->closing)
            continue;
        e->answered = true;
        release(e);
        uv_timer_start(&e->timer, on_linger, LINGER_MS, 0);
        return;
    }
}

static void
http_ready(struct transport *transport, const char *version)
{
    ((struct http *)transport)->version = version;
}

static void
http_restart(struct transport *transport)
{
    struct http *http = (struct http *)transport;

    http->session[0] = '\0';
    http->version = NULL;
    for (struct exchange *e = http->exchanges; e; e = e->next) {
        if (e->kind == EXCHANGE_LISTEN)
            end_exchange(e);
    }
}

static void
drop_waiting(struct http *http)
{
    struct waiting *w;

    while ((w = http->first)) {
        http->first = w->next;
        free(w->text);
        free(w);
    }
    http->last = &http->first;
}

static void
http_close(struct transport *transport)
{
    struct http *http = (struct http *)transport;
    struct exchange *e;

    http->closing = true;
    drop_waiting(http);
    for (e = http->exchanges; e; e = e->next)
        end_exchange(e);
    e = http->session[0] ? begin(http, EXCHANGE_DELETE, 0, NULL, false) : NULL;
    if (e)
        uv_timer_start(&e->timer, on_linger, LINGER_MS, 0);
    finish_close(http);
}

static void
on_web_closed(void *arg)
{
    struct http *http = arg;

    http->web_closed = true;
    finish_close(http);
}

static const struct transport_ops ops = {
    .send = http_send,
    .forget = http_forget,
    .ready = http_ready,
    .restart = http_restart,
    .close = http_close,
};

struct transport *
http_open(uv_loop_t *loop, const struct setup *setup,
          const struct transport_events *events, char *why, size_t why_size)
{
    struct http *http = calloc(1, sizeof *http);
    struct web_events web_events = {
        .arg = http,
        .on_bytes = on_bytes,
        .on_done = on_done,
        .on_closed = on_web_closed,
    };

    if (http)
        http->web = web_open(loop, &web_events);
    if (!http || !http->web) {
        snprintf(why, why_size, "memory is out");
        free(http);
        return NULL;
    }
    http->transport.ops = &ops;
    http->events = *events;
    http->setup = setup;
    http->loop = loop;
    http->last = &http->first;
    if (setup->headers_file && strncmp(setup->url, "http://", 7) == 0)
        journal(VOXRING_LOG_WARN,
                "the headers of headers_file go unencrypted: the url is "
                "http://");
    return &http->transport;
}

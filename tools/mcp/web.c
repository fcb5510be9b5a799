#include "tools/mcp/web.h"

#include <stdlib.h>

struct web {
    struct web_events events;
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t timer;
    int handles;
    bool closing;
};

/* A socket of libcurl's, while it is one. */
struct watch {
    uv_poll_t poll;
    struct web *web;
    curl_socket_t socket;
};

static void
handle_gone(struct web *web)
{
    struct web_events events = web->events;

    if (--web->handles > 0)
        return;
    free(web);
    events.on_closed(events.arg);
}

static void
on_timer_closed(uv_handle_t *handle)
{
    handle_gone(handle->data);
}

static void
on_watch_closed(uv_handle_t *handle)
{
    struct watch *watch = handle->data;

    handle_gone(watch->web);
    free(watch);
}

static void
tell(struct web *web)
{
    CURLMsg *message;
    int left;

    web->events.on_bytes(web->events.arg);
    while (!web->closing &&
           (message = curl_multi_info_read(web->multi, &left))) {
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_multi_remove_handle(web->multi, easy);
        web->events.on_done(web->events.arg, easy, code);
    }
}

static void
on_ready(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    struct web *web = watch->web;
    int flags = 0, running;

    if (status < 0)
        flags = CURL_CSELECT_ERR;
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    curl_multi_socket_action(web->multi, watch->socket, flags, &running);
    tell(web);
}

static void
on_timer(uv_timer_t *timer)
{
    struct web *web = timer->data;
    int running;

    curl_multi_socket_action(web->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    tell(web);
}

static int
on_wanted_timer(CURLM *multi, long wait_ms, void *arg)
{
    struct web *web = arg;

    (void)multi;
    if (web->closing)
        return 0;
    if (wait_ms < 0)
        uv_timer_stop(&web->timer);
    else
        uv_timer_start(&web->timer, on_timer, (uint64_t)wait_ms, 0);
    return 0;
}

static struct watch *
watch_new(struct web *web, curl_socket_t socket)
{
    struct watch *watch = calloc(1, sizeof *watch);

    if (!watch)
        return NULL;
    if (uv_poll_init_socket(web->loop, &watch->poll, socket) != 0) {
        free(watch);
        return NULL;
    }
    watch->poll.data = watch;
    watch->web = web;
    watch->socket = socket;
    web->handles++;
    curl_multi_assign(web->multi, socket, watch);
    return watch;
}

static int
on_wanted_socket(CURL *easy, curl_socket_t socket, int what, void *arg,
                 void *socket_arg)
{
    struct web *web = arg;
    struct watch *watch = socket_arg;
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) |
                 (what & CURL_POLL_OUT ? UV_WRITABLE : 0);

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watch) {
            curl_multi_assign(web->multi, socket, NULL);
            uv_poll_stop(&watch->poll);
            uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
        }
        return 0;
    }
    if (!watch)
        watch = watch_new(web, socket);
    if (!watch)
        return -1;
    return uv_poll_start(&watch->poll, events, on_ready) == 0 ? 0 : -1;
}

struct web *
web_open(uv_loop_t *loop, const struct web_events *events)
{
    struct web *web = calloc(1, sizeof *web);

    if (!web)
        return NULL;
    web->multi = curl_multi_init();
    if (!web->multi) {
        free(web);
        return NULL;
    }
    web->events = *events;
    web->loop = loop;
    uv_timer_init(loop, &web->timer);
    web->timer.data = web;
    web->handles = 1;
    curl_multi_setopt(web->multi, CURLMOPT_SOCKETFUNCTION, on_wanted_socket);
    curl_multi_setopt(web->multi, CURLMOPT_SOCKETDATA, web);
    curl_multi_setopt(web->multi, CURLMOPT_TIMERFUNCTION, on_wanted_timer);
    curl_multi_setopt(web->multi, CURLMOPT_TIMERDATA, web);
    return web;
}

bool
web_start(struct web *web, CURL *easy)
{
    return curl_multi_add_handle(web->multi, easy) == CURLM_OK;
}

void
web_stop(struct web *web, CURL *easy)
{
    curl_multi_remove_handle(web->multi, easy);
}

void
web_close(struct web *web)
{
    web->closing = true;
    curl_multi_cleanup(web->multi);
    uv_close((uv_handle_t *)&web->timer, on_timer_closed);
}

#include "gateway/bedrock/client.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "gateway/log.h"

struct bedrock_client {
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t timer;
    /* Have a socket that could not be watched, and are to be told. */
    struct client_transfer *unwatched;
    bool in_curl;     /* libcurl is on the stack */
    bool dispatching; /* on_done callbacks are */
    bool freed;       /* bedrock_client_free() was called */
};

/* One descriptor that libcurl watches. */
struct watch {
    uv_poll_t poll;
    struct bedrock_client *client;
    curl_socket_t descriptor;
};

static void client_drive(struct bedrock_client *client,
                         curl_socket_t descriptor, int events);

static void
curl_start(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* ---- descriptors ---- */

static void
watch_gone(uv_handle_t *handle)
{
    free(handle->data);
}

static void
watch_ready(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    int flags = 0;

    if (status < 0)
        flags = CURL_CSELECT_ERR;
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    client_drive(watch->client, watch->descriptor, flags);
}

static struct watch *
watch_new(struct bedrock_client *client, curl_socket_t descriptor)
{
    struct watch *watch = calloc(1, sizeof(*watch));
    if (!watch)
        return NULL;
    watch->client = client;
    watch->descriptor = descriptor;
    watch->poll.data = watch;
    int problem = uv_poll_init_socket(client->loop, &watch->poll, descriptor);
    if (problem) {
        log_error(bedrock, NULL, "a socket cannot be watched: %s",
                  uv_strerror(problem));
        free(watch);
        return NULL;
    }
    return watch;
}

static void
unwatched_add(struct bedrock_client *client, CURL *easy)
{
    struct client_transfer *transfer = NULL;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
    if (!transfer || transfer->unwatched)
        return;
    transfer->unwatched = true;
    transfer->next_unwatched = client->unwatched;
    client->unwatched = transfer;
}

static void
unwatched_remove(struct bedrock_client *client,
                 struct client_transfer *transfer)
{
    struct client_transfer **at = &client->unwatched;

    while (*at && *at != transfer)
        at = &(*at)->next_unwatched;
    if (*at)
        *at = transfer->next_unwatched;
    transfer->unwatched = false;
}

static int
on_socket(CURL *easy, curl_socket_t descriptor, int what, void *arg,
          void *socket_arg)
{
    struct bedrock_client *client = arg;
    struct watch *watch = socket_arg;
    int events = 0;

    if (what == CURL_POLL_REMOVE) {
        if (watch)
            uv_close((uv_handle_t *)&watch->poll, watch_gone);
        curl_multi_assign(client->multi, descriptor, NULL);
        return 0;
    }
    if (!watch)
        watch = watch_new(client, descriptor);
    /* -1 would make libcurl refuse every transfer from now on. */
    if (!watch) {
        unwatched_add(client, easy);
        return 0;
    }
    curl_multi_assign(client->multi, descriptor, watch);
    if (what & CURL_POLL_IN)
        events |= UV_READABLE;
    if (what & CURL_POLL_OUT)
        events |= UV_WRITABLE;
    uv_poll_start(&watch->poll, events, watch_ready);
    return 0;
}

/* ---- time ---- */

static void
on_timeout(uv_timer_t *timer)
{
    client_drive(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int
on_timer(CURLM *multi, long timeout_ms, void *arg)
{
    struct bedrock_client *client = arg;

    (void)multi;
    if (timeout_ms < 0)
        uv_timer_stop(&client->timer);
    else
        uv_timer_start(&client->timer, on_timeout, (uint64_t)timeout_ms, 0);
    return 0;
}

/* ---- driving ---- */

static void
timer_gone(uv_handle_t *handle)
{
    free(handle->data);
}

static void
client_destroy(struct bedrock_client *client)
{
    curl_multi_cleanup(client->multi);
    uv_close((uv_handle_t *)&client->timer, timer_gone);
}

/* The callbacks may add and remove handles, this one's too, so each message is
 * fetched afresh and nothing of it is used afterwards. */
static void
client_dispatch(struct bedrock_client *client)
{
    CURLMsg *message;
    int left;

    while (!client->freed &&
           (message = curl_multi_info_read(client->multi, &left))) {
        struct client_transfer *transfer = NULL;
        CURLcode result = message->data.result;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        unwatched_remove(client, transfer);
        transfer->on_done(transfer->arg, result);
    }
    while (!client->freed && client->unwatched) {
        struct client_transfer *transfer = client->unwatched;
        unwatched_remove(client, transfer);
        transfer->on_done(transfer->arg, CURLE_OUT_OF_MEMORY);
    }
}

static void
client_drive(struct bedrock_client *client, curl_socket_t descriptor,
             int events)
{
    int running;

    assert(!client->in_curl && !client->dispatching);
    client->in_curl = true;
    curl_multi_socket_action(client->multi, descriptor, events, &running);
    client->in_curl = false;
    client->dispatching = true;
    client_dispatch(client);
    client->dispatching = false;
    if (client->freed)
        client_destroy(client);
}

CURLcode
client_add(struct bedrock_client *client, CURL *easy)
{
    assert(!client->in_curl);
    return curl_multi_add_handle(client->multi, easy) ? CURLE_OUT_OF_MEMORY
                                                      : CURLE_OK;
}

void
client_remove(struct bedrock_client *client, CURL *easy)
{
    struct client_transfer *transfer = NULL;

    assert(!client->in_curl);
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
    curl_multi_remove_handle(client->multi, easy);
    unwatched_remove(client, transfer);
}

uv_loop_t *
client_loop(const struct bedrock_client *client)
{
    return client->loop;
}

/* ---- life ---- */

struct bedrock_client *
bedrock_client_new(uv_loop_t *loop)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct bedrock_client *client = calloc(1, sizeof(*client));

    pthread_once(&once, curl_start);
    if (!client)
        return NULL;
    client->loop = loop;
    client->multi = curl_multi_init();
    if (!client->multi) {
        free(client);
        return NULL;
    }
    uv_timer_init(loop, &client->timer);
    client->timer.data = client;
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
    return client;
}

void
bedrock_client_free(struct bedrock_client **client)
{
    struct bedrock_client *c = *client;

    *client = NULL;
    if (!c)
        return;
    c->freed = true;
    if (!c->dispatching)
        client_destroy(c);
}

#include "tools/mcp/bridge.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

#include "tools/mcp/catalog.h"
#include "tools/mcp/client.h"
#include "tools/mcp/content.h"
#include "tools/mcp/journal.h"
#include "tools/mcp/worker.h"
#include "tools/toolhost/answer.h"
#include "tools/toolhost/boot.h"

#define RETRY_FIRST_MS 1000
#define RETRY_MOST_MS 30000
/* A server that ran so long has not failed to start. */
#define STEADY_MS 60000
/* The gateway ends a child that refused sooner. */
#define REFUSAL_MS 10000
#define PARAMS_INVALID (-32602)
#define WHY_BYTES 1400

/* A call of the gateway's that the server works on. */
struct open_call {
    struct open_call *next;
    uint64_t number; /* the client's */
    char *id;        /* the gateway's */
    char *token;     /* NULL: no progress wanted */
};

struct bridge {
    const struct setup *setup;
    uv_loop_t loop;
    struct catalog *catalog;
    struct client *client; /* NULL while no server runs */
    struct worker *worker; /* NULL in SETUP_CHECK */
    struct open_call *calls;
    uv_signal_t sigterm;
    uv_signal_t sigint;
    uv_poll_t boot; /* its end is ours */
    uv_timer_t timer;
    bool client_closing;
    bool said_hello;
    bool finishing;
    int status;
    uint64_t retry_ms;
    uint64_t started_ms;
    char why_down[WHY_BYTES];
};

static void start_server(struct bridge *b);

/* ---- the end --------------------------------------------------------------------- */

static void
close_handle(uv_handle_t *handle)
{
    if (handle->type != UV_UNKNOWN_HANDLE && !uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void
finish(struct bridge *b, int status)
{
    if (b->finishing)
        return;
    b->finishing = true;
    b->status = status;
    journal_to(NULL, NULL);
    if (b->worker)
        worker_close(b->worker);
    if (b->client && !b->client_closing)
        client_close(b->client);
    close_handle((uv_handle_t *)&b->sigterm);
    close_handle((uv_handle_t *)&b->sigint);
    close_handle((uv_handle_t *)&b->boot);
    close_handle((uv_handle_t *)&b->timer);
}

static void
on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    finish(handle->data, ((struct bridge *)handle->data)->status);
}

static void
on_boot_pipe(uv_poll_t *poll, int status, int events)
{
    char bytes[64];

    (void)events;
    if (status < 0 || read(BOOT_FD, bytes, sizeof bytes) <= 0)
        finish(poll->data, ((struct bridge *)poll->data)->status);
}

static void
on_refusal_heard(uv_timer_t *timer)
{
    finish(timer->data, BRIDGE_EXIT_REFUSED);
}

/* Somebody has to change something before the server can be used. */
static void
refuse(struct bridge *b, const char *why)
{
    if (b->setup->mode == SETUP_CHILD && !b->said_hello) {
        b->said_hello = true;
        b->status = BRIDGE_EXIT_REFUSED;
        worker_hello(b->worker, why);
        uv_timer_start(&b->timer, on_refusal_heard, REFUSAL_MS, 0);
        return;
    }
    journal_to(NULL, NULL);
    journal(VOXRING_LOG_ERROR, "%s", why);
    finish(b, b->setup->mode == SETUP_CHILD ? BRIDGE_EXIT_ENDED : EXIT_FAILURE);
}

/* ---- calls ----------------------------------------------------------------------- */

static struct open_call *
take_call(struct bridge *b, uint64_t number, const char *id)
{
    struct open_call **place = &b->calls;
    struct open_call *call;

    while (*place &&
           (id ? strcmp((*place)->id, id) != 0 : (*place)->number != number))
        place = &(*place)->next;
    call = *place;
    if (call)
        *place = call->next;
    return call;
}

static void
free_call(struct open_call *call)
{
    cJSON_free(call->id);
    cJSON_free(call->token);
    free(call);
}

static void
answer(struct bridge *b, const char *id, char *result)
{
    if (b->worker && !b->finishing)
        worker_send(b->worker, result
                                   ? answer_result(id, result)
                                   : answer_error(id, -32603, "memory is out"));
    cJSON_free(result);
}

static void
on_answer(void *arg, uint64_t number, const cJSON *result, const char *why)
{
    struct bridge *b = arg;
    struct open_call *call = take_call(b, number, NULL);

    if (!call)
        return;
    answer(b, call->id,
           result ? content_result(result, b->setup->result_max_bytes)
                  : content_error(why));
    free_call(call);
}

static void
on_progress(void *arg, uint64_t number, const cJSON *params)
{
    struct bridge *b = arg;
    const cJSON *done = cJSON_GetObjectItemCaseSensitive(params, "progress");
    const cJSON *total = cJSON_GetObjectItemCaseSensitive(params, "total");
    const cJSON *text = cJSON_GetObjectItemCaseSensitive(params, "message");
    const struct open_call *call = b->calls;

    while (call && call->number != number)
        call = call->next;
    if (!call || !call->token || !cJSON_IsNumber(done) || !b->worker)
        return;
    worker_try(b->worker,
               answer_progress(call->token, done->valuedouble,
                               cJSON_IsNumber(total) ? total->valuedouble : 0,
                               cJSON_GetStringValue(text)));
}

static void
refuse_call(struct bridge *b, const char *id)
{
    char why[WHY_BYTES + 100];

    if (b->client && !b->client_closing)
        snprintf(why, sizeof why, "too many calls of this MCP server are open");
    else
        snprintf(why, sizeof why,
                 "the MCP server is not running, it is started again soon: %s",
                 b->why_down);
    answer(b, id, content_error(why));
}

static void
on_call(void *arg, const char *id, const char *name, const cJSON *arguments,
        const char *token)
{
    struct bridge *b = arg;
    const char *own_name = catalog_find(b->catalog, name);
    struct open_call *call;

    if (!own_name) {
        worker_send(b->worker,
                    answer_error(id, PARAMS_INVALID,
                                 "This MCP server has no tool of that name"));
        return;
    }
    call = calloc(1, sizeof *call);
    if (call) {
        call->id = strdup(id);
        call->token = token ? strdup(token) : NULL;
    }
    if (call && call->id && b->client && !b->client_closing)
        call->number =
            client_call(b->client, own_name, arguments, call->token != NULL);
    if (!call || call->number == 0) {
        refuse_call(b, id);
        if (call)
            free_call(call);
        return;
    }
    call->next = b->calls;
    b->calls = call;
}

static void
on_cancel(void *arg, const char *id, const char *reason)
{
    struct bridge *b = arg;
    struct open_call *call = take_call(b, 0, id);

    if (!call)
        return;
    if (b->client && !b->client_closing)
        client_cancel(b->client, call->number, reason);
    answer(b, call->id, content_error("cancelled"));
    free_call(call);
}

/* ---- the gateway ----------------------------------------------------------------- */

static void
on_list(void *arg, const char *id)
{
    struct bridge *b = arg;

    worker_send(b->worker, answer_result(id, catalog_json(b->catalog)));
}

static void
on_refused(void *arg, const char *why)
{
    struct bridge *b = arg;

    journal_to(NULL, NULL);
    journal(VOXRING_LOG_ERROR, "the gateway does not want %s: %s",
            b->setup->name, why);
    finish(b, EXIT_FAILURE);
}

static void
on_worker_closed(void *arg)
{
    ((struct bridge *)arg)->worker = NULL;
}

static bool
tell_gateway(void *arg, int level, const char *line)
{
    return worker_try(arg, answer_log(level, line));
}

static bool
open_worker(struct bridge *b)
{
    struct worker_events events = {
        .arg = b,
        .on_list = on_list,
        .on_call = on_call,
        .on_cancel = on_cancel,
        .on_refused = on_refused,
        .on_closed = on_worker_closed,
    };
    char why[WHY_BYTES];

    b->worker = worker_open(&b->loop, b->setup->endpoint, b->setup->name,
                            b->setup->token, b->setup->mode == SETUP_HAND,
                            &events, why, sizeof why);
    if (!b->worker)
        journal(VOXRING_LOG_ERROR, "%s", why);
    else if (b->setup->mode == SETUP_CHILD)
        journal_to(tell_gateway, b->worker);
    return b->worker != NULL;
}

/* ---- the server ------------------------------------------------------------------ */

static void
on_ready(void *arg)
{
    struct bridge *b = arg;

    if (b->setup->mode == SETUP_CHECK) {
        printf("%s\n", catalog_json(b->catalog));
        fflush(stdout);
        finish(b, EXIT_SUCCESS);
    } else if (!b->said_hello) {
        b->said_hello = true;
        journal(VOXRING_LOG_INFO, "%s offers %zu tools", b->setup->name,
                catalog_count(b->catalog));
        worker_hello(b->worker, NULL);
    }
}

static void
on_tools(void *arg)
{
    struct bridge *b = arg;

    if (b->said_hello && b->worker && !b->finishing)
        worker_send(
            b->worker,
            answer_message(NULL, "notifications/tools/list_changed", NULL));
}

static void
on_retry(uv_timer_t *timer)
{
    start_server(timer->data);
}

static void
retry_later(struct bridge *b)
{
    if (uv_now(&b->loop) - b->started_ms >= STEADY_MS)
        b->retry_ms = RETRY_FIRST_MS;
    journal(VOXRING_LOG_WARN, "%s; it is started again in %llu s", b->why_down,
            (unsigned long long)(b->retry_ms / 1000));
    uv_timer_start(&b->timer, on_retry, b->retry_ms, 0);
    b->retry_ms =
        b->retry_ms * 2 < RETRY_MOST_MS ? b->retry_ms * 2 : RETRY_MOST_MS;
}

static void
on_client_closed(void *arg)
{
    struct bridge *b = arg;

    b->client = NULL;
    b->client_closing = false;
    if (!b->finishing && b->setup->mode == SETUP_HAND)
        retry_later(b);
}

static void
on_down(void *arg, enum transport_end how, const char *why)
{
    struct bridge *b = arg;

    if (b->finishing)
        return;
    snprintf(b->why_down, sizeof b->why_down, "%s", why);
    if (how == TRANSPORT_REFUSED) {
        refuse(b, b->why_down);
    } else if (b->setup->mode == SETUP_HAND) {
        b->client_closing = true;
        client_close(b->client);
    } else {
        journal_to(NULL, NULL);
        journal(VOXRING_LOG_ERROR, "%s", why);
        finish(b, b->setup->mode == SETUP_CHECK ? EXIT_FAILURE
                  : how == TRANSPORT_MEMORY     ? BRIDGE_EXIT_MEMORY
                                                : BRIDGE_EXIT_ENDED);
    }
}

static void
start_server(struct bridge *b)
{
    struct client_events events = {
        .arg = b,
        .on_ready = on_ready,
        .on_tools = on_tools,
        .on_answer = on_answer,
        .on_progress = on_progress,
        .on_down = on_down,
        .on_closed = on_client_closed,
    };
    char why[WHY_BYTES];

    b->started_ms = uv_now(&b->loop);
    b->client =
        client_open(&b->loop, b->setup, b->catalog, &events, why, sizeof why);
    if (!b->client)
        refuse(b, why);
}

/* ---- the whole ------------------------------------------------------------------- */

static void
init_handles(struct bridge *b)
{
    uv_signal_init(&b->loop, &b->sigterm);
    uv_signal_init(&b->loop, &b->sigint);
    uv_timer_init(&b->loop, &b->timer);
    b->sigterm.data = b->sigint.data = b->timer.data = b->boot.data = b;
    uv_signal_start(&b->sigterm, on_signal, SIGTERM);
    if (b->setup->mode != SETUP_CHILD)
        uv_signal_start(&b->sigint, on_signal, SIGINT);
    else if (uv_poll_init(&b->loop, &b->boot, BOOT_FD) == 0)
        uv_poll_start(&b->boot, UV_READABLE, on_boot_pipe);
}

int
bridge_run(const struct setup *setup)
{
    struct bridge b;

    memset(&b, 0, sizeof b);
    b.setup = setup;
    b.retry_ms = RETRY_FIRST_MS;
    b.catalog = catalog_new(setup->prefix, setup->allow);
    if (!b.catalog || uv_loop_init(&b.loop) != 0) {
        journal(VOXRING_LOG_ERROR, "memory is out");
        catalog_free(&b.catalog);
        return EXIT_FAILURE;
    }
    init_handles(&b);
    if (setup->mode == SETUP_CHECK || open_worker(&b))
        start_server(&b);
    else
        finish(&b, EXIT_FAILURE);
    uv_run(&b.loop, UV_RUN_DEFAULT);
    while (b.calls)
        free_call(take_call(&b, b.calls->number, NULL));
    uv_loop_close(&b.loop);
    catalog_free(&b.catalog);
    return b.status;
}

#include "tools/mcp/worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zmq.h>

#include "tools/mcp/journal.h"
#include "tools/toolhost/answer.h"

/* tools/README.md, "The worker protocol" */
#define HEARTBEAT_MS 1000
#define EXPIRES_MS 3000
#define REFUSED (-32001)
#define SAY_HELLO (-32003)
#define METHOD_UNKNOWN (-32601)
#define PARAMS_INVALID (-32602)

#define QUEUE_MESSAGES 128
#define TRY_MAX 128
#define WAITING_MAX 4096
#define LINGER_MS 300

struct letter {
    struct letter *next;
    char *text;
};

struct worker {
    struct worker_events events;
    uv_loop_t *loop;
    const char *name;
    const char *token;
    bool remote;
    void *context;
    void *socket;
    uv_poll_t poll;
    uv_prepare_t pump;
    uv_timer_t timer;
    int handles;
    struct letter *first, **last;
    size_t waiting;
    bool closing;
    bool said_hello;
    bool welcome; /* the gateway knows us */
    bool refused;
    char *refusal;
    uint64_t heard_ms;
    uint64_t said_ms;
    uint64_t hello_ms;
};

/* ---- out ------------------------------------------------------------------------ */

static void
flush(struct worker *w)
{
    while (w->first) {
        struct letter *letter = w->first;
        if (zmq_send(w->socket, letter->text, strlen(letter->text),
                     ZMQ_DONTWAIT) < 0) {
            if (errno == EINTR)
                continue;
            return;
        }
        w->said_ms = uv_now(w->loop);
        w->first = letter->next;
        if (!w->first)
            w->last = &w->first;
        w->waiting--;
        free(letter->text);
        free(letter);
    }
}

/* A message is sent when the loop goes round: what libzmq can take is known
 * there. */
static void
put(struct worker *w, char *text)
{
    struct letter *letter = text ? calloc(1, sizeof *letter) : NULL;

    if (!letter) {
        free(text);
        return;
    }
    letter->text = text;
    *w->last = letter;
    w->last = &letter->next;
    w->waiting++;
}

void
worker_send(struct worker *w, char *text)
{
    if (w->waiting >= WAITING_MAX) {
        journal(VOXRING_LOG_ERROR, "an answer is lost: the gateway takes none");
        free(text);
        return;
    }
    put(w, text);
}

bool
worker_try(struct worker *w, char *text)
{
    if (w->waiting >= TRY_MAX || !w->welcome) {
        free(text);
        return false;
    }
    put(w, text);
    return true;
}

static char *
hello_text(const struct worker *w)
{
    cJSON *params = cJSON_CreateObject();
    char instance[32];

    snprintf(instance, sizeof instance, "pid %d", (int)getpid());
    cJSON_AddNumberToObject(params, "protocol", ANSWER_PROTOCOL);
    cJSON_AddStringToObject(params, "name", w->name);
    if (w->token)
        cJSON_AddStringToObject(params, "token", w->token);
    cJSON_AddStringToObject(params, "instance", instance);
    if (w->refusal)
        cJSON_AddStringToObject(params, "error", w->refusal);
    return answer_message("\"" ANSWER_HELLO_ID "\"", "voxring/hello", params);
}

void
worker_hello(struct worker *w, const char *refusal)
{
    free(w->refusal);
    w->refusal = refusal ? strdup(refusal) : NULL;
    w->said_hello = true;
    w->hello_ms = uv_now(w->loop);
    put(w, hello_text(w));
}

static void
say_hello_again(struct worker *w)
{
    w->welcome = false;
    if (!w->said_hello || w->refused || w->closing || w->first ||
        uv_now(w->loop) - w->hello_ms < HEARTBEAT_MS)
        return;
    w->hello_ms = uv_now(w->loop);
    put(w, hello_text(w));
}

static void
on_heartbeat(uv_timer_t *timer)
{
    struct worker *w = timer->data;
    uint64_t now_ms = uv_now(w->loop);

    if (!w->said_hello || w->refused)
        return;
    if (!w->welcome || now_ms - w->heard_ms >= EXPIRES_MS)
        say_hello_again(w);
    else if (!w->first && now_ms - w->said_ms >= HEARTBEAT_MS / 2)
        put(w, answer_message("\"ping\"", "ping", NULL));
}

/* ---- in ------------------------------------------------------------------------- */

static const cJSON *
member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static void
on_call(struct worker *w, const char *id, const cJSON *params)
{
    const cJSON *name = member(params, "name");
    const cJSON *token = member(member(params, "_meta"), "progressToken");
    char *token_json = token ? cJSON_PrintUnformatted(token) : NULL;

    if (cJSON_IsString(name))
        w->events.on_call(w->events.arg, id, name->valuestring,
                          member(params, "arguments"), token_json);
    else
        worker_send(w, answer_error(id, PARAMS_INVALID,
                                    "tools/call needs a string \"name\""));
    cJSON_free(token_json);
}

static void
on_request(struct worker *w, const char *method, const char *id,
           const cJSON *params)
{
    if (strcmp(method, "tools/call") == 0)
        on_call(w, id, params);
    else if (strcmp(method, "tools/list") == 0)
        w->events.on_list(w->events.arg, id);
    else if (strcmp(method, "ping") == 0)
        worker_send(w, answer_result(id, "{}"));
    else
        worker_send(w, answer_error(id, METHOD_UNKNOWN, "No such method here"));
}

static void
on_notification(struct worker *w, const char *method, const cJSON *params)
{
    const cJSON *reason = member(params, "reason");
    char *id;

    /* a call is begun as it comes, so voxring/drain has nothing to give back */
    if (strcmp(method, "notifications/cancelled") != 0)
        return;
    id = cJSON_PrintUnformatted(member(params, "requestId"));
    if (id)
        w->events.on_cancel(w->events.arg, id,
                            cJSON_IsString(reason) ? reason->valuestring
                                                   : "cancelled");
    cJSON_free(id);
}

static void
on_answer(struct worker *w, const cJSON *id, const cJSON *error)
{
    const cJSON *code = member(error, "code");
    const cJSON *text = member(error, "message");
    bool to_hello =
        cJSON_IsString(id) && strcmp(id->valuestring, ANSWER_HELLO_ID) == 0;
    int number = cJSON_IsNumber(code) ? code->valueint : 0;

    if (!error) {
        if (to_hello && !w->welcome && !w->refusal)
            journal(VOXRING_LOG_DEBUG, "the gateway knows %s now", w->name);
        w->welcome = w->welcome || to_hello;
    } else if (number == SAY_HELLO) {
        say_hello_again(w);
    } else if (to_hello && !w->refused) {
        w->refused = true;
        w->events.on_refused(w->events.arg, cJSON_IsString(text)
                                                ? text->valuestring
                                                : "it does not say why");
    }
}

static void
on_message(struct worker *w, const char *bytes, size_t count)
{
    cJSON *root = cJSON_ParseWithLength(bytes, count);
    const cJSON *method = member(root, "method");
    const cJSON *id = member(root, "id");
    char *id_json = id && !cJSON_IsNull(id) ? cJSON_PrintUnformatted(id) : NULL;

    w->heard_ms = uv_now(w->loop);
    if (!cJSON_IsString(method))
        on_answer(w, id, member(root, "error"));
    else if (id_json)
        on_request(w, method->valuestring, id_json, member(root, "params"));
    else
        on_notification(w, method->valuestring, member(root, "params"));
    cJSON_free(id_json);
    cJSON_Delete(root);
}

static void
receive(struct worker *w)
{
    zmq_msg_t message;

    zmq_msg_init(&message);
    while (!w->closing) {
        if (zmq_msg_recv(&message, w->socket, ZMQ_DONTWAIT) >= 0)
            on_message(w, zmq_msg_data(&message), zmq_msg_size(&message));
        else if (errno != EINTR)
            break;
    }
    zmq_msg_close(&message);
}

static bool
readable(struct worker *w)
{
    int events = 0;
    size_t bytes = sizeof events;

    while (zmq_getsockopt(w->socket, ZMQ_EVENTS, &events, &bytes) < 0) {
        if (errno != EINTR)
            return false;
    }
    return (events & ZMQ_POLLIN) != 0;
}

/* Before each wait of the loop: libzmq's descriptor tells of changes only, so
 * none may be left unseen. */
static void
on_pump(uv_prepare_t *prepare)
{
    struct worker *w = prepare->data;

    do {
        flush(w);
        receive(w);
        flush(w);
    } while (!w->closing && readable(w));
}

static void
on_readable(uv_poll_t *poll, int status, int events)
{
    /* on_pump comes next */
    (void)poll;
    (void)status;
    (void)events;
}

/* ---- begin and end -------------------------------------------------------------- */

static void
on_handle_closed(uv_handle_t *handle)
{
    struct worker *w = handle->data;
    struct worker_events events = w->events;

    if (--w->handles > 0)
        return;
    zmq_close(w->socket);
    zmq_ctx_term(w->context);
    while (w->first) {
        struct letter *letter = w->first;
        w->first = letter->next;
        free(letter->text);
        free(letter);
    }
    free(w->refusal);
    free(w);
    events.on_closed(events.arg);
}

void
worker_close(struct worker *w)
{
    if (w->closing)
        return;
    if (w->remote && w->said_hello && !w->refused)
        put(w, answer_message(NULL, "voxring/bye", NULL));
    flush(w);
    w->closing = true;
    uv_close((uv_handle_t *)&w->poll, on_handle_closed);
    uv_close((uv_handle_t *)&w->pump, on_handle_closed);
    uv_close((uv_handle_t *)&w->timer, on_handle_closed);
}

static bool
open_socket(struct worker *w, const char *endpoint)
{
    int queue = QUEUE_MESSAGES, linger_ms = LINGER_MS, on = 1;

    w->context = zmq_ctx_new();
    w->socket = w->context ? zmq_socket(w->context, ZMQ_DEALER) : NULL;
    if (!w->socket)
        return false;
    zmq_setsockopt(w->socket, ZMQ_SNDHWM, &queue, sizeof queue);
    zmq_setsockopt(w->socket, ZMQ_RCVHWM, &queue, sizeof queue);
    zmq_setsockopt(w->socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    /* what was meant for a gateway that is gone is nothing for the next */
    zmq_setsockopt(w->socket, ZMQ_IMMEDIATE, &on, sizeof on);
    return zmq_connect(w->socket, endpoint) == 0;
}

struct worker *
worker_open(uv_loop_t *loop, const char *endpoint, const char *name,
            const char *token, bool remote, const struct worker_events *events,
            char *why, size_t why_size)
{
    struct worker *w = calloc(1, sizeof *w);
    size_t bytes = sizeof(int);
    int fd = -1;

    if (!w || !open_socket(w, endpoint) ||
        zmq_getsockopt(w->socket, ZMQ_FD, &fd, &bytes) != 0 ||
        uv_poll_init(loop, &w->poll, fd) != 0) {
        snprintf(why, why_size, "cannot connect to the gateway at %s: %s",
                 endpoint, zmq_strerror(errno));
        if (w && w->socket)
            zmq_close(w->socket);
        if (w && w->context)
            zmq_ctx_term(w->context);
        free(w);
        return NULL;
    }
    w->events = *events;
    w->loop = loop;
    w->name = name;
    w->token = token;
    w->remote = remote;
    w->last = &w->first;
    w->heard_ms = uv_now(loop);
    uv_prepare_init(loop, &w->pump);
    uv_timer_init(loop, &w->timer);
    w->poll.data = w->pump.data = w->timer.data = w;
    w->handles = 3;
    uv_poll_start(&w->poll, UV_READABLE, on_readable);
    uv_prepare_start(&w->pump, on_pump);
    if (remote)
        uv_timer_start(&w->timer, on_heartbeat, HEARTBEAT_MS, HEARTBEAT_MS);
    return w;
}

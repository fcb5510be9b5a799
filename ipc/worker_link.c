#include "ipc/worker_link.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <zmq.h>

#include "ipc/status.h"
#include "ipc/worker_ask.h"
#include "ipc/worker_offer.h"
#include "ipc/worker_outbox.h"
#include "ipc/worker_task.h"
#include "ipc/worker_wire.h"

#define MS UINT64_C(1000000)
#define HELLO_NS (1000 * MS)
#define HEARTBEAT_DEFAULT_MS 1000
#define EXPIRES_DEFAULT_MS 3000
#define RECONNECT_MS 50
#define RECONNECT_MAX_MS 1000
#define LINGER_MS 200
#define QUEUE_MESSAGES 256
#define TOKEN_MAX_BYTES 4096
#define METHOD_UNKNOWN (-32601)
#define REFUSED (-32001)
#define HELLO_FIRST (-32003)

VR_PRINTF(2, 3)
static void
tell(const struct vr_worker *w, const char *format, ...)
{
    char line[VR_ERROR_BYTES];
    va_list args;

    if (!w->log)
        return;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    w->log(w->log_arg, line);
}

static const cJSON *
member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static const char *
text_of(const cJSON *item, const char *otherwise)
{
    return cJSON_IsString(item) ? item->valuestring : otherwise;
}

/* ---- opening and closing ----------------------------------------------------- */

static bool
watch(struct vr_worker *w, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    return epoll_ctl(w->poll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static void *
open_socket(struct vr_worker *w)
{
    const int queue = QUEUE_MESSAGES, linger = LINGER_MS, one = 1;
    const int again = RECONNECT_MS, again_max = RECONNECT_MAX_MS;
    const int64_t bytes = VR_WORKER_MESSAGE_BYTES * 2;
    void *socket = zmq_socket(w->context, ZMQ_DEALER);

    if (!socket)
        return NULL;
    zmq_setsockopt(socket, ZMQ_SNDHWM, &queue, sizeof queue);
    zmq_setsockopt(socket, ZMQ_RCVHWM, &queue, sizeof queue);
    zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
    zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &bytes, sizeof bytes);
    zmq_setsockopt(socket, ZMQ_RECONNECT_IVL, &again, sizeof again);
    zmq_setsockopt(socket, ZMQ_RECONNECT_IVL_MAX, &again_max, sizeof again_max);
    /* nothing is kept for a gateway that is not there */
    zmq_setsockopt(socket, ZMQ_IMMEDIATE, &one, sizeof one);
    return socket;
}

enum vr_status
worker_link_open(struct vr_worker *w)
{
    int fd = -1;
    size_t size = sizeof fd;

    w->heartbeat_ns = HEARTBEAT_DEFAULT_MS * MS;
    w->expires_ns = EXPIRES_DEFAULT_MS * MS;
    w->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    w->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (w->poll_fd < 0 || w->wake_fd < 0 || w->timer_fd < 0)
        return VR_SYSTEM;
    w->context = zmq_ctx_new();
    w->socket = w->context ? open_socket(w) : NULL;
    if (!w->socket || !watch(w, w->wake_fd) || !watch(w, w->timer_fd) ||
        zmq_getsockopt(w->socket, ZMQ_FD, &fd, &size) != 0 || !watch(w, fd))
        return VR_SYSTEM;
    /* the first step comes at once */
    worker_outbox_wake(w);
    return zmq_connect(w->socket, w->endpoint) == 0 ? VR_OK : VR_INVALID;
}

static void
close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void
worker_link_close(struct vr_worker *w)
{
    if (w->pid == getpid()) {
        if (w->socket && w->link == WORKER_LINK_READY) {
            char *bye = worker_wire_request("", "voxring/bye", NULL);
            worker_link_flush(w);
            if (bye)
                zmq_send(w->socket, bye, strlen(bye), ZMQ_DONTWAIT);
            free(bye);
        }
        if (w->socket)
            zmq_close(w->socket);
        if (w->context)
            zmq_ctx_term(w->context);
    }
    close_fd(&w->poll_fd);
    close_fd(&w->wake_fd);
    close_fd(&w->timer_fd);
}

/* ---- hello ------------------------------------------------------------------------ */

enum vr_status
worker_link_read_token(const char *path, char **token, char *why,
                       size_t why_bytes)
{
    char text[TOKEN_MAX_BYTES + 1];
    FILE *file = fopen(path, "re");
    size_t count;

    *token = NULL;
    if (!file) {
        snprintf(why, why_bytes, "the token file %s: %s", path,
                 strerror(errno));
        return VR_NOT_FOUND;
    }
    count = fread(text, 1, TOKEN_MAX_BYTES, file);
    fclose(file);
    text[count] = '\0';
    text[strcspn(text, "\r\n")] = '\0';
    if (text[0] == '\0') {
        snprintf(why, why_bytes,
                 "the token file %s is empty; its first line must be the "
                 "token that the gateway has",
                 path);
        return VR_INVALID;
    }
    *token = strdup(text);
    return *token ? VR_OK : VR_NO_MEMORY;
}

/* Sends without waiting. False: it could not be. */
static bool
send_now(struct vr_worker *w, const char *text)
{
    if (zmq_send(w->socket, text, strlen(text), ZMQ_DONTWAIT) < 0)
        return false;
    w->sent_ns = vr_now_ns();
    return true;
}

static void
say_hello(struct vr_worker *w)
{
    char id[32], why[VR_ERROR_BYTES], *token = NULL, *hello;

    snprintf(id, sizeof id, "hello-%" PRIu64, w->hello_count + 1);
    if (w->token_file && worker_link_read_token(w->token_file, &token, why,
                                                sizeof why) != VR_OK) {
        tell(w, "%s", why);
        w->hello_ns = vr_now_ns();
        return;
    }
    hello = worker_wire_hello(w, id, token);
    if (hello && send_now(w, hello)) {
        w->hello_count++;
        w->hello_ns = w->sent_ns;
    }
    free(hello);
    free(token);
}

/* What was asked of a gateway that is gone is its own; the next one has the
 * same numbers for other calls. */
static void
lose(struct vr_worker *w, const char *how)
{
    if (w->link != WORKER_LINK_READY)
        return;
    tell(w, "%s; saying hello again", how);
    w->link = WORKER_LINK_HELLO;
    pthread_mutex_lock(&w->lock);
    w->ready = false;
    worker_outbox_clear(w);
    worker_task_orphan_all(w);
    worker_ask_fail_all(w);
    worker_outbox_clear(w);
    pthread_mutex_unlock(&w->lock);
}

static uint64_t
bounded_ns(const cJSON *item, uint64_t otherwise_ms)
{
    double ms = cJSON_IsNumber(item) ? item->valuedouble : 0;

    if (!(ms >= 50 && ms <= 600000))
        return otherwise_ms * MS;
    return (uint64_t)ms * MS;
}

static void
on_hello_answer(struct vr_worker *w, const cJSON *result, const cJSON *error)
{
    const cJSON *code = member(error, "code");

    if (cJSON_IsObject(result)) {
        w->heartbeat_ns =
            bounded_ns(member(result, "heartbeat_ms"), HEARTBEAT_DEFAULT_MS);
        w->expires_ns =
            bounded_ns(member(result, "expires_ms"), EXPIRES_DEFAULT_MS);
        w->link = WORKER_LINK_READY;
        w->ready = true;
        tell(w, "accepted by %s at %s",
             text_of(member(result, "gateway"), "the gateway"), w->endpoint);
    } else if (!cJSON_IsNumber(code) || code->valueint != HELLO_FIRST) {
        w->link = WORKER_LINK_REFUSED;
        snprintf(w->refusal, sizeof w->refusal, "%.400s: %s",
                 cJSON_IsNumber(code) && code->valueint == REFUSED
                     ? "the gateway refuses this worker"
                     : "the gateway does not understand this worker",
                 text_of(member(error, "message"), "without a reason"));
        tell(w, "%s", w->refusal);
    }
}

/* ---- what comes ---------------------------------------------------------------------- */

static void
put(struct vr_worker *w, char *text)
{
    pthread_mutex_lock(&w->lock);
    worker_outbox_put(w, text);
    pthread_mutex_unlock(&w->lock);
}

static void
on_answer(struct vr_worker *w, const char *id, cJSON *root)
{
    const cJSON *error = member(root, "error"), *code = member(error, "code");
    char hello[32];

    snprintf(hello, sizeof hello, "hello-%" PRIu64, w->hello_count);
    if (w->link == WORKER_LINK_HELLO && strcmp(id, hello) == 0)
        on_hello_answer(w, member(root, "result"), error);
    else if (cJSON_IsNumber(code) && code->valueint == HELLO_FIRST)
        lose(w, "the gateway does not know this worker");
    else if (strncmp(id, "ask-", 4) == 0)
        worker_ask_answered(
            w, strtoull(id + 4, NULL, 10),
            cJSON_DetachItemFromObjectCaseSensitive(root, "result"),
            cJSON_IsNumber(code) ? code->valueint : 0,
            text_of(member(error, "message"), ""));
}

static void
on_request(struct vr_worker *w, const char *method, const char *id,
           const cJSON *params)
{
    char *list;

    if (strcmp(method, "tools/call") == 0) {
        worker_task_add(w, id, params);
    } else if (strcmp(method, "tools/list") == 0) {
        pthread_mutex_lock(&w->lock);
        list = worker_offer_list(w);
        worker_outbox_put(w, list ? worker_wire_result(id, list) : NULL);
        pthread_mutex_unlock(&w->lock);
        free(list);
    } else if (strcmp(method, "ping") == 0) {
        put(w, worker_wire_result(id, "{}"));
    } else {
        put(w, worker_wire_error(id, METHOD_UNKNOWN, "No such method here"));
    }
}

static void
on_notification(struct vr_worker *w, const char *method, const cJSON *params)
{
    const cJSON *of = member(params, "requestId");
    char *id;

    if (strcmp(method, "voxring/drain") == 0) {
        worker_task_drain(w);
    } else if (strcmp(method, "notifications/cancelled") == 0 && of) {
        id = cJSON_PrintUnformatted(of);
        if (id)
            worker_task_cancel(w, id);
        free(id);
    }
}

static void
on_message(struct vr_worker *w, const char *bytes, size_t count)
{
    cJSON *root = cJSON_ParseWithLength(bytes, count);
    const char *method = text_of(member(root, "method"), NULL);
    const cJSON *id = member(root, "id");
    char *id_text = id ? cJSON_PrintUnformatted(id) : NULL;

    w->heard_ns = vr_now_ns();
    /* before it has accepted us a gateway asks nothing */
    if (method && id_text && w->link == WORKER_LINK_READY)
        on_request(w, method, id_text, member(root, "params"));
    else if (method && !id_text)
        on_notification(w, method, member(root, "params"));
    else if (!method && root)
        on_answer(w, text_of(id, ""), root);
    free(id_text);
    cJSON_Delete(root);
}

static unsigned
waiting(struct vr_worker *w)
{
    unsigned count;

    pthread_mutex_lock(&w->lock);
    count = w->waiting;
    pthread_mutex_unlock(&w->lock);
    return count;
}

static void
receive(struct vr_worker *w)
{
    zmq_msg_t message;

    zmq_msg_init(&message);
    while (waiting(w) < WORKER_OUTBOX_FULL &&
           zmq_msg_recv(&message, w->socket, ZMQ_DONTWAIT) >= 0)
        on_message(w, zmq_msg_data(&message), zmq_msg_size(&message));
    zmq_msg_close(&message);
}

/* ---- what goes ------------------------------------------------------------------------ */

void
worker_link_flush(struct vr_worker *w)
{
    char *text;
    bool sent = true;

    while (sent && w->link == WORKER_LINK_READY) {
        pthread_mutex_lock(&w->lock);
        text = worker_outbox_take(w);
        pthread_mutex_unlock(&w->lock);
        if (!text)
            return;
        sent = send_now(w, text);
        if (sent) {
            free(text);
            continue;
        }
        pthread_mutex_lock(&w->lock);
        worker_outbox_return(w, text);
        pthread_mutex_unlock(&w->lock);
    }
}

static void
beat(struct vr_worker *w, uint64_t now_ns)
{
    char id[32], *ping;

    if (w->link != WORKER_LINK_READY ||
        now_ns - w->sent_ns < w->heartbeat_ns / 4 * 3)
        return;
    snprintf(id, sizeof id, "ping-%" PRIu64, ++w->ping_count);
    ping = worker_wire_request(id, "ping", NULL);
    /* no connection: the silence will tell */
    if (ping && !send_now(w, ping))
        w->sent_ns = now_ns;
    free(ping);
}

/* What is due now; returns when to look again. */
static uint64_t
keep_up(struct vr_worker *w)
{
    uint64_t now_ns = vr_now_ns(), beat_ns, dead_ns;

    if (w->link == WORKER_LINK_READY && now_ns - w->heard_ns >= w->expires_ns)
        lose(w, "the gateway is silent");
    if (w->link == WORKER_LINK_REFUSED)
        return UINT64_MAX;
    if (w->link == WORKER_LINK_HELLO) {
        if (w->hello_ns == 0 || now_ns - w->hello_ns >= HELLO_NS)
            say_hello(w);
        /* without a connection it is sent when there is one */
        return (w->hello_ns > now_ns - HELLO_NS ? w->hello_ns : now_ns) +
               HELLO_NS;
    }
    beat(w, now_ns);
    beat_ns = w->sent_ns + w->heartbeat_ns / 4 * 3;
    dead_ns = w->heard_ns + w->expires_ns;
    return beat_ns < dead_ns ? beat_ns : dead_ns;
}

static void
arm(struct vr_worker *w, uint64_t due_ns)
{
    struct itimerspec when = {{0, 0}, {0, 0}};

    if (due_ns != UINT64_MAX) {
        when.it_value.tv_sec = (time_t)(due_ns / 1000000000);
        when.it_value.tv_nsec = (long)(due_ns % 1000000000) + 1;
    }
    timerfd_settime(w->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static int
wait_ms(uint64_t until_ns)
{
    uint64_t now_ns = vr_now_ns(), left_ms;

    if (until_ns == UINT64_MAX)
        return -1;
    if (until_ns <= now_ns)
        return 0;
    left_ms = (until_ns - now_ns + MS - 1) / MS;
    return left_ms < 60000 ? (int)left_ms : 60000;
}

/* ZMQ_FD tells of changes only: all there is must be taken before the next
 * wait, also what came while something was sent. */
static bool
more_to_take(struct vr_worker *w)
{
    int events = 0;
    size_t size = sizeof events;

    zmq_getsockopt(w->socket, ZMQ_EVENTS, &events, &size);
    return (events & ZMQ_POLLIN) && waiting(w) < WORKER_OUTBOX_FULL;
}

enum vr_status
worker_link_turn(struct vr_worker *w, uint64_t until_ns)
{
    struct pollfd item = {.fd = w->poll_fd, .events = POLLIN};
    uint64_t count, due_ns;

    if (poll(&item, 1, wait_ms(until_ns)) < 0 && errno == EINTR)
        return VR_AGAIN;
    (void)!read(w->wake_fd, &count, sizeof count);
    (void)!read(w->timer_fd, &count, sizeof count);
    do {
        receive(w);
        due_ns = keep_up(w);
        worker_link_flush(w);
    } while (more_to_take(w));
    arm(w, due_ns);
    return VR_OK;
}

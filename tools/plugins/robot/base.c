#include "tools/plugins/robot/base.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <zmq.h>

#include "tools/plugins/shared/reply.h"

#define MESSAGE_MAX_BYTES 65536
#define LINGER_MS 500

static struct {
    void *context;
    char endpoint[BASE_ENDPOINT_BYTES];
    long timeout_ms;
    atomic_uint last_id;
} base;

static long
now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Connected to the base, or NULL with errno set. */
static void *
open_socket(const char *endpoint)
{
    void *socket = zmq_socket(base.context, ZMQ_DEALER);
    int64_t max_bytes = MESSAGE_MAX_BYTES;
    int linger_ms = LINGER_MS;
    int immediate = 1; /* without it, commands wait for a base to come */
    int error;

    if (!socket)
        return NULL;
    if (zmq_setsockopt(socket, ZMQ_IMMEDIATE, &immediate, sizeof immediate) ==
            0 &&
        zmq_setsockopt(socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms) == 0 &&
        zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &max_bytes, sizeof max_bytes) ==
            0 &&
        zmq_connect(socket, endpoint) == 0)
        return socket;
    error = zmq_errno();
    zmq_close(socket);
    errno = error;
    return NULL;
}

bool
base_init(const char *endpoint, long timeout_ms, char *why, size_t why_bytes)
{
    void *socket;

    base_fini();
    base.context = zmq_ctx_new();
    socket = base.context ? open_socket(endpoint) : NULL;
    if (!socket) {
        snprintf(why, why_bytes,
                 "plugins.config.robot.endpoint \"%.100s\" cannot be used: %s; "
                 "it must be where the robot's base has its ZeroMQ ROUTER, "
                 "such as ipc:///run/robot/base.sock",
                 endpoint, zmq_strerror(zmq_errno()));
        base_fini();
        return false;
    }
    zmq_close(socket);
    snprintf(base.endpoint, sizeof base.endpoint, "%s", endpoint);
    base.timeout_ms = timeout_ms;
    return true;
}

void
base_fini(void)
{
    if (base.context)
        zmq_ctx_term(base.context);
    base.context = NULL;
}

/* Waits until the socket can do that; false after `wait_ms`. */
static bool
wait_for(void *socket, short events, long wait_ms)
{
    zmq_pollitem_t item = {.socket = socket, .events = events};
    long end_ms = now_ms() + wait_ms;
    int ready;

    do {
        long left_ms = end_ms - now_ms();
        ready = zmq_poll(&item, 1, left_ms > 0 ? left_ms : 0);
    } while (ready < 0 && zmq_errno() == EINTR);
    return ready > 0 && (item.revents & events);
}

bool
base_send(struct base_link *link, cJSON *command, char why[BASE_WHY_BYTES])
{
    char *json = NULL;
    bool sent = false;

    memset(link, 0, sizeof *link);
    link->timeout_ms = base.timeout_ms;
    snprintf(link->id, sizeof link->id, "%ld-%u", (long)getpid(),
             atomic_fetch_add(&base.last_id, 1) + 1);
    if (cJSON_AddStringToObject(command, "id", link->id))
        json = cJSON_PrintUnformatted(command);
    cJSON_Delete(command);
    link->socket = json ? open_socket(base.endpoint) : NULL;
    if (link->socket && wait_for(link->socket, ZMQ_POLLOUT, link->timeout_ms))
        sent = zmq_send(link->socket, json, strlen(json), ZMQ_DONTWAIT) >= 0;
    if (!json)
        snprintf(why, BASE_WHY_BYTES, "The tool is out of memory");
    else if (!link->socket)
        snprintf(why, BASE_WHY_BYTES, "My base cannot be reached: %s",
                 zmq_strerror(zmq_errno()));
    else if (!sent)
        snprintf(why, BASE_WHY_BYTES,
                 "My base does not answer; the process that drives it does not "
                 "run, or hangs");
    cJSON_free(json);
    return sent;
}

void
base_add(struct base_link *link, const char *command)
{
    char json[128];
    int n = snprintf(json, sizeof json, "{\"id\":\"%s\",\"command\":\"%s\"}",
                     link->id, command);

    zmq_send(link->socket, json, (size_t)n, ZMQ_DONTWAIT);
}

/* One message, all its frames; NULL if it is not about this link's command. */
static cJSON *
take_message(struct base_link *link)
{
    cJSON *answer = NULL;
    const cJSON *id;
    zmq_msg_t frame;
    bool more = true;

    for (unsigned i = 0; more; i++) {
        zmq_msg_init(&frame);
        if (zmq_msg_recv(&frame, link->socket, ZMQ_DONTWAIT) >= 0) {
            more = zmq_msg_more(&frame);
            if (i == 0 && !more)
                answer = cJSON_ParseWithLength(zmq_msg_data(&frame),
                                               zmq_msg_size(&frame));
        } else {
            more = false;
        }
        zmq_msg_close(&frame);
    }
    id = cJSON_GetObjectItemCaseSensitive(answer, "id");
    if (cJSON_IsString(id) && strcmp(id->valuestring, link->id) == 0)
        return answer;
    cJSON_Delete(answer);
    return NULL;
}

cJSON *
base_receive(struct base_link *link, long wait_ms)
{
    long end_ms = now_ms() + wait_ms;

    for (;;) {
        long left_ms = end_ms - now_ms();
        cJSON *answer;
        if (!wait_for(link->socket, ZMQ_POLLIN, left_ms > 0 ? left_ms : 0))
            return NULL;
        answer = take_message(link);
        if (answer || left_ms <= 0)
            return answer;
    }
}

bool
base_error(const cJSON *answer, char why[BASE_WHY_BYTES])
{
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(answer, "error");

    if (!error)
        return false;
    reply_cut(why, BASE_WHY_BYTES,
              cJSON_IsString(error) && error->valuestring[0]
                  ? error->valuestring
                  : "My base says that it cannot do that");
    return true;
}

cJSON *
base_ask(cJSON *command, char why[BASE_WHY_BYTES])
{
    struct base_link link;
    cJSON *answer = NULL;

    if (base_send(&link, command, why)) {
        answer = base_receive(&link, link.timeout_ms);
        if (!answer)
            snprintf(
                why, BASE_WHY_BYTES,
                "My base does not answer; it said nothing for %.3g seconds",
                (double)link.timeout_ms / 1e3);
    }
    base_close(&link);
    if (answer && base_error(answer, why)) {
        cJSON_Delete(answer);
        return NULL;
    }
    return answer;
}

void
base_close(struct base_link *link)
{
    if (link->socket)
        zmq_close(link->socket);
    link->socket = NULL;
}

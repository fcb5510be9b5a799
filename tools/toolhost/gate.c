#include "tools/toolhost/gate.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <zmq.h>

#include "tools/toolhost/answer.h"
#include "tools/toolhost/ask.h"
#include "tools/toolhost/crew.h"
#include "tools/toolhost/fence.h"
#include "tools/toolhost/host.h"
#include "tools/toolhost/jobs.h"
#include "tools/toolhost/limit.h"
#include "tools/toolhost/outbox.h"

#define EXIT_REFUSED 3
#define METHOD_UNKNOWN (-32601)
#define PARAMS_INVALID (-32602)
#define NOT_BEGUN (-32002)
/* What fini may take; the gateway's own patience is longer. */
#define FINI_MS 300
#define QUEUE_MESSAGES 128
/* How often the memory is looked at while the plugin has something to do. */
#define LOOK_MS 500

struct gate {
    const struct boot *boot;
    const struct library *library;
    void *socket;
    int socket_fd;
    bool said_hello;
    bool unwelcome; /* the gateway does not take us */
    bool full;      /* the socket took no more */
};

static volatile sig_atomic_t asked_to_end;

static void
on_sigterm(int number)
{
    (void)number;
    asked_to_end = 1;
    outbox_wake();
}

/* ---- what the gateway says --------------------------------------------------- */

static char *
copy_text(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsString(item) ? strdup(item->valuestring) : NULL;
}

static char *
copy_json(const cJSON *item)
{
    return item ? cJSON_PrintUnformatted(item) : NULL;
}

static uint32_t
timeout_of(const cJSON *meta)
{
    const cJSON *item =
        cJSON_GetObjectItemCaseSensitive(meta, "voxring/timeout_ms");

    if (!cJSON_IsNumber(item) || item->valuedouble < 1)
        return 0;
    return item->valuedouble < UINT32_MAX ? (uint32_t)item->valuedouble
                                          : UINT32_MAX;
}

static void
on_call(struct gate *g, const char *id, const cJSON *params)
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(params, "name");
    const cJSON *input = cJSON_GetObjectItemCaseSensitive(params, "arguments");
    const cJSON *meta = cJSON_GetObjectItemCaseSensitive(params, "_meta");
    const struct voxring_tool *tool =
        cJSON_IsString(name) ? library_find(g->library, name->valuestring)
                             : NULL;
    struct jobs_request request = {.tool = tool};

    if (!tool) {
        outbox_put(answer_error(id, PARAMS_INVALID,
                                "This plugin has no tool of that name"));
        return;
    }
    request.id = strdup(id);
    request.progress_token =
        copy_json(cJSON_GetObjectItemCaseSensitive(meta, "progressToken"));
    request.input = cJSON_IsObject(input) ? copy_json(input) : strdup("{}");
    request.session = copy_text(meta, "voxring/session");
    request.conversation = copy_text(meta, "voxring/conversation");
    request.turn = copy_text(meta, "voxring/turn");
    request.timeout_ms = timeout_of(meta);
    if (!request.id || !request.input)
        limit_is_reached();
    if (jobs_add(&request))
        crew_grow();
}

static void
on_cancelled(const cJSON *params)
{
    char *id = copy_json(cJSON_GetObjectItemCaseSensitive(params, "requestId"));

    if (id)
        jobs_cancel(id);
    free(id);
}

static void
on_request(struct gate *g, const char *method, const char *id,
           const cJSON *params)
{
    if (strcmp(method, "tools/call") == 0) {
        on_call(g, id, params);
    } else if (strcmp(method, "tools/list") == 0) {
        char *list = library_list_json(g->library);
        if (!list)
            limit_is_reached();
        outbox_put(answer_result(id, list));
        free(list);
    } else if (strcmp(method, "ping") == 0) {
        outbox_put(answer_result(id, "{}"));
    } else {
        outbox_put(answer_error(id, METHOD_UNKNOWN, "No such method here"));
    }
}

static void
on_notification(const char *method, const cJSON *params)
{
    if (strcmp(method, "notifications/cancelled") == 0)
        on_cancelled(params);
    else if (strcmp(method, "voxring/drain") == 0)
        jobs_drain(NOT_BEGUN);
}

static void
on_answer(struct gate *g, const cJSON *root)
{
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(root, "id");
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(root, "error");
    const cJSON *message = cJSON_GetObjectItemCaseSensitive(error, "message");

    if (!cJSON_IsString(id) || strcmp(id->valuestring, ANSWER_HELLO_ID) != 0) {
        ask_answer(root);
    } else if (error) {
        fprintf(stderr, "voxring-toolhost: the gateway refuses it: %.300s\n",
                cJSON_IsString(message) ? message->valuestring : "no reason");
        g->unwelcome = true;
    }
}

static void
on_message(struct gate *g, const char *bytes, size_t count)
{
    cJSON *root = cJSON_ParseWithLength(bytes, count);
    const cJSON *method = cJSON_GetObjectItemCaseSensitive(root, "method");
    const cJSON *params = cJSON_GetObjectItemCaseSensitive(root, "params");
    char *id = copy_json(cJSON_GetObjectItemCaseSensitive(root, "id"));

    if (cJSON_IsString(method) && id)
        on_request(g, method->valuestring, id, params);
    else if (cJSON_IsString(method))
        on_notification(method->valuestring, params);
    else if (id)
        on_answer(g, root);
    free(id);
    cJSON_Delete(root);
}

static void
receive(struct gate *g)
{
    zmq_msg_t message;

    zmq_msg_init(&message);
    while (zmq_msg_recv(&message, g->socket, ZMQ_DONTWAIT) >= 0)
        on_message(g, zmq_msg_data(&message), zmq_msg_size(&message));
    zmq_msg_close(&message);
}

/* ---- what we say --------------------------------------------------------------- */

static void
send_waiting(struct gate *g)
{
    char *text;

    g->full = false;
    while (!g->full && (text = outbox_take())) {
        if (zmq_send(g->socket, text, strlen(text), ZMQ_DONTWAIT) >= 0) {
            free(text);
        } else {
            outbox_return(text);
            g->full = true;
        }
    }
}

static void
say_hello(struct gate *g, const char *refusal)
{
    g->said_hello = true;
    outbox_put(answer_hello(g->boot->name, g->boot->token, refusal));
    if (!refusal)
        ask_open();
}

static void
watch_plugin(struct gate *g)
{
    enum crew_state state = crew_state();

    if (g->said_hello)
        return;
    if (state == CREW_READY) {
        say_hello(g, NULL);
        crew_grow();
    } else if (state == CREW_REFUSED) {
        say_hello(g, crew_refusal());
    }
}

/* ---- the loop -------------------------------------------------------------------- */

/* How long the loop may sleep. libzmq's descriptor tells of changes only, so
 * what is there already is asked for. */
static int
patience_ms(const struct gate *g)
{
    int events = 0;
    size_t size = sizeof events;

    zmq_getsockopt(g->socket, ZMQ_EVENTS, &events, &size);
    if ((events & ZMQ_POLLIN) || (g->full && (events & ZMQ_POLLOUT)))
        return 0;
    return limit_is_set() && (jobs_open() > 0 || crew_state() == CREW_STARTING)
               ? LOOK_MS
               : -1;
}

/* True while the gateway holds the boot pipe open. */
static bool
is_wanted(void)
{
    char bytes[64];

    if (read(BOOT_FD, bytes, sizeof bytes) > 0)
        return true;
    fence_check();
    return false;
}

/* True while the gateway wants us. */
static bool
serve_once(struct gate *g)
{
    struct pollfd fds[] = {
        {g->socket_fd, POLLIN, 0},
        {BOOT_FD, POLLIN, 0},
        {outbox_fd(), POLLIN, 0},
    };

    watch_plugin(g);
    receive(g);
    send_waiting(g);
    if (g->unwelcome)
        return false;
    if (poll(fds, 3, patience_ms(g)) < 0)
        return errno == EINTR && !asked_to_end;
    if (asked_to_end)
        return false;
    for (size_t i = 0; i < 3; i++) {
        if (fds[i].revents & (POLLNVAL | POLLERR))
            fence_check();
    }
    if (fds[1].revents != 0 && !is_wanted())
        return false;
    if (fds[2].revents != 0)
        outbox_clear();
    if (limit_is_set())
        limit_check(crew_threads());
    return true;
}

/* Gives the plugin its fini, if it comes to it in time. */
static void
end_plugin(void)
{
    uint64_t until_ns = jobs_now_ns() + FINI_MS * 1000000u;

    ask_close();
    crew_stop();
    while (crew_state() == CREW_READY && jobs_now_ns() < until_ns) {
        zmq_pollitem_t item = {NULL, outbox_fd(), ZMQ_POLLIN, 0};
        zmq_poll(&item, 1, 20);
        outbox_clear();
    }
}

static void
catch_sigterm(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_sigterm;
    action.sa_flags = SA_RESTART;
    sigaction(SIGTERM, &action, NULL);
}

static bool
open_socket(struct gate *g)
{
    void *context = zmq_ctx_new();
    int queue = QUEUE_MESSAGES, off = 0;
    size_t fd_size = sizeof g->socket_fd;

    g->socket = context ? zmq_socket(context, ZMQ_DEALER) : NULL;
    if (!g->socket)
        return false;
    zmq_setsockopt(g->socket, ZMQ_SNDHWM, &queue, sizeof queue);
    zmq_setsockopt(g->socket, ZMQ_RCVHWM, &queue, sizeof queue);
    zmq_setsockopt(g->socket, ZMQ_LINGER, &off, sizeof off);
    if (zmq_connect(g->socket, g->boot->endpoint) != 0 ||
        zmq_getsockopt(g->socket, ZMQ_FD, &g->socket_fd, &fd_size) != 0)
        return false;
    fence_keep(g->socket_fd);
    fence_keep(outbox_fd());
    fence_keep(BOOT_FD);
    return true;
}

int
gate_serve(const struct boot *boot, const struct library *library,
           const char *refusal)
{
    struct gate g = {.boot = boot, .library = library};

    if (!outbox_init() || !ask_init() || !open_socket(&g)) {
        fprintf(stderr, "cannot reach the gateway at %s: %s\n", boot->endpoint,
                zmq_strerror(errno));
        return EXIT_FAILURE;
    }
    catch_sigterm();
    jobs_init(boot->result_max_bytes);
    if (refusal)
        say_hello(&g, refusal);
    else if (!crew_start(library, host_table(boot->config_json),
                         boot->config_json, boot->concurrent_calls))
        say_hello(&g, "no thread can be started for its calls");
    while (serve_once(&g))
        continue;
    if (refusal || crew_state() == CREW_REFUSED)
        return EXIT_REFUSED;
    end_plugin();
    return g.unwelcome ? EXIT_FAILURE : EXIT_SUCCESS;
}

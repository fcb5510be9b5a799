#include "tests/cli/played.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <cmocka.h>
#include <zmq.h>

#define WAIT_MS 20000

void *played_control, *played_events;

static void *context;

static void *
bind_socket(int type, const char *name)
{
    char endpoint[128];
    int zero = 0;
    void *socket = zmq_socket(context, type);
    assert_non_null(socket);
    zmq_setsockopt(socket, ZMQ_LINGER, &zero, sizeof zero);
    snprintf(endpoint, sizeof endpoint, "ipc://%s/%s", program_dir, name);
    assert_int_equal(zmq_bind(socket, endpoint), 0);
    return socket;
}

int
played_up(void **state)
{
    (void)state;
    context = zmq_ctx_new();
    played_control = bind_socket(ZMQ_ROUTER, "control.sock");
    played_events = bind_socket(ZMQ_XPUB, "events.sock");
    return 0;
}

int
played_down(void **state)
{
    (void)state;
    if (played_control)
        zmq_close(played_control);
    if (played_events)
        zmq_close(played_events);
    zmq_ctx_term(context);
    unlink(program_path("control.sock"));
    unlink(program_path("events.sock"));
    played_control = played_events = context = NULL;
    return 0;
}

static char peer[256];
static size_t peer_bytes;

void
played_expect(const char *method, const char *params)
{
    char text[1 << 16];
    zmq_pollitem_t item = {played_control, 0, ZMQ_POLLIN, 0};
    assert_int_equal(zmq_poll(&item, 1, WAIT_MS), 1);
    int got = zmq_recv(played_control, peer, sizeof peer, 0);
    assert_true(got > 0);
    peer_bytes = (size_t)got;
    got = zmq_recv(played_control, text, sizeof text, 0);
    assert_true(got > 0);
    cJSON *request = cJSON_ParseWithLength(text, (size_t)got);
    cJSON *wanted = cJSON_Parse(params);
    assert_string_equal(cJSON_GetObjectItem(request, "jsonrpc")->valuestring,
                        "2.0");
    assert_string_equal(cJSON_GetObjectItem(request, "method")->valuestring,
                        method);
    cJSON *given = cJSON_GetObjectItem(request, "params");
    if (!cJSON_Compare(given ? given : wanted, wanted, true))
        fail_msg("%.*s instead of %s", got, text, params);
    cJSON_Delete(wanted);
    cJSON_Delete(request);
}

void
played_reply(const char *text)
{
    assert_true(zmq_send(played_control, peer, peer_bytes, ZMQ_SNDMORE) >= 0);
    assert_true(zmq_send(played_control, text, strlen(text), 0) >= 0);
}

void
played_result(const char *result)
{
    char *text;
    assert_true(asprintf(&text, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":%s}",
                         result) > 0);
    played_reply(text);
    free(text);
}

void
played_error(int code, const char *message)
{
    char text[1024];
    snprintf(text, sizeof text,
             "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":%d,"
             "\"message\":\"%s\"}}",
             code, message);
    played_reply(text);
}

struct program *
played_ask(const char *method, const char *params, const char *result,
           const char *const *arguments)
{
    struct program *p = program_start(NULL, arguments);
    played_expect(method, params);
    played_result(result);
    program_wait(p);
    assert_string_equal(p->err, p->code ? p->err : "");
    return p;
}

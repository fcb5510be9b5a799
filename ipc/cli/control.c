#include "ipc/cli/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/cli/say.h"
#include "ipc/cli/socket.h"
#include "ipc/cli/stop.h"
#include "ipc/voxring.h"

#define ANSWER_TIMEOUT_MS 10000
#define LOOK_MS 50
#define NOT_FOUND -32000

/* What JSON-RPC's codes mean for a script; others are CLI_FAILED. The codes
 * stand in ipc/control.md. */
static int
exit_of(int rpc_code)
{
    switch (rpc_code) {
    case -32602:
        return CLI_USAGE;
    case -32003:
        return CLI_TIMEOUT;
    case -32005:
    case -32006:
        return CLI_BUSY;
    case -32008:
        return CLI_ABSENT;
    default:
        return CLI_FAILED;
    }
}

static char *
make_request(const char *method, cJSON *params)
{
    cJSON *request = cJSON_CreateObject();
    cJSON_AddStringToObject(request, "jsonrpc", "2.0");
    cJSON_AddNumberToObject(request, "id", 1);
    cJSON_AddStringToObject(request, "method", method);
    if (params)
        cJSON_AddItemToObject(request, "params", params);
    char *text = cJSON_PrintUnformatted(request);
    cJSON_Delete(request);
    return text;
}

/* The last frame of the next message, as JSON; NULL if it is none. */
static cJSON *
receive(struct socket *s)
{
    cJSON *answer = NULL;
    int more = 1;
    while (more) {
        zmq_msg_t frame;
        zmq_msg_init(&frame);
        if (zmq_msg_recv(&frame, s->socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&frame);
            break;
        }
        more = zmq_msg_more(&frame);
        if (!more)
            answer = cJSON_ParseWithLength(zmq_msg_data(&frame),
                                           zmq_msg_size(&frame));
        zmq_msg_close(&frame);
    }
    return answer;
}

static int
await(struct socket *s, const char *method, int64_t timeout_ms, cJSON **answer)
{
    uint64_t deadline_ns = stop_deadline_ns(timeout_ms);
    for (;;) {
        switch (socket_wait(s, deadline_ns)) {
        case SOCKET_MESSAGE:
            *answer = receive(s);
            return CLI_DONE;
        case SOCKET_GONE:
            return say_fail(s->cli, CLI_ABSENT,
                            "the gateway went away before it answered %s",
                            method);
        case SOCKET_NOTHING:
            return say_fail(s->cli, CLI_TIMEOUT,
                            "no answer to %s within %lld ms; --timeout MS "
                            "waits longer",
                            method, (long long)timeout_ms);
        case SOCKET_STOPPED:
            return CLI_INTERRUPTED;
        case SOCKET_BACK:
            break;
        }
    }
}

/* Sends the request and waits; *answer is NULL if what came is no JSON. */
static int
ask_once(const struct cli *cli, const char *method, const char *request,
         int64_t timeout_ms, cJSON **answer)
{
    struct socket s;
    *answer = NULL;
    int code =
        socket_open(&s, cli, ZMQ_DEALER, cli->options.control, "control.sock");
    if (code == CLI_DONE)
        code = socket_connect(&s);
    if (code != CLI_DONE)
        return code;
    if (zmq_send(s.socket, request, strlen(request), 0) < 0)
        code = say_fail(cli, CLI_FAILED, "%s: %s", s.endpoint,
                        zmq_strerror(zmq_errno()));
    else
        code = await(&s, method, timeout_ms, answer);
    socket_close(&s);
    return code;
}

static int
error_code(const cJSON *answer)
{
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(answer, "error");
    const cJSON *code = cJSON_GetObjectItemCaseSensitive(error, "code");
    return cJSON_IsNumber(code) ? code->valueint : 0;
}

static int
take_answer(const struct cli *cli, const char *method, cJSON *answer,
            cJSON **result)
{
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(answer, "error");
    if (error)
        return say_fail(
            cli, exit_of(error_code(answer)), "%s",
            control_text(error, "message", "failed without a reason"));
    *result = cJSON_DetachItemFromObjectCaseSensitive(answer, "result");
    if (*result)
        return CLI_DONE;
    return say_fail(cli, CLI_FAILED,
                    "%s: the answer is no JSON-RPC 2.0; is it voxringd that "
                    "listens there?",
                    method);
}

int
control_ask(const struct cli *cli, const char *method, cJSON *params,
            int64_t timeout_ms, cJSON **result)
{
    uint64_t limit_ns = stop_deadline_ns(cli->options.connect_timeout_ms);
    char *request = make_request(method, params);
    cJSON *answer;
    int code;
    *result = NULL;
    if (!request)
        return say_fail(cli, CLI_FAILED, "out of memory");
    for (;;) {
        code = ask_once(cli, method, request, timeout_ms, &answer);
        if (code != CLI_DONE || error_code(answer) != NOT_FOUND ||
            vr_now_ns() >= limit_ns || !control_starting(cli))
            break;
        cJSON_Delete(answer);
        stop_sleep_until(stop_deadline_ns(LOOK_MS));
    }
    free(request);
    if (code == CLI_DONE)
        code = take_answer(cli, method, answer, result);
    cJSON_Delete(answer);
    return code;
}

bool
control_starting(const struct cli *cli)
{
    struct cli quiet = *cli;
    cJSON *answer = NULL;
    quiet.quiet = true;
    quiet.options.connect_timeout_ms = 0;
    char *request = make_request("gateway.stats", NULL);
    int code = request ? ask_once(&quiet, "gateway.stats", request,
                                  ANSWER_TIMEOUT_MS, &answer)
                       : CLI_FAILED;
    const cJSON *uptime = cJSON_GetObjectItemCaseSensitive(
        cJSON_GetObjectItemCaseSensitive(answer, "result"), "uptime_seconds");
    bool young =
        cJSON_IsNumber(uptime) &&
        uptime->valuedouble * 1000 < (double)cli->options.connect_timeout_ms;
    free(request);
    cJSON_Delete(answer);
    return code == CLI_ABSENT || young;
}

int64_t
control_timeout_ms(const struct cli *cli, int64_t default_ms)
{
    return cli->options.timeout_ms >= 0 ? cli->options.timeout_ms : default_ms;
}

int
control_ask_session(const struct cli *cli, const char *method, cJSON **result)
{
    cJSON *params = cJSON_CreateObject();
    cJSON_AddStringToObject(params, "session", cli->arguments[0]);
    return control_ask(cli, method, params,
                       control_timeout_ms(cli, ANSWER_TIMEOUT_MS), result);
}

void
control_print(const struct cli *cli, const cJSON *value)
{
    char *text =
        cli->options.json ? cJSON_PrintUnformatted(value) : cJSON_Print(value);
    if (text)
        say_text(stdout, text);
    putchar('\n');
    cJSON_free(text);
}

const char *
control_text(const cJSON *object, const char *member, const char *otherwise)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, member);
    return cJSON_IsString(item) ? item->valuestring : otherwise;
}

#include "ipc/cli/control.h"

#include <stdio.h>
#include <string.h>

#include "ipc/cli/say.h"
#include "ipc/cli/socket.h"
#include "ipc/cli/stop.h"

#define ANSWER_TIMEOUT_MS 10000

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

static int
send_request(struct socket *s, const char *method, cJSON *params)
{
    cJSON *request = cJSON_CreateObject();
    cJSON_AddStringToObject(request, "jsonrpc", "2.0");
    cJSON_AddNumberToObject(request, "id", 1);
    cJSON_AddStringToObject(request, "method", method);
    if (params)
        cJSON_AddItemToObject(request, "params", params);
    char *text = cJSON_PrintUnformatted(request);
    cJSON_Delete(request);
    if (!text)
        return say_fail(s->cli, CLI_FAILED, "out of memory");
    int sent = zmq_send(s->socket, text, strlen(text), 0);
    cJSON_free(text);
    if (sent < 0)
        return say_fail(s->cli, CLI_FAILED, "%s: %s", s->endpoint,
                        zmq_strerror(zmq_errno()));
    return CLI_DONE;
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
take_answer(struct socket *s, const char *method, cJSON *answer, cJSON **result)
{
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(answer, "error");
    int code = CLI_DONE;
    if (error) {
        const cJSON *number = cJSON_GetObjectItemCaseSensitive(error, "code");
        code = say_fail(
            s->cli, exit_of(cJSON_IsNumber(number) ? number->valueint : 0),
            "%s", control_text(error, "message", "failed without a reason"));
    } else {
        *result = cJSON_DetachItemFromObjectCaseSensitive(answer, "result");
        if (!*result)
            code = say_fail(s->cli, CLI_FAILED,
                            "%s: the answer is no JSON-RPC 2.0; is a voxringd "
                            "behind %s?",
                            method, s->endpoint);
    }
    cJSON_Delete(answer);
    return code;
}

static int
await(struct socket *s, const char *method, int64_t timeout_ms, cJSON **result)
{
    uint64_t deadline_ns = stop_deadline_ns(timeout_ms);
    for (;;) {
        switch (socket_wait(s, deadline_ns)) {
        case SOCKET_MESSAGE:
            return take_answer(s, method, receive(s), result);
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

int
control_ask(const struct cli *cli, const char *method, cJSON *params,
            int64_t timeout_ms, cJSON **result)
{
    struct socket s;
    *result = NULL;
    int code =
        socket_open(&s, cli, ZMQ_DEALER, cli->options.control, "control.sock");
    if (code == CLI_DONE)
        code = socket_connect(&s);
    if (code != CLI_DONE) {
        cJSON_Delete(params);
        return code;
    }
    code = send_request(&s, method, params);
    if (code == CLI_DONE)
        code = await(&s, method, timeout_ms, result);
    socket_close(&s);
    return code;
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

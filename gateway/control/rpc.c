#include "gateway/control/rpc.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/control/rpc_params.h"
#include "gateway/jsonx.h"

#define WHOLE_MAX 9007199254740992.0 /* 2^53 */
#define NAME_SHOWN_BYTES 64
#define PROBLEM_BYTES 384

struct method {
    const char *name;
    const char *params;
    rpc_handler_fn *handler;
    void *arg;
};

/* Collects the answers of one batch; sent when `open` falls to 0. */
struct batch {
    struct rpc_peer peer;
    cJSON *answers;
    size_t open;
};

struct rpc_call {
    struct rpc *rpc;
    struct rpc_call *previous, *next;
    const struct method *method;
    struct rpc_peer peer;
    struct batch *batch; /* NULL: a request of its own */
    cJSON *id;           /* NULL: a notification */
    cJSON *params;
    rpc_drop_fn *on_drop;
    void *on_drop_arg;
};

struct rpc {
    struct method *methods;
    size_t method_count;
    struct rpc_call *calls; /* not yet answered */
    bool stopping;
    rpc_send_fn *send;
    void *send_arg;
    struct rpc_stats stats;
};

/* Where an answer goes. */
struct place {
    struct rpc *rpc;
    const struct rpc_peer *peer;
    struct batch *batch;
};

/* ---- answers ---- */

static void
send_json(struct rpc *rpc, const struct rpc_peer *peer, const cJSON *json)
{
    char *text = cJSON_PrintUnformatted(json);
    if (text)
        rpc->send(rpc->send_arg, peer, text, strlen(text));
    cJSON_free(text);
}

/* Takes `answer`. */
static void
put_answer(const struct place *place, cJSON *answer)
{
    if (place->batch && place->batch->answers) {
        jsonx_put(place->batch->answers, NULL, answer);
        return;
    }
    send_json(place->rpc, place->peer, answer);
    cJSON_Delete(answer);
}

/* Lets go of a batch for one of its requests; the last one sends. */
static void
batch_release(struct rpc *rpc, struct batch *batch)
{
    if (!batch || --batch->open > 0)
        return;
    if (batch->answers && batch->answers->child)
        send_json(rpc, &batch->peer, batch->answers);
    cJSON_Delete(batch->answers);
    free(batch);
}

/* {"jsonrpc": "2.0", "id": ...}; `id` is taken, NULL gives null. */
static cJSON *
answer_new(cJSON *id)
{
    cJSON *answer = cJSON_CreateObject();
    cJSON_AddStringToObject(answer, "jsonrpc", "2.0");
    if (!id)
        id = cJSON_CreateNull();
    jsonx_put(answer, "id", id);
    return answer;
}

/* Takes `id` and `data`. */
static void
put_error(const struct place *place, cJSON *id, enum rpc_error code,
          const char *message, cJSON *data)
{
    cJSON *answer = answer_new(id);
    cJSON *error = cJSON_AddObjectToObject(answer, "error");
    cJSON_AddNumberToObject(error, "code", code);
    jsonx_add_text(error, "message", message);
    jsonx_put(error, "data", data);
    put_answer(place, answer);
}

static const char *
error_name(enum rpc_error code)
{
    switch (code) {
#define RPC_ERROR(symbol, number, message, meaning) \
    case RPC_##symbol:                              \
        return message;
#include "gateway/control/error.tbl.h"
#undef RPC_ERROR
    }
    return "Error";
}

enum rpc_error
rpc_error_of(enum vr_status status)
{
    switch (status) {
    case VR_NOT_FOUND:
        return RPC_NOT_FOUND;
    case VR_STATE:
        return RPC_STATE;
    case VR_UNSUPPORTED:
        return RPC_UNSUPPORTED;
    case VR_TIMEOUT:
        return RPC_TIMEOUT;
    case VR_CLOSED:
    case VR_CANCELLED:
        return RPC_CLOSED;
    case VR_AGAIN:
    case VR_BUSY:
    case VR_LIMIT:
    case VR_NO_MEMORY:
        return RPC_LIMIT;
    case VR_INVALID:
        return RPC_PARAMS;
    case VR_BUG:
        return RPC_INTERNAL;
    default:
        return RPC_FAILED;
    }
}

/* ---- refusals, before a handler ---- */

/* "Invalid params: PROBLEM", with what and where in data. Takes `id`; `where`
 * and `value` name the place and may be NULL. */
static void
refuse(const struct place *place, cJSON *id, enum rpc_error code,
       const char *where, const char *value, const char *problem)
{
    char message[PROBLEM_BYTES + 128];
    cJSON *data = cJSON_CreateObject();
    place->rpc->stats.refused++;
    if (where)
        jsonx_add_text(data, where, value);
    jsonx_add_text(data, "problem", problem);
    snprintf(message, sizeof message, "%s: %s%s%s", error_name(code),
             value ? value : "", value ? " " : "", problem);
    put_error(place, id, code, message, data);
}

/* ---- calls ---- */

static void
call_link(struct rpc_call *call)
{
    call->next = call->rpc->calls;
    if (call->next)
        call->next->previous = call;
    call->rpc->calls = call;
    call->rpc->stats.pending++;
}

/* Frees an answered call and lets its batch go. */
static void
call_free(struct rpc_call *call)
{
    struct rpc *rpc = call->rpc;
    if (call->next)
        call->next->previous = call->previous;
    if (call->previous)
        call->previous->next = call->next;
    else
        rpc->calls = call->next;
    rpc->stats.pending--;
    cJSON_Delete(call->id);
    cJSON_Delete(call->params);
    batch_release(rpc, call->batch);
    free(call);
}

static struct place
place_of(const struct rpc_call *call)
{
    return (struct place){call->rpc, &call->peer, call->batch};
}

static cJSON *
take_id(struct rpc_call *call)
{
    cJSON *id = call->id;
    call->id = NULL;
    return id;
}

void
rpc_reply(struct rpc_call *call, cJSON *result)
{
    struct place place = place_of(call);
    call->rpc->stats.answered++;
    if (!call->id) {
        cJSON_Delete(result);
        call_free(call);
        return;
    }
    cJSON *answer = answer_new(take_id(call));
    if (!result)
        result = cJSON_CreateNull();
    jsonx_put(answer, "result", result);
    put_answer(&place, answer);
    call_free(call);
}

void
rpc_fail(struct rpc_call *call, enum rpc_error code, cJSON *data,
         const char *message, ...)
{
    char text[1024];
    va_list args;
    struct place place = place_of(call);
    va_start(args, message);
    vsnprintf(text, sizeof text, message, args);
    va_end(args);
    call->rpc->stats.failed++;
    if (call->id)
        put_error(&place, take_id(call), code, text, data);
    else
        cJSON_Delete(data);
    call_free(call);
}

void
rpc_fail_lines(struct rpc_call *call, const char *problems)
{
    size_t bytes = problems ? strlen(problems) : 0;
    if (bytes && problems[bytes - 1] == '\n')
        bytes--;
    if (bytes)
        rpc_fail(call, RPC_PARAMS, NULL, "%.*s", (int)bytes, problems);
    else
        rpc_fail(call, RPC_INTERNAL, NULL, "%s", vr_status_text(VR_NO_MEMORY));
}

const char *
rpc_call_method(const struct rpc_call *call)
{
    return call->method->name;
}

void
rpc_call_on_drop(struct rpc_call *call, rpc_drop_fn *on_drop, void *arg)
{
    call->on_drop = on_drop;
    call->on_drop_arg = arg;
}

/* ---- requests ---- */

static const struct method *
find_method(const struct rpc *rpc, const char *name)
{
    for (size_t i = 0; i < rpc->method_count; i++) {
        if (!strcmp(rpc->methods[i].name, name))
            return &rpc->methods[i];
    }
    return NULL;
}

static bool
room_for(const struct rpc *rpc, const struct rpc_peer *peer)
{
    size_t own = 0;
    if (rpc->stats.pending >= RPC_PENDING_MAX)
        return false;
    for (const struct rpc_call *c = rpc->calls; c; c = c->next)
        own += c->peer.byte_count == peer->byte_count &&
               !memcmp(c->peer.bytes, peer->bytes, peer->byte_count);
    return own < RPC_PENDING_PEER_MAX;
}

/* What is wrong with a request's frame, NULL if nothing is. */
static const char *
request_flaw(const cJSON *request, const char **where)
{
    const cJSON *version = cJSON_GetObjectItemCaseSensitive(request, "jsonrpc");
    const cJSON *method = cJSON_GetObjectItemCaseSensitive(request, "method");
    const cJSON *params = cJSON_GetObjectItemCaseSensitive(request, "params");
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(request, "id");
    *where = "request";
    if (!cJSON_IsObject(request))
        return "must be an object, {\"jsonrpc\": \"2.0\", \"id\": 1, "
               "\"method\": ...}";
    *where = "jsonrpc";
    if (!cJSON_IsString(version) || strcmp(version->valuestring, "2.0"))
        return "must be \"2.0\"";
    *where = "id";
    if (id && !cJSON_IsString(id) && !cJSON_IsNumber(id) && !cJSON_IsNull(id))
        return "must be a text or a number";
    if (cJSON_IsString(id) && strlen(id->valuestring) > RPC_ID_BYTES_MAX)
        return "is too long; use at most 256 bytes";
    if (cJSON_IsNumber(id) && !(fabs(id->valuedouble) <= WHOLE_MAX))
        return "is a number beyond 2^53, which would be rounded; use a text";
    *where = "method";
    if (!cJSON_IsString(method))
        return "must be a text";
    *where = "params";
    if (params && !cJSON_IsObject(params) && !cJSON_IsArray(params) &&
        !cJSON_IsNull(params))
        return "must be an object of parameters by name";
    return NULL;
}

/* A copy of the id to answer with; NULL for a notification. */
static cJSON *
copy_id(const cJSON *request)
{
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(request, "id");
    bool good = cJSON_IsString(id) || cJSON_IsNumber(id) || cJSON_IsNull(id);
    return good ? cJSON_Duplicate(id, true) : NULL;
}

/* The parameters, taken out of the request; an empty object if none. */
static cJSON *
take_params(cJSON *request)
{
    cJSON *params = cJSON_DetachItemFromObjectCaseSensitive(request, "params");
    if (!params || cJSON_IsNull(params)) {
        cJSON_Delete(params);
        params = cJSON_CreateObject();
    }
    return params;
}

/* Refuses a well-formed request, unless it is a notification, which is never
 * answered. Takes `id`. */
static void
refuse_call(const struct place *place, cJSON *id, enum rpc_error code,
            const char *where, const char *value, const char *problem)
{
    if (id)
        refuse(place, id, code, where, value, problem);
    else
        place->rpc->stats.refused++;
}

static bool
check_params(const struct place *place, const struct method *method,
             cJSON *params, cJSON *id)
{
    char param[NAME_SHOWN_BYTES + 1] = "params";
    char problem[PROBLEM_BYTES];
    if (!cJSON_IsObject(params))
        snprintf(problem, sizeof problem,
                 "must be an object; give parameters by name");
    else if (rpc_params_check(method->params, params, param, sizeof param,
                              problem, sizeof problem))
        return true;
    refuse_call(place, id, RPC_PARAMS, "param", param, problem);
    return false;
}

/* Takes `id` and `params`, both checked. */
static void
run(const struct place *place, const struct method *method, cJSON *params,
    cJSON *id)
{
    struct rpc_call *call = calloc(1, sizeof *call);
    if (!call) {
        cJSON_Delete(params);
        refuse_call(place, id, RPC_LIMIT, NULL, NULL, "out of memory");
        return;
    }
    call->rpc = place->rpc;
    call->method = method;
    call->peer = *place->peer;
    call->batch = place->batch;
    call->id = id;
    call->params = params;
    if (call->batch)
        call->batch->open++;
    call_link(call);
    place->rpc->stats.calls++;
    place->rpc->stats.notifications += id == NULL;
    method->handler(method->arg, call, params);
}

/* Takes `params` (NULL: memory is out) and `id`. */
static void
call_method(const struct place *place, const struct method *method,
            cJSON *params, cJSON *id)
{
    if (!params)
        refuse_call(place, id, RPC_LIMIT, NULL, NULL, "out of memory");
    else if (check_params(place, method, params, id))
        run(place, method, params, id);
    else
        cJSON_Delete(params);
}

static void
dispatch(const struct place *place, cJSON *request)
{
    const char *where;
    const char *flaw = request_flaw(request, &where);
    cJSON *id = copy_id(request);
    if (flaw) {
        refuse(place, id, RPC_REQUEST, "member", where, flaw);
        return;
    }
    char name[NAME_SHOWN_BYTES + 1];
    const cJSON *asked = cJSON_GetObjectItemCaseSensitive(request, "method");
    const struct method *method = find_method(place->rpc, asked->valuestring);
    snprintf(name, sizeof name, "%s", asked->valuestring);
    if (!method) {
        refuse_call(place, id, RPC_METHOD, "method", name,
                    "is not known; see ipc/control.md");
    } else if (place->rpc->stopping) {
        refuse_call(place, id, RPC_SHUTDOWN, "method", name,
                    "comes too late, the gateway is stopping");
    } else if (!room_for(place->rpc, place->peer)) {
        refuse_call(place, id, RPC_LIMIT, "method", name,
                    "would be one call too many that waits; await some "
                    "answers first");
    } else {
        call_method(place, method, take_params(request), id);
    }
}

/* ---- documents ---- */

static void
receive_batch(struct rpc *rpc, const struct rpc_peer *peer, cJSON *requests)
{
    cJSON *request;
    struct place alone = {rpc, peer, NULL};
    int count = cJSON_GetArraySize(requests);
    if (count == 0 || count > RPC_BATCH_MAX) {
        refuse(&alone, NULL, RPC_REQUEST, "member", "batch",
               count ? "holds too many requests; use at most 64"
                     : "is empty; leave it out");
        return;
    }
    struct batch *batch = calloc(1, sizeof *batch);
    if (!batch) {
        refuse(&alone, NULL, RPC_LIMIT, NULL, NULL, "out of memory");
        return;
    }
    batch->peer = *peer;
    batch->answers = cJSON_CreateArray();
    batch->open = 1;
    struct place place = {rpc, &batch->peer, batch};
    cJSON_ArrayForEach(request, requests) dispatch(&place, request);
    batch_release(rpc, batch);
}

static void
refuse_text(const struct place *place, const char *flaw, size_t offset)
{
    char message[PROBLEM_BYTES];
    cJSON *data = cJSON_CreateObject();
    place->rpc->stats.refused++;
    jsonx_add_text(data, "problem", flaw);
    cJSON_AddNumberToObject(data, "offset", (double)offset);
    snprintf(message, sizeof message, "%s: %s, at byte %zu",
             error_name(RPC_PARSE), flaw, offset);
    put_error(place, NULL, RPC_PARSE, message, data);
}

void
rpc_receive(struct rpc *rpc, const struct rpc_peer *peer, const char *text,
            size_t text_bytes)
{
    struct place place = {rpc, peer, NULL};
    const char *flaw;
    size_t offset;
    if (text_bytes > RPC_MESSAGE_BYTES_MAX) {
        refuse(&place, NULL, RPC_REQUEST, "member", "request",
               "is too long; use at most 1048576 bytes");
        return;
    }
    cJSON *json = jsonx_parse(text, text_bytes, &offset, &flaw);
    if (!json)
        refuse_text(&place, flaw, offset);
    else if (cJSON_IsArray(json))
        receive_batch(rpc, peer, json);
    else
        dispatch(&place, json);
    cJSON_Delete(json);
}

void
rpc_refuse(struct rpc *rpc, const struct rpc_peer *peer, const char *problem)
{
    struct place place = {rpc, peer, NULL};
    refuse(&place, NULL, RPC_REQUEST, NULL, NULL, problem);
}

/* ---- the whole ---- */

struct rpc *
rpc_new(rpc_send_fn *send, void *send_arg)
{
    struct rpc *rpc = calloc(1, sizeof *rpc);
    if (!rpc)
        return NULL;
    rpc->send = send;
    rpc->send_arg = send_arg;
    return rpc;
}

void
rpc_shutdown(struct rpc *rpc)
{
    rpc->stopping = true;
    while (rpc->calls) {
        struct rpc_call *call = rpc->calls;
        if (call->on_drop)
            call->on_drop(call->on_drop_arg, call);
        rpc_fail(call, RPC_SHUTDOWN, NULL,
                 "%s: the gateway stopped before %s was done",
                 error_name(RPC_SHUTDOWN), call->method->name);
    }
}

void
rpc_free(struct rpc **rpc)
{
    if (!*rpc)
        return;
    rpc_shutdown(*rpc);
    free((*rpc)->methods);
    free(*rpc);
    *rpc = NULL;
}

enum vr_status
rpc_register(struct rpc *rpc, const char *name, const char *params,
             rpc_handler_fn *handler, void *arg)
{
    if (find_method(rpc, name) || !rpc_params_valid(params))
        return VR_INVALID;
    /* Calls point at their method: none may be open while these move. */
    if (rpc->calls)
        return VR_STATE;
    struct method *methods =
        realloc(rpc->methods, (rpc->method_count + 1) * sizeof *rpc->methods);
    if (!methods)
        return VR_NO_MEMORY;
    methods[rpc->method_count++] = (struct method){name, params, handler, arg};
    rpc->methods = methods;
    return VR_OK;
}

struct rpc_stats
rpc_stats(const struct rpc *rpc)
{
    return rpc->stats;
}

#include "tools/mcp/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/mcp/journal.h"
#include "tools/mcp/message.h"

#define INITIALIZE_MS 20000
#define LIST_MS 20000
#define PAGES_MAX 100
#define CURSOR_MAX_BYTES 4096
#define CALLS_MAX 1024

enum client_state {
    CLIENT_GREETING, /* initialize was sent; calls wait */
    CLIENT_LISTING,  /* its first list is read; calls wait */
    CLIENT_READY,
    CLIENT_DOWN,
};

struct call {
    struct call *next;
    uint64_t id;
    char *text; /* until it was answered: it may have to be sent again */
    bool sent;
    bool again; /* it was */
};

struct client {
    struct transport *transport;
    struct client_events events;
    struct catalog *catalog;
    uv_timer_t timer; /* for the handshake and lists */
    int handles;
    enum client_state state;
    bool closing;
    bool has_tools;
    uint64_t last_id;
    uint64_t initialize_id; /* 0: none is on its way */
    uint64_t list_id;
    bool list_again; /* it changed while it was read */
    unsigned pages;
    char *cursor;
    struct call *calls;
    size_t calls_count;
};

/* ---- calls ----------------------------------------------------------------------- */

static struct call **
find(struct client *c, uint64_t id)
{
    struct call **place = &c->calls;

    while (*place && (*place)->id != id)
        place = &(*place)->next;
    return *place ? place : NULL;
}

static void
take_out(struct client *c, struct call **place)
{
    struct call *call = *place;

    *place = call->next;
    c->calls_count--;
    free(call->text);
    free(call);
}

static void
end_call(struct client *c, uint64_t id, const cJSON *result, const char *why)
{
    struct call **place = find(c, id);

    if (!place)
        return;
    take_out(c, place);
    c->events.on_answer(c->events.arg, id, result, why);
}

static void
send_call(struct client *c, struct call *call)
{
    call->sent = true;
    transport_send(c->transport, call->id, strdup(call->text), TRANSPORT_ANY);
}

static void
send_waiting(struct client *c)
{
    for (struct call *call = c->calls; call; call = call->next) {
        if (!call->sent)
            send_call(c, call);
    }
}

uint64_t
client_call(struct client *c, const char *name, const cJSON *arguments,
            bool progress)
{
    struct call *call = NULL;
    struct call **last = &c->calls;

    if (c->state == CLIENT_DOWN || c->calls_count >= CALLS_MAX)
        return 0;
    call = calloc(1, sizeof *call);
    if (!call)
        return 0;
    call->id = ++c->last_id;
    call->text = message_call(call->id, name, arguments, progress);
    if (!call->text) {
        free(call);
        return 0;
    }
    while (*last)
        last = &(*last)->next;
    *last = call;
    c->calls_count++;
    if (c->state == CLIENT_READY)
        send_call(c, call);
    return call->id;
}

void
client_cancel(struct client *c, uint64_t id, const char *reason)
{
    struct call **place = find(c, id);
    bool sent = place && (*place)->sent;

    if (!place)
        return;
    take_out(c, place);
    if (sent && c->state != CLIENT_DOWN) {
        transport_send(c->transport, 0, message_cancelled(id, reason),
                       TRANSPORT_ANY);
        transport_forget(c->transport, id);
    }
}

/* ---- its end --------------------------------------------------------------------- */

static void
go_down(struct client *c, enum transport_end how, const char *why)
{
    if (c->state == CLIENT_DOWN)
        return;
    c->state = CLIENT_DOWN;
    uv_timer_stop(&c->timer);
    while (c->calls)
        end_call(c, c->calls->id, NULL, why);
    c->events.on_down(c->events.arg, how, why);
}

static void
on_gone(struct client *c)
{
    struct client_events events = c->events;

    if (--c->handles > 0)
        return;
    while (c->calls)
        take_out(c, &c->calls);
    free(c->cursor);
    free(c);
    events.on_closed(events.arg);
}

static void
on_timer_closed(uv_handle_t *handle)
{
    on_gone(handle->data);
}

static void
on_transport_closed(void *arg)
{
    on_gone(arg);
}

void
client_close(struct client *c)
{
    if (c->closing)
        return;
    c->closing = true;
    c->state = CLIENT_DOWN;
    uv_close((uv_handle_t *)&c->timer, on_timer_closed);
    transport_close(c->transport);
}

/* ---- handshake --------------------------------------------------------------------- */

static void
on_late(uv_timer_t *timer)
{
    struct client *c = timer->data;
    char why[160];

    if (c->state == CLIENT_READY) {
        journal(VOXRING_LOG_WARN, "the MCP server did not answer tools/list "
                                  "within 20 s: its tools stay as they were");
        c->list_id = 0;
        return;
    }
    snprintf(why, sizeof why,
             "the MCP server did not answer %s within 20 s; is it one, and is "
             "its command right?",
             c->state == CLIENT_GREETING ? "initialize" : "tools/list");
    go_down(c, TRANSPORT_DIED, why);
}

static void
greet(struct client *c)
{
    c->state = CLIENT_GREETING;
    c->list_id = 0;
    c->initialize_id = ++c->last_id;
    uv_timer_start(&c->timer, on_late, INITIALIZE_MS, 0);
    transport_send(c->transport, c->initialize_id,
                   message_initialize(c->initialize_id), TRANSPORT_IN_TURN);
}

static void
ask_list(struct client *c)
{
    c->list_id = ++c->last_id;
    uv_timer_start(&c->timer, on_late, LIST_MS, 0);
    transport_send(c->transport, c->list_id,
                   message_list(c->list_id, c->cursor), TRANSPORT_ANY);
}

static void
begin_list(struct client *c)
{
    c->pages = 0;
    c->list_again = false;
    free(c->cursor);
    c->cursor = NULL;
    catalog_begin(c->catalog);
    ask_list(c);
}

static void
become_ready(struct client *c)
{
    c->state = CLIENT_READY;
    send_waiting(c);
    c->events.on_ready(c->events.arg);
}

static void
end_list(struct client *c)
{
    bool changed = catalog_end(c->catalog);

    uv_timer_stop(&c->timer);
    c->list_id = 0;
    if (changed)
        c->events.on_tools(c->events.arg);
    if (c->state == CLIENT_LISTING)
        become_ready(c);
    if (c->list_again && c->state == CLIENT_READY)
        begin_list(c);
}

/* True if there is another page, at `cursor` from now on. */
static bool
turn_page(struct client *c, const cJSON *result)
{
    const cJSON *next = cJSON_GetObjectItemCaseSensitive(result, "nextCursor");

    if (!cJSON_IsString(next) || next->valuestring[0] == '\0')
        return false;
    if (++c->pages >= PAGES_MAX ||
        strlen(next->valuestring) > CURSOR_MAX_BYTES ||
        (c->cursor && strcmp(c->cursor, next->valuestring) == 0)) {
        journal(VOXRING_LOG_WARN,
                "the MCP server's list of tools does not end; what was read "
                "of it is taken");
        return false;
    }
    free(c->cursor);
    c->cursor = strdup(next->valuestring);
    return c->cursor != NULL;
}

static void
on_page(struct client *c, const cJSON *result)
{
    catalog_add(c->catalog, cJSON_GetObjectItemCaseSensitive(result, "tools"));
    if (turn_page(c, result))
        ask_list(c);
    else
        end_list(c);
}

static void
on_initialized(struct client *c, const cJSON *result)
{
    struct message_server server;
    char why[200];

    c->initialize_id = 0;
    if (!message_read_server(&server, result, why, sizeof why)) {
        go_down(c, TRANSPORT_REFUSED, why);
        return;
    }
    journal(VOXRING_LOG_INFO, "the MCP server is %.100s %.40s, revision %s",
            server.name, server.release, server.version);
    c->has_tools = server.has_tools;
    transport_ready(c->transport, server.version);
    transport_send(c->transport, 0,
                   message_notification("notifications/initialized"),
                   TRANSPORT_IN_TURN);
    c->state = CLIENT_LISTING;
    if (c->has_tools) {
        begin_list(c);
        return;
    }
    journal(VOXRING_LOG_WARN, "the MCP server has no tools");
    catalog_begin(c->catalog);
    end_list(c);
}

/* ---- what comes -------------------------------------------------------------------- */

static void
on_failed_handshake(struct client *c, const char *what, const char *why,
                    enum transport_end how)
{
    char sentence[1300];

    snprintf(sentence, sizeof sentence, "%s failed: %s", what, why);
    go_down(c, how, sentence);
}

static void
on_failed_list(struct client *c, const char *why, enum transport_end how)
{
    if (c->state == CLIENT_READY) {
        journal(VOXRING_LOG_WARN,
                "tools/list failed: %s; the tools stay as they were", why);
        uv_timer_stop(&c->timer);
        c->list_id = 0;
    } else {
        on_failed_handshake(c, "tools/list", why, how);
    }
}

static void
on_result(struct client *c, const struct message *m)
{
    transport_forget(c->transport, m->id);
    if (m->id != 0 && m->id == c->initialize_id)
        on_initialized(c, m->body);
    else if (m->id != 0 && m->id == c->list_id)
        on_page(c, m->body);
    else
        end_call(c, m->id, m->body, NULL);
}

static void
on_error(struct client *c, const struct message *m)
{
    char why[1100];

    transport_forget(c->transport, m->id);
    snprintf(why, sizeof why, "%.1000s (code %d)", m->text, m->code);
    if (m->id != 0 && m->id == c->initialize_id)
        on_failed_handshake(c, "initialize", why, TRANSPORT_DIED);
    else if (m->id != 0 && m->id == c->list_id)
        on_failed_list(c, why, TRANSPORT_DIED);
    else if (m->id != 0)
        end_call(c, m->id, NULL, why);
    else
        journal(VOXRING_LOG_WARN, "the MCP server sent an error: %s", why);
}

/* ---- what is too long -------------------------------------------------------------- */

/* The request's answer was skipped and will not come again. */
static void
fail_overlong(struct client *c, uint64_t id, const char *why)
{
    char sentence[400];

    if (id != 0 && id == c->initialize_id) {
        on_failed_handshake(c, "initialize", why, TRANSPORT_REFUSED);
    } else if (id != 0 && id == c->list_id) {
        snprintf(sentence, sizeof sentence,
                 "%s; the server has to list its tools in pages, fewer of "
                 "them, or with shorter descriptions",
                 why);
        on_failed_list(c, sentence, TRANSPORT_REFUSED);
    } else {
        snprintf(sentence, sizeof sentence,
                 "%s; ask it for less, such as a part or a page", why);
        end_call(c, id, NULL, sentence);
    }
}

/* It cannot be told whose answer it was: all that the server has to answer
 * fail, and it is told to leave them. */
static void
fail_all_overlong(struct client *c, const char *why)
{
    struct call **place = &c->calls;

    if (c->initialize_id != 0)
        fail_overlong(c, c->initialize_id, why);
    else if (c->list_id != 0)
        fail_overlong(c, c->list_id, why);
    while (c->state != CLIENT_DOWN && *place) {
        uint64_t id = (*place)->id;
        if (!(*place)->sent) {
            place = &(*place)->next;
            continue;
        }
        transport_send(c->transport, 0,
                       message_cancelled(id, "the answer may be lost"),
                       TRANSPORT_ANY);
        transport_forget(c->transport, id);
        fail_overlong(c, id, why);
    }
}

/* A request of the server waits for an answer, whatever is in it. */
static void
refuse_overlong(struct client *c, const struct outline *outline)
{
    cJSON *raw_id = outline_raw_id(outline);

    if (raw_id)
        transport_send(c->transport, 0,
                       message_refusal(raw_id, MESSAGE_INVALID_REQUEST,
                                       "the request is too long"),
                       TRANSPORT_ANY);
    cJSON_Delete(raw_id);
}

static void
on_overlong(void *arg, const struct outline *outline, size_t bytes)
{
    struct client *c = arg;
    char why[200];

    if (c->state == CLIENT_DOWN)
        return;
    switch (outline_kind(outline)) {
    case OUTLINE_ANSWER:
        snprintf(why, sizeof why,
                 "the MCP server's answer has %zu bytes, more than the %zu "
                 "that are read of one",
                 bytes, MESSAGE_MAX_BYTES);
        transport_forget(c->transport, outline_id(outline));
        fail_overlong(c, outline_id(outline), why);
        break;
    case OUTLINE_UNKNOWN:
        snprintf(why, sizeof why,
                 "the MCP server sent %zu bytes, more than the %zu that are "
                 "read of an answer, and it may have been the one to this",
                 bytes, MESSAGE_MAX_BYTES);
        fail_all_overlong(c, why);
        break;
    case OUTLINE_BY_ITSELF:
        refuse_overlong(c, outline);
        break;
    case OUTLINE_NO_MESSAGE:
        break;
    }
}

/* ---- what it asks and says by itself ------------------------------------------------ */

/* No server asks for that: it is what a program such as cat answers. */
static bool
is_echo(const struct client *c, const struct message *m)
{
    return c->initialize_id != 0 && strcmp(m->text, "initialize") == 0 &&
           message_own_id(m->raw_id) == c->initialize_id;
}

/* Sampling, elicitation and roots were not offered; whoever asks all the same
 * gets told. */
static void
on_request(struct client *c, const struct message *m)
{
    char *answer;

    if (is_echo(c, m)) {
        on_failed_handshake(c, "initialize",
                            "what came back was the request itself; is it an "
                            "MCP server, and is its command or url right?",
                            TRANSPORT_REFUSED);
        return;
    }
    if (strcmp(m->text, "ping") == 0)
        answer = message_empty_result(m->raw_id);
    else
        answer = message_refusal(m->raw_id, MESSAGE_UNKNOWN_METHOD,
                                 "voxring does not offer this");
    transport_send(c->transport, 0, answer, TRANSPORT_ANY);
}

static int
level_of(const char *name)
{
    static const char *const errors[] = {"error", "critical", "alert",
                                         "emergency"};

    for (size_t i = 0; name && i < sizeof errors / sizeof errors[0]; i++)
        if (strcmp(name, errors[i]) == 0)
            return VOXRING_LOG_ERROR;
    if (name && strcmp(name, "warning") == 0)
        return VOXRING_LOG_WARN;
    return name && strcmp(name, "debug") == 0 ? VOXRING_LOG_DEBUG
                                              : VOXRING_LOG_INFO;
}

static void
on_log(const cJSON *params)
{
    const cJSON *level = cJSON_GetObjectItemCaseSensitive(params, "level");
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(params, "data");
    char *text =
        cJSON_IsString(data) || !data ? NULL : cJSON_PrintUnformatted(data);

    if (text || cJSON_IsString(data))
        journal(level_of(cJSON_GetStringValue(level)), "server: %s",
                text ? text : data->valuestring);
    cJSON_free(text);
}

static void
on_notification(struct client *c, const struct message *m)
{
    const cJSON *token =
        cJSON_GetObjectItemCaseSensitive(m->body, "progressToken");

    if (strcmp(m->text, "notifications/progress") == 0) {
        if (cJSON_IsNumber(token) && token->valuedouble >= 1 &&
            token->valuedouble < 9e15 && find(c, (uint64_t)token->valuedouble))
            c->events.on_progress(c->events.arg, (uint64_t)token->valuedouble,
                                  m->body);
    } else if (strcmp(m->text, "notifications/message") == 0) {
        on_log(m->body);
    } else if (strcmp(m->text, "notifications/tools/list_changed") == 0) {
        if (c->list_id != 0)
            c->list_again = true;
        else if (c->state == CLIENT_READY)
            begin_list(c);
    }
}

static void
on_one(struct client *c, const cJSON *item)
{
    struct message m;

    if (c->state == CLIENT_DOWN)
        return;
    message_read(&m, item);
    switch (m.kind) {
    case MESSAGE_RESULT:
        on_result(c, &m);
        break;
    case MESSAGE_ERROR:
        on_error(c, &m);
        break;
    case MESSAGE_REQUEST:
        on_request(c, &m);
        break;
    case MESSAGE_NOTIFICATION:
        on_notification(c, &m);
        break;
    case MESSAGE_MALFORMED:
        journal(VOXRING_LOG_WARN, "a message of the server is skipped: %s",
                m.why);
        break;
    }
}

static void
on_message(void *arg, char *bytes, size_t count)
{
    struct client *c = arg;
    cJSON *root = message_parse(bytes, count);
    const cJSON *item;
    int n = 0;

    if (!root) {
        journal(VOXRING_LOG_WARN,
                "a message of the server is skipped: it is no JSON");
    } else if (cJSON_IsArray(root)) {
        cJSON_ArrayForEach(item, root)
        {
            if (n++ < MESSAGE_BATCH_MAX)
                on_one(c, item);
        }
    } else {
        on_one(c, root);
    }
    cJSON_Delete(root);
}

/* ---- what fails -------------------------------------------------------------------- */

/* The session ended at the server: a new one begins. The request that found
 * it out goes out once more then. */
static void
on_session_lost(struct client *c, uint64_t id, const char *why)
{
    struct call **place = find(c, id);

    if (place && (*place)->again) {
        end_call(c, id, NULL, why);
    } else if (place) {
        (*place)->again = true;
        (*place)->sent = false;
    }
    if (c->state != CLIENT_READY)
        return;
    journal(VOXRING_LOG_INFO, "the MCP server ended the session: a new one "
                              "begins");
    transport_restart(c->transport);
    greet(c);
}

static void
on_failure(void *arg, uint64_t id, enum transport_failure failure,
           const char *why)
{
    struct client *c = arg;
    enum transport_end how =
        failure == TRANSPORT_UNAUTHORIZED ? TRANSPORT_REFUSED : TRANSPORT_DIED;

    if (c->state == CLIENT_DOWN)
        return;
    if (failure == TRANSPORT_OVERLONG)
        fail_overlong(c, id, why);
    else if (id != 0 && id == c->initialize_id)
        on_failed_handshake(c, "initialize", why, how);
    else if (id != 0 && id == c->list_id && c->state != CLIENT_READY)
        on_failed_list(c, why, how);
    else if (failure == TRANSPORT_SESSION_LOST)
        on_session_lost(c, id, why);
    else if (id != 0 && id == c->list_id)
        on_failed_list(c, why, how);
    else
        end_call(c, id, NULL, why);
}

static void
on_end(void *arg, enum transport_end how, const char *why)
{
    go_down(arg, how, why);
}

struct client *
client_open(uv_loop_t *loop, const struct setup *setup, struct catalog *catalog,
            const struct client_events *events, char *why, size_t why_size)
{
    struct client *c = calloc(1, sizeof *c);
    struct transport_events transport_events = {
        .arg = c,
        .on_message = on_message,
        .on_overlong = on_overlong,
        .on_failure = on_failure,
        .on_end = on_end,
        .on_closed = on_transport_closed,
    };

    if (!c) {
        snprintf(why, why_size, "memory is out");
        return NULL;
    }
    c->transport =
        transport_open(loop, setup, &transport_events, why, why_size);
    if (!c->transport) {
        free(c);
        return NULL;
    }
    c->events = *events;
    c->catalog = catalog;
    uv_timer_init(loop, &c->timer);
    c->timer.data = c;
    c->handles = 2;
    greet(c);
    return c;
}

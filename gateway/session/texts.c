#include "gateway/session/texts.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/clock.h"
#include "gateway/jsonx.h"

/* A text whose answer nobody waits for still takes the next response, unless
 * none comes for so long. */
#define UNANSWERED_NS (30 * CLOCK_NS_PER_S)

static void
caller_gone(void *arg, struct rpc_call *call)
{
    struct texts *t = arg;
    for (size_t i = 0; i < t->count; i++) {
        if (t->entries[i].call == call)
            t->entries[i].call = NULL;
    }
}

static void
drop(struct texts *t, size_t index)
{
    free(t->entries[index].text);
    memmove(&t->entries[index], &t->entries[index + 1],
            (t->count - index - 1) * sizeof t->entries[0]);
    t->count--;
}

static bool
forget_oldest(struct texts *t)
{
    for (size_t i = 0; i < t->count; i++) {
        if (t->entries[i].sent && !t->entries[i].call) {
            drop(t, i);
            return true;
        }
    }
    return false;
}

enum vr_status
texts_add(struct texts *t, const char *text, bool silent, bool wait_response,
          uint64_t deadline_ns, struct rpc_call *call)
{
    if (t->count == TEXTS_MAX && !forget_oldest(t))
        return VR_LIMIT;
    char *copy = strdup(text);
    if (!copy)
        return VR_NO_MEMORY;
    t->entries[t->count++] = (struct text_entry){.text = copy,
                                                 .call = call,
                                                 .silent = silent,
                                                 .wait_response = wait_response,
                                                 .deadline_ns = deadline_ns};
    if (call)
        rpc_call_on_drop(call, caller_gone, t);
    return VR_OK;
}

enum vr_status
texts_add_known(struct texts *t, const char *text, bool told)
{
    enum vr_status status = texts_add(t, text, false, false, UINT64_MAX, NULL);
    if (status != VR_OK)
        return status;
    struct text_entry entry = t->entries[t->count - 1];
    entry.known = true;
    entry.told = told;
    memmove(&t->entries[1], &t->entries[0],
            (t->count - 1) * sizeof t->entries[0]);
    t->entries[0] = entry;
    return VR_OK;
}

enum vr_status
texts_add_quiet(struct texts *t, const char *text)
{
    enum vr_status status = texts_add(t, text, true, false, UINT64_MAX, NULL);
    if (status == VR_OK)
        t->entries[t->count - 1].when_quiet = true;
    return status;
}

struct text_entry *
texts_next(struct texts *t, bool quiet)
{
    for (size_t i = 0; i < t->count; i++) {
        struct text_entry *e = &t->entries[i];
        if (!e->sent && (quiet || !e->when_quiet))
            return e;
    }
    return NULL;
}

static void
unsend(struct text_entry *e, bool accepted)
{
    e->sent = false;
    e->again = e->again || accepted;
    e->response_id = 0;
    if (!e->call)
        e->deadline_ns = UINT64_MAX;
}

static void
give_up(struct texts *t, size_t index)
{
    struct text_entry *e = &t->entries[index];
    if (e->call)
        rpc_fail(e->call, RPC_CLOSED, NULL,
                 "Two streams were lost before an answer began; say it again");
    drop(t, index);
}

void
texts_unsend(struct texts *t, uint64_t begun, bool accepted)
{
    for (size_t i = t->count; i-- > 0;) {
        struct text_entry *e = &t->entries[i];
        bool open = !e->response_id || (begun && e->response_id == begun);
        if (e->sent && open && e->again && accepted)
            give_up(t, i);
        else if (e->sent && open)
            unsend(e, accepted);
    }
}

bool
texts_hold(const struct texts *t, const char *text)
{
    for (size_t i = 0; i < t->count; i++) {
        if (!t->entries[i].sent && !strcmp(t->entries[i].text, text))
            return true;
    }
    return false;
}

bool
texts_again(const struct texts *t)
{
    for (size_t i = 0; i < t->count; i++) {
        if (!t->entries[i].sent && (t->entries[i].told || t->entries[i].known))
            return true;
    }
    return false;
}

bool
texts_awaiting(const struct texts *t, uint64_t now_ns, uint64_t patience_ns)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct text_entry *e = &t->entries[i];
        if (e->sent && !e->response_id && now_ns < e->sent_ns + patience_ns)
            return true;
    }
    return false;
}

void
texts_sent(struct text_entry *entry, uint64_t now_ns)
{
    entry->sent = true;
    entry->told = true;
    entry->known = true;
    entry->sent_ns = now_ns;
    if (entry->call && !entry->wait_response) {
        cJSON *result = cJSON_CreateObject();
        cJSON_AddBoolToObject(result, "accepted", true);
        rpc_reply(entry->call, result);
        entry->call = NULL;
    }
    if (!entry->call && now_ns + UNANSWERED_NS < entry->deadline_ns)
        entry->deadline_ns = now_ns + UNANSWERED_NS;
}

void
texts_refuse(struct texts *t, struct text_entry *entry, enum vr_status why)
{
    if (entry->call)
        rpc_fail(entry->call, rpc_error_of(why), NULL,
                 "The text could not be sent: %s", vr_status_text(why));
    drop(t, (size_t)(entry - t->entries));
}

void
texts_response_started(struct texts *t, uint64_t response_id)
{
    for (size_t i = 0; i < t->count; i++) {
        struct text_entry *e = &t->entries[i];
        if (!e->sent || e->response_id)
            continue;
        e->response_id = response_id;
        return;
    }
}

static cJSON *
answer(const struct response *r)
{
    const char *said =
        r->spoken.bytes ? strbuf_text(&r->spoken) : strbuf_text(&r->planned);
    cJSON *result = cJSON_CreateObject();
    cJSON_AddBoolToObject(result, "accepted", true);
    jsonx_add_u64(result, "response", r->id);
    jsonx_add_u64(result, "turn", r->turn_id);
    jsonx_add_text(result, "status", response_status_name(r->status));
    jsonx_add_text(result, "text", said);
    return result;
}

void
texts_response_ended(struct texts *t, const struct response *r)
{
    for (size_t i = t->count; i-- > 0;) {
        struct text_entry *e = &t->entries[i];
        if (!e->sent || e->response_id != r->id)
            continue;
        if (e->call)
            rpc_reply(e->call, answer(r));
        drop(t, i);
    }
}

static void
expire(struct text_entry *e)
{
    cJSON *data = cJSON_CreateObject();
    cJSON_AddBoolToObject(data, "sent", e->sent);
    if (e->response_id)
        jsonx_add_u64(data, "response", e->response_id);
    rpc_fail(e->call, RPC_TIMEOUT, data, "%s",
             !e->sent ? "The stream was not ready in time; the text was not "
                        "sent. Ask session.get for its state"
             : e->response_id
                 ? "The model's response began but did not end in time"
                 : "The text was sent, but no response began in time");
    e->call = NULL;
}

uint64_t
texts_expire(struct texts *t, uint64_t now_ns)
{
    uint64_t next_ns = UINT64_MAX;
    for (size_t i = t->count; i-- > 0;) {
        struct text_entry *e = &t->entries[i];
        if (now_ns < e->deadline_ns) {
            if (e->deadline_ns < next_ns)
                next_ns = e->deadline_ns;
            continue;
        }
        if (e->call)
            expire(e);
        drop(t, i);
    }
    return next_ns;
}

void
texts_fail(struct texts *t, const char *why)
{
    while (t->count) {
        struct text_entry *e = &t->entries[t->count - 1];
        if (e->call)
            rpc_fail(e->call, RPC_CLOSED, NULL, "%s", why);
        drop(t, t->count - 1);
    }
}

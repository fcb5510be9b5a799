/* What workers say to a broker. */
#include "gateway/toolbroker/broker_internal.h"

#include <stdlib.h>

#include "gateway/log.h"
#include "gateway/toolbroker/provider_talk.h"
#include "gateway/toolbroker/worker_message.h"

static void
answer(struct broker *b, const struct router_peer *peer, char *text)
{
    if (!text || router_send(b->router, peer, text) != VR_OK)
        b->counters.unsent_total++;
    free(text);
}

static struct worker *
worker_of_peer(const struct broker *b, const struct router_peer *peer)
{
    for (const struct provider *p = b->providers; p; p = p->next) {
        struct worker *w = provider_talk_find_peer(p, peer);
        if (w)
            return w;
    }
    return NULL;
}

static struct worker *
worker_of_token(const struct broker *b, const char *token)
{
    for (const struct provider *p = b->providers; token && p; p = p->next) {
        struct worker *w = provider_talk_find_token(p, token);
        if (w)
            return w;
    }
    return NULL;
}

/* Only children of this gateway may offer tools: they alone have a token. */
static void
on_stranger(struct broker *b, const struct router_peer *peer,
            const struct worker_message *m)
{
    struct worker *w;

    if (m->kind == WORKER_HELLO) {
        w = worker_of_token(b, m->token);
        if (w) {
            provider_talk_hello(w, peer, m);
            return;
        }
        b->counters.refused_workers_total++;
        log_warn(tools, NULL, "a worker without a valid token was refused");
        answer(b, peer,
               worker_message_error(
                   m->id, WORKER_ERROR_REFUSED,
                   "This gateway takes tools from its plugin folder only; "
                   "put a plugin there (plugins.path in its config)"));
        return;
    }
    b->counters.malformed_total++;
    if (m->id)
        answer(
            b, peer,
            worker_message_error(m->id, WORKER_ERROR_INVALID,
                                 m->why ? m->why : "Say voxring/hello first"));
}

static void
on_progress(struct broker *b, const struct worker *w,
            const struct worker_message *m)
{
    const struct toolcall *call = toolcall_find(&b->calls, m->call_id);

    if (!call || call->worker != w) {
        b->counters.late_results_total++;
        return;
    }
    if (!b->closing && b->callbacks.on_progress)
        b->callbacks.on_progress(b->callbacks.arg, m->call_id, m->done,
                                 m->total, m->text);
}

void
broker_on_message(void *arg, const struct router_peer *peer, const char *bytes,
                  size_t bytes_count)
{
    struct broker *b = arg;
    struct worker *w = worker_of_peer(b, peer);
    struct worker_message m;

    worker_message_read(&m, bytes, bytes_count);
    if (!w)
        on_stranger(b, peer, &m);
    else if (m.kind == WORKER_PROGRESS)
        on_progress(b, w, &m);
    else
        provider_talk_message(w, &m);
    worker_message_fini(&m);
}

void
broker_on_malformed(void *arg, const struct router_peer *peer)
{
    struct broker *b = arg;

    (void)peer;
    b->counters.malformed_total++;
}

/* What workers say to a broker. */
#include "gateway/toolbroker/broker_internal.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/clock.h"
#include "gateway/toolbroker/provider_talk.h"
#include "gateway/toolbroker/remote.h"
#include "gateway/toolbroker/worker_message.h"

/* A hello, the only thing that a stranger has to say, is smaller. */
#define STRANGER_MAX_BYTES (16 * 1024)

/* Progress of one provider's calls that is passed on in a second. */
#define PROGRESS_MAX 100

void
broker_answer(struct broker *b, const struct router_peer *peer, char *text)
{
    if (b->router && (!text || router_send(b->router, peer, text) != VR_OK))
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

/* Somebody who is no worker, or not any more. */
static void
on_stranger(struct broker *b, const struct router_peer *peer,
            const struct worker_message *m)
{
    struct worker *w;

    if (m->kind == WORKER_HELLO) {
        w = worker_of_token(b, m->token);
        if (w)
            provider_talk_hello(w, peer, m);
        else
            broker_hello(b, peer, m);
        return;
    }
    b->counters.malformed_total++;
    if (m->kind == WORKER_BYE || (m->kind == WORKER_MALFORMED && !m->id))
        return;
    broker_answer(
        b, peer,
        m->kind == WORKER_MALFORMED
            ? worker_message_error(m->id, WORKER_ERROR_INVALID, m->why)
            : worker_message_error(m->id, WORKER_ERROR_HELLO,
                                   "Say voxring/hello first"));
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
    if (!provider_rate_take(&w->provider->progress, PROGRESS_MAX,
                            clock_mono_ns()))
        b->counters.progress_dropped_total++;
    else if (!b->closing && b->callbacks.on_progress)
        b->callbacks.on_progress(b->callbacks.arg, m->call_id, m->done,
                                 m->total, m->text);
}

static void
on_bye(struct broker *b, struct worker *w, const struct router_peer *peer,
       const struct worker_message *m)
{
    if (m->id)
        broker_answer(b, peer, worker_message_pong(m->id));
    /* a child's end is seen as such */
    if (!w->child)
        remote_bye(w);
}

/* A worker that has lost sight of us says hello again; under another name it is
 * another worker. */
static void
on_hello_again(struct broker *b, struct worker *w,
               const struct router_peer *peer, const struct worker_message *m)
{
    if (w->child) {
        b->counters.malformed_total++;
    } else if (strcmp(m->name, w->provider->name) == 0) {
        provider_talk_hello_again(w, m);
    } else {
        remote_bye(w);
        broker_hello(b, peer, m);
    }
}

static void
on_worker(struct broker *b, struct worker *w, const struct router_peer *peer,
          const struct worker_message *m)
{
    if (!w->child)
        remote_heard(w, clock_mono_ns());
    switch (m->kind) {
    case WORKER_HELLO:
        on_hello_again(b, w, peer, m);
        break;
    case WORKER_BYE:
        on_bye(b, w, peer, m);
        break;
    case WORKER_PROGRESS:
        on_progress(b, w, m);
        break;
    case WORKER_ASK:
        broker_ask(b, w, peer, m);
        break;
    default:
        provider_talk_message(w, m);
        break;
    }
}

void
broker_on_message(void *arg, const struct router_peer *peer, const char *bytes,
                  size_t bytes_count)
{
    struct broker *b = arg;
    struct worker *w = worker_of_peer(b, peer);
    struct worker_message m;

    if (!w && bytes_count > STRANGER_MAX_BYTES) {
        b->counters.malformed_total++;
        broker_answer(b, peer,
                      worker_message_error(NULL, WORKER_ERROR_HELLO,
                                           "Say voxring/hello first"));
        return;
    }
    worker_message_read(&m, bytes, bytes_count);
    if (w)
        on_worker(b, w, peer, &m);
    else
        on_stranger(b, peer, &m);
    worker_message_fini(&m);
}

void
broker_on_malformed(void *arg, const struct router_peer *peer)
{
    struct broker *b = arg;

    (void)peer;
    b->counters.malformed_total++;
}

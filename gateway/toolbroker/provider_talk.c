#include "gateway/toolbroker/provider_talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/log.h"
#include "gateway/toolbroker/provider_queue.h"

struct worker *
provider_talk_find_peer(const struct provider *p,
                        const struct router_peer *peer)
{
    for (struct worker *w = p->workers; w; w = w->next) {
        if (w->peer.count > 0 && w->peer.count == peer->count &&
            memcmp(w->peer.bytes, peer->bytes, peer->count) == 0)
            return w;
    }
    return NULL;
}

/* Takes as long for a nearly right token as for a wrong one. */
static bool
same_token(const char *a, const char *b)
{
    unsigned char difference = 0;

    if (strlen(a) != strlen(b))
        return false;
    for (size_t i = 0; a[i]; i++)
        difference |= (unsigned char)(a[i] ^ b[i]);
    return difference == 0;
}

struct worker *
provider_talk_find_token(const struct provider *p, const char *token)
{
    for (struct worker *w = p->workers; w; w = w->next) {
        if (w->state == WORKER_STARTING && same_token(w->token, token))
            return w;
    }
    return NULL;
}

void
provider_talk_send(struct worker *w, char *text)
{
    if (!text ||
        router_send(w->provider->context->router, &w->peer, text) != VR_OK)
        w->provider->context->counters->unsent_total++;
    free(text);
}

void
provider_talk_hello(struct worker *w, const struct router_peer *peer,
                    const struct worker_message *m)
{
    char reason[600];

    w->peer = *peer;
    if (m->protocol != WORKER_PROTOCOL) {
        snprintf(reason, sizeof reason,
                 "its toolhost speaks worker protocol %d, this gateway %d; "
                 "install both from one version of voxring",
                 m->protocol, WORKER_PROTOCOL);
        w->provider->ops->refuse_worker(w, reason);
        return;
    }
    provider_talk_send(w, worker_message_welcome(m->id, w->provider->name));
    if (m->text) {
        snprintf(reason, sizeof reason, "%.*s", (int)sizeof reason - 1,
                 m->text);
        w->provider->ops->refuse_worker(w, reason);
        return;
    }
    w->state = WORKER_LISTING;
    provider_talk_send(w, worker_message_list());
}

static void
on_listed(struct worker *w, const cJSON *result)
{
    struct tool_list list;
    char why[400];

    if (w->state != WORKER_LISTING)
        return;
    if (tool_list_read(&list, w->provider->name, result, why, sizeof why) !=
        VR_OK) {
        w->provider->ops->refuse_worker(w, why);
    } else {
        tool_list_settle(&list, w->provider->context->tool_settings,
                         w->provider->rule->timeout_s);
        w->provider->ops->listed(w, &list);
    }
}

static void
on_log(struct worker *w, const struct worker_message *m)
{
    const char *name = w->provider->name;

    if (strcmp(m->level, "error") == 0)
        log_error(tools, name, "%s", m->text);
    else if (strcmp(m->level, "warning") == 0)
        log_warn(tools, name, "%s", m->text);
    else if (strcmp(m->level, "debug") == 0)
        log_debug(tools, name, "%s", m->text);
    else
        log_info(tools, name, "%s", m->text);
}

void
provider_talk_message(struct worker *w, const struct worker_message *m)
{
    switch (m->kind) {
    case WORKER_LISTED:
        on_listed(w, m->body);
        break;
    case WORKER_RESULT:
        provider_queue_answer(w, m);
        break;
    case WORKER_FAILED:
        if (m->call_id != 0)
            provider_queue_answer(w, m);
        else if (w->state == WORKER_LISTING)
            w->provider->ops->refuse_worker(w, m->text);
        break;
    case WORKER_LOG:
        on_log(w, m);
        break;
    case WORKER_PING:
        provider_talk_send(w, worker_message_pong(m->id));
        break;
    case WORKER_REQUEST:
        provider_talk_send(
            w, worker_message_error(m->id, WORKER_ERROR_METHOD,
                                    "The gateway has no such method"));
        break;
    default:
        w->provider->context->counters->malformed_total++;
        break;
    }
}

#include "gateway/toolbroker/provider_talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/clock.h"
#include "gateway/log.h"
#include "gateway/toolbroker/provider_queue.h"

/* A list that changes all the time is asked for so often. */
#define LIST_AGAIN_NS (100 * CLOCK_NS_PER_MS)
/* Lines that one provider may log in a second. */
#define LINES_MAX 100

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

/* When its list may be asked for again, however often it changes. */
static uint64_t
list_due_ns(const struct worker *w)
{
    return w->list_ns + LIST_AGAIN_NS;
}

static void
ask_list(struct worker *w)
{
    const struct provider_context *context = w->provider->context;
    char *text = worker_message_list();

    w->list_ns = clock_mono_ns();
    w->list_asked =
        text && router_send(context->router, &w->peer, text) == VR_OK;
    w->list_stale = !w->list_asked;
    if (w->list_stale) {
        context->counters->unsent_total++;
        context->wake_at(context->arg, list_due_ns(w));
    }
    free(text);
}

static bool
can_list(const struct worker *w)
{
    return w->peer.count > 0 &&
           (w->state == WORKER_LISTING || w->state == WORKER_READY);
}

static void
ask_list_in_time(struct worker *w, uint64_t now_ns)
{
    const struct provider_context *context = w->provider->context;

    if (!can_list(w) || !w->list_stale || w->list_asked)
        return;
    if (now_ns >= list_due_ns(w))
        ask_list(w);
    else
        context->wake_at(context->arg, list_due_ns(w));
}

static void
on_changed(struct worker *w)
{
    w->list_stale = true;
    ask_list_in_time(w, clock_mono_ns());
}

uint64_t
provider_talk_tick(struct provider *p, uint64_t now_ns)
{
    uint64_t due_ns = UINT64_MAX;

    for (struct worker *w = p->workers; w; w = w->next) {
        ask_list_in_time(w, now_ns);
        if (can_list(w) && w->list_stale && !w->list_asked &&
            list_due_ns(w) < due_ns)
            due_ns = list_due_ns(w);
    }
    return due_ns;
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
    provider_talk_send(
        w, worker_message_welcome(m->id, w->provider->name,
                                  w->provider->context->worker_expires_ms));
    if (m->text) {
        snprintf(reason, sizeof reason, "%.*s", (int)sizeof reason - 1,
                 m->text);
        w->provider->ops->refuse_worker(w, reason);
        return;
    }
    w->state = WORKER_LISTING;
    ask_list(w);
}

void
provider_talk_hello_again(struct worker *w, const struct worker_message *m)
{
    provider_talk_send(
        w, worker_message_welcome(m->id, w->provider->name,
                                  w->provider->context->worker_expires_ms));
    w->list_asked = false;
    on_changed(w);
}

/* The first list decides whether the worker is of use; a later one that is
 * wrong leaves the one before it. */
static void
refuse_list(struct worker *w, const char *why)
{
    if (w->state == WORKER_LISTING) {
        w->provider->ops->refuse_worker(w, why);
        return;
    }
    log_warn(tools, w->provider->name,
             "its new list of tools is not used, the old one stays: %s", why);
}

static void
read_list(struct worker *w, const cJSON *result)
{
    struct provider *p = w->provider;
    struct tool_list list;
    char why[400];

    if (tool_list_read(&list, p->name, result, why, sizeof why) != VR_OK) {
        refuse_list(w, why);
        return;
    }
    tool_list_settle(&list, p->context->tool_settings, p->rule->timeout_s);
    p->ops->listed(w, &list);
}

/* The answer to tools/list; `result` NULL: an error, which says `why`. */
static void
on_listed(struct worker *w, const cJSON *result, const char *why)
{
    if (!w->list_asked) {
        w->provider->context->counters->malformed_total++;
        return;
    }
    w->list_asked = false;
    if (!can_list(w))
        return;
    if (!result)
        refuse_list(w, why);
    else if (w->provider->ops->take_list)
        w->provider->ops->take_list(w, result);
    else
        read_list(w, result);
    ask_list_in_time(w, clock_mono_ns());
}

static void
on_log(struct worker *w, const struct worker_message *m)
{
    const char *name = w->provider->name;

    if (!provider_rate_take(&w->provider->lines, LINES_MAX, clock_mono_ns()))
        w->provider->context->counters->output_lines_dropped_total++;
    else if (strcmp(m->level, "error") == 0)
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
        on_listed(w, m->body, NULL);
        break;
    case WORKER_RESULT:
        provider_queue_answer(w, m);
        break;
    case WORKER_FAILED:
        if (m->call_id != 0)
            provider_queue_answer(w, m);
        else
            on_listed(w, NULL, m->text);
        break;
    case WORKER_LOG:
        on_log(w, m);
        break;
    case WORKER_CHANGED:
        on_changed(w);
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

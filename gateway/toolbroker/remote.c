#include "gateway/toolbroker/remote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/clock.h"
#include "gateway/log.h"
#include "gateway/toolbroker/provider_queue.h"
#include "gateway/toolbroker/provider_talk.h"
#include "gateway/toolbroker/remote_tools.h"
#include "gateway/toolbroker/tool_content.h"

/* What a silent worker may have said while the loop was busy is read first. */
#define DOUBT_NS (50 * CLOCK_NS_PER_MS)

static bool
is_alive(const struct worker *w)
{
    return w->state == WORKER_LISTING || w->state == WORKER_READY;
}

size_t
remote_living(const struct provider *p)
{
    size_t count = 0;

    for (const struct worker *w = p->workers; w; w = w->next)
        count += is_alive(w);
    return count;
}

bool
remote_catches_all(const struct provider *p)
{
    for (const struct worker *w = p->workers; w; w = w->next) {
        if (w->catch_all)
            return true;
    }
    return false;
}

/* "the worker arm (pid 12)" */
static void
label(const struct worker *w, char *text, size_t text_size)
{
    snprintf(text, text_size,
             w->instance[0] ? "the worker %s (%s)" : "the worker %s",
             w->provider->name, w->instance);
}

static uint64_t
expires_ns(const struct worker *w)
{
    return w->heard_ns +
           w->provider->context->worker_expires_ms * CLOCK_NS_PER_MS;
}

static void
wake_at(const struct provider *p, uint64_t due_ns)
{
    p->context->wake_at(p->context->arg, due_ns);
}

/* ---- leaving ------------------------------------------------------------- */

static void
set_next_step(struct provider *p, bool tools_stay)
{
    p->next_step[0] = '\0';
    if (remote_living(p) > 0)
        snprintf(p->next_step, sizeof p->next_step,
                 "another process of that name takes its place");
    else if (tools_stay)
        snprintf(p->next_step, sizeof p->next_step,
                 "calls wait %u ms for a process of that name",
                 p->context->worker_grace_ms);
}

/* Its calls fail; the calls that wait are tried with another one. */
static void
bury(struct worker *w, const char *how, uint64_t tools_stay_ns)
{
    struct provider *p = w->provider;
    uint64_t now_ns = clock_mono_ns();

    w->state = WORKER_DEAD;
    w->peer.count = 0;
    w->due_ns = now_ns + tools_stay_ns;
    set_next_step(p, tools_stay_ns > 0);
    provider_queue_fail_worker(w, how);
    if (remote_living(p) == 0 && p->state == PROVIDER_READY)
        p->state = PROVIDER_WAITING;
    p->resend_ns = now_ns;
    wake_at(p, now_ns);
    wake_at(p, w->due_ns);
}

/* It did not say that it would leave. */
static void
die(struct worker *w, const char *fault)
{
    struct provider *p = w->provider;
    char who[160], how[320];

    if (!is_alive(w))
        return;
    label(w, who, sizeof who);
    snprintf(how, sizeof how, "%s is gone: %s", who, fault);
    bury(w, how, p->context->worker_grace_ms * CLOCK_NS_PER_MS);
    log_warn(tools, p->name, "%s; %s", how, p->next_step);
    p->context->counters->worker_deaths_total++;
    provider_notice(p, BROKER_CRASHED, NULL, how);
}

static void
leave_if_empty(struct provider *p)
{
    char reason[160];

    if (p->leaving || p->state == PROVIDER_STOPPED)
        return;
    snprintf(reason, sizeof reason,
             "The worker %s is not there any more; start it again", p->name);
    provider_leave(p, reason);
}

void
remote_bye(struct worker *w)
{
    struct provider *p = w->provider;
    char who[160], how[320];

    if (!is_alive(w))
        return;
    label(w, who, sizeof who);
    snprintf(how, sizeof how, "%s has left", who);
    log_info(tools, p->name, "%s", how);
    bury(w, how, 0);
    remote_tools_drop(w);
    if (remote_living(p) == 0)
        leave_if_empty(p);
    else
        remote_tools_unite(p);
}

void
remote_evict(struct provider *p, const char *reason)
{
    for (struct worker *w = p->workers; w; w = w->next) {
        if (!is_alive(w))
            continue;
        provider_talk_send(
            w, worker_message_error(NULL, WORKER_ERROR_REFUSED, reason));
        bury(w, reason, 0);
    }
    log_error(tools, p->name, "the worker is not used: %s", reason);
    provider_leave(p, reason);
    provider_notice(p, BROKER_REFUSED, NULL, reason);
}

static void
unlink_and_free(struct provider *p, struct worker *w)
{
    struct worker **at = &p->workers;

    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    worker_free(&w);
}

bool
remote_forget_dead(struct provider *p)
{
    struct worker *oldest = NULL;

    for (struct worker *w = p->workers; w; w = w->next) {
        if (w->state == WORKER_DEAD && (!oldest || w->due_ns < oldest->due_ns))
            oldest = w;
    }
    if (!oldest)
        return false;
    unlink_and_free(p, oldest);
    if (p->workers)
        remote_tools_unite(p);
    else
        leave_if_empty(p);
    return true;
}

/* ---- joining ------------------------------------------------------------- */

enum vr_status
remote_join(struct provider *p, const struct router_peer *peer,
            const struct worker_message *m)
{
    struct worker *w = worker_new(p);
    struct worker **at = &p->workers;

    if (!w)
        return VR_NO_MEMORY;
    snprintf(w->instance, sizeof w->instance, "%s",
             m->instance ? m->instance : "");
    tool_content_clean(w->instance);
    w->catch_all = m->catch_all && p->rule->catch_all;
    if (m->catch_all && !w->catch_all)
        log_warn(tools, p->name,
                 "it wants calls of names that nobody offers, and config does "
                 "not let it: set workers.rules.%s.catch_all",
                 p->name);
    w->heard_ns = clock_mono_ns();
    w->start_deadline_ns =
        w->heard_ns + p->context->start_timeout_ms * CLOCK_NS_PER_MS;
    while (*at)
        at = &(*at)->next;
    *at = w;
    p->context->counters->workers_total++;
    wake_at(p, expires_ns(w));
    provider_talk_hello(w, peer, m);
    return VR_OK;
}

void
remote_heard(struct worker *w, uint64_t now_ns)
{
    w->heard_ns = now_ns;
    w->doubt_ns = 0;
}

static void
take_list(struct worker *w, const cJSON *result)
{
    struct provider *p = w->provider;
    bool first = w->state == WORKER_LISTING;
    bool again = p->state == PROVIDER_WAITING;
    char why[400], who[160];

    label(w, who, sizeof who);
    if (remote_tools_take(w, result, why, sizeof why) != VR_OK) {
        log_warn(tools, p->name, "the tools of %s are not used: %s", who, why);
        if (first)
            provider_notice(p, BROKER_REFUSED, NULL, why);
    }
    if (!is_alive(w))
        return;
    if (first)
        log_info(tools, p->name, "%s offers %zu tools", who, w->tools.count);
    w->state = WORKER_READY;
    p->state = PROVIDER_READY;
    p->next_step[0] = '\0';
    if (again)
        provider_notice(p, BROKER_RESTARTED, NULL, NULL);
    if (p->state == PROVIDER_STOPPED)
        return;
    remote_tools_unite(p);
    provider_queue_send(p);
    wake_at(p, clock_mono_ns());
}

/* Its answer to tools/list is an error, or comes to nothing. */
static void
refuse_worker(struct worker *w, const char *reason)
{
    struct provider *p = w->provider;
    char who[160], told[400];

    if (!is_alive(w))
        return;
    label(w, who, sizeof who);
    snprintf(told, sizeof told, "%s does not tell its tools: %.200s", who,
             reason);
    log_warn(tools, p->name, "%s", told);
    provider_talk_send(w,
                       worker_message_error(NULL, WORKER_ERROR_REFUSED, told));
    bury(w, told, 0);
    provider_notice(p, BROKER_REFUSED, NULL, told);
}

/* ---- calls --------------------------------------------------------------- */

/* Whether a call may go to a worker of this kind at some time. */
static bool
is_for(const struct worker *w, const struct toolcall *call)
{
    return remote_tools_offers(w, call->tool) || w->catch_all;
}

static struct worker *
pick_worker(struct provider *p, const struct toolcall *call)
{
    struct worker *best = NULL;

    for (struct worker *w = p->workers; w; w = w->next) {
        if (!is_for(w, call) || !worker_can_take(w, call->tool, call->serial))
            continue;
        if (!best || w->call_count < best->call_count ||
            (w->call_count == best->call_count &&
             w->calls_taken < best->calls_taken))
            best = w;
    }
    return best;
}

static bool
is_near(const struct provider *p, char *reason, size_t reason_size)
{
    if (p->state != PROVIDER_STOPPED)
        return true;
    snprintf(reason, reason_size, "The worker %s is not there any more",
             p->name);
    return false;
}

/* Calls that the worker has not answered long after nobody waits for them;
 * `tool` NULL: of any. */
static size_t
hung_calls(const struct worker *w, const char *tool, uint64_t now_ns)
{
    uint64_t grace_ns = w->provider->context->hang_grace_ms * CLOCK_NS_PER_MS;
    size_t count = 0;

    for (size_t i = 0; i < w->call_count; i++) {
        const struct worker_call *c = &w->calls[i];
        count += c->orphan_since_ns != 0 &&
                 now_ns >= c->orphan_since_ns + grace_ns &&
                 (!tool || strcmp(c->tool, tool) == 0);
    }
    return count;
}

/* Why a call that waits will never be sent; false if it may. */
static bool
is_hopeless(const struct provider *p, const struct toolcall *call,
            uint64_t now_ns, char *why, size_t why_size)
{
    const struct worker *hung = NULL;
    char who[160];

    for (const struct worker *w = p->workers; w; w = w->next) {
        if (w->state == WORKER_LISTING)
            return false;
        if (!is_for(w, call))
            continue;
        if (w->state == WORKER_DEAD || !call->serial ||
            hung_calls(w, call->tool, now_ns) == 0)
            return false;
        hung = w;
    }
    if (hung) {
        label(hung, who, sizeof who);
        snprintf(why, why_size,
                 "The tool %s cannot be called: %s still hangs in a call of it "
                 "that has ended",
                 call->tool, who);
    } else {
        snprintf(why, why_size, "The worker %s does not offer %s any more",
                 p->name, call->tool);
    }
    return true;
}

static void
fail_hopeless(struct provider *p, uint64_t now_ns)
{
    struct toolcall *call, *next;
    char why[320];

    for (call = p->queue; call; call = next) {
        next = call->next;
        if (is_hopeless(p, call, now_ns, why, sizeof why))
            provider_queue_drop(p, call, TOOL_ERROR, why);
    }
}

/* ---- time ---------------------------------------------------------------- */

static uint64_t
earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t
check_silence(struct worker *w, uint64_t now_ns)
{
    uint64_t due_ns = expires_ns(w);
    char fault[64];

    if (now_ns < due_ns)
        return due_ns;
    if (w->doubt_ns == 0)
        w->doubt_ns = now_ns;
    if (now_ns < w->doubt_ns + DOUBT_NS)
        return w->doubt_ns + DOUBT_NS;
    snprintf(fault, sizeof fault, "nothing was heard of it for %u ms",
             w->provider->context->worker_expires_ms);
    die(w, fault);
    return UINT64_MAX;
}

/* All its calls are such that nobody waits for: it is of no use until it comes
 * to itself and says hello again. */
static bool
drop_useless(struct worker *w, uint64_t now_ns)
{
    char told[160];

    if (hung_calls(w, NULL, now_ns) < w->calls_max)
        return false;
    snprintf(told, sizeof told,
             "%zu calls that have ended were never answered; say voxring/hello "
             "again when that is mended",
             w->call_count);
    provider_talk_send(w, worker_message_error(NULL, WORKER_ERROR_HELLO, told));
    die(w, "it hangs in as many calls as it may have");
    return true;
}

static uint64_t
tick_living(struct worker *w, uint64_t now_ns)
{
    uint64_t due_ns = check_silence(w, now_ns);
    uint64_t orphan_ns = worker_oldest_orphan_ns(w);

    if (!is_alive(w) || drop_useless(w, now_ns))
        return UINT64_MAX;
    if (w->state == WORKER_LISTING && now_ns >= w->start_deadline_ns) {
        refuse_worker(w, "it did not answer in time");
        return UINT64_MAX;
    }
    /* orphans grow old: look again when each of them has */
    if (orphan_ns != 0)
        due_ns = earlier(due_ns, now_ns + w->provider->context->hang_grace_ms *
                                              CLOCK_NS_PER_MS);
    return w->state == WORKER_LISTING ? earlier(due_ns, w->start_deadline_ns)
                                      : due_ns;
}

static uint64_t
tick_remote(struct provider *p, uint64_t now_ns)
{
    uint64_t due_ns = UINT64_MAX;
    struct worker *w, *next;
    bool changed = false;

    for (w = p->workers; w; w = next) {
        next = w->next;
        if (is_alive(w))
            due_ns = earlier(due_ns, tick_living(w, now_ns));
        if (is_alive(w))
            continue;
        if (now_ns >= w->due_ns) {
            unlink_and_free(p, w);
            changed = true;
        } else {
            due_ns = earlier(due_ns, w->due_ns);
        }
    }
    if (p->state == PROVIDER_STOPPED)
        return UINT64_MAX;
    if (!p->workers) {
        leave_if_empty(p);
        return UINT64_MAX;
    }
    if (changed)
        remote_tools_unite(p);
    fail_hopeless(p, now_ns);
    return due_ns;
}

/* ---- what the rest of the broker asks of it ------------------------------ */

static void
free_remote(struct provider *p)
{
    while (p->workers)
        unlink_and_free(p, p->workers);
}

static void
do_nothing(struct provider *p)
{
    (void)p;
}

static void
stop_remote(struct provider *p)
{
    p->state = PROVIDER_STOPPED;
    for (struct worker *w = p->workers; w; w = w->next) {
        w->state = WORKER_DEAD;
        w->peer.count = 0;
        w->call_count = 0;
    }
}

static void
forget_worker(struct worker *w)
{
    (void)w;
}

static void
take_nothing(struct worker *w, struct tool_list *list)
{
    (void)w;
    tool_list_fini(list);
}

static const char *
source(const struct provider *p)
{
    return p->name;
}

struct provider *
remote_new(const struct provider_context *context, const char *name)
{
    static const struct provider_ops ops = {
        .free = free_remote,
        .start = do_nothing,
        .stop = stop_remote,
        .tick = tick_remote,
        .pick = pick_worker,
        .is_near = is_near,
        .refused = do_nothing,
        .fail_worker = die,
        .release_worker = forget_worker,
        .listed = take_nothing,
        .take_list = take_list,
        .refuse_worker = refuse_worker,
        .source = source,
        .good_result = do_nothing,
    };
    struct provider *p =
        provider_new(context, &ops, BROKER_PROVIDER_WORKER, name);

    if (p)
        p->settled = true;
    return p;
}

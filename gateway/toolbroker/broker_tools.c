/* The set of tools of a broker's providers, and telling the outside of it. */
#include "gateway/toolbroker/broker_internal.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "gateway/log.h"
#include "gateway/toolbroker/tool_content.h"

void
broker_notice(struct broker *b, enum broker_notice_kind kind,
              enum broker_provider_kind provider_kind, const char *provider,
              const char *tool, const char *reason)
{
    char who[PATH_MAX], why[1024];
    struct broker_notice n = {kind, who, provider_kind, tool,
                              reason ? why : NULL};

    if (b->closing || !b->callbacks.on_notice)
        return;
    snprintf(who, sizeof who, "%s", provider);
    snprintf(why, sizeof why, "%s", reason ? reason : "");
    tool_content_clean(who);
    tool_content_clean(why);
    b->callbacks.on_notice(b->callbacks.arg, &n);
}

static void
on_provider_notice(void *arg, enum broker_notice_kind kind,
                   const struct provider *p, const char *tool,
                   const char *reason)
{
    broker_notice(arg, kind, p->kind, p->name, tool, reason);
}

/* ---- the set of tools ----------------------------------------------------- */

static void
on_too_many(struct broker *b, const struct provider *p,
            const struct tool *refused)
{
    char reason[200];

    snprintf(reason, sizeof reason,
             "the tool %s is one too many: %d are offered already, the most "
             "there can be; offer fewer",
             refused->name, BROKER_TOOLS_MAX);
    log_error(tools, p->name, "%s", reason);
    broker_notice(b, BROKER_REFUSED, p->kind, p->name, refused->name, reason);
}

static void
on_clash(void *arg, const struct provider *holder, const struct provider *other,
         const struct tool *refused)
{
    struct broker *b = arg;
    char reason[400];

    if (!holder) {
        on_too_many(b, other, refused);
        return;
    }
    snprintf(reason, sizeof reason,
             "the tool %s is offered by %.150s and by %.150s; the first keeps "
             "it, rename it in the other or remove one of them",
             refused->name, provider_source(holder), provider_source(other));
    log_error(tools, other->name, "%s", reason);
    broker_notice(b, BROKER_REFUSED, other->kind, other->name, refused->name,
                  reason);
}

static void
on_gone(void *arg, const struct tool *tool)
{
    broker_notice(arg, BROKER_GONE, tool->kind, tool->provider, tool->name,
                  NULL);
}

static void
on_offered(void *arg, const struct tool *tool)
{
    broker_notice(arg, BROKER_OFFERED, tool->kind, tool->provider, tool->name,
                  NULL);
}

static void
on_provider_tools_changed(void *arg)
{
    struct broker *b = arg;
    struct tool_set old = b->set;
    bool outermost = !b->telling;

    b->telling = true;
    /* while all start, it is their order that decides, not their speed */
    if (tool_set_make(&b->set, b->providers, b->ready_told ? &old : NULL,
                      BROKER_TOOLS_MAX, on_clash, b) != VR_OK)
        log_error(tools, NULL, "out of memory: no tool can be called");
    tool_set_minus(&old, &b->set, on_gone, b);
    tool_set_minus(&b->set, &old, on_offered, b);
    tool_set_fini(&old);
    if (!b->closing && b->callbacks.on_tools_changed)
        b->callbacks.on_tools_changed(b->callbacks.arg);
    b->telling = b->telling && !outermost;
}

void
broker_settled(struct broker *b)
{
    b->unsettled--;
    if (b->unsettled > 0 || b->ready_told || b->closing)
        return;
    b->ready_told = true;
    broker_warn_of_spare_settings(b);
    if (b->callbacks.on_ready)
        b->callbacks.on_ready(b->callbacks.arg);
}

static void
on_provider_settled(void *arg)
{
    broker_settled(arg);
}

static void
on_provider_wake_at(void *arg, uint64_t due_ns)
{
    broker_wake_at(arg, due_ns);
}

static void
on_provider_calls_ended(void *arg)
{
    broker_deliver_soon(arg);
}

static void
on_provider_worker_closed(void *arg)
{
    broker_deliver_soon(arg);
    broker_finish(arg);
}

static uint32_t
or_default(uint32_t value, uint32_t standard)
{
    return value != 0 ? value : standard;
}

void
broker_fill_context(struct broker *b, const struct broker_config *config)
{
    b->context = (struct provider_context){
        .loop = b->loop,
        .router = b->router,
        .calls = &b->calls,
        .counters = &b->counters,
        .toolhost_path = b->toolhost_path,
        .endpoint = b->endpoint,
        .plugin_rules = config->plugin_rules,
        .mcp = config->mcp,
        .worker_rules = config->worker_rules,
        .tool_settings = config->tool_settings,
        .result_max_bytes = or_default(config->result_max_bytes, UINT32_MAX),
        .start_timeout_ms = or_default(config->start_timeout_ms, 30000),
        .hang_grace_ms = or_default(config->hang_grace_ms, 2000),
        .stop_grace_ms = or_default(config->stop_grace_ms, 1000),
        .restart_min_ms = or_default(config->restart_min_ms, 100),
        .restart_max_ms = or_default(config->restart_max_ms, 30000),
        .worker_expires_ms = or_default(config->worker_expires_ms, 3000),
        .worker_grace_ms = or_default(config->worker_grace_ms, 5000),
        .retire_ms = or_default(config->retire_ms, 60000),
        .arg = b,
        .wake_at = on_provider_wake_at,
        .notice = on_provider_notice,
        .tools_changed = on_provider_tools_changed,
        .settled = on_provider_settled,
        .calls_ended = on_provider_calls_ended,
        .worker_closed = on_provider_worker_closed,
    };
}

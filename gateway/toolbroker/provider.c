#include "gateway/toolbroker/provider.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/clock.h"
#include "gateway/log.h"
#include "gateway/toolbroker/provider_queue.h"

const char *
provider_kind_noun(enum broker_provider_kind kind)
{
    static const char *const nouns[] = {"plugin", "MCP server", "worker",
                                        "built-in"};

    return nouns[kind];
}

const char *
provider_rule_section(enum broker_provider_kind kind)
{
    static const char *const sections[] = {"plugins.rules", "mcp",
                                           "workers.rules", "session"};

    return sections[kind];
}

static const struct config_provider *
rule_of(const struct provider_context *context, enum broker_provider_kind kind,
        const char *name)
{
    const struct config_providers *rules = NULL;
    enum config_provider_kind config_kind = CONFIG_PROVIDER_PLUGIN;
    const struct config_provider *rule = NULL;

    if (kind == BROKER_PROVIDER_PLUGIN)
        rules = context->plugin_rules;
    if (kind == BROKER_PROVIDER_MCP) {
        rules = context->mcp;
        config_kind = CONFIG_PROVIDER_MCP;
    }
    if (kind == BROKER_PROVIDER_WORKER) {
        rules = context->worker_rules;
        config_kind = CONFIG_PROVIDER_WORKER;
    }
    if (rules)
        rule = config_provider_find(rules, name);
    return rule ? rule : config_provider_default(config_kind);
}

struct provider *
provider_new(const struct provider_context *context,
             const struct provider_ops *ops, enum broker_provider_kind kind,
             const char *name)
{
    struct provider *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    p->context = context;
    p->ops = ops;
    p->kind = kind;
    p->queue_tail = &p->queue;
    p->rule = rule_of(context, kind, name);
    p->result_max_bytes = context->result_max_bytes;
    if (p->rule->result_bytes != 0 &&
        p->rule->result_bytes < p->result_max_bytes)
        p->result_max_bytes = p->rule->result_bytes;
    p->name = strdup(name);
    if (!p->name)
        provider_free(&p);
    return p;
}

void
provider_free(struct provider **provider)
{
    struct provider *p = *provider;

    *provider = NULL;
    if (!p)
        return;
    p->ops->free(p);
    tool_list_fini(&p->tools);
    free(p->name);
    free(p->refusal);
    free(p);
}

void
provider_settle(struct provider *p)
{
    if (p->settled)
        return;
    p->settled = true;
    p->context->settled(p->context->arg);
}

/* The old list lives until everybody was told. */
void
provider_set_tools(struct provider *p, struct tool_list *list)
{
    struct tool_list old = p->tools;

    for (size_t i = 0; i < list->count; i++)
        list->tools[i].kind = p->kind;
    p->tools = *list;
    memset(list, 0, sizeof *list);
    p->context->tools_changed(p->context->arg);
    tool_list_fini(&old);
}

void
provider_notice(struct provider *p, enum broker_notice_kind kind,
                const char *tool, const char *reason)
{
    p->context->notice(p->context->arg, kind, p, tool, reason);
}

void
provider_refuse(struct provider *p, const char *reason)
{
    struct tool_list none = {.tools = NULL};
    char sentence[320];

    if (p->state == PROVIDER_REFUSED || p->state == PROVIDER_STOPPED)
        return;
    p->state = PROVIDER_REFUSED;
    free(p->refusal);
    p->refusal = strdup(reason);
    if (p->optional)
        log_warn(tools, p->name, "the %s is not used: %s",
                 provider_kind_noun(p->kind), reason);
    else
        log_error(tools, p->name, "the %s is not used: %s",
                  provider_kind_noun(p->kind), reason);
    p->ops->refused(p);
    snprintf(sentence, sizeof sentence, "The %s %s is not available",
             provider_kind_noun(p->kind), p->name);
    provider_queue_fail(p, sentence);
    provider_notice(p, BROKER_REFUSED, NULL, reason);
    if (p->tools.count > 0)
        provider_set_tools(p, &none);
    provider_settle(p);
}

void
provider_leave(struct provider *p, const char *reason)
{
    struct tool_list none = {.tools = NULL};

    if (p->leaving)
        return;
    p->leaving = true;
    p->state = PROVIDER_STOPPED;
    provider_queue_fail(p, reason);
    if (p->tools.count > 0)
        provider_set_tools(p, &none);
    provider_settle(p);
    p->context->calls_ended(p->context->arg);
}

bool
provider_rate_take(struct provider_rate *rate, uint32_t most, uint64_t now_ns)
{
    if (now_ns - rate->begin_ns >= CLOCK_NS_PER_S) {
        rate->begin_ns = now_ns;
        rate->count = 0;
    }
    if (rate->count >= most)
        return false;
    rate->count++;
    return true;
}

bool
provider_is_empty(const struct provider *p)
{
    for (const struct worker *w = p->workers; w; w = w->next) {
        if (w->child)
            return false;
    }
    return !p->queue;
}

const char *
provider_source(const struct provider *p)
{
    return p->ops->source(p);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/session/fake_broker.h"

struct fake_broker fake_broker;

void
fake_broker_reset(void)
{
    memset(&fake_broker, 0, sizeof fake_broker);
    fake_broker.ready = true;
}

struct tool *
fake_broker_offer(const char *name, const char *schema)
{
    struct tool *tool = &fake_broker.tools[fake_broker.tool_count++];
    *tool = (struct tool){.name = (char *)name,
                          .description = (char *)"What it does",
                          .schema_json = (char *)schema,
                          .provider = (char *)"fake"};
    return tool;
}

struct tool *
fake_broker_offer_async(const char *name)
{
    struct tool *tool = fake_broker_offer(name, "{}");
    tool->mode = TOOL_ASYNC;
    return tool;
}

size_t
fake_broker_running(void)
{
    size_t running = 0;
    for (size_t i = 0; i < fake_broker.call_count; i++)
        running += fake_broker.calls[i].on_result != NULL;
    return running;
}

bool
broker_ready(const struct broker *broker)
{
    (void)broker;
    return fake_broker.ready;
}

const struct tool *
broker_find(const struct broker *broker, const char *name)
{
    (void)broker;
    for (size_t i = 0; i < fake_broker.tool_count; i++) {
        if (strcmp(fake_broker.tools[i].name, name) == 0)
            return &fake_broker.tools[i];
    }
    return NULL;
}

bool
broker_takes(const struct broker *broker, const char *name)
{
    return broker_find(broker, name) != NULL;
}

size_t
broker_tool_count(const struct broker *broker)
{
    (void)broker;
    return fake_broker.tool_count;
}

const struct tool *
broker_tool_at(const struct broker *broker, size_t index)
{
    (void)broker;
    assert_true(index < fake_broker.tool_count);
    return &fake_broker.tools[index];
}

uint64_t
broker_call(struct broker *broker, const char *name, const char *arguments_json,
            const struct broker_caller *caller, uint32_t timeout_ms,
            broker_result_fn *on_result, void *arg)
{
    (void)broker;
    (void)timeout_ms;
    assert_non_null(caller->conversation);
    if (fake_broker.closing)
        return 0;
    assert_true(fake_broker.call_count < FAKE_CALLS_MAX);
    struct fake_call *c = &fake_broker.calls[fake_broker.call_count++];
    c->id = 1000 + fake_broker.call_count;
    c->on_result = on_result;
    c->arg = arg;
    snprintf(c->name, sizeof c->name, "%s", name);
    snprintf(c->arguments, sizeof c->arguments, "%s", arguments_json);
    snprintf(c->turn, sizeof c->turn, "%s", caller->turn);
    const struct tool *tool = broker_find(broker, name);
    if (fake_broker.on_call && tool && tool->kind == BROKER_PROVIDER_BUILTIN)
        fake_broker.on_call(caller);
    return c->id;
}

void
broker_cancel(struct broker *broker, uint64_t call_id)
{
    (void)broker;
    for (size_t i = 0; i < fake_broker.call_count; i++) {
        if (fake_broker.calls[i].id == call_id)
            fake_broker.calls[i].cancelled = true;
    }
}

void
fake_broker_end(size_t index, enum tool_outcome outcome,
                const char *content_json, const char *reason)
{
    assert_true(index < fake_broker.call_count);
    struct fake_call *c = &fake_broker.calls[index];
    struct tool_result result = {.outcome = outcome,
                                 .content_json = content_json,
                                 .tool = c->name,
                                 .provider = "fake",
                                 .reason = reason,
                                 .failure = fake_broker.failure,
                                 .next = fake_broker.next};
    broker_result_fn *on_result = c->on_result;
    assert_non_null(on_result);
    c->on_result = NULL;
    on_result(c->arg, c->id, &result);
}

void
fake_broker_deliver_cancelled(void)
{
    for (size_t i = 0; i < fake_broker.call_count; i++) {
        if (fake_broker.calls[i].cancelled && fake_broker.calls[i].on_result)
            fake_broker_end(i, TOOL_CANCELLED, "{\"error\":\"cancelled\"}",
                            "The call was cancelled");
    }
}

const char *
broker_provider_kind_name(enum broker_provider_kind kind)
{
    static const char *const names[] = {"plugin", "mcp", "worker", "builtin"};
    return names[kind];
}

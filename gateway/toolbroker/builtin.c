#include "gateway/toolbroker/builtin.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/toolbroker/provider_queue.h"

struct builtin {
    broker_builtin_fn *run;
    void *arg;
};

static void
free_builtin(struct provider *p)
{
    free(p->builtin);
}

static void
do_nothing(struct provider *p)
{
    (void)p;
}

static void
stop_builtin(struct provider *p)
{
    p->state = PROVIDER_STOPPED;
}

static uint64_t
tick_builtin(struct provider *p, uint64_t now_ns)
{
    (void)p;
    (void)now_ns;
    return UINT64_MAX;
}

static struct worker *
no_worker(struct provider *p, const struct toolcall *call)
{
    (void)p;
    (void)call;
    return NULL;
}

static bool
always_near(const struct provider *p, char *reason, size_t reason_size)
{
    (void)p;
    (void)reason;
    (void)reason_size;
    return true;
}

static bool
run_builtin(struct provider *p, struct toolcall *call)
{
    struct builtin *builtin = p->builtin;
    struct broker_caller caller = toolcall_caller(call);
    cJSON *arguments = cJSON_Parse(call->arguments);
    char *text = NULL;
    enum tool_outcome outcome =
        builtin->run(builtin->arg, &caller, arguments, &text);

    cJSON_Delete(arguments);
    if (outcome == TOOL_OK) {
        provider_queue_end(p, call, outcome, text, NULL);
    } else {
        provider_queue_end(p, call, outcome, NULL, text ? text : "It failed");
        free(text);
    }
    return true;
}

static const char *
source(const struct provider *p)
{
    (void)p;
    return "the gateway";
}

struct provider *
builtin_new(const struct provider_context *context, const char *name,
            struct tool_list *list, broker_builtin_fn *run, void *arg)
{
    static const struct provider_ops ops = {
        .free = free_builtin,
        .start = do_nothing,
        .stop = stop_builtin,
        .tick = tick_builtin,
        .pick = no_worker,
        .is_near = always_near,
        .run = run_builtin,
        .source = source,
        .good_result = do_nothing,
    };
    struct provider *p =
        provider_new(context, &ops, BROKER_PROVIDER_BUILTIN, name);

    if (p)
        p->builtin = calloc(1, sizeof *p->builtin);
    if (!p || !p->builtin) {
        provider_free(&p);
        tool_list_fini(list);
        return NULL;
    }
    *p->builtin = (struct builtin){run, arg};
    p->state = PROVIDER_READY;
    p->settled = true;
    list->tools[0].kind = BROKER_PROVIDER_BUILTIN;
    p->tools = *list;
    return p;
}

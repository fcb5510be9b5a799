#include "gateway/toolbroker/toolcall.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "gateway/clock.h"
#include "gateway/toolbroker/tool_content.h"

static_assert((TOOLCALL_MAX & (TOOLCALL_MAX - 1)) == 0,
              "ids are taken apart by a mask");

static uint64_t
random_generation(void)
{
    uint32_t start = 0;

    if (getrandom(&start, sizeof start, 0) != sizeof start)
        start = (uint32_t)clock_mono_ns();
    return start;
}

void
toolcall_table_init(struct toolcall_table *table, uint32_t count_max)
{
    memset(table, 0, sizeof *table);
    /* ids of an earlier life of the gateway, which workers that outlived it
     * may still answer, mean nothing in this one */
    table->generation = random_generation();
    table->count_max =
        count_max > 0 && count_max < TOOLCALL_MAX ? count_max : TOOLCALL_MAX;
    table->ended_tail = &table->ended;
}

static void
toolcall_free(struct toolcall *call)
{
    free(call->tool);
    free(call->provider);
    free(call->arguments);
    free(call->session);
    free(call->conversation);
    free(call->turn);
    free(call->content_json);
    free(call->reason);
    free(call->failure);
    free(call->next_step);
    free(call);
}

void
toolcall_table_fini(struct toolcall_table *table)
{
    struct toolcall *call, *next;

    for (uint32_t i = 0; i < TOOLCALL_MAX; i++) {
        if (table->slots[i])
            toolcall_free(table->slots[i]);
        table->slots[i] = NULL;
    }
    for (call = toolcall_take_ended(table); call; call = next) {
        next = call->next;
        toolcall_free(call);
    }
    table->count = 0;
}

/* Copies a text that may be missing. False when memory is out. */
static bool
copy_text(char **copy, const char *text)
{
    *copy = text ? strdup(text) : NULL;
    return *copy || !text;
}

static void
give_slot(struct toolcall_table *table, struct toolcall *call)
{
    uint32_t slot = table->search;

    call->id = ++table->generation * TOOLCALL_MAX;
    if (table->count >= table->count_max)
        return;
    while (table->slots[slot])
        slot = (slot + 1) & (TOOLCALL_MAX - 1);
    table->slots[slot] = call;
    table->search = (slot + 1) & (TOOLCALL_MAX - 1);
    table->count++;
    call->id += slot;
}

struct toolcall *
toolcall_new(struct toolcall_table *table, const char *tool,
             const struct broker_caller *caller)
{
    static const struct broker_caller nobody;
    struct toolcall *call = calloc(1, sizeof *call);

    if (!call)
        return NULL;
    if (!caller)
        caller = &nobody;
    if (!copy_text(&call->tool, tool) ||
        !copy_text(&call->session, caller->session) ||
        !copy_text(&call->conversation, caller->conversation) ||
        !copy_text(&call->turn, caller->turn)) {
        toolcall_free(call);
        return NULL;
    }
    call->begin_ns = clock_mono_ns();
    give_slot(table, call);
    return call;
}

bool
toolcall_has_slot(const struct toolcall_table *table,
                  const struct toolcall *call)
{
    return table->slots[call->id & (TOOLCALL_MAX - 1)] == call;
}

struct toolcall *
toolcall_find(const struct toolcall_table *table, uint64_t id)
{
    struct toolcall *call = table->slots[id & (TOOLCALL_MAX - 1)];

    return call && call->id == id ? call : NULL;
}

struct toolcall *
toolcall_next(const struct toolcall_table *table, const struct toolcall *after)
{
    uint32_t slot = after ? (uint32_t)(after->id & (TOOLCALL_MAX - 1)) + 1 : 0;

    for (; slot < TOOLCALL_MAX; slot++) {
        if (table->slots[slot])
            return table->slots[slot];
    }
    return NULL;
}

void
toolcall_end(struct toolcall_table *table, struct toolcall *call,
             enum tool_outcome outcome, char *content_json, const char *reason)
{
    uint32_t slot = (uint32_t)(call->id & (TOOLCALL_MAX - 1));

    if (table->slots[slot] == call) {
        table->slots[slot] = NULL;
        table->count--;
    }
    call->outcome = outcome;
    call->end_ns = clock_mono_ns();
    call->content_json = content_json;
    call->reason = reason ? strdup(reason) : NULL;
    if (call->reason)
        tool_content_clean(call->reason);
    if (!call->content_json && call->reason)
        call->content_json = tool_content_error(call->reason);
    call->next = NULL;
    *table->ended_tail = call;
    table->ended_tail = &call->next;
}

static void
take_sentence(char **at, const char *sentence)
{
    free(*at);
    *at = sentence && sentence[0] ? strdup(sentence) : NULL;
    if (*at)
        tool_content_clean(*at);
}

void
toolcall_blame(struct toolcall *call, const char *failure,
               const char *next_step)
{
    take_sentence(&call->failure, failure);
    take_sentence(&call->next_step, next_step);
}

struct toolcall *
toolcall_take_ended(struct toolcall_table *table)
{
    struct toolcall *first = table->ended;

    table->ended = NULL;
    table->ended_tail = &table->ended;
    return first;
}

void
toolcall_deliver(struct toolcall *call)
{
    struct tool_result result = {
        .outcome = call->outcome,
        .content_json = call->content_json ? call->content_json : "{}",
        .tool = call->tool,
        .provider = call->provider,
        .reason = call->reason,
        .failure = call->failure,
        .next = call->next_step,
        .duration_ns = call->end_ns - call->begin_ns,
    };

    if (!result.reason && result.outcome != TOOL_OK)
        result.reason = "The call failed";
    if (call->on_result)
        call->on_result(call->arg, call->id, &result);
    toolcall_free(call);
}

struct broker_caller
toolcall_caller(const struct toolcall *call)
{
    return (struct broker_caller){call->session, call->conversation,
                                  call->turn};
}

#include "gateway/toolbroker/tool_set.h"

#include <stdlib.h>
#include <string.h>

static bool
offers(const struct provider *p, const char *tool)
{
    for (size_t i = 0; i < p->tools.count; i++) {
        if (strcmp(p->tools.tools[i].name, tool) == 0)
            return true;
    }
    return false;
}

static struct provider *
holder_of(struct provider *providers, const char *tool)
{
    for (struct provider *p = providers; p; p = p->next) {
        if (offers(p, tool))
            return p;
    }
    return NULL;
}

static void
add_tools_of(struct tool_set *set, struct provider *providers,
             struct provider *p, size_t count_max, tool_set_clash_fn *clash,
             void *arg)
{
    for (size_t i = 0; i < p->tools.count; i++) {
        struct tool *tool = &p->tools.tools[i];
        struct provider *holder = holder_of(providers, tool->name);
        if (holder == p && set->count < count_max) {
            tool->clash_told = false;
            set->tools[set->count++] = tool;
        } else if (!tool->clash_told) {
            tool->clash_told = true;
            clash(arg, holder == p ? NULL : holder, p, tool);
        }
    }
}

enum vr_status
tool_set_make(struct tool_set *set, struct provider *providers,
              size_t count_max, tool_set_clash_fn *clash, void *arg)
{
    size_t most = 0;

    memset(set, 0, sizeof *set);
    for (struct provider *p = providers; p; p = p->next)
        most += p->tools.count;
    set->tools = calloc(most + 1, sizeof *set->tools);
    if (!set->tools)
        return VR_NO_MEMORY;
    for (struct provider *p = providers; p; p = p->next)
        add_tools_of(set, providers, p, count_max, clash, arg);
    return VR_OK;
}

void
tool_set_fini(struct tool_set *set)
{
    free(set->tools);
    set->tools = NULL;
    set->count = 0;
}

const struct tool *
tool_set_find(const struct tool_set *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++) {
        if (strcmp(set->tools[i]->name, name) == 0)
            return set->tools[i];
    }
    return NULL;
}

/* Whether it is there from the same provider. */
static bool
has_same(const struct tool_set *set, const struct tool *tool)
{
    const struct tool *other = tool_set_find(set, tool->name);

    return other && strcmp(other->provider, tool->provider) == 0;
}

void
tool_set_minus(const struct tool_set *a, const struct tool_set *b,
               void (*visit)(void *arg, const struct tool *tool), void *arg)
{
    for (size_t i = 0; i < a->count; i++) {
        if (!has_same(b, a->tools[i]))
            visit(arg, a->tools[i]);
    }
}

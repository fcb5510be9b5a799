#include "gateway/toolbroker/tool_set.h"

#include <stdlib.h>
#include <string.h>

/* One set on its way. */
struct making {
    struct tool_set *set;
    struct provider *providers;
    const struct tool_set *before;
    size_t count_max;
    tool_set_clash_fn *clash;
    void *arg;
};

/* Of two classes the first has its way, whoever came first: the gateway's own
 * tools, those of its configuration, those that connect from outside. */
enum class { CLASS_BUILTIN, CLASS_CONFIGURED, CLASS_CONNECTED, CLASSES };

static enum class class_of(const struct provider *p) {
    switch (p->kind){
        case BROKER_PROVIDER_BUILTIN : return CLASS_BUILTIN;
        case BROKER_PROVIDER_WORKER : return CLASS_CONNECTED;
        default : return CLASS_CONFIGURED;
    }
}

static bool
offers(const struct provider *p, const char *tool)
{
    for (size_t i = 0; i < p->tools.count; i++) {
        if (strcmp(p->tools.tools[i].name, tool) == 0)
            return true;
    }
    return false;
}

/* Whether this provider has that tool in the set before. */
static bool
held(const struct making *m, const struct provider *p, const char *tool)
{
    const struct tool *old = m->before ? tool_set_find(m->before, tool) : NULL;

    return old && old->kind == p->kind && strcmp(old->provider, p->name) == 0;
}

static struct provider *
holder_of(const struct making *m, const char *tool)
{
    struct provider *best = NULL;

    for (struct provider *p = m->providers; p; p = p->next) {
        if (!offers(p, tool))
            continue;
        if (!best || (class_of(p) == class_of(best) && held(m, p, tool)))
            best = p;
    }
    return best;
}

/* Takes the tools of a class that have the name to themselves, those that were
 * in the set before (or were not, as told) as far as there is room. */
static void
choose(struct making *m, enum class class, bool were_held)
{
    for (struct provider *p = m->providers; p; p = p->next) {
        for (size_t i = 0; class_of(p) == class && i < p->tools.count; i++) {
            struct tool *tool = &p->tools.tools[i];
            if (held(m, p, tool->name) != were_held)
                continue;
            tool->chosen =
                holder_of(m, tool->name) == p && m->set->count < m->count_max;
            m->set->count += tool->chosen;
        }
    }
}

static void
add_tools_of(struct making *m, struct provider *p)
{
    for (size_t i = 0; i < p->tools.count; i++) {
        struct tool *tool = &p->tools.tools[i];
        if (tool->chosen) {
            tool->clash_told = false;
            m->set->tools[m->set->count++] = tool;
        } else if (!tool->clash_told) {
            const struct provider *holder = holder_of(m, tool->name);
            tool->clash_told = true;
            m->clash(m->arg, holder == p ? NULL : holder, p, tool);
        }
    }
}

enum vr_status
tool_set_make(struct tool_set *set, struct provider *providers,
              const struct tool_set *before, size_t count_max,
              tool_set_clash_fn *clash, void *arg)
{
    struct making m = {set, providers, before, count_max, clash, arg};

    memset(set, 0, sizeof *set);
    for (int class = 0; class < CLASSES; class ++) {
        choose(&m, (enum class) class, true);
        choose(&m, (enum class) class, false);
    }
    set->tools = calloc(set->count + 1, sizeof *set->tools);
    set->count = 0;
    if (!set->tools)
        return VR_NO_MEMORY;
    for (struct provider *p = providers; p; p = p->next)
        add_tools_of(&m, p);
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

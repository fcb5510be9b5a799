/* The set of tools that can be called: every provider's, each name once. */
#ifndef GATEWAY_TOOLBROKER_TOOL_SET_H
#define GATEWAY_TOOLBROKER_TOOL_SET_H

#include "gateway/toolbroker/provider.h"

struct tool_set {
    const struct tool **tools; /* owned by the providers */
    size_t count;
};

/* Two providers offer one name: `holder` keeps it; NULL: there are too many. */
typedef void tool_set_clash_fn(void *arg, const struct provider *holder,
                               const struct provider *other,
                               const struct tool *refused);

/* Makes the set of a list of providers, at most `count_max` tools, in its
 * order, that of broker_insert(). A name, and its place among the most there
 * can be, stays with who has it in `before` (NULL: nobody has), else the first
 * gets it; but what connects from outside gives way to what was configured.
 * Each clash is told once in the life of a tool. VR_NO_MEMORY leaves an empty
 * set. [loop] */
enum vr_status tool_set_make(struct tool_set *set, struct provider *providers,
                             const struct tool_set *before, size_t count_max,
                             tool_set_clash_fn *clash, void *arg) VR_NODISCARD;

/* Frees the set, not the tools. [loop] */
void tool_set_fini(struct tool_set *set);

/* The tool of that name, or NULL. [loop] */
const struct tool *tool_set_find(const struct tool_set *set, const char *name);

/* Calls visit for each tool of `a` that `b` lacks, or has of another provider.
 * [loop] */
void tool_set_minus(const struct tool_set *a, const struct tool_set *b,
                    void (*visit)(void *arg, const struct tool *tool),
                    void *arg);

#endif

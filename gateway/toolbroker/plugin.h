/* One plugin: a .so, the workers that run it one after the other, its tools.
 *
 *   STARTING --listed--> READY --child died, or hangs--> WAITING or STARTING
 *   WAITING  --time--> STARTING            (backoff, doubling, bounded)
 *   any      --refused, or never came up--> REFUSED (for good)
 *
 * Its tools stay what they are while it is WAITING: calls wait for the next
 * worker if that is near, and fail at once if it is not. */
#ifndef GATEWAY_TOOLBROKER_PLUGIN_H
#define GATEWAY_TOOLBROKER_PLUGIN_H

#include "gateway/toolbroker/tool.h"
#include "gateway/toolbroker/worker.h"

enum plugin_state {
    PLUGIN_STARTING,
    PLUGIN_READY,
    PLUGIN_WAITING,
    PLUGIN_REFUSED,
    PLUGIN_STOPPED
};

/* What all plugins of a broker share; outlives them. */
struct plugin_context {
    uv_loop_t *loop;
    struct router *router;
    struct toolcall_table *calls;
    struct broker_counters *counters;
    const char *toolhost_path;
    const char *endpoint;
    uint32_t result_max_bytes;
    uint32_t start_timeout_ms;
    uint32_t hang_grace_ms;
    uint32_t stop_grace_ms;
    uint32_t restart_min_ms;
    uint32_t restart_max_ms;
    /* how a plugin reaches its broker */
    void *arg;
    void (*wake_at)(void *arg, uint64_t due_ns); /* plugin_tick() then */
    void (*notice)(void *arg, enum broker_notice_kind kind,
                   const char *provider, const char *tool, const char *reason);
    void (*tools_changed)(void *arg);
    void (*settled)(void *arg);       /* once per plugin */
    void (*calls_ended)(void *arg);   /* deliver them soon */
    void (*worker_closed)(void *arg); /* one worker less */
};

struct plugin {
    const struct plugin_context *context;
    struct plugin *next;
    char *name;
    char *path;
    char *config_json;
    enum plugin_state state;
    bool settled;
    bool was_ready;
    struct tool_list tools;
    struct worker *workers; /* all that have not closed */
    struct worker *current; /* the one that takes new calls, or NULL */
    struct toolcall *queue; /* calls not sent yet */
    struct toolcall **queue_tail;
    /* supervision */
    uint32_t streak; /* deaths since the last sign of health */
    uint64_t due_ns; /* WAITING: the next start */
    uint64_t resend_ns;
    char last_death[128];
};

/* A plugin that has not been started. Copies the texts. NULL when memory is
 * out. [loop] */
struct plugin *plugin_new(const struct plugin_context *context,
                          const char *name, const char *path,
                          const char *config_json);

/* Frees one without workers and calls. Accepts NULL inside. [loop] */
void plugin_free(struct plugin **plugin);

/* Starts its first worker, or refuses it. [loop] */
void plugin_start(struct plugin *plugin);

/* Asks all its workers to end; it starts no other. [loop] */
void plugin_stop(struct plugin *plugin);

/* Does what is due at `now_ns`; returns when to come again, UINT64_MAX for
 * never. [loop] */
uint64_t plugin_tick(struct plugin *plugin, uint64_t now_ns);

/* For good: this file, as it is, cannot be used; `reason` says why. [loop] */
void plugin_refuse(struct plugin *plugin, const char *reason);

/* Its first start has come to some end. [loop] */
void plugin_settle(struct plugin *plugin);

/* Takes a new list, whose content is moved, and tells the broker. [loop] */
void plugin_set_tools(struct plugin *plugin, struct tool_list *list);

/* A worker's connection is of no more use: it is killed for `fault` (static
 * storage). [loop] */
void plugin_fail_worker(struct worker *worker, const char *fault);

/* Its worker hangs: a new one takes over, this one gives back what it has not
 * begun and finishes the rest that others wait for. [loop] */
void plugin_replace_hung(struct plugin *plugin);

#endif

/* One provider of tools: who it is, what it offers, its workers and the calls
 * that wait for one.
 *
 * What a provider is made of differs: a plugin (.so) and an MCP server run in
 * children that the gateway starts and supervises (plugin.h), a worker is a
 * process of somebody else's that connects and leaves as it likes (remote.h),
 * a builtin is a function of the gateway (builtin.h). The table of operations
 * is all that the rest of the broker knows of that. */
#ifndef GATEWAY_TOOLBROKER_PROVIDER_H
#define GATEWAY_TOOLBROKER_PROVIDER_H

#include "gateway/config.h"
#include "gateway/toolbroker/tool.h"
#include "gateway/toolbroker/worker.h"

enum provider_state {
    PROVIDER_STARTING, /* no tools yet */
    PROVIDER_READY,
    PROVIDER_WAITING, /* its worker is gone, the next one is about to come */
    PROVIDER_REFUSED, /* not used; `refusal` says why */
    PROVIDER_STOPPED
};

/* What all providers of a broker share; outlives them. */
struct provider_context {
    uv_loop_t *loop;
    struct router *router;
    struct toolcall_table *calls;
    struct broker_counters *counters;
    const char *toolhost_path;
    const char *endpoint;
    /* how providers are run; NULL: by default */
    const struct config_providers *plugin_rules;
    const struct config_providers *mcp;
    const struct config_providers *worker_rules;
    const struct config_tools *tool_settings;
    uint32_t result_max_bytes; /* whatever the rules say */
    uint32_t start_timeout_ms;
    uint32_t hang_grace_ms;
    uint32_t stop_grace_ms;
    uint32_t restart_min_ms;
    uint32_t restart_max_ms;
    uint32_t worker_expires_ms;
    uint32_t worker_grace_ms;
    uint32_t retire_ms;
    /* how a provider reaches its broker */
    void *arg;
    void (*wake_at)(void *arg, uint64_t due_ns); /* ops->tick() then */
    void (*notice)(void *arg, enum broker_notice_kind kind,
                   const struct provider *provider, const char *tool,
                   const char *reason);
    void (*tools_changed)(void *arg);
    void (*settled)(void *arg);       /* once per provider */
    void (*calls_ended)(void *arg);   /* deliver them soon */
    void (*worker_closed)(void *arg); /* one worker less */
};

/* All of them [loop]. */
struct provider_ops {
    /* Frees what only this kind has, its workers that have no child too. */
    void (*free)(struct provider *provider);
    /* Makes it come to life. */
    void (*start)(struct provider *provider);
    /* Asks all its workers to end; no other comes. */
    void (*stop)(struct provider *provider);
    /* Does what is due; returns when to come again, UINT64_MAX for never. */
    uint64_t (*tick)(struct provider *provider, uint64_t now_ns);
    /* The worker that a call is to be sent to now, NULL if it must wait. */
    struct worker *(*pick)(struct provider *provider,
                           const struct toolcall *call);
    /* False if no worker is near: then `reason` says why, and the call ends
     * at once. */
    bool (*is_near)(const struct provider *provider, char *reason,
                    size_t reason_size);
    /* It is not used any more; state, queue and tools are taken care of. */
    void (*refused)(struct provider *provider);
    /* A worker's connection is of no more use, for `fault` (static storage). */
    void (*fail_worker)(struct worker *worker, const char *fault);
    /* A RETIRED worker has no call that anybody waits for. */
    void (*release_worker)(struct worker *worker);
    /* A worker's list of tools arrived; takes what is in `list`. It may come
     * again from a READY worker, whose tools have changed. */
    void (*listed)(struct worker *worker, struct tool_list *list);
    /* Takes a worker's answer to tools/list itself; NULL: it is read, and
     * listed() gets what was read. */
    void (*take_list)(struct worker *worker, const cJSON *result);
    /* A worker said that it cannot be used, or what it said showed it. */
    void (*refuse_worker)(struct worker *worker, const char *reason);
    /* A call's deadline has passed: what happens next to the provider, "" if
     * nothing does. May be NULL. */
    void (*after_timeout)(const struct provider *provider,
                          const struct toolcall *call, char *next,
                          size_t next_size);
    /* Ends the call here and now, and returns true; NULL: workers do that. */
    bool (*run)(struct provider *provider, struct toolcall *call);
    /* Where it comes from, for messages: a file, a command, a process. */
    const char *(*source)(const struct provider *provider);
    /* A call has ended with a result: it is healthy. */
    void (*good_result)(struct provider *provider);
};

struct plugin;
struct remote;
struct builtin;

/* How often something happened within the last second. */
struct provider_rate {
    uint64_t begin_ns;
    uint32_t count;
    bool told;
};

struct provider {
    const struct provider_context *context;
    const struct provider_ops *ops;
    struct provider *next;
    enum broker_provider_kind kind;
    char *name;
    const struct config_provider *rule; /* never NULL; outlives it */
    uint32_t result_max_bytes;          /* of one answer */
    enum provider_state state;
    bool settled;
    bool leaving;  /* is freed as soon as nothing is in it */
    bool optional; /* nobody has configured it: that it refuses is no fault */
    char *refusal; /* NULL if not refused, or memory was out */
    struct tool_list tools;
    struct worker *workers; /* all that have not closed, a plugin's newest
                             * first, a worker's as they came */
    struct toolcall *queue; /* calls not sent yet */
    struct toolcall **queue_tail;
    uint64_t resend_ns; /* a worker's queue was full: try again; 0: none was */
    uint64_t calls_total;
    /* what happens next to it, told with the calls that fail; "" if nothing */
    char next_step[160];
    struct provider_rate events;   /* that its workers publish */
    struct provider_rate asks;     /* what else its calls ask for */
    struct provider_rate progress; /* that its calls report */
    struct provider_rate lines;    /* that its workers log */
    /* of its kind; the others are NULL */
    struct plugin *plugin;
    struct remote *remote;
    struct builtin *builtin;
};

/* A provider that has not been started, with the rule that is for its kind and
 * name. Copies the name. NULL when memory is out. [loop] */
struct provider *provider_new(const struct provider_context *context,
                              const struct provider_ops *ops,
                              enum broker_provider_kind kind, const char *name);

/* Frees one that is empty. Accepts NULL inside. [loop] */
void provider_free(struct provider **provider);

/* For good: as it is, it cannot be used; `reason` says why. Its calls fail, its
 * tools are gone. [loop] */
void provider_refuse(struct provider *provider, const char *reason);

/* It is not there any more: it offers nothing, its waiting calls fail with
 * `reason`, and the broker frees it when its children and the calls in them
 * have ended. [loop] */
void provider_leave(struct provider *provider, const char *reason);

/* Whether it has no children and no calls. [loop] */
bool provider_is_empty(const struct provider *provider);

/* Whether it may happen once more: at most `most` times a second. [loop] */
bool provider_rate_take(struct provider_rate *rate, uint32_t most,
                        uint64_t now_ns);

/* Its first start has come to some end. [loop] */
void provider_settle(struct provider *provider);

/* Takes a new list, whose content is moved, and tells the broker. [loop] */
void provider_set_tools(struct provider *provider, struct tool_list *list);

/* The broker hears of something. [loop] */
void provider_notice(struct provider *provider, enum broker_notice_kind kind,
                     const char *tool, const char *reason);

/* ops->source(): valid as long as the provider. [loop] */
const char *provider_source(const struct provider *provider);

/* As people name it: "The plugin clock". Static text of the kind. [any] */
const char *provider_kind_noun(enum broker_provider_kind kind);

/* Where config has its rule: "plugins.rules". Static text of the kind. [any] */
const char *provider_rule_section(enum broker_provider_kind kind);

#endif

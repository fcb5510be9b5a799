/* The tool broker: which tools there are, calls to them, their deadlines and
 * results, and the children that run them.
 *
 * Each plugin (.so) runs in a voxring-toolhost child of its own; every worker
 * speaks one protocol (tools/README.md) on the ROUTER socket
 * ipc://<runtime_dir>/tools.sock. A plugin that crashes, hangs or floods costs
 * the calls it was busy with and nothing else: its tools stay in the set while
 * a new child starts.
 *
 * One broker belongs to one loop and one thread; everything here is [loop],
 * and so is every callback. A callback may call any function of this header,
 * broker_close() included. */
#ifndef GATEWAY_TOOLBROKER_BROKER_H
#define GATEWAY_TOOLBROKER_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>
#include <cjson/cJSON.h>

#include "gateway/config.h"
#include "ipc/status.h"

struct broker;

/* SYNC: the model waits for the result. ASYNC: it may go on talking. */
enum tool_mode { TOOL_SYNC, TOOL_ASYNC };

/* Who offers tools: a plugin (.so) and an MCP server run in children of the
 * gateway; a worker is a process of somebody's own that has connected; a
 * builtin is a function of the gateway. */
enum broker_provider_kind {
    BROKER_PROVIDER_PLUGIN,
    BROKER_PROVIDER_MCP,
    BROKER_PROVIDER_WORKER,
    BROKER_PROVIDER_BUILTIN
};

/* "plugin", "mcp", "worker", "builtin". Static storage. [any] */
const char *broker_provider_kind_name(enum broker_provider_kind kind);

/* What a tool offers. Valid until the next on_tools_changed callback or
 * broker_close(), whichever is first; copy what must outlive that. */
struct tool {
    char *name;        /* 1 to 64 of A-Z a-z 0-9 _ - */
    char *description; /* for the model, never empty */
    char *schema_json; /* JSON Schema of the input, compact, an object */
    char *provider;    /* its name; a plugin's is its file without ".so" */
    enum broker_provider_kind kind; /* of the provider */
    uint32_t timeout_ms; /* from broker_call() to the result; 0: no limit */
    enum tool_mode mode;
    bool serial;              /* one call at a time */
    bool cancel_on_interrupt; /* for the session: barge-in cancels its calls */
    /* the broker's own */
    cJSON *schema;
    bool timeout_said; /* by its provider */
    bool clash_told;
    bool chosen; /* for the set that is being made */
};

/* One end per call. */
enum tool_outcome {
    TOOL_OK,        /* content_json is the tool's result */
    TOOL_ERROR,     /* the tool, or the check of its input, said no */
    TOOL_TIMEOUT,   /* the deadline passed */
    TOOL_CANCELLED, /* broker_cancel() or broker_close() */
    TOOL_CRASHED    /* the worker died or is not running */
};

/* "ok", "error", "timeout", "cancelled", "crashed". Static storage. [any] */
const char *broker_outcome_name(enum tool_outcome outcome);

/* How a call ended. Everything lives during the callback only. */
struct tool_result {
    enum tool_outcome outcome;
    /* Always the text of a JSON object, fit to be the toolResult: the tool's
     * own, {"result": ...} around what was no object, or {"error": "..."}. */
    const char *content_json;
    const char *tool;     /* the name that was called */
    const char *provider; /* NULL if no such tool */
    const char *reason;   /* a sentence; NULL when TOOL_OK */
    const char *failure;  /* how its provider failed, NULL if it did not */
    const char *next;     /* what happens next to it, NULL if nothing does */
    uint64_t duration_ns; /* since broker_call(), queueing included */
};

typedef void broker_result_fn(void *arg, uint64_t call_id,
                              const struct tool_result *result);

/* What happens to tools and to those who offer them. */
enum broker_notice_kind {
    BROKER_OFFERED, /* a tool can be called */
    BROKER_GONE,    /* a tool can no longer be called */
    BROKER_REFUSED, /* a plugin (tool NULL) or one of its tools is not taken */
    BROKER_CRASHED, /* a child died; calls in it were failed; tools stay */
    BROKER_RESTARTED, /* its successor is ready */
    BROKER_REPLACED   /* a newer version has taken over from it */
};

/* "offered", "gone", "refused", "crashed", "restarted", "replaced". Static.
 * [any] */
const char *broker_notice_name(enum broker_notice_kind kind);

/* Lives during the callback only. */
struct broker_notice {
    enum broker_notice_kind kind;
    const char *provider; /* its name */
    enum broker_provider_kind provider_kind;
    const char *tool;   /* NULL when the whole provider is meant */
    const char *reason; /* a sentence with the remedy; NULL if none */
};

/* On whose behalf a tool is called; members may be NULL. Told to the tool. */
struct broker_caller {
    const char *session;
    const char *conversation;
    const char *turn;
};

/* What a running call asks for in its conversation (tools/README.md). */
enum broker_ask_kind {
    BROKER_ASK_PUBLISH, /* {name, data?} */
    BROKER_ASK_TEXT,    /* {text} */
    BROKER_ASK_UPDATE,  /* {config} */
    BROKER_ASK_HISTORY, /* {append?: {role, text}} */
    BROKER_ASK_END      /* {reason?, within_ms?} */
};

/* Lives during the callback only. What config does not grant never gets this
 * far. */
struct broker_ask {
    enum broker_ask_kind kind;
    uint64_t call_id; /* 0: of no call, BROKER_ASK_PUBLISH only */
    const char *provider;
    const char *tool; /* NULL if of no call */
    struct broker_caller caller;
    const cJSON *params; /* an object; its members are not checked */
};

/* Any member may be NULL. */
struct broker_callbacks {
    void *arg;
    /* The set that broker_each() shows is another one now. Never because of
     * a crash. */
    void (*on_tools_changed)(void *arg);
    /* broker_ready() became true. Once. */
    void (*on_ready)(void *arg);
    void (*on_notice)(void *arg, const struct broker_notice *notice);
    /* A running call says how far it is; total is 0 when unknown, message may
     * be NULL. */
    void (*on_progress)(void *arg, uint64_t call_id, double done, double total,
                        const char *message);
    /* Answers at once: VR_OK with *answer an object (taken; NULL is {}), or a
     * status with a sentence in `why`: VR_INVALID for params that are wrong,
     * VR_UNSUPPORTED, VR_NOT_FOUND for a conversation that is over. */
    enum vr_status (*on_ask)(void *arg, const struct broker_ask *ask,
                             cJSON **answer, char *why, size_t why_size);
};

/* Copied by broker_open(); a 0 or NULL takes the default in brackets. */
struct broker_config {
    const char *runtime_dir;         /* exists */
    const char *endpoint;            /* ipc://... [tools.sock in it] */
    const char *const *plugin_paths; /* folders; each *.so in them is loaded */
    size_t plugin_path_count;
    const char *toolhost_path;  /* [voxring-toolhost beside this program] */
    const cJSON *plugin_config; /* {NAME: {...}}, NAME as in tool.provider */
    /* How providers are run; not copied, outlive the broker. NULL: defaults,
     * no MCP servers, any process that can open the socket may be a worker. */
    const struct config_providers *plugin_rules;
    const struct config_providers *mcp;
    const struct config_providers *worker_rules;
    const struct config_tools *tool_settings;
    int workers_accept;        /* enum config_accept; 0: any */
    int plugin_watch;          /* whether the folders are watched */
    uint32_t settle_ms;        /* a new file has been still so long [300] */
    uint32_t rescan_ms;        /* looks without being told to [5000] */
    uint32_t calls_max;        /* calls not yet ended [1024, also the most] */
    uint32_t result_max_bytes; /* [each provider's own] */
    uint32_t start_timeout_ms; /* from start to offered tools [30000] */
    uint32_t hang_grace_ms;    /* after a deadline, before a new child [2000] */
    uint32_t stop_grace_ms;    /* after SIGTERM, before SIGKILL [1000] */
    uint32_t restart_min_ms;   /* first wait after a crash, doubling [100] */
    uint32_t restart_max_ms;   /* longest wait [30000] */
    uint32_t worker_expires_ms; /* silence of one that is no child [3000] */
    uint32_t worker_grace_ms;   /* its tools outlive it so long [5000] */
    /* what calls without a limit still get when their plugin is replaced or
     * removed [60000] */
    uint32_t retire_ms;
};

struct broker_counters {
#define BROKER_COUNTER(name, what) uint64_t name;
#include "gateway/toolbroker/broker_counter.tbl.h"
#undef BROKER_COUNTER
};

/* Binds the socket and starts one child per plugin. On failure *broker is
 * NULL and `why` (may be NULL) holds a sentence with the remedy. A folder or a
 * file that is not usable is no failure: it is logged and told by on_notice.
 * The loop must outlive the broker and be run by the thread that starts it:
 * children die with that thread. [loop] */
enum vr_status broker_open(struct broker **broker, uv_loop_t *loop,
                           const struct broker_config *config,
                           const struct broker_callbacks *callbacks, char *why,
                           size_t why_size) VR_NODISCARD;

/* Sets *broker to NULL at once and goes on alone: calls that have not ended
 * get TOOL_CANCELLED, children get SIGTERM, after stop_grace_ms SIGKILL. When
 * nothing is left (at most stop_grace_ms and a moment later), on_closed (may
 * be NULL) is called from the loop; no other callback comes after it, and none
 * but broker_result_fn before it. The loop must be run until then. Accepts
 * NULL inside: then nothing happens, on_closed neither. [loop] */
void broker_close(struct broker **broker, void (*on_closed)(void *arg),
                  void *arg);

/* True once every plugin has offered its tools, was refused, or failed its
 * first start: a tool that is missing then was not about to come. It stays
 * true, whatever comes later. [loop] */
bool broker_ready(const struct broker *broker);

/* A tool that the gateway itself has. Called from broker_call(), it returns
 * the result: an object's text for a TOOL_OK, a sentence otherwise; malloc'ed,
 * NULL when memory is out. [loop] */
typedef enum tool_outcome broker_builtin_fn(void *arg,
                                            const struct broker_caller *caller,
                                            const cJSON *arguments,
                                            char **text);

/* Offers one, of the name, description and schema given (copied). Its provider
 * has the name of the tool; nobody else's tool can. To be called before the
 * loop runs. [loop] */
enum vr_status broker_add_builtin(struct broker *broker, const char *name,
                                  const char *description,
                                  const char *schema_json,
                                  broker_builtin_fn *run,
                                  void *arg) VR_NODISCARD;

/* One provider as it stands now, for people. Lives during the visit only. */
struct broker_provider {
    const char *name;
    enum broker_provider_kind kind;
    const char *state;  /* "starting", "ready", "waiting", "refused", ... */
    const char *source; /* a file, a command, the processes */
    /* why it is refused or waits, or its newer file does; NULL if nothing */
    const char *reason;
    size_t tools, calls, workers; /* calls: that are not answered yet */
    int pid; /* of its newest child; 0: none, or not ours */
};

/* Calls visit for each provider, then for the files and folders of plugins
 * that are refused or waited for: a folder has its path as its name; visit must not close the broker. [loop] */
void broker_each_provider(const struct broker *broker,
                          void (*visit)(void *arg,
                                        const struct broker_provider *provider),
                          void *arg);

/* Looks at the plugin folders now, and starts anew the provider of that name,
 * NULL: all that are plugins or MCP servers; calls in them end first. *count
 * gets how many. With a sentence in `why`: VR_NOT_FOUND if there is none of
 * that name, VR_AGAIN inside a callback that tells of changed tools. [loop] */
enum vr_status broker_reload(struct broker *broker, const char *name,
                             size_t *count, char *why,
                             size_t why_size) VR_NODISCARD;

/* The tool of that name, or NULL. [loop] */
const struct tool *broker_find(const struct broker *broker, const char *name);

/* Whether a call of that name reaches somebody: who offers the tool, or a
 * worker that takes what nobody offers. [loop] */
bool broker_takes(const struct broker *broker, const char *name);

/* The number of tools, and the tool at a place below it (in the order of
 * plugin file names). [loop] */
size_t broker_tool_count(const struct broker *broker);
const struct tool *broker_tool_at(const struct broker *broker, size_t index);

/* Calls visit(arg, tool) for each tool; visit must not close the broker.
 * [loop] */
void broker_each(const struct broker *broker,
                 void (*visit)(void *arg, const struct tool *tool), void *arg);

/* Calls a tool. `arguments_json` is JSON text: NULL, empty or null count as
 * {}, and a JSON string that holds an object as that object. `timeout_ms` 0
 * takes the tool's own. Everything is copied. Whatever is wrong (no such tool,
 * input against the schema, too many calls) is a result too: on_result is
 * called exactly once, never from inside this function. Returns the call's id,
 * unique for this broker; 0 (on_result will not be called) only while the
 * broker closes, when memory is out, or when `broker` is NULL. [loop] */
uint64_t broker_call(struct broker *broker, const char *name,
                     const char *arguments_json,
                     const struct broker_caller *caller, uint32_t timeout_ms,
                     broker_result_fn *on_result, void *arg);

/* Ends a call with TOOL_CANCELLED and tells its worker. An id that has ended
 * or never was is ignored, and so is a broker that is NULL. [loop] */
void broker_cancel(struct broker *broker, uint64_t call_id);

/* Calls that have not ended. [loop] */
size_t broker_pending(const struct broker *broker);

/* Valid until broker_close(). [loop] */
const struct broker_counters *broker_counters(const struct broker *broker);

/* The endpoint workers connect to, "ipc://...". Valid until broker_close().
 * [loop] */
const char *broker_endpoint(const struct broker *broker);

#endif

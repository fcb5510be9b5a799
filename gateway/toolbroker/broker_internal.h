/* The broker's own parts, shared by its .c files only. */
#ifndef GATEWAY_TOOLBROKER_BROKER_INTERNAL_H
#define GATEWAY_TOOLBROKER_BROKER_INTERNAL_H

#include "gateway/toolbroker/folder_watch.h"
#include "gateway/toolbroker/plugin_shelf.h"
#include "gateway/toolbroker/provider.h"
#include "gateway/toolbroker/router.h"
#include "gateway/toolbroker/tool_set.h"
#include "gateway/toolbroker/toolcall.h"

/* Providers at once, and tools that all of them offer. */
#define BROKER_PROVIDERS_MAX 128
#define BROKER_TOOLS_MAX 256

struct broker {
    uv_loop_t *loop;
    struct broker_callbacks callbacks;
    struct broker_counters counters;
    struct provider_context context;
    char *endpoint;
    char *toolhost_path;
    char **plugin_paths;
    size_t plugin_path_count;
    cJSON *plugin_config;
    struct router *router;
    struct provider *providers; /* in the order of folders and file names */
    size_t unsettled; /* plugins, and one until the folders are read */
    bool ready_told;
    struct tool_set set;
    struct toolcall_table calls;
    /* the loop's handles */
    uv_timer_t timer; /* the next deadline of a call or a plugin */
    uint64_t timer_due_ns;
    uv_idle_t work; /* results wait for delivery, or folders for reading */
    int handles;
    /* processes that are no children */
    struct provider_rate hellos;
    struct provider_rate refusals; /* that were logged and told */
    int workers_accept;            /* enum config_accept */
    /* the plugin folders */
    struct plugin_shelf shelf;
    struct folder_watch *watch; /* NULL: looked at when asked to, only */
    uint64_t look_due_ns;       /* when to look at the folders again */
    uint32_t rescan_ms;
    bool watches; /* it is to have a watch */
    bool looking;
    bool folders_read;
    bool folders_settled; /* what was there at the start is decided on */
    bool telling;         /* the outside hears of a new set of tools */
    /* the end */
    bool closing;
    bool finishing;
    void (*on_closed)(void *arg);
    void *closed_arg;
};

/* Arms the timer for `due_ns` if that is earlier. [loop] */
void broker_wake_at(struct broker *broker, uint64_t due_ns);

/* The provider of that name that is not leaving, or NULL. [loop] */
struct provider *broker_provider(const struct broker *broker, const char *name);

/* Tells the outside; texts are copied and cleaned. [loop] */
void broker_notice(struct broker *broker, enum broker_notice_kind kind,
                   enum broker_provider_kind provider_kind,
                   const char *provider, const char *tool, const char *reason);

/* One of those that `unsettled` counts has come to some end. [loop] */
void broker_settled(struct broker *broker);

/* Makes on_result happen soon. [loop] */
void broker_deliver_soon(struct broker *broker);

/* Reads the plugin folders and starts what is there, and the MCP servers.
 * [loop] */
void broker_read_folders(struct broker *broker);

/* Looks at the folders if that is due; returns when to come again. [loop] */
uint64_t broker_folders_tick(struct broker *broker, uint64_t now_ns);

/* Watches them no more. [loop] */
void broker_close_folders(struct broker *broker);

/* Puts a provider in its place: builtins, plugins by folder and name, MCP
 * servers, workers. [loop] */
void broker_insert(struct broker *broker, struct provider *provider);

/* Whether no further provider can be had. [loop] */
bool broker_is_full(const struct broker *broker);

/* Warns of settings that are for no plugin and no tool. [loop] */
void broker_warn_of_spare_settings(const struct broker *broker);

/* Fills the context that plugins see. [loop] */
void broker_fill_context(struct broker *broker,
                         const struct broker_config *config);

/* Goes on with closing if nothing is in the way. [loop] */
void broker_finish(struct broker *broker);

/* A hello of a process that is no child: takes it as a worker or refuses it,
 * and answers. [loop] */
void broker_hello(struct broker *broker, const struct router_peer *peer,
                  const struct worker_message *message);

/* A worker asks for something in a conversation. [loop] */
void broker_ask(struct broker *broker, struct worker *worker,
                const struct router_peer *peer,
                const struct worker_message *message);

/* Answers a peer, taking the malloc'ed text; what cannot be sent is counted.
 * [loop] */
void broker_answer(struct broker *broker, const struct router_peer *peer,
                   char *text);

/* Who gets calls of `name`, which nobody offers, or NULL. [loop] */
struct provider *broker_catch_all(const struct broker *broker,
                                  const char *name);

/* The router's callbacks. [loop] */
void broker_on_message(void *arg, const struct router_peer *peer,
                       const char *bytes, size_t bytes_count);
void broker_on_malformed(void *arg, const struct router_peer *peer);

#endif

/* voxring_tool.h: write a tool for a voxring voice gateway.
 *
 * A plugin is one shared library (.so) in the gateway's plugin folder. It
 * exports one symbol, the constant `voxring_plugin`, which says what tools it
 * offers. The gateway loads each plugin in a process of its own
 * (voxring-toolhost), so a plugin may block, use threads, or crash: that costs
 * the call in hand, never the conversation. A library is never unloaded.
 *
 * tools/plugins/echo.c is a complete plugin to copy; tools/README.md tells the
 * rest. This header is the whole ABI, stands alone, and is C99 and C++11.
 *
 * Threads. Each function below ends with a tag:
 *   [worker] the plugin's worker thread: init, the calls and fini all run on
 *            it, so a plugin without threads of its own needs no locks,
 *            unless it offers a VOXRING_PARALLEL tool: calls of such a tool
 *            come from a pool of other threads, several at once;
 *   [any]    any thread, at any time between init's begin and fini's return.
 *
 * Growth. The layout below is frozen for ABI major 1. A later minor only adds
 * members at the end of a struct (struct_size and tool_bytes tell how much of
 * it the other side has) and services behind get_service(). A host takes every
 * plugin of its own major, older or newer; a plugin that is to run in older
 * hosts asks VOXRING_HAS() before it uses what came later.
 *
 * Processes. What a plugin forks is not the plugin: in a forked copy the
 * functions of voxring_host and its services do nothing, and the copy ends when
 * it returns from a function that the host called.
 *
 * Changelog:
 *   1.0  the first.
 *   1.1  voxring_tool.flags (was reserved, 0): VOXRING_CANCEL_ON_INTERRUPT.
 *        timeout_ms 0 is no limit for VOXRING_ASYNC (was 1 h), and
 *        voxring_call.deadline_ns is then UINT64_MAX.
 *        voxring_host.config and .publish.
 *        The service "voxring.conversation/1". VOXRING_HAS().
 */
#ifndef VOXRING_TOOL_H
#define VOXRING_TOOL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VOXRING_TOOL_ABI_MAJOR 1
#define VOXRING_TOOL_ABI_MINOR 1

#if defined(__GNUC__)
#define VOXRING_EXPORT __attribute__((visibility("default")))
#else
#define VOXRING_EXPORT
#endif

/* Whether the other side's struct, which begins with struct_size, reaches as
 * far as this member: VOXRING_HAS(host, publish). */
#define VOXRING_HAS(object, member)                           \
    ((size_t)((const char *)(const void *)&(object)->member - \
              (const char *)(const void *)(object)) +         \
         sizeof((object)->member) <=                          \
     (object)->struct_size)

/* How a call ended, for voxring_host.complete(). */
enum voxring_status {
    VOXRING_OK = 0,   /* json is the result */
    VOXRING_ERROR = 1 /* json says why not; the model reads it aloud */
};

enum voxring_log_level {
    VOXRING_LOG_ERROR = 1,
    VOXRING_LOG_WARN = 2,
    VOXRING_LOG_INFO = 3,
    VOXRING_LOG_DEBUG = 4
};

/* voxring_tool.mode: SYNC, the model waits silently for the result. ASYNC, it
 * may go on talking; choose it for what takes more than some seconds. */
enum voxring_mode { VOXRING_SYNC = 0, VOXRING_ASYNC = 1 };

/* voxring_tool.threading: SERIAL, the next call of this tool begins when the
 * last has been completed and has returned. PARALLEL, calls may overlap. */
enum voxring_threading { VOXRING_SERIAL = 0, VOXRING_PARALLEL = 1 };

/* Bits of voxring_tool.flags. CANCEL_ON_INTERRUPT: a call is cancelled when the
 * user interrupts the assistant; without it calls run on. */
enum voxring_flags { VOXRING_CANCEL_ON_INTERRUPT = 1 };

/* What the host does for a plugin. Valid from init to the end of the process.
 * Check struct_size before using a member that a later minor added. */
struct voxring_host {
    uint32_t struct_size; /* bytes the host has of this struct */
    uint16_t abi_major;
    uint16_t abi_minor;

    /* Ends a call, exactly once for each: from inside tool.call or later, from
     * whatever thread. `json` is JSON text, best an object: {"time":"10:15"}
     * or, for VOXRING_ERROR, {"error":"There is no such zone"}; plain text is
     * taken as well; NULL counts as {}. It is copied. A second completion, and
     * one after the gateway gave up waiting, are dropped and counted. [any] */
    void (*complete)(uint64_t token, int status, const char *json);

    /* 1 once nobody waits for this call any more: the gateway gave up (its
     * deadline passed) or cancelled it. Long work should ask now and then,
     * stop, and complete with anything. Otherwise 0. [any] */
    int (*is_cancelled)(uint64_t token);

    /* Tells how far a call is, for whoever watches; total 0 if unknown,
     * message NULL or a short text. More than ten a second are dropped.
     * [any] */
    void (*progress)(uint64_t token, double done, double total,
                     const char *message);

    /* A line in the gateway's log under the plugin's name. What is written to
     * stdout and stderr arrives there too. No secrets. [any] */
    void (*log)(int level, const char *message);

    /* Nanoseconds of CLOCK_MONOTONIC. [any] */
    uint64_t (*now_ns)(void);

    /* What there is besides, by name: "voxring.conversation/1" is a struct
     * voxring_conversation. A pointer to that service's own struct, valid like
     * this one, or NULL where the host has none. [any] */
    const void *(*get_service)(const char *id);

    /* The plugin's own section of the gateway's config, the same JSON text
     * that init gets. Valid to the end of the process. Since 1.1. [any] */
    const char *(*config)(void);

    /* Publishes an event on the gateway's bus, as `tool.event` with this
     * `name`, such as timer_rang, and `data_json`, JSON text or NULL for none.
     * `token` is the call that it belongs to, or 0 for none. Waits for the
     * gateway's answer, at most 5 s. Returns 0 when the event is out, anything
     * else when it was dropped: config does not grant "publish", the call is
     * over, init has not returned yet, the data is no JSON. Since 1.1.
     * [any] */
    int (*publish)(uint64_t token, const char *name, const char *data_json);
};

/* The service "voxring.conversation/1": acts on the conversation of a call that
 * is not completed yet, as far as the gateway's config grants it (plugins.rules
 * NAME.grants). Each function waits until the gateway has answered, at most
 * 5 s, and returns 0 when it is done; else `why` (why_bytes of it, may be NULL)
 * gets a sentence: not granted, the call is over, what is wrong with the
 * arguments. Since 1.1. */
struct voxring_conversation {
    uint32_t struct_size; /* bytes the host has of this struct */
    uint32_t reserved;    /* 0 */

    /* Says a text to the model as if the user had written it. [any] */
    int (*text)(uint64_t token, const char *text, char *why, size_t why_bytes);

    /* Changes settings of the session, as control's session.update does:
     * {"voice":"tiffany"}. [any] */
    int (*update)(uint64_t token, const char *config_json, char *why,
                  size_t why_bytes);

    /* What was said so far, {"messages":[{"role","text"}...],"revision":n}, as
     * text that the caller gives to free(); NULL when it could not be had.
     * [any] */
    char *(*history)(uint64_t token, char *why, size_t why_bytes);

    /* Adds an entry to the history; `role` is "user" or "assistant". [any] */
    int (*append)(uint64_t token, const char *role, const char *text, char *why,
                  size_t why_bytes);

    /* Ends the conversation when the response that follows this call has been
     * played to its end, at most `within_ms` later (0: 30 s). `reason`, for
     * logs and the bus, may be NULL. [any] */
    int (*end)(uint64_t token, const char *reason, uint32_t within_ms,
               char *why, size_t why_bytes);
};

/* One call. Valid while tool.call runs; only the token may be kept. */
struct voxring_call {
    uint32_t struct_size;     /* bytes the host has of this struct */
    uint32_t reserved;        /* 0 */
    uint64_t token;           /* names this call in voxring_host's functions */
    const char *tool;         /* which tool */
    const char *input_json;   /* a JSON object, checked against input_schema's
                               type, required and enum */
    const char *session;      /* whose conversation; "" if none */
    const char *conversation; /* its id; "" if none */
    const char *turn;         /* the turn's id; "" if none */
    uint64_t deadline_ns;     /* now_ns() at which nobody waits any more;
                               UINT64_MAX if there is no limit */
};

/* One tool. Strings are UTF-8 and constant for the life of the process. */
struct voxring_tool {
    const char *name;         /* 1 to 64 of A-Z a-z 0-9 _ - */
    const char *description;  /* when and why to use it: the model decides by
                                this sentence */
    const char *input_schema; /* JSON Schema with "type":"object"; NULL: takes
                                 no input */
    uint32_t mode;            /* enum voxring_mode */
    uint32_t threading;       /* enum voxring_threading */
    uint32_t timeout_ms;      /* 0: 60 s for VOXRING_SYNC, else no limit */
    uint32_t flags;           /* enum voxring_flags, 0 if none */

    /* Runs one call; must lead to one host->complete() for call->token, now or
     * after it has returned. [worker] */
    void (*call)(const struct voxring_call *call);
};

/* What a plugin exports, as `voxring_plugin`. Read without running any of the
 * plugin's code. */
struct voxring_plugin {
    uint32_t struct_size; /* sizeof(struct voxring_plugin) */
    uint16_t abi_major;   /* VOXRING_TOOL_ABI_MAJOR */
    uint16_t abi_minor;   /* VOXRING_TOOL_ABI_MINOR */
    const char *name;     /* for logs; the file name is what config refers to */
    const char *version;  /* for logs */
    const struct voxring_tool *tools; /* tool_count of them */
    uint32_t tool_count;              /* 1 to 64 */
    uint32_t tool_bytes;              /* sizeof(struct voxring_tool) */

    /* Called once before any call, may be NULL. `config_json` is the object
     * plugins.config.<file name without .so> of the gateway's config, {} if
     * there is none. Both live on. Returns 0, or anything else after writing a
     * sentence to `why` (say what is missing and where to put it): then the
     * plugin is not offered. [worker] */
    int (*init)(const struct voxring_host *host, const char *config_json,
                char *why, size_t why_bytes);

    /* Called once before the process ends in good order, may be NULL: give
     * back what outlives a process. Not called while a call still runs, nor
     * after a crash. [worker] */
    void (*fini)(void);
};

/* Fills the first three members:
 *   VOXRING_EXPORT const struct voxring_plugin voxring_plugin = {
 *       VOXRING_PLUGIN_HEAD, "echo", "1.0", tools, 1,
 *       sizeof(struct voxring_tool), init, NULL}; */
#define VOXRING_PLUGIN_HEAD                                          \
    (uint32_t)sizeof(struct voxring_plugin), VOXRING_TOOL_ABI_MAJOR, \
        VOXRING_TOOL_ABI_MINOR

/* The one symbol a plugin defines. */
extern VOXRING_EXPORT const struct voxring_plugin voxring_plugin;

#ifdef __cplusplus
}
#endif
#endif

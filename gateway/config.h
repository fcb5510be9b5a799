/* The configuration: one file of JSON with comments, read into typed structs.
 *
 * Every key is one row of gateway/config.tbl.h; the reader, the example file's
 * test and config_print() expand the same rows. `null` means the default.
 * Problems are collected, all of them, one line each:
 *
 *   robot.jsonc:12: sessions.robot.chunk_ms: 5 is out of range; use 10 to 100
 */
#ifndef GATEWAY_CONFIG_H
#define GATEWAY_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cjson/cJSON.h>

#include "ipc/status.h"

#define CONFIG_NAME_BYTES 33 /* a session's or a plugin's name and its NUL */

/* A list of owned strings. */
struct config_strings {
    char **items;
    size_t count;
    bool all; /* the file says "*"; `items` is then empty */
};

struct config_message {
    char *role; /* "USER" or "ASSISTANT" */
    char *text; /* never empty */
};

struct config_history {
    struct config_message *items;
    size_t count;
};

/* Which of the model's signs of barge-in flush the output ring. */
enum config_interrupt {
    CONFIG_INTERRUPT_MARKER = 1,      /* the "interrupted" text marker */
    CONFIG_INTERRUPT_STOP_REASON = 2, /* contentEnd INTERRUPTED */
    CONFIG_INTERRUPT_SPEECH_START = 4 /* userSpeechStart alone */
};

/* A place to go on when the one before it fails for too long. */
struct config_target {
    char *region; /* filled in */
    char *model;
    char *endpoint; /* NULL: the region's own */
    char *ca_file;  /* NULL: the system's */
};

struct config_targets {
    struct config_target *items; /* in the order they are tried */
    size_t count;
};

enum config_listen { CONFIG_LISTEN_ALWAYS = 1, CONFIG_LISTEN_WHEN_QUIET = 2 };

enum config_continuation {
    CONFIG_CONTINUATION_ON = 1,
    CONFIG_CONTINUATION_OFF
};

/* When a session has a stream open. */
enum config_mode {
    CONFIG_MODE_ALWAYS = 1,
    CONFIG_MODE_ON_AUDIO,
    CONFIG_MODE_MANUAL
};

/* A setting that is "on" or "off". */
enum config_switch { CONFIG_ON = 1, CONFIG_OFF };

/* How the model chooses its words while tools are offered. */
enum config_for_tools {
    CONFIG_FOR_TOOLS_AS_SET = 1, /* by inference.top_p and temperature */
    CONFIG_FOR_TOOLS_GREEDY      /* both sent as 1 */
};

/* What the model is sent for a call that was cancelled. */
enum config_cancelled {
    CONFIG_CANCELLED_BY_FAMILY = 1, /* what its family expects */
    CONFIG_CANCELLED_ERROR,
    CONFIG_CANCELLED_NOTHING
};

/* When a changed setting takes effect in a session that is open. */
enum config_applies {
    CONFIG_APPLIES_RESTART,  /* with the next start of voxringd */
    CONFIG_APPLIES_LIVE,     /* at once */
    CONFIG_APPLIES_ROTATION, /* with the next stream */
    CONFIG_APPLIES_REOPEN    /* when the session is opened anew */
};

/* One session's settings. Strings that may be NULL are marked; everything
 * else is filled in, by the file or by its default. */
struct config_session {
    char name[CONFIG_NAME_BYTES];
    char *model;        /* the session's own, else bedrock.model */
    char *model_family; /* "v1", "nova2", ...; NULL: known from the model */
    char *voice;
    char *system_prompt;      /* NULL: the documented default prompt */
    char *system_prompt_file; /* NULL; its text is in system_prompt already */
    char *greeting;           /* NULL: the robot waits to be spoken to */
    char *trigger_clip;       /* NULL; a WAV file */
    struct config_history history;
    char *history_file; /* NULL: forgotten with the session */
    struct {
        uint32_t piece_bytes; /* <= total_bytes */
        uint32_t total_bytes;
        uint32_t messages;
    } history_limits; /* of what a new stream is told */
    struct {
        uint32_t rate_hz;
        uint32_t channels;
    } input, output;              /* of the rings */
    uint32_t model_input_rate_hz; /* of the stream */
    uint32_t model_output_rate_hz;
    uint32_t chunk_ms;
    uint32_t gap_ms;
    uint32_t connect_buffer_ms;
    uint32_t outage_buffer_s;
    int mode;             /* enum config_mode */
    double idle_close_s;  /* 0: never */
    double max_session_s; /* 0: never */
    double abandoned_s;   /* 0: never */
    struct {
        double threshold_dbfs; /* below 0 */
        uint32_t hangover_ms;
        uint32_t preroll_ms;
    } speech;
    int continuation; /* enum config_continuation */
    double rotate_after_s;
    double rotate_deadline_s; /* > rotate_after_s */
    double rotate_gap_s;
    double rotate_tool_wait_s;
    double credential_margin_s;
    double deaf_after_s;         /* 0: never */
    struct config_strings tools; /* names, or all */
    uint32_t tools_wait_ms;
    struct {
        uint32_t max_tokens;
        double top_p;
        double temperature;
        int for_tools; /* enum config_for_tools */
    } inference;
    char *endpointing_sensitivity; /* HIGH, MEDIUM, LOW; NULL: not sent */
    int listen;                    /* enum config_listen */
    uint32_t interrupt_on;         /* enum config_interrupt, or'ed */
    char *tool_choice;     /* "auto", "any" or a tool's name; NULL: not sent */
    int end_conversation;  /* enum config_switch */
    int cancelled_result;  /* enum config_cancelled */
    double async_result_s; /* 0: not kept */
    int async_guidance;    /* enum config_switch */
    struct {
        cJSON *session_start; /* merged into sessionStart; NULL: nothing */
        cJSON *prompt_start;
    } extra;
};

/* ---- who offers tools ---- */

enum config_provider_kind {
    CONFIG_PROVIDER_PLUGIN, /* an entry of plugins.rules */
    CONFIG_PROVIDER_MCP,    /* of mcp */
    CONFIG_PROVIDER_WORKER  /* of workers.rules */
};

/* What a provider's tools may do to the conversation and on the bus. */
enum config_grant {
    CONFIG_GRANT_PUBLISH = 1,
    CONFIG_GRANT_TEXT = 2,
    CONFIG_GRANT_UPDATE = 4,
    CONFIG_GRANT_HISTORY = 8,
    CONFIG_GRANT_END = 16
};

/* Which workers of somebody's own may offer tools. */
enum config_accept {
    CONFIG_ACCEPT_ANY = 1,
    CONFIG_ACCEPT_LISTED, /* those that workers.rules names */
    CONFIG_ACCEPT_NONE
};

/* The settings of one provider. What its kind has no key for is zero, except
 * the lists of names, which then are `all`. */
struct config_provider {
    char *name;         /* "*" for those without an entry of their own */
    uint32_t memory_mb; /* of its process; 0: no limit */
    double timeout_s;   /* of each call; 0: what the tool says */
    uint32_t result_bytes;
    uint32_t concurrent_calls;
    uint32_t grants;            /* enum config_grant, or'ed */
    struct config_strings env;  /* "NAME" to pass on, "NAME=value" to set */
    char *command;              /* mcp: this or `url`, the other is NULL */
    struct config_strings args; /* beside `command` */
    char *cwd;                  /* NULL: voxringd's */
    char *url;
    char *headers_file;          /* NULL: none */
    char *prefix;                /* NULL: none */
    struct config_strings allow; /* the server's names of tools, or all */
    struct config_strings tools; /* a worker may offer these, or all */
    char *token_file;            /* NULL: no token is asked for */
    bool catch_all;
};

struct config_providers {
    struct config_provider *items;
    size_t count;
};

enum config_tool_mode { CONFIG_TOOL_SYNC = 1, CONFIG_TOOL_ASYNC };

/* What the configuration says of one tool, before what its provider says. */
struct config_tool {
    char *name;
    int mode;                /* enum config_tool_mode; 0: not said */
    double timeout_s;        /* 0: no limit; < 0: not said */
    int cancel_on_interrupt; /* 0 or 1; < 0: not said */
    char *description;       /* NULL: not said */
};

struct config_tools {
    struct config_tool *items;
    size_t count;
};

struct config {
    struct {
        char *region;
        char *model;
        char *endpoint; /* NULL: the region's own */
        char *ca_file;  /* NULL: the system's */
        char *profile;  /* NULL: AWS_PROFILE, else "default" */
        uint32_t connect_timeout_ms;
        uint32_t max_streams;
        uint32_t max_concurrent_handovers;
        struct config_targets fallback;
        double fallback_retry_s;
        uint32_t retry_base_ms;
        uint32_t retry_cap_ms; /* >= retry_base_ms */
        uint32_t retry_budget;
        double retry_window_s;
        double retry_slow_s;
        double healthy_after_s;
    } bedrock;
    struct config_session **sessions; /* in the file's order */
    size_t session_count;
    struct {
        char *events; /* ipc:// endpoints, filled in */
        char *control;
        char *tools;
    } bus;
    struct {
        struct config_strings path; /* folders, none: the built-in search */
        cJSON *config;              /* {NAME: {...}}, or NULL */
        int watch;                  /* enum config_switch */
        uint32_t settle_ms;
        struct config_providers rules;
    } plugins;
    struct config_providers mcp;
    struct {
        int accept; /* enum config_accept */
        struct config_providers rules;
    } workers;
    struct config_tools tool_settings;
    char *runtime_dir; /* absolute, filled in */
    char *instance;    /* NULL: derived from the runtime folder */
    char *log;         /* for log_levels() */
    struct {
        char *group; /* shares rings and sockets; NULL: the owner only */
    } ring;
};

/* Reads a file. On VR_INVALID (or VR_NOT_FOUND, VR_DENIED, VR_SYSTEM when it
 * cannot be read) `*problems` is a text to be freed, one problem a line, and
 * `*config` is NULL. `path` NULL gives the defaults and no sessions. [loop] */
enum vr_status config_load(const char *path, struct config **config,
                           char **problems) VR_NODISCARD;

/* The same from memory; `name` stands for the file in problems. [any] */
enum vr_status config_parse(const char *text, size_t text_bytes,
                            const char *name, struct config **config,
                            char **problems) VR_NODISCARD;

/* Accepts NULL inside. [any] */
void config_free(struct config **config);

/* One session from an object that did not come from the file, such as the
 * parameters of session.open. `object` may be NULL or JSON null (all defaults)
 * and is not kept; `path` begins each problem's key, "params.config". What the
 * object leaves out comes from the table and, for `model`, from `config`. Files
 * that `config` names for no session are refused. The session is the caller's.
 * [loop] */
enum vr_status config_session_parse(const struct config *config,
                                    const char *name, const cJSON *object,
                                    const char *path,
                                    struct config_session **session,
                                    char **problems) VR_NODISCARD;

/* `changes`, as config_session_parse() takes them, laid over the settings of an
 * open session: what they leave out stays, null is the default again. Of
 * system_prompt and system_prompt_file the one that is given replaces the
 * other. A rate of the stream that followed from the ring's follows the new
 * one. `*merged` is the caller's, NULL unless VR_OK is returned; a file is read
 * only if `changes` names it. [loop] */
enum vr_status config_session_merge(const struct config *config,
                                    const struct config_session *old,
                                    const cJSON *changes, const char *path,
                                    struct config_session **merged,
                                    char **problems) VR_NODISCARD;

/* Calls `each` (may be NULL) for every key whose values differ, in the table's
 * order, with the key's path within a session, "inference.top_p"; the path is
 * static. Returns how many there are. [any] */
size_t config_session_changes(const struct config_session *old,
                              const struct config_session *new,
                              void (*each)(void *arg, const char *path,
                                           enum config_applies applies),
                              void *arg);

/* Accepts NULL inside. [any] */
void config_session_free(struct config_session **session);

/* The settings of that name, NULL if the file has none. [any] */
const struct config_session *config_session_find(const struct config *config,
                                                 const char *name);

/* The entry of that name, else the entry "*", else NULL. Lives as long as
 * `providers`. [any] */
const struct config_provider *
config_provider_find(const struct config_providers *providers,
                     const char *name);

/* What an empty entry would say; its name is "*". Static storage. [any] */
const struct config_provider *
config_provider_default(enum config_provider_kind kind);

/* The entry of that name, NULL if there is none. Lives as long as `tools`.
 * [any] */
const struct config_tool *config_tool_find(const struct config_tools *tools,
                                           const char *name);

/* Whether a text may name a session: ^[a-z0-9][a-z0-9_-]{0,31}$. [any] */
bool config_name_valid(const char *name);

/* All settings in force, in the file's own shape, so that they can be read
 * again. What may be a secret is shown as "…": values of environment variables,
 * what follows the ? of a url, and texts in plugins.config whose name says so.
 * Caller frees; NULL when memory is out. [any] */
cJSON *config_to_json(const struct config *config);
cJSON *config_session_to_json(const struct config_session *session);

/* For --check-config: loads, prints the problems or every setting in force to
 * `out`, and returns what config_load() did. [loop] */
enum vr_status config_check(const char *path, FILE *out) VR_NODISCARD;

/* ---- the table, for documentation and tests ---- */

struct config_key {
    const char *path;     /* "bedrock.region", "sessions.NAME.voice" */
    const char *type;     /* "text", "whole number", ... */
    const char *fallback; /* the default as JSON, "null" if derived */
    const char *unit;     /* "" if it has none */
    const char *what;     /* one sentence */
    enum config_applies applies;
};

/* Row `index`, NULL past the end. Static storage. [any] */
const struct config_key *config_key_at(size_t index);

/* "restart", "live", "rotation" or "reopen". Static storage. [any] */
const char *config_applies_name(enum config_applies applies);

/* What session.update does with each key of a session, as comment lines. [any]
 */
void config_applies_print(FILE *out);

#endif

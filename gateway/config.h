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

enum config_listen { CONFIG_LISTEN_ALWAYS = 1, CONFIG_LISTEN_WHEN_QUIET = 2 };

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
    struct config_history history;
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
    struct config_strings tools; /* names, or all */
    uint32_t tools_wait_ms;
    struct {
        uint32_t max_tokens;
        double top_p;
        double temperature;
    } inference;
    char *endpointing_sensitivity; /* HIGH, MEDIUM, LOW; NULL: not sent */
    int listen;                    /* enum config_listen */
    uint32_t interrupt_on;         /* enum config_interrupt, or'ed */
    char *tool_choice; /* "auto", "any" or a tool's name; NULL: not sent */
    struct {
        cJSON *session_start; /* merged into sessionStart; NULL: nothing */
        cJSON *prompt_start;
    } extra;
};

struct config {
    struct {
        char *region;
        char *model;
        char *endpoint; /* NULL: the region's own */
        char *ca_file;  /* NULL: the system's */
        char *profile;  /* NULL: AWS_PROFILE, else "default" */
        uint32_t connect_timeout_ms;
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
    } plugins;
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
 * object leaves out comes from the table and, for `model`, from `config`. The
 * session is the caller's. [any] */
enum vr_status config_session_parse(const struct config *config,
                                    const char *name, const cJSON *object,
                                    const char *path,
                                    struct config_session **session,
                                    char **problems) VR_NODISCARD;

/* Accepts NULL inside. [any] */
void config_session_free(struct config_session **session);

/* The settings of that name, NULL if the file has none. [any] */
const struct config_session *config_session_find(const struct config *config,
                                                 const char *name);

/* Whether a text may name a session: ^[a-z0-9][a-z0-9_-]{0,31}$. [any] */
bool config_name_valid(const char *name);

/* All settings in force, in the file's own shape. Caller frees; NULL when
 * memory is out. [any] */
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
};

/* Row `index`, NULL past the end. Static storage. [any] */
const struct config_key *config_key_at(size_t index);

#endif

#include "gateway/config.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/config_file.h"
#include "gateway/config_provider.h"
#include "gateway/config_session.h"
#include "gateway/config_table.h"
#include "gateway/jsonc.h"
#include "gateway/jsonx.h"
#include "ipc/ring_host.h"

#define FILE_BYTES_MAX (4u * 1024u * 1024u)
#define SESSIONS_MAX 1024
#define RUNTIME_DIR_BYTES_MAX 90 /* a socket's path has 107 */

static void
out_of_memory(struct config_reader *reader)
{
    config_problem(reader->problems, NULL, "", "out of memory");
}

/* ---- what follows from the environment and from other settings ---- */

static void
set_text(char **member, const char *text, struct config_reader *reader)
{
    free(*member);
    *member = strdup(text);
    if (!*member)
        out_of_memory(reader);
}

static void
derive_region(struct config *config, struct config_reader *reader)
{
    const char *region = getenv("AWS_REGION");
    if (config->bedrock.region)
        return;
    if (!region || !*region)
        region = "us-east-1";
    const char *right = config_check_region(region);
    if (right)
        config_problem(reader->problems, NULL, "bedrock.region",
                       "AWS_REGION is \"%.64s\"; use %s", region, right);
    set_text(&config->bedrock.region, region, reader);
}

static void
derive_runtime_dir(struct config *config, struct config_reader *reader)
{
    char dir[RUNTIME_DIR_BYTES_MAX + 1];
    if (config->runtime_dir)
        return;
    if (ring_host_runtime_dir(dir, sizeof dir) != VR_OK || dir[0] != '/') {
        config_problem(reader->problems, NULL, "runtime_dir",
                       "the folder that VOXRING_RUNTIME_DIR or "
                       "XDG_RUNTIME_DIR names is relative or longer than %d "
                       "bytes; set runtime_dir to a shorter absolute path",
                       RUNTIME_DIR_BYTES_MAX);
        snprintf(dir, sizeof dir, "/");
    }
    set_text(&config->runtime_dir, dir, reader);
}

static void
derive_endpoint(struct config *config, char **member, const char *name,
                struct config_reader *reader)
{
    char endpoint[160];
    if (*member || !config->runtime_dir)
        return;
    snprintf(endpoint, sizeof endpoint, "ipc://%s/%s.sock", config->runtime_dir,
             name);
    set_text(member, endpoint, reader);
}

static void
check_endpoints(const struct config *config, const cJSON *json,
                struct config_reader *reader)
{
    const char *events = config->bus.events;
    const char *control = config->bus.control;
    const char *tools = config->bus.tools;
    if (!events || !control || !tools)
        return;
    if (!strcmp(events, control) || !strcmp(events, tools) ||
        !strcmp(control, tools))
        config_problem(reader->problems, config_item_at(json, "bus"), "bus",
                       "two endpoints are the same; give each its own path");
}

/* "https://HOST/" is what people copy; the stream adds its own path. */
static void
trim_endpoint(char *endpoint)
{
    size_t bytes = endpoint ? strlen(endpoint) : 0;
    if (bytes && endpoint[bytes - 1] == '/')
        endpoint[bytes - 1] = '\0';
}

static void
derive_fallback(struct config *config, struct config_reader *reader)
{
    for (size_t i = 0; i < config->bedrock.fallback.count; i++) {
        struct config_target *target = &config->bedrock.fallback.items[i];
        trim_endpoint(target->endpoint);
        if (!target->region && config->bedrock.region)
            set_text(&target->region, config->bedrock.region, reader);
    }
}

static void
check_retries(const struct config *config, const cJSON *json,
              struct config_reader *reader)
{
    if (config->bedrock.retry_base_ms > config->bedrock.retry_cap_ms)
        config_problem(reader->problems, config_item_at(json, "bedrock"),
                       "bedrock.retry_base_ms",
                       "is %u, above retry_cap_ms, %u; use a smaller one or "
                       "raise retry_cap_ms",
                       config->bedrock.retry_base_ms,
                       config->bedrock.retry_cap_ms);
}

static void
derive(struct config *config, const cJSON *json, struct config_reader *reader)
{
    derive_region(config, reader);
    trim_endpoint(config->bedrock.endpoint);
    derive_fallback(config, reader);
    check_retries(config, json, reader);
    derive_runtime_dir(config, reader);
    derive_endpoint(config, &config->bus.events, "events", reader);
    derive_endpoint(config, &config->bus.control, "control", reader);
    derive_endpoint(config, &config->bus.tools, "tools", reader);
    check_endpoints(config, json, reader);
    config_providers_check(config, json, reader);
}

/* ---- sessions ---- */

static void
read_session(struct config *config, const cJSON *item, const cJSON *sessions,
             struct config_reader *reader)
{
    char path[CONFIG_PATH_BYTES];
    const char *right = config_check_name(item->string);
    snprintf(path, sizeof path, "sessions.%.64s", item->string);
    if (right) {
        config_problem(reader->problems, item, path,
                       "\"%.64s\" names no session; use %s", item->string,
                       right);
        return;
    }
    if (cJSON_GetObjectItemCaseSensitive(sessions, item->string) != item) {
        config_problem(reader->problems, item, path,
                       "given twice; keep one, or name it otherwise");
        return;
    }
    if (!config->bedrock.model)
        return;
    struct config_session *session =
        config_session_read(config, item->string, item, path, reader);
    if (session)
        config->sessions[config->session_count++] = session;
    else
        out_of_memory(reader);
}

static void
read_sessions(struct config *config, const cJSON *sessions,
              struct config_reader *reader)
{
    const cJSON *item;
    int count = cJSON_GetArraySize(sessions);
    if (!sessions || cJSON_IsNull(sessions))
        return;
    if (!cJSON_IsObject(sessions) || count > SESSIONS_MAX) {
        config_problem(reader->problems, sessions, "sessions",
                       "must hold at most %d sessions by name; use "
                       "{\"robot\": {}}",
                       SESSIONS_MAX);
        return;
    }
    config->sessions = calloc((size_t)count + 1, sizeof *config->sessions);
    if (!config->sessions) {
        out_of_memory(reader);
        return;
    }
    cJSON_ArrayForEach(item, sessions)
        read_session(config, item, sessions, reader);
}

const struct config_session *
config_session_find(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->session_count; i++) {
        if (!strcmp(config->sessions[i]->name, name))
            return config->sessions[i];
    }
    return NULL;
}

/* ---- the file ---- */

static void
read_root(struct config *config, const cJSON *json,
          struct config_reader *reader)
{
    config_table_read(&config_root_table, config, json, "", "sessions", reader);
    derive(config, json, reader);
    read_sessions(config, cJSON_GetObjectItemCaseSensitive(json, "sessions"),
                  reader);
}

/* The folder that relative paths in the file start from. */
static void
dir_of(const char *file, char *dir, size_t dir_size)
{
    const char *slash = file ? strrchr(file, '/') : NULL;
    int n = slash ? (int)(slash - file) : 0;
    snprintf(dir, dir_size, "%.*s", slash == file && slash ? 1 : n,
             file ? file : "");
}

static enum vr_status
parse(const char *text, size_t text_bytes, const char *file,
      struct config **config, struct config_problems *problems)
{
    char dir[4096];
    char wrong[256];
    size_t line;
    struct config_reader reader = {.problems = problems, .dir = dir};
    struct jsonc *jsonc =
        jsonc_parse(text, text_bytes, &line, wrong, sizeof wrong);
    dir_of(file, dir, sizeof dir);
    if (!jsonc) {
        config_problem_at(problems, line, "%s", wrong);
        return VR_INVALID;
    }
    problems->jsonc = jsonc;
    *config = calloc(1, sizeof **config);
    if (*config)
        read_root(*config, jsonc_root(jsonc), &reader);
    else
        out_of_memory(&reader);
    problems->jsonc = NULL;
    jsonc_free(&jsonc);
    return problems->count ? VR_INVALID : VR_OK;
}

/* `status` and the problems collected, handed to the caller. */
static enum vr_status
finish(enum vr_status status, struct config_problems *list,
       struct config **config, char **problems)
{
    *problems = config_problems_take(list);
    if (status != VR_OK)
        config_free(config);
    if (status != VR_OK && !*problems)
        return VR_NO_MEMORY;
    return status;
}

enum vr_status
config_parse(const char *text, size_t text_bytes, const char *name,
             struct config **config, char **problems)
{
    struct config_problems list;
    *config = NULL;
    config_problems_init(&list, name);
    enum vr_status status = parse(text, text_bytes, name, config, &list);
    return finish(status, &list, config, problems);
}

enum vr_status
config_load(const char *path, struct config **config, char **problems)
{
    struct config_problems list;
    enum vr_status status;
    char why[512];
    size_t bytes;
    if (!path)
        return config_parse("{}", 2, "defaults", config, problems);
    char *text = config_file_read(path, FILE_BYTES_MAX, &bytes, &status, why,
                                  sizeof why);
    if (text) {
        status = config_parse(text, bytes, path, config, problems);
        free(text);
        return status;
    }
    *config = NULL;
    config_problems_init(&list, path);
    config_problem_at(&list, 0, "%s", why);
    return finish(status, &list, config, problems);
}

void
config_free(struct config **config)
{
    if (!*config)
        return;
    config_table_free(&config_root_table, *config);
    for (size_t i = 0; i < (*config)->session_count; i++)
        config_session_free(&(*config)->sessions[i]);
    free((*config)->sessions);
    free(*config);
    *config = NULL;
}

/* ---- showing ---- */

cJSON *
config_to_json(const struct config *config)
{
    cJSON *json = cJSON_CreateObject();
    config_table_to_json(&config_root_table, config, json);
    cJSON *sessions = cJSON_AddObjectToObject(json, "sessions");
    for (size_t i = 0; i < config->session_count; i++) {
        jsonx_put(sessions, config->sessions[i]->name,
                  config_session_to_json(config->sessions[i]));
    }
    return json;
}

enum vr_status
config_check(const char *path, FILE *out)
{
    struct config *config;
    char *problems;
    enum vr_status status = config_load(path, &config, &problems);
    if (status != VR_OK) {
        fputs(problems ? problems : "out of memory\n", out);
        free(problems);
        return status;
    }
    cJSON *json = config_to_json(config);
    char *text = cJSON_Print(json);
    fprintf(out, "// %s is valid; every setting in force:\n%s\n",
            path ? path : "(no file)", text ? text : "(out of memory)");
    config_applies_print(out);
    cJSON_free(text);
    cJSON_Delete(json);
    config_free(&config);
    return VR_OK;
}

#include "gateway/config_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/config_file.h"
#include "gateway/jsonx.h"

#define PROMPT_BYTES_MAX 204800

static bool
set_text(char **member, const char *text)
{
    free(*member);
    *member = strdup(text);
    return *member != NULL;
}

/* ---- files ---- */

static void
read_prompt_file(struct config_session *session, const cJSON *item,
                 const char *path, struct config_reader *reader)
{
    char why[512];
    size_t bytes;
    size_t offset;
    enum vr_status status;
    char *text = config_file_read(session->system_prompt_file, PROMPT_BYTES_MAX,
                                  &bytes, &status, why, sizeof why);
    const char *flaw = NULL;
    if (text && bytes == 0)
        flaw = "it is empty; write the prompt into it";
    for (offset = 0; text && !flaw && offset < bytes;) {
        size_t n = jsonx_utf8_bytes(text + offset, bytes - offset);
        if (!n || !text[offset])
            flaw = "it is no UTF-8 text; save it as UTF-8";
        offset += n;
    }
    if (flaw)
        snprintf(why, sizeof why, "%s: %s", session->system_prompt_file, flaw);
    if (!text || flaw) {
        config_problem(reader->problems, item, path, "%s", why);
        free(text);
        return;
    }
    free(session->system_prompt);
    session->system_prompt = text;
}

/* Whether the configuration file has any session with this file. */
static bool
named(const struct config *config, const struct config_row *row,
      const char *file)
{
    for (size_t i = 0; i < config->session_count; i++) {
        const char *base = (const char *)config->sessions[i];
        const char *own = *(char *const *)(base + row->offset);
        if (own && !strcmp(own, file))
            return true;
    }
    return false;
}

/* Who may use the control socket may not, by it, have any file of voxringd's
 * user read or written. */
static bool
check_files(const struct config *config, const struct config_session *session,
            const cJSON *json, const char *path, struct config_reader *reader)
{
    size_t before = reader->problems->count;
    for (size_t i = 0; i < config_session_table.row_count; i++) {
        const struct config_row *row = &config_session_table.rows[i];
        const cJSON *item = config_item_at(json, row->path);
        const void *member = (const char *)session + row->offset;
        char full[CONFIG_PATH_BYTES];
        if (row->kind != CONFIG_PATH || !item || !*(char *const *)member ||
            named(config, row, *(char *const *)member))
            continue;
        bool prompt = member == (const void *)&session->system_prompt_file;
        snprintf(full, sizeof full, "%s.%s", path, row->path);
        config_problem(reader->problems, item, full,
                       "works in the configuration file only; %s",
                       prompt ? "send the text as system_prompt"
                              : "name it there, then it may be used here");
    }
    return reader->problems->count == before;
}

static void
read_prompt(struct config_session *session, const cJSON *json, const char *path,
            struct config_reader *reader)
{
    const cJSON *item = config_item_at(json, "system_prompt_file");
    char full[CONFIG_PATH_BYTES];
    snprintf(full, sizeof full, "%s.system_prompt_file", path);
    if (!item || !session->system_prompt_file)
        return;
    if (config_item_at(json, "system_prompt"))
        config_problem(reader->problems, item, full,
                       "stands beside system_prompt; keep one of the two");
    else
        read_prompt_file(session, item, full, reader);
}

/* ---- settings that bound each other ---- */

/* The value given for a key is another than the one in force: it was refused,
 * and the one in force is not worth a second problem. */
static bool
refused(const cJSON *json, const char *key, double in_force)
{
    const cJSON *item = config_item_at(json, key);
    return item && (!cJSON_IsNumber(item) || item->valuedouble != in_force);
}

static void
check_pair(const cJSON *json, const char *path, const char *small_key,
           double small, const char *large_key, double large, const char *right,
           struct config_reader *reader)
{
    char full[CONFIG_PATH_BYTES];
    const cJSON *item = config_item_at(json, small_key);
    bool large_given = !item;
    if (refused(json, small_key, small) || refused(json, large_key, large))
        return;
    if (large_given)
        item = config_item_at(json, large_key);
    snprintf(full, sizeof full, "%s.%s", path,
             large_given ? large_key : small_key);
    config_problem(
        reader->problems, item, full, "is %.10g, while %s is %.10g; use %s",
        large_given ? large : small, large_given ? small_key : large_key,
        large_given ? small : large, right);
}

static void
check_pairs(const struct config_session *s, const cJSON *json, const char *path,
            struct config_reader *reader)
{
    if (s->rotate_after_s >= s->rotate_deadline_s)
        check_pair(json, path, "rotate_after_s", s->rotate_after_s,
                   "rotate_deadline_s", s->rotate_deadline_s,
                   "a rotate_deadline_s above rotate_after_s, at most 475",
                   reader);
    if (s->history_limits.piece_bytes > s->history_limits.total_bytes)
        check_pair(json, path, "history_limits.piece_bytes",
                   s->history_limits.piece_bytes, "history_limits.total_bytes",
                   s->history_limits.total_bytes,
                   "a piece_bytes of at most total_bytes", reader);
}

/* ---- rates ---- */

static uint32_t
input_rate_hz(const struct config_session *session)
{
    return session->input.rate_hz == 48000 ? 16000 : session->input.rate_hz;
}

static uint32_t
output_rate_hz(const struct config_session *session)
{
    return session->output.rate_hz == 48000 ? 24000 : session->output.rate_hz;
}

static void
derive_rates(struct config_session *session)
{
    if (!session->model_input_rate_hz)
        session->model_input_rate_hz = input_rate_hz(session);
    if (!session->model_output_rate_hz)
        session->model_output_rate_hz = output_rate_hz(session);
}

/* Rates that were derived are derived again. */
static void
forget_rates(struct config_session *session)
{
    if (session->model_input_rate_hz == input_rate_hz(session))
        session->model_input_rate_hz = 0;
    if (session->model_output_rate_hz == output_rate_hz(session))
        session->model_output_rate_hz = 0;
}

/* ---- reading ---- */

/* What follows from the settings read; false when memory is out. */
static bool
complete(const struct config *config, struct config_session *session,
         const cJSON *json, const char *path, struct config_reader *reader)
{
    check_pairs(session, json, path, reader);
    derive_rates(session);
    return session->model || set_text(&session->model, config->bedrock.model);
}

static void
read_files(const struct config *config, struct config_session *session,
           const cJSON *json, const char *path, struct config_reader *reader)
{
    if (reader->problems->file ||
        check_files(config, session, json, path, reader))
        read_prompt(session, json, path, reader);
}

struct config_session *
config_session_read(const struct config *config, const char *name,
                    const cJSON *json, const char *path,
                    struct config_reader *reader)
{
    struct config_session *session = calloc(1, sizeof *session);
    if (!session)
        return NULL;
    snprintf(session->name, sizeof session->name, "%s", name);
    config_table_read(&config_session_table, session, json, path, NULL, reader);
    read_files(config, session, json, path, reader);
    if (!complete(config, session, json, path, reader))
        config_session_free(&session);
    return session;
}

static enum vr_status
parse(const struct config *config, const char *name, const cJSON *object,
      const char *path, struct config_session **session,
      struct config_problems *problems)
{
    struct config_reader reader = {.problems = problems, .dir = ""};
    const char *wrong = config_check_name(name);
    if (wrong) {
        config_problem(problems, NULL, "", "\"%.64s\" names no session; use %s",
                       name, wrong);
        return VR_INVALID;
    }
    *session = config_session_read(config, name, object, path, &reader);
    return *session ? VR_OK : VR_NO_MEMORY;
}

/* The caller gets the session, or the problems. */
static enum vr_status
finish(enum vr_status status, struct config_problems *list,
       struct config_session **session, char **problems)
{
    bool any = list->count > 0;
    *problems = config_problems_take(list);
    if (status == VR_OK && any)
        status = VR_INVALID;
    if (status == VR_INVALID && !*problems)
        status = VR_NO_MEMORY;
    if (status != VR_OK)
        config_session_free(session);
    return status;
}

enum vr_status
config_session_parse(const struct config *config, const char *name,
                     const cJSON *object, const char *path,
                     struct config_session **session, char **problems)
{
    struct config_problems list;
    *session = NULL;
    config_problems_init(&list, NULL);
    enum vr_status status = parse(config, name, object, path, session, &list);
    return finish(status, &list, session, problems);
}

/* ---- changing ---- */

static bool
says_null(const cJSON *changes, const char *key)
{
    return cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(changes, key));
}

/* Of the two ways to give the prompt the newer one holds; what is left of the
 * older one goes. False when memory is out. */
static bool
settle_prompt(struct config_session *session, const struct config_session *old,
              const cJSON *changes)
{
    bool text = config_item_at(changes, "system_prompt") != NULL;
    if (!old->system_prompt_file)
        return true;
    if (text && !config_item_at(changes, "system_prompt_file")) {
        free(session->system_prompt_file);
        session->system_prompt_file = NULL;
    } else if (says_null(changes, "system_prompt_file") && !text) {
        free(session->system_prompt);
        session->system_prompt = NULL;
    } else if (says_null(changes, "system_prompt") &&
               session->system_prompt_file && old->system_prompt) {
        return set_text(&session->system_prompt, old->system_prompt);
    }
    return true;
}

static enum vr_status
merge(const struct config *config, const struct config_session *old,
      const cJSON *changes, const char *path, struct config_session **merged,
      struct config_problems *problems)
{
    struct config_reader reader = {.problems = problems, .dir = ""};
    struct config_session *session = calloc(1, sizeof *session);
    *merged = session;
    if (!session)
        return VR_NO_MEMORY;
    memcpy(session->name, old->name, sizeof session->name);
    if (!config_table_copy(&config_session_table, old, session))
        return VR_NO_MEMORY;
    forget_rates(session);
    config_table_update(&config_session_table, session, changes, path, NULL,
                        &reader);
    if (!settle_prompt(session, old, changes))
        return VR_NO_MEMORY;
    read_files(config, session, changes, path, &reader);
    return complete(config, session, changes, path, &reader) ? VR_OK
                                                             : VR_NO_MEMORY;
}

enum vr_status
config_session_merge(const struct config *config,
                     const struct config_session *old, const cJSON *changes,
                     const char *path, struct config_session **merged,
                     char **problems)
{
    struct config_problems list;
    config_problems_init(&list, NULL);
    enum vr_status status = merge(config, old, changes, path, merged, &list);
    return finish(status, &list, merged, problems);
}

size_t
config_session_changes(const struct config_session *old,
                       const struct config_session *new,
                       void (*each)(void *arg, const char *path,
                                    enum config_applies applies),
                       void *arg)
{
    size_t count = 0;
    for (size_t i = 0; i < config_session_table.row_count; i++) {
        const struct config_row *row = &config_session_table.rows[i];
        if (config_value_same(row, old, new))
            continue;
        if (each)
            each(arg, row->path, row->applies);
        count++;
    }
    return count;
}

void
config_session_free(struct config_session **session)
{
    if (!*session)
        return;
    config_table_free(&config_session_table, *session);
    free(*session);
    *session = NULL;
}

cJSON *
config_session_to_json(const struct config_session *session)
{
    cJSON *json = cJSON_CreateObject();
    config_table_to_json(&config_session_table, session, json);
    if (session->system_prompt_file)
        cJSON_ReplaceItemInObjectCaseSensitive(json, "system_prompt",
                                               cJSON_CreateNull());
    return json;
}

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

/* ---- what follows from other settings ---- */

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

static void
read_prompt(struct config_session *session, const cJSON *json, const char *path,
            struct config_reader *reader)
{
    const cJSON *item = config_item_at(json, "system_prompt_file");
    char full[CONFIG_PATH_BYTES];
    snprintf(full, sizeof full, "%s.system_prompt_file", path);
    if (!item || !session->system_prompt_file)
        return;
    if (!reader->problems->file)
        config_problem(reader->problems, item, full,
                       "works in the configuration file only; send the text "
                       "as system_prompt");
    else if (session->system_prompt)
        config_problem(reader->problems, item, full,
                       "stands beside system_prompt; keep one of the two");
    else
        read_prompt_file(session, item, full, reader);
}

static void
derive_rates(struct config_session *session)
{
    if (!session->model_input_rate_hz)
        session->model_input_rate_hz =
            session->input.rate_hz == 48000 ? 16000 : session->input.rate_hz;
    if (!session->model_output_rate_hz)
        session->model_output_rate_hz =
            session->output.rate_hz == 48000 ? 24000 : session->output.rate_hz;
}

/* ---- reading ---- */

struct config_session *
config_session_read(const char *name, const char *model, const cJSON *json,
                    const char *path, struct config_reader *reader)
{
    struct config_session *session = calloc(1, sizeof *session);
    if (!session)
        return NULL;
    snprintf(session->name, sizeof session->name, "%s", name);
    config_table_read(&config_session_table, session, json, path, NULL, reader);
    read_prompt(session, json, path, reader);
    derive_rates(session);
    if (!session->model && !set_text(&session->model, model))
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
    *session =
        config_session_read(name, config->bedrock.model, object, path, &reader);
    if (!*session)
        return VR_NO_MEMORY;
    if (problems->count == 0)
        return VR_OK;
    config_session_free(session);
    return VR_INVALID;
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
    *problems = config_problems_take(&list);
    if (status == VR_INVALID && !*problems)
        status = VR_NO_MEMORY;
    return status;
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

/* The configuration file, and changes of a session, from arbitrary bytes: no
 * crash, no leak; a file that is accepted is shown as a file that is accepted
 * and shown the same, and changed settings read as the same settings.
 *
 * fuzz-module: gateway/config.c gateway/config_check.c gateway/config_entry.c
 * fuzz-module: gateway/config_env.c gateway/config_file.c
 * fuzz-module: gateway/config_key.c gateway/config_list.c
 * fuzz-module: gateway/config_problem.c gateway/config_provider.c
 * fuzz-module: gateway/config_session.c gateway/config_table.c
 * fuzz-module: gateway/config_value.c gateway/config_value_copy.c
 * fuzz-module: gateway/config_value_show.c gateway/jsonc.c gateway/jsonx.c
 * fuzz-module: gateway/strbuf.c gateway/clock.c gateway/log.c
 * fuzz-module: gateway/log_sink.c ipc
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/config.h"
#include "gateway/jsonx.h"

/* Given to libFuzzer's own main(), which has no header. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

/* Prompt files would read what is on this machine. */
static int
names_a_file(const uint8_t *bytes, size_t count)
{
    return memmem(bytes, count, "_file", 5) != NULL ||
           memmem(bytes, count, "\\u", 2) != NULL;
}

static void
must_load_again(const struct config *config)
{
    struct config *again;
    char *problems;
    cJSON *shown = config_to_json(config);
    char *text = cJSON_PrintUnformatted(shown);
    if (config_parse(text, strlen(text), "again", &again, &problems) != VR_OK)
        abort();
    cJSON *twice = config_to_json(again);
    if (!cJSON_Compare(shown, twice, 1))
        abort();
    cJSON_Delete(shown);
    cJSON_Delete(twice);
    cJSON_free(text);
    config_free(&again);
}

static void
must_read_again(const struct config *config,
                const struct config_session *session)
{
    struct config_session *again;
    char *problems;
    cJSON *shown = config_session_to_json(session);
    if (config_session_parse(config, session->name, shown, "p", &again,
                             &problems) != VR_OK ||
        config_session_changes(session, again, NULL, NULL))
        abort();
    cJSON_Delete(shown);
    config_session_free(&again);
}

static void
change_session(const uint8_t *bytes, size_t count)
{
    static const char text[] = "{\"sessions\":{\"robot\":{}}}";
    struct config *config;
    struct config_session *merged;
    char *problems;
    cJSON *changes = jsonx_parse((const char *)bytes, count, NULL, NULL);
    if (!changes)
        return;
    if (config_parse(text, sizeof text - 1, "t", &config, &problems) != VR_OK)
        abort();
    enum vr_status status = config_session_merge(
        config, config->sessions[0], changes, "p", &merged, &problems);
    if ((status == VR_OK) != (merged != NULL) ||
        (status == VR_OK) != (problems == NULL))
        abort();
    if (merged)
        must_read_again(config, merged);
    config_session_free(&merged);
    config_free(&config);
    free(problems);
    cJSON_Delete(changes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct config *config;
    char *problems;
    if (names_a_file(bytes, count))
        return 0;
    enum vr_status status =
        config_parse((const char *)bytes, count, "fuzz", &config, &problems);
    if ((status == VR_OK) != (config != NULL) ||
        (status == VR_OK) != (problems == NULL))
        abort();
    if (config)
        must_load_again(config);
    config_free(&config);
    free(problems);
    change_session(bytes, count);
    return 0;
}

/* What a tool worker may send, through everything that reads it: messages,
 * tool lists, results, what it asks for; and a model's arguments against a
 * schema.
 *
 * The readers are compiled into this file: the rest of their folder needs
 * libraries that fuzz targets are not linked with.
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
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/toolbroker/schema.c"
#include "gateway/toolbroker/tool.c"
#include "gateway/toolbroker/tool_content.c"
#include "gateway/toolbroker/worker_ask.c"
#include "gateway/toolbroker/worker_message.c"

static void
use_list(const cJSON *body)
{
    struct tool_list list;
    char why[400];
    cJSON *input = cJSON_Parse("{\"a\":[1,{\"b\":null}],\"c\":\"x\"}");

    if (tool_list_read(&list, "fuzz", body, why, sizeof why) == VR_OK) {
        for (size_t i = 0; i < list.count; i++)
            schema_check(list.tools[i].schema, input, why, sizeof why);
        if (!tool_list_same(&list, &list))
            abort();
        tool_list_fini(&list);
    }
    cJSON_Delete(input);
}

static void
use_result(const cJSON *body)
{
    struct tool_content content;
    cJSON *object;

    tool_content_read(body, 1000, &content);
    if (!content.json ||
        !tool_content_is_utf8(content.json, strlen(content.json)))
        abort();
    object = cJSON_Parse(content.json);
    if (!cJSON_IsObject(object))
        abort();
    cJSON_Delete(object);
    free(content.json);
}

static void
use_arguments(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    char why[400];
    cJSON *tree, *schema = NULL;
    char *json;

    memcpy(text, data, size);
    text[size] = '\0';
    json = tool_content_arguments(text, &tree, why, sizeof why);
    if ((json == NULL) != (tree == NULL))
        abort();
    if (tree) {
        schema = cJSON_Duplicate(tree, 1);
        schema_check(schema, tree, why, sizeof why);
    }
    cJSON_Delete(schema);
    cJSON_Delete(tree);
    free(json);
    free(text);
}

/* What is right may be passed on: to the bus, to the model. */
static void
use_ask(const struct worker_message *m)
{
    char why[200] = "";
    bool right = !m->why && worker_ask_check(m->ask, m->body, why, sizeof why);
    char *text;

    if (!right && !m->why && why[0] == '\0')
        abort();
    if (right && !cJSON_IsObject(m->body))
        abort();
    if (right && m->ask != BROKER_ASK_PUBLISH && m->call_id == 0)
        abort();
    text = worker_message_answer(m->id, cJSON_Duplicate(m->body, 1));
    free(text);
}

static void
use_hello(const struct worker_message *m)
{
    char *text = worker_message_welcome(m->id, m->name, 3000);

    if (!m->id || !m->name || !tool_content_is_utf8(m->name, strlen(m->name)) ||
        (m->instance &&
         !tool_content_is_utf8(m->instance, strlen(m->instance))))
        abort();
    free(text);
}

static void
use_progress(const struct worker_message *m)
{
    if (!isfinite(m->done) || !isfinite(m->total) || m->total < 0)
        abort();
    if (m->text && (strlen(m->text) > WORKER_PROGRESS_MAX_BYTES ||
                    !tool_content_is_utf8(m->text, strlen(m->text))))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct worker_message m;
    char *answer;

    worker_message_read(&m, (const char *)data, size);
    if (m.kind == WORKER_MALFORMED && !m.why)
        abort();
    answer = worker_message_error(m.id, WORKER_ERROR_INVALID, "no");
    free(answer);
    if (m.kind == WORKER_LISTED)
        use_list(m.body);
    if (m.kind == WORKER_RESULT)
        use_result(m.body);
    if (m.kind == WORKER_ASK)
        use_ask(&m);
    if (m.kind == WORKER_HELLO)
        use_hello(&m);
    if (m.kind == WORKER_PROGRESS)
        use_progress(&m);
    worker_message_fini(&m);
    use_arguments(data, size);
    return 0;
}

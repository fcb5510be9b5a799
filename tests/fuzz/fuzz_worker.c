/* What a tool worker may send, through everything that reads it: messages,
 * tool lists, results; and a model's arguments against a schema.
 *
 * The readers are compiled into this file: the rest of their folder needs
 * libraries that fuzz targets are not linked with. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/toolbroker/schema.c"
#include "gateway/toolbroker/tool.c"
#include "gateway/toolbroker/tool_content.c"
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
    worker_message_fini(&m);
    use_arguments(data, size);
    return 0;
}

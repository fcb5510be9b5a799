/* What an MCP server may send, through everything that reads it: lines, event
 * streams, messages, lists of tools, results, names.
 * fuzz-module: tools/mcp/buffer.c tools/mcp/catalog.c tools/mcp/content.c tools/mcp/journal.c tools/mcp/lines.c tools/mcp/message.c tools/mcp/names.c tools/mcp/outline.c tools/mcp/sse.c tools/mcp/utf8.c
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tools/mcp/catalog.h"
#include "tools/mcp/content.h"
#include "tools/mcp/journal.h"
#include "tools/mcp/lines.h"
#include "tools/mcp/message.h"
#include "tools/mcp/names.h"
#include "tools/mcp/outline.h"
#include "tools/mcp/sse.h"
#include "tools/mcp/utf8.h"

#define LIMIT_BYTES 300

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
swallow(void *arg, int level, const char *line)
{
    (void)arg;
    (void)level;
    (void)line;
    return true;
}

static void
must_be(bool good)
{
    if (!good)
        abort();
}

static void
use_result(const cJSON *result)
{
    char *text = content_result(result, LIMIT_BYTES);
    cJSON *root = cJSON_Parse(text);

    must_be(cJSON_IsObject(root));
    must_be(cJSON_IsArray(cJSON_GetObjectItem(root, "content")));
    cJSON_Delete(root);
    cJSON_free(text);
}

static void
use_tools(const cJSON *result)
{
    struct catalog *catalog = catalog_new("p", NULL);
    const cJSON *tool;
    cJSON *root;

    catalog_begin(catalog);
    catalog_add(catalog, cJSON_GetObjectItemCaseSensitive(result, "tools"));
    catalog_add(catalog, result);
    catalog_end(catalog);
    root = cJSON_Parse(catalog_json(catalog));
    cJSON_ArrayForEach(tool, cJSON_GetObjectItem(root, "tools"))
        must_be(catalog_find(catalog, cJSON_GetStringValue(cJSON_GetObjectItem(
                                          tool, "name"))) != NULL);
    must_be((size_t)cJSON_GetArraySize(cJSON_GetObjectItem(root, "tools")) ==
            catalog_count(catalog));
    cJSON_Delete(root);
    catalog_free(&catalog);
}

static void
use_request(const struct message *m)
{
    char *text = message_refusal(m->raw_id, 1, "no");
    cJSON *root = cJSON_Parse(text);

    must_be(cJSON_IsObject(root) && strlen(m->text) < SIZE_MAX);
    cJSON_Delete(root);
    cJSON_free(text);
}

/* The outline of a message says no other thing than the message. */
static void
compare_outline(const struct message *m, const char *bytes, size_t count)
{
    bool answer = m->kind == MESSAGE_RESULT || m->kind == MESSAGE_ERROR;
    enum outline_kind kind;
    struct outline o;

    memset(&o, 0, sizeof o);
    outline_feed(&o, bytes, count / 2);
    outline_feed(&o, bytes + count / 2, count - count / 2);
    kind = outline_kind(&o);
    cJSON_Delete(outline_raw_id(&o));
    /* names with escapes are beyond it */
    if (memchr(bytes, '\\', count) || o.first != '{')
        return;
    if (answer && m->id != 0)
        must_be(kind == OUTLINE_UNKNOWN ||
                (kind == OUTLINE_ANSWER && outline_id(&o) == m->id));
    if (m->kind == MESSAGE_REQUEST || m->kind == MESSAGE_NOTIFICATION)
        must_be(kind == OUTLINE_BY_ITSELF);
    if (answer && m->id == 0)
        must_be(kind == OUTLINE_UNKNOWN);
}

static void
use_message(void *arg, char *bytes, size_t count)
{
    struct message_server server;
    struct message m;
    char why[300];
    cJSON *root;

    (void)arg;
    if (!bytes)
        return;
    must_be(bytes[count] == '\0');
    root = message_parse(bytes, count);
    message_read(&m, root);
    compare_outline(&m, bytes, count);
    if (m.kind == MESSAGE_RESULT) {
        use_result(m.body);
        use_tools(m.body);
        message_read_server(&server, m.body, why, sizeof why);
    } else if (m.kind == MESSAGE_REQUEST) {
        use_request(&m);
    }
    use_result(root);
    use_tools(root);
    cJSON_Delete(root);
}

static void
use_name(const char *text)
{
    char name[NAMES_MAX_BYTES + 1];

    if (!names_map("pre.", text, name))
        return;
    must_be(strlen(name) <= NAMES_MAX_BYTES);
    must_be(strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                         "0123456789_-") == strlen(name));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lines lines = {.limit_bytes = 1000};
    struct sse sse;
    char *text = malloc(size + 1);
    size_t half = size / 2;

    journal_to(swallow, NULL);
    memset(&sse, 0, sizeof sse);
    memcpy(text, data, size);
    text[size] = '\0';
    lines_feed(&lines, text, half, use_message, NULL);
    lines_feed(&lines, text + half, size - half, use_message, NULL);
    sse_feed(&sse, text, half, use_message, NULL);
    sse_feed(&sse, text + half, size - half, use_message, NULL);
    sse_end(&sse);
    use_name(text);
    use_message(NULL, text, size);
    use_name(text);
    lines_fini(&lines);
    sse_fini(&sse);
    free(text);
    return 0;
}

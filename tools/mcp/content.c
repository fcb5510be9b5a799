#include "tools/mcp/content.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/mcp/utf8.h"

/* The gateway takes a message of 1 MiB; a result is in it once as text, with
 * up to six bytes for one, and perhaps as structure. */
#define RESULT_MAX_BYTES (1000u * 1024)
#define SENTENCE_MAX_BYTES 2000
#define FIELD_MAX_BYTES 500

/* What the model reads, while it is being put together. */
struct reading {
    cJSON *content; /* our blocks */
    size_t text_bytes;
    size_t limit_bytes;
    bool has_text; /* a text block of the server, not a note of ours */
};

static const char *
string_member(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsString(item) ? item->valuestring : NULL;
}

static void
add_text(struct reading *r, const char *text)
{
    cJSON *block = cJSON_CreateObject();

    r->text_bytes += strlen(text) + 1;
    cJSON_AddStringToObject(block, "type", "text");
    cJSON_AddStringToObject(block, "text", text);
    if (!block || !cJSON_AddItemToArray(r->content, block))
        cJSON_Delete(block);
}

/* A member for a note: cut, or "" if there is none. */
static const char *
field(const cJSON *object, const char *name, char cut[FIELD_MAX_BYTES + 1])
{
    const char *text = string_member(object, name);
    size_t n = text ? utf8_cut(text, FIELD_MAX_BYTES) : 0;

    memcpy(cut, text ? text : "", n);
    cut[n] = '\0';
    return cut;
}

/* The bytes that base64 text stands for. */
static size_t
decoded_bytes(const char *base64)
{
    size_t n = base64 ? strlen(base64) : 0;

    while (n > 0 && base64[n - 1] == '=')
        n--;
    return n / 4 * 3 + n % 4 * 3 / 4;
}

static void
add_binary_note(struct reading *r, const char *what, const cJSON *object,
                const char *data, const char *uri)
{
    char type[FIELD_MAX_BYTES + 1];
    char note[2 * FIELD_MAX_BYTES + 200];

    field(object, "mimeType", type);
    snprintf(note, sizeof note, "[%s%s%s%s%s, %zu bytes, not shown]", what,
             uri[0] ? " " : "", uri, type[0] ? ", " : "", type,
             decoded_bytes(data));
    add_text(r, note);
}

static void
add_resource(struct reading *r, const cJSON *resource)
{
    const char *text = string_member(resource, "text");
    const char *blob = string_member(resource, "blob");
    char uri[FIELD_MAX_BYTES + 1];
    char note[FIELD_MAX_BYTES + 200];

    field(resource, "uri", uri);
    if (text && r->text_bytes + strlen(text) < r->limit_bytes) {
        add_text(r, text);
        r->has_text = true;
    } else if (text) {
        snprintf(note, sizeof note,
                 "[resource %s, %zu bytes of text, too long to show]", uri,
                 strlen(text));
        add_text(r, note);
    } else {
        add_binary_note(r, "resource", resource, blob, uri);
    }
}

static void
add_link(struct reading *r, const cJSON *link)
{
    char uri[FIELD_MAX_BYTES + 1], name[FIELD_MAX_BYTES + 1];
    char type[FIELD_MAX_BYTES + 1], description[FIELD_MAX_BYTES + 1];
    char note[4 * FIELD_MAX_BYTES + 100];

    field(link, "uri", uri);
    field(link, "name", name);
    field(link, "mimeType", type);
    field(link, "description", description);
    snprintf(note, sizeof note, "[link %s%s%s%s%s%s%s]", uri,
             name[0] ? ", " : "", name, type[0] ? ", " : "", type,
             description[0] ? ": " : "", description);
    add_text(r, note);
}

static void
add_block(struct reading *r, const cJSON *block)
{
    const char *type = string_member(block, "type");
    const char *text = string_member(block, "text");
    char note[FIELD_MAX_BYTES + 100], cut[FIELD_MAX_BYTES + 1];

    if (!type)
        return;
    if (strcmp(type, "text") == 0) {
        if (text)
            add_text(r, text);
        r->has_text = r->has_text || text;
    } else if (strcmp(type, "image") == 0 || strcmp(type, "audio") == 0) {
        add_binary_note(r, type, block, string_member(block, "data"), "");
    } else if (strcmp(type, "resource") == 0) {
        add_resource(r, cJSON_GetObjectItemCaseSensitive(block, "resource"));
    } else if (strcmp(type, "resource_link") == 0) {
        add_link(r, block);
    } else {
        snprintf(note, sizeof note, "[%s, not shown]",
                 field(block, "type", cut));
        add_text(r, note);
    }
}

/* The structure goes along where it is an object, and the only thing to read
 * or short enough to be there twice. */
static void
add_structure(struct reading *r, cJSON *root, const cJSON *result)
{
    const cJSON *structure =
        cJSON_GetObjectItemCaseSensitive(result, "structuredContent");
    char *text =
        cJSON_IsObject(structure) ? cJSON_PrintUnformatted(structure) : NULL;
    size_t bytes = text ? strlen(text) : 0;

    if (text && (!r->has_text || r->text_bytes + bytes <= r->limit_bytes)) {
        r->text_bytes = r->has_text ? r->text_bytes : r->text_bytes + bytes;
        cJSON_AddRawToObject(root, "structuredContent", text);
    }
    cJSON_free(text);
}

/* By this mark the gateway tells why there is no result; takes `text`. */
static char *
with_unsent(char *text, size_t bytes)
{
    cJSON *root = text ? cJSON_Parse(text) : NULL;
    cJSON *meta = cJSON_AddObjectToObject(root, "_meta");
    char *marked = NULL;

    if (cJSON_AddNumberToObject(meta, "voxring/unsent_bytes", (double)bytes))
        marked = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    if (!marked)
        return text;
    cJSON_free(text);
    return marked;
}

static char *
too_long(size_t bytes, size_t limit_bytes)
{
    char sentence[160];

    snprintf(sentence, sizeof sentence,
             "The tool's answer has %zu bytes, more than the %zu allowed",
             bytes, limit_bytes);
    return with_unsent(content_error(sentence), bytes);
}

static char *
finish(struct reading *r, cJSON *root, const cJSON *result)
{
    const cJSON *is_error = cJSON_GetObjectItemCaseSensitive(result, "isError");
    char *text;

    if (cJSON_IsTrue(is_error) && r->text_bytes == 0)
        add_text(r, "The tool failed and did not say why");
    cJSON_AddBoolToObject(root, "isError", cJSON_IsTrue(is_error));
    if (r->text_bytes > r->limit_bytes + 1)
        return too_long(r->text_bytes - 1, r->limit_bytes);
    text = cJSON_PrintUnformatted(root);
    if (text && strlen(text) > RESULT_MAX_BYTES) {
        size_t bytes = strlen(text);
        cJSON_free(text);
        return too_long(bytes, RESULT_MAX_BYTES);
    }
    return text;
}

char *
content_result(const cJSON *result, size_t limit_bytes)
{
    cJSON *root = cJSON_CreateObject();
    struct reading r = {.limit_bytes = limit_bytes};
    const cJSON *blocks = cJSON_GetObjectItemCaseSensitive(result, "content");
    const cJSON *block;
    char *text = NULL;

    r.content = cJSON_AddArrayToObject(root, "content");
    if (r.content) {
        cJSON_ArrayForEach(block, blocks) add_block(&r, block);
        add_structure(&r, root, result);
        text = finish(&r, root, result);
    }
    cJSON_Delete(root);
    return text;
}

char *
content_error(const char *sentence)
{
    cJSON *root = cJSON_CreateObject();
    cJSON *content = cJSON_AddArrayToObject(root, "content");
    struct reading r = {.content = content};
    char *cut = strndup(sentence, utf8_cut(sentence, SENTENCE_MAX_BYTES));
    char *text = NULL;

    if (content && cut) {
        add_text(&r, cut);
        cJSON_AddBoolToObject(root, "isError", 1);
        text = cJSON_PrintUnformatted(root);
    }
    free(cut);
    cJSON_Delete(root);
    return text;
}

#include "gateway/toolbroker/tool_content.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The bytes that must follow this lead byte, and the least and greatest value
 * of the first of them (RFC 3629 section 4); -1 for no lead byte. */
static int
utf8_tail(unsigned char lead, unsigned char *low, unsigned char *high)
{
    *low = 0x80;
    *high = 0xbf;
    if (lead < 0x80)
        return 0;
    if (lead >= 0xc2 && lead <= 0xdf)
        return 1;
    if (lead >= 0xe0 && lead <= 0xef) {
        *low = lead == 0xe0 ? 0xa0 : 0x80;
        *high = lead == 0xed ? 0x9f : 0xbf;
        return 2;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        *low = lead == 0xf0 ? 0x90 : 0x80;
        *high = lead == 0xf4 ? 0x8f : 0xbf;
        return 3;
    }
    return -1;
}

/* The bytes of the character at `p`, 0 if there is none. */
static size_t
utf8_bytes(const unsigned char *p, const unsigned char *end)
{
    unsigned char low, high;
    int tail = utf8_tail(*p, &low, &high);

    if (tail < 0 || end - p <= tail)
        return 0;
    for (int i = 1; i <= tail; i++) {
        if (p[i] < low || p[i] > high)
            return 0;
        low = 0x80;
        high = 0xbf;
    }
    return (size_t)tail + 1;
}

bool
tool_content_is_utf8(const char *text, size_t text_bytes)
{
    const unsigned char *p = (const unsigned char *)text;
    const unsigned char *end = p + text_bytes;

    while (p < end) {
        size_t n = utf8_bytes(p, end);
        if (n == 0)
            return false;
        p += n;
    }
    return true;
}

void
tool_content_clean(char *text)
{
    unsigned char *p = (unsigned char *)text;
    unsigned char *end = p + strlen(text);

    while (p < end) {
        size_t n = utf8_bytes(p, end);
        if (n == 0)
            *p = '?';
        p += n > 0 ? n : 1;
    }
}

cJSON *
tool_content_parse(const char *text)
{
    return cJSON_ParseWithOpts(text, NULL, 1);
}

/* {"key": value}; takes `value`, NULL included. */
static char *
wrapped(const char *key, cJSON *value)
{
    cJSON *object = cJSON_CreateObject();
    char *text = NULL;

    if (object && value && cJSON_AddItemToObject(object, key, value)) {
        value = NULL;
        text = cJSON_PrintUnformatted(object);
    }
    cJSON_Delete(value);
    cJSON_Delete(object);
    return text;
}

char *
tool_content_error(const char *sentence)
{
    return wrapped("error", cJSON_CreateString(sentence));
}

static bool
is_blank(const char *text)
{
    return !text || text[strspn(text, " \t\r\n")] == '\0';
}

char *
tool_content_arguments(const char *json, cJSON **tree, char *why,
                       size_t why_size)
{
    const char *text = is_blank(json) ? "{}" : json;
    cJSON *root = NULL;
    char *copy = NULL;

    *tree = NULL;
    if (!tool_content_is_utf8(text, strlen(text))) {
        snprintf(why, why_size, "input is not UTF-8 text");
        return NULL;
    }
    root = tool_content_parse(text);
    if (cJSON_IsNull(root) ||
        (cJSON_IsString(root) && is_blank(root->valuestring))) {
        cJSON_Delete(root);
        root = tool_content_parse(text = "{}");
    }
    if (cJSON_IsString(root)) {
        cJSON *inner = tool_content_parse(root->valuestring);
        copy = strdup(root->valuestring);
        cJSON_Delete(root);
        root = inner;
    } else {
        copy = strdup(text);
    }
    if (!cJSON_IsObject(root) || !copy) {
        snprintf(why, why_size, "input must be a JSON object");
        free(copy);
        cJSON_Delete(root);
        return NULL;
    }
    *tree = root;
    return copy;
}

/* A tool result's text blocks, one per line; NULL if there is none. */
static char *
joined_text(const cJSON *result)
{
    const cJSON *blocks = cJSON_GetObjectItemCaseSensitive(result, "content");
    const cJSON *block;
    size_t bytes = 0;
    char *text = NULL;
    FILE *out = open_memstream(&text, &bytes);
    size_t count = 0;

    if (!out)
        return NULL;
    cJSON_ArrayForEach(block, blocks)
    {
        const cJSON *type = cJSON_GetObjectItemCaseSensitive(block, "type");
        const cJSON *t = cJSON_GetObjectItemCaseSensitive(block, "text");
        if (!cJSON_IsString(type) || strcmp(type->valuestring, "text") != 0 ||
            !cJSON_IsString(t))
            continue;
        fprintf(out, "%s%s", count++ > 0 ? "\n" : "", t->valuestring);
    }
    if (fclose(out) != 0 || count == 0) {
        free(text);
        return NULL;
    }
    return text;
}

static char *
result_text(const cJSON *result)
{
    const cJSON *structured =
        cJSON_GetObjectItemCaseSensitive(result, "structuredContent");
    char *text = joined_text(result);

    if (text)
        return text;
    if (cJSON_IsObject(structured))
        return cJSON_PrintUnformatted(structured);
    return strdup("{}");
}

static void
set_error(struct tool_content *content, const char *sentence)
{
    content->outcome = TOOL_ERROR;
    snprintf(content->reason, sizeof content->reason, "%s", sentence);
    content->json = tool_content_error(sentence);
}

/* The sentence inside an error's object, for the log and the bus. */
static void
set_reason(struct tool_content *content, const cJSON *value, const char *text)
{
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(value, "error");
    const char *reason = text;

    if (cJSON_IsString(error))
        reason = error->valuestring;
    else if (cJSON_IsString(value))
        reason = value->valuestring;
    snprintf(content->reason, sizeof content->reason, "%s", reason);
    tool_content_clean(content->reason);
}

static void
take_text(const char *text, bool is_error, struct tool_content *content)
{
    cJSON *value = tool_content_parse(text);

    content->outcome = is_error ? TOOL_ERROR : TOOL_OK;
    if (is_error)
        set_reason(content, value, text);
    if (cJSON_IsObject(value)) {
        content->json = strdup(text);
    } else {
        content->json = wrapped(is_error ? "error" : "result",
                                value ? cJSON_Duplicate(value, 1)
                                      : cJSON_CreateString(text));
    }
    cJSON_Delete(value);
}

/* ---- what is no text ------------------------------------------------------ */

/* Blocks that are named one by one; the rest is only counted. */
#define OMITTED_MAX 16

static const char *
text_of(const cJSON *object, const char *key, const char *otherwise)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

    return cJSON_IsString(item) ? item->valuestring : otherwise;
}

/* "image/png, 12 kB", or "resource file:///x, text/plain, 300 bytes". */
static cJSON *
note_of(const char *type, const cJSON *block)
{
    const cJSON *resource = cJSON_GetObjectItemCaseSensitive(block, "resource");
    const cJSON *from = cJSON_IsObject(resource) ? resource : block;
    const char *uri = text_of(from, "uri", "");
    const char *data = text_of(block, "data", text_of(from, "blob", ""));
    size_t bytes = strlen(data) / 4 * 3;
    char size[32] = "", note[300];

    if (bytes == 0)
        bytes = strlen(text_of(from, "text", ""));
    if (bytes >= 1000)
        snprintf(size, sizeof size, ", %zu kB", (bytes + 500) / 1000);
    else if (bytes > 0)
        snprintf(size, sizeof size, ", %zu bytes", bytes);
    snprintf(note, sizeof note, "%s%.150s%s%.60s%s", uri[0] ? "resource " : "",
             uri, uri[0] ? ", " : "", text_of(from, "mimeType", type), size);
    tool_content_clean(note);
    return cJSON_CreateString(note);
}

/* An array of what a result holds beside text; NULL if that is nothing. */
static cJSON *
omitted_of(const cJSON *result)
{
    const cJSON *blocks = cJSON_GetObjectItemCaseSensitive(result, "content");
    const cJSON *block;
    cJSON *notes = NULL;
    size_t count = 0;
    char more[64];

    cJSON_ArrayForEach(block, blocks)
    {
        const char *type = text_of(block, "type", "something");
        if (strcmp(type, "text") == 0 || ++count > OMITTED_MAX)
            continue;
        if (!notes)
            notes = cJSON_CreateArray();
        cJSON_AddItemToArray(notes, note_of(type, block));
    }
    if (count > OMITTED_MAX) {
        snprintf(more, sizeof more, "and %zu more", count - OMITTED_MAX);
        cJSON_AddItemToArray(notes, cJSON_CreateString(more));
    }
    return notes;
}

/* The model is told what it does not get, beside what it gets. */
static void
add_omitted(struct tool_content *content, cJSON *notes)
{
    cJSON *object = content->json ? cJSON_Parse(content->json) : NULL;
    char *text = NULL;

    if (cJSON_IsObject(object) &&
        !cJSON_GetObjectItemCaseSensitive(object, "omitted") &&
        cJSON_AddItemToObject(object, "omitted", notes)) {
        notes = NULL;
        text = cJSON_PrintUnformatted(object);
    }
    if (text) {
        free(content->json);
        content->json = text;
    }
    cJSON_Delete(notes);
    cJSON_Delete(object);
}

/* ---- what is unfit -------------------------------------------------------- */

static void
set_failure(struct tool_content *content, const char *what)
{
    char sentence[128];

    snprintf(sentence, sizeof sentence, "The tool's answer %s", what);
    set_error(content, sentence);
    snprintf(content->failure, sizeof content->failure, "its answer %s", what);
}

static void
set_too_large(struct tool_content *content, size_t bytes)
{
    snprintf(content->failure, sizeof content->failure,
             "its answer has %zu bytes", bytes);
    content->is_too_large = true;
}

/* The size of the answer in whose place this error came; 0: of none. */
static size_t
unsent_bytes(const cJSON *result)
{
    const cJSON *meta = cJSON_GetObjectItemCaseSensitive(result, "_meta");
    const cJSON *bytes =
        cJSON_GetObjectItemCaseSensitive(meta, "voxring/unsent_bytes");

    if (!cJSON_IsNumber(bytes) || !(bytes->valuedouble >= 1) ||
        bytes->valuedouble > 1e15)
        return 0;
    return (size_t)bytes->valuedouble;
}

void
tool_content_read(const cJSON *result, size_t limit_bytes,
                  struct tool_content *content)
{
    const cJSON *is_error = cJSON_GetObjectItemCaseSensitive(result, "isError");
    char *text = cJSON_IsObject(result) ? result_text(result) : NULL;
    cJSON *omitted = text ? omitted_of(result) : NULL;
    char sentence[128];

    memset(content, 0, sizeof *content);
    if (!text) {
        set_failure(content, "is not a result object");
    } else if (strlen(text) > limit_bytes) {
        snprintf(sentence, sizeof sentence,
                 "The tool's answer has %zu bytes, more than the %zu allowed",
                 strlen(text), limit_bytes);
        set_error(content, sentence);
        set_too_large(content, strlen(text));
    } else if (!tool_content_is_utf8(text, strlen(text))) {
        set_failure(content, "is not UTF-8 text");
    } else {
        take_text(text, cJSON_IsTrue(is_error), content);
        if (cJSON_IsTrue(is_error) && unsent_bytes(result) > 0)
            set_too_large(content, unsent_bytes(result));
    }
    if (omitted)
        add_omitted(content, omitted);
    free(text);
}

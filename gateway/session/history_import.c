#include "gateway/session/history_import.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "gateway/jsonx.h"
#include "gateway/session/history_time.h"
#include "gateway/strbuf.h"

#define MARK_BYTES (sizeof HISTORY_TRUNCATED - 1)

/* The reading of one array. */
struct reader {
    struct history_import *import;
    const char *path;
    size_t index; /* of the message that is read */
    size_t bytes; /* of all texts so far */
    enum vr_status status;
    char *why;
    size_t why_size;
};

/* "params.history[3]", ".content[2]", ": ", and what is wrong there. */
static bool refuse(struct reader *r, enum vr_status status, const char *where,
                   const char *format, ...) VR_PRINTF(4, 5);

static bool
refuse(struct reader *r, enum vr_status status, const char *where,
       const char *format, ...)
{
    va_list args;
    int at =
        snprintf(r->why, r->why_size, "%s[%zu]%s: ", r->path, r->index, where);
    r->status = status;
    if (at < 0 || (size_t)at >= r->why_size)
        return false;
    va_start(args, format);
    vsnprintf(r->why + at, r->why_size - (size_t)at, format, args);
    va_end(args);
    return false;
}

static const cJSON *
member(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNull(item) ? NULL : item;
}

/* ---- who ---- */

bool
history_import_role(const char *text, enum history_role *role)
{
    bool user = text && strcasecmp(text, "user") == 0;
    if (!user && !(text && strcasecmp(text, "assistant") == 0))
        return false;
    *role = user ? HISTORY_USER : HISTORY_ASSISTANT;
    return true;
}

static bool
one_of(const char *text, const char *first, const char *second)
{
    return strcasecmp(text, first) == 0 || strcasecmp(text, second) == 0;
}

/* Sets `*taken` if it is a message of the user's or the assistant's; counts it
 * if it is dropped. False if it is refused. */
static bool
read_role(struct reader *r, const cJSON *item, struct history_message *m,
          bool *taken)
{
    const cJSON *type = member(item, "type");
    const cJSON *role = member(item, "role");
    *taken = false;
    if (cJSON_IsString(type) && strcasecmp(type->valuestring, "message")) {
        r->import->tool_dropped++;
        return true;
    }
    if (!cJSON_IsString(role))
        return refuse(r, VR_INVALID, ".role",
                      "must be \"user\" or \"assistant\"");
    *taken = history_import_role(role->valuestring, &m->role);
    if (*taken)
        return true;
    if (one_of(role->valuestring, "system", "developer"))
        r->import->system_dropped++;
    else if (one_of(role->valuestring, "tool", "function"))
        r->import->tool_dropped++;
    else
        return refuse(r, VR_INVALID, ".role",
                      "%.40s is not known; use \"user\" or \"assistant\"",
                      role->valuestring);
    return true;
}

/* ---- what ---- */

static bool
add_text(struct reader *r, struct strbuf *words, const char *text,
         const char *where)
{
    size_t bytes = strlen(text);
    if (!history_text_valid(text))
        return refuse(r, VR_INVALID, where, "holds a byte that is no UTF-8");
    if (bytes > HISTORY_IMPORT_BYTES_MAX - r->bytes)
        return refuse(r, VR_LIMIT, where,
                      "with this, the texts exceed %u bytes; leave out the "
                      "oldest",
                      HISTORY_IMPORT_BYTES_MAX);
    r->bytes += bytes;
    if (strbuf_append_words(words, text, bytes))
        return true;
    return refuse(r, VR_NO_MEMORY, where, "out of memory");
}

/* The words of a part, NULL if it is of another kind. */
static const char *
words_of(const cJSON *part)
{
    const cJSON *type = member(part, "type");
    const char *transcript = jsonx_text(part, "transcript", NULL);
    const char *name = cJSON_IsString(type) ? type->valuestring : "";
    if (cJSON_IsString(part))
        return part->valuestring;
    if (!type || !strcmp(name, "text") || !strcmp(name, "input_text") ||
        !strcmp(name, "output_text"))
        return jsonx_text(part, "text", transcript);
    return transcript;
}

static bool
read_parts(struct reader *r, const cJSON *content, struct strbuf *words)
{
    const cJSON *part;
    size_t index = 0;
    cJSON_ArrayForEach(part, content)
    {
        char where[48];
        snprintf(where, sizeof where, ".content[%zu]", index++);
        if (index > HISTORY_IMPORT_PARTS_MAX)
            return refuse(r, VR_LIMIT, where, "use at most %d parts",
                          HISTORY_IMPORT_PARTS_MAX);
        if (!cJSON_IsString(part) && !cJSON_IsObject(part))
            return refuse(r, VR_INVALID, where,
                          "must be a text, or an object such as {\"type\": "
                          "\"text\", \"text\": ...}");
        const char *text = words_of(part);
        r->import->parts_dropped += !text;
        if (text && !add_text(r, words, text, where))
            return false;
    }
    return true;
}

static bool
read_words(struct reader *r, const cJSON *item, struct strbuf *words)
{
    const cJSON *text = member(item, "text");
    const cJSON *content = member(item, "content");
    if (text && content)
        return refuse(r, VR_INVALID, ".content",
                      "stands beside a text; give one of the two");
    if (text && !cJSON_IsString(text))
        return refuse(r, VR_INVALID, ".text", "must be a text");
    if (text)
        return add_text(r, words, text->valuestring, ".text");
    if (cJSON_IsString(content))
        return add_text(r, words, content->valuestring, ".content");
    if (cJSON_IsArray(content))
        return read_parts(r, content, words);
    if (content)
        return refuse(r, VR_INVALID, ".content",
                      "must be a text or an array of parts");
    if (!cJSON_HasObjectItem(item, "text") &&
        !cJSON_HasObjectItem(item, "content"))
        return refuse(r, VR_INVALID, "", "lacks its text");
    return true;
}

/* ---- the rest ---- */

static bool
read_flag(struct reader *r, const cJSON *item, const char *key, bool *flag)
{
    const cJSON *value = member(item, key);
    char where[32];
    snprintf(where, sizeof where, ".%s", key);
    if (value && !cJSON_IsBool(value))
        return refuse(r, VR_INVALID, where, "must be true or false");
    *flag = cJSON_IsTrue(value);
    return true;
}

static bool
read_marks(struct reader *r, const cJSON *item, struct history_message *m)
{
    const cJSON *time = member(item, "time");
    if (member(item, "turn") && !jsonx_u64(item, "turn", &m->turn))
        return refuse(r, VR_INVALID, ".turn",
                      "must be a number of at most 64 bits, best as text");
    if (time && !(cJSON_IsString(time) &&
                  history_time_parse(time->valuestring, &m->time_ms)))
        return refuse(r, VR_INVALID, ".time",
                      "must be a time such as \"2026-01-31T12:00:00.000Z\"");
    (void)jsonx_u64(item, "id", &m->id);
    return read_flag(r, item, "pinned", &m->pinned) &&
           read_flag(r, item, "interrupted", &m->interrupted) &&
           read_flag(r, item, "trigger", &m->trigger);
}

/* The words become the message's. */
static void
keep(struct reader *r, struct history_message *m, struct strbuf *words)
{
    m->text = words->text;
    m->text_bytes = words->bytes;
    m->settled = true;
    if (words->bytes > HISTORY_TEXT_BYTES_MAX) {
        size_t end = history_cut(words->text, words->bytes,
                                 HISTORY_TEXT_BYTES_MAX - MARK_BYTES);
        memcpy(words->text + end, HISTORY_TRUNCATED, MARK_BYTES + 1);
        m->text_bytes = end + MARK_BYTES;
        m->cut = true;
        r->import->cut++;
    }
    r->import->messages[r->import->count++] = *m;
}

static bool
read_message(struct reader *r, const cJSON *item)
{
    struct history_message m = {0};
    struct strbuf words;
    bool taken;
    if (!cJSON_IsObject(item))
        return refuse(r, VR_INVALID, "",
                      "must be an object, {\"role\": ..., \"text\": ...}");
    if (!read_role(r, item, &m, &taken) || !taken)
        return r->status == VR_OK;
    strbuf_init(&words, 2 * HISTORY_IMPORT_BYTES_MAX);
    if (read_words(r, item, &words) && read_marks(r, item, &m)) {
        if (!history_text_blank(words.text)) {
            keep(r, &m, &words);
            return true;
        }
        if (member(item, "tool_calls"))
            r->import->tool_dropped++;
        else
            r->import->empty_dropped++;
    }
    strbuf_fini(&words);
    return r->status == VR_OK;
}

/* ---- the report ---- */

static void say(struct history_import *import, size_t count, const char *format,
                ...) VR_PRINTF(3, 4);

static void
say(struct history_import *import, size_t count, const char *format, ...)
{
    size_t at = strlen(import->summary);
    va_list args;
    if (!count)
        return;
    at += (size_t)snprintf(import->summary + at, sizeof import->summary - at,
                           "%s", at ? ", " : "Not taken over whole: ");
    va_start(args, format);
    vsnprintf(import->summary + at, sizeof import->summary - at, format, args);
    va_end(args);
}

static void
summarize(struct history_import *i)
{
    say(i, i->system_dropped, "%zu system messages dropped", i->system_dropped);
    say(i, i->tool_dropped, "%zu tool calls and results dropped",
        i->tool_dropped);
    say(i, i->empty_dropped, "%zu messages without words dropped",
        i->empty_dropped);
    say(i, i->parts_dropped, "%zu parts that are no text dropped",
        i->parts_dropped);
    say(i, i->cut, "%zu texts cut to %d bytes", i->cut, HISTORY_TEXT_BYTES_MAX);
}

static bool
read_all(struct reader *r, const cJSON *array)
{
    const cJSON *item;
    size_t count = (size_t)cJSON_GetArraySize(array);
    if (count > HISTORY_IMPORT_MESSAGES_MAX) {
        r->index = HISTORY_IMPORT_MESSAGES_MAX;
        return refuse(r, VR_LIMIT, "",
                      "there are %zu messages; use at most %d, leaving out "
                      "the oldest",
                      count, HISTORY_IMPORT_MESSAGES_MAX);
    }
    r->import->messages = calloc(count + 1, sizeof *r->import->messages);
    if (!r->import->messages)
        return refuse(r, VR_NO_MEMORY, "", "out of memory");
    cJSON_ArrayForEach(item, array)
    {
        if (!read_message(r, item))
            return false;
        r->index++;
    }
    return true;
}

enum vr_status
history_import_read(const cJSON *array, const char *path,
                    struct history_import *import, char *why, size_t why_size)
{
    struct reader r = {.import = import,
                       .path = path,
                       .status = VR_OK,
                       .why = why,
                       .why_size = why_size};
    memset(import, 0, sizeof *import);
    if (!array || cJSON_IsNull(array))
        return VR_OK;
    if (!cJSON_IsArray(array)) {
        snprintf(why, why_size, "%s: must be an array of messages", path);
        return VR_INVALID;
    }
    if (read_all(&r, array)) {
        summarize(import);
        return VR_OK;
    }
    history_import_fini(import);
    return r.status;
}

enum vr_status
history_import_settings(const struct config_history *history,
                        struct history_import *import)
{
    memset(import, 0, sizeof *import);
    import->messages = calloc(history->count + 1, sizeof *import->messages);
    for (size_t i = 0; import->messages && i < history->count; i++) {
        struct history_message *m = &import->messages[i];
        history_import_role(history->items[i].role, &m->role);
        m->settled = true;
        m->text = strdup(history->items[i].text);
        if (!m->text) {
            history_import_fini(import);
            return VR_NO_MEMORY;
        }
        m->text_bytes = strlen(m->text);
        import->count++;
    }
    return import->messages ? VR_OK : VR_NO_MEMORY;
}

void
history_import_fini(struct history_import *import)
{
    for (size_t i = 0; i < import->count; i++)
        free((char *)import->messages[i].text);
    free(import->messages);
    memset(import, 0, sizeof *import);
}

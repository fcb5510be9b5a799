#include "gateway/local/jsonlog.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "gateway/local/now.h"

static void
write_line(const struct jsonlog *log, const char *text, size_t count)
{
    while (count > 0) {
        ssize_t size = write(log->fd, text, count);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            return;
        text += size;
        count -= (size_t)size;
    }
}

/* Size of the UTF-8 character that starts at `p`; 0 if none does. */
static size_t
character_size(const uint8_t *p)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = p[0] < 0x80   ? 1
                  : p[0] < 0xc0 ? 0
                  : p[0] < 0xe0 ? 2
                  : p[0] < 0xf0 ? 3
                  : p[0] < 0xf8 ? 4
                                : 0;
    uint32_t code = p[0] & (0xff >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3f);
    }
    bool surrogate = code >= 0xd800 && code <= 0xdfff;
    if (size > 1 && (code < least[size] || code > 0x10ffff || surrogate))
        return 0;
    return size;
}

/* What clients send ends up here: a line is always good UTF-8 without control
 * characters, so that it breaks no reader and no terminal. */
static void
clean_line(char *line)
{
    for (uint8_t *p = (uint8_t *)line; *p != 0;) {
        size_t size = character_size(p);
        if (size == 0 || *p < ' ' || *p == 0x7f)
            *p = *p == '\n' ? ' ' : '?';
        p += size ? size : 1;
    }
}

static void
add_time(cJSON *line)
{
    struct tm parts;
    char day[32], text[48];
    int64_t wall_ms = now_read().wall_ms;
    time_t seconds = (time_t)(wall_ms / 1000);
    gmtime_r(&seconds, &parts);
    strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text, sizeof(text), "%s.%03dZ", day, (int)(wall_ms % 1000));
    cJSON_AddStringToObject(line, "time", text);
}

static cJSON *
line_new(struct jsonlog_place place, const char *kind)
{
    cJSON *line = cJSON_CreateObject();
    add_time(line);
    cJSON_AddNumberToObject(line, "connection", place.connection);
    cJSON_AddNumberToObject(line, "stream", place.stream);
    cJSON_AddStringToObject(line, "kind", kind);
    return line;
}

static void
write_json(const struct jsonlog *log, cJSON *line)
{
    char *text = cJSON_PrintUnformatted(line);
    cJSON_Delete(line);
    if (text == NULL)
        return;
    /* The NUL's place takes the newline, so that a line is one write. */
    clean_line(text);
    size_t count = strlen(text);
    text[count] = '\n';
    write_line(log, text, count + 1);
    cJSON_free(text);
}

static size_t
base64_size(const char *text)
{
    size_t count = strlen(text), padding = 0;
    while (padding < 2 && padding < count && text[count - 1 - padding] == '=')
        padding++;
    return count / 4 * 3 - (count >= 4 ? padding : 0);
}

/* Puts the byte count in the place of an audio event's content. */
static void
hide_audio(cJSON *body)
{
    cJSON *content = cJSON_GetObjectItemCaseSensitive(body, "content");
    if (!cJSON_IsString(content))
        return;
    double size = (double)base64_size(content->valuestring);
    cJSON_DeleteItemFromObjectCaseSensitive(body, "content");
    cJSON_AddNumberToObject(body, "audio_bytes", size);
}

void
jsonlog_event(const struct jsonlog *log, struct jsonlog_place place,
              const char *direction, const char *json, size_t json_bytes)
{
    if (log->mode != JSONLOG_JSON)
        return;
    cJSON *line = line_new(place, direction);
    cJSON *event = cJSON_ParseWithLength(json, json_bytes);
    cJSON *body = cJSON_GetObjectItemCaseSensitive(event, "event");
    cJSON *first = body ? body->child : NULL;
    const char *type = first && first->string ? first->string : "";
    cJSON_AddStringToObject(line, "type", type);
    cJSON_AddNumberToObject(line, "bytes", (double)json_bytes);
    if (strcmp(type, "audioInput") == 0 || strcmp(type, "audioOutput") == 0)
        hide_audio(first);
    if (event != NULL)
        cJSON_AddItemToObject(line, "body", event);
    write_json(log, line);
}

static void
write_text(const struct jsonlog *log, struct jsonlog_place place,
           const char *kind, const char *text)
{
    char line[2048], where[64] = "";
    if (place.stream != 0)
        snprintf(where, sizeof(where), " [%u:%d]", place.connection,
                 place.stream);
    else if (place.connection != 0)
        snprintf(where, sizeof(where), " [%u]", place.connection);
    int size = snprintf(line, sizeof(line) - 1, "voxring-local%s %s: %s", where,
                        kind, text);
    if (size >= (int)sizeof(line) - 1)
        size = (int)sizeof(line) - 2;
    clean_line(line);
    line[size] = '\n';
    write_line(log, line, (size_t)size + 1);
}

void
jsonlog_note(const struct jsonlog *log, struct jsonlog_place place,
             const char *kind, const char *format, ...)
{
    char text[4096];
    va_list args;
    if (log->mode == JSONLOG_QUIET)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (log->mode == JSONLOG_TEXT) {
        write_text(log, place, kind, text);
        return;
    }
    cJSON *line = line_new(place, kind);
    cJSON_AddStringToObject(line, "text", text);
    write_json(log, line);
}

#include "gateway/local/script.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PHRASE_BYTES 1024
#define RENDERED_BYTES_MAX 16384

void
script_normalise(const char *text, char *out, size_t out_bytes)
{
    size_t used = 0;
    bool gap = false;

    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        if (!isalnum(c) && c != '\'' && c != '*' && c < 128) {
            gap = used > 0;
            continue;
        }
        if (used + 2 + (gap ? 1 : 0) > out_bytes)
            break;
        if (gap)
            out[used++] = ' ';
        gap = false;
        out[used++] = (char)tolower(c);
    }
    out[used] = '\0';
}

static bool
matches(const struct script_line *line, const char *text, unsigned on)
{
    char phrase[PHRASE_BYTES];
    const cJSON *item;

    if ((line->on & on) == 0)
        return false;
    cJSON_ArrayForEach(item, line->hear)
    {
        script_normalise(item->valuestring, phrase, sizeof(phrase));
        if (fnmatch(phrase, text, FNM_NOESCAPE) == 0)
            return true;
    }
    return false;
}

const struct script_line *
script_match(const struct script *script, const char *text, unsigned on)
{
    char wanted[PHRASE_BYTES];

    script_normalise(text, wanted, sizeof(wanted));
    for (size_t i = 0; i < script->line_count; i++) {
        if (matches(&script->lines[i], wanted, on))
            return &script->lines[i];
    }
    return &script->unknown;
}

const struct script_line *
script_next(const struct script *script, size_t *cursor)
{
    for (size_t i = 0; i < script->line_count; i++) {
        size_t at = (*cursor + i) % script->line_count;

        if ((script->lines[at].on & SCRIPT_ON_SPEECH) != 0) {
            *cursor = at + 1;
            return &script->lines[at];
        }
    }
    return NULL;
}

const struct script_line *
script_trigger(const struct script *script)
{
    for (size_t i = 0; i < script->line_count; i++) {
        if ((script->lines[i].on & SCRIPT_ON_TRIGGER) != 0)
            return &script->lines[i];
    }
    return NULL;
}

bool
script_model_ended(const struct script *script, const char *model_id)
{
    const cJSON *state =
        cJSON_GetObjectItemCaseSensitive(script->models, model_id);

    return cJSON_IsString(state) &&
           strcmp(state->valuestring, "end_of_life") == 0;
}

const char *
script_phrase(const struct script_line *line)
{
    const cJSON *first = line->hear == NULL ? NULL : line->hear->child;

    return first == NULL ? "" : first->valuestring;
}

/* ---- placeholders -------------------------------------------------------- */

struct text {
    char *data;
    size_t used;
    size_t room;
    bool failed;
};

static void
put(struct text *t, const char *bytes, size_t count)
{
    if (t->failed || t->used + count > RENDERED_BYTES_MAX)
        return;
    if (t->used + count + 1 > t->room) {
        size_t room = (t->used + count + 1) * 2;
        char *data = realloc(t->data, room);

        if (data == NULL) {
            t->failed = true;
            return;
        }
        t->data = data;
        t->room = room;
    }
    memcpy(t->data + t->used, bytes, count);
    t->used += count;
    t->data[t->used] = '\0';
}

static void
put_value(struct text *t, const cJSON *value)
{
    char *printed;

    if (cJSON_IsString(value)) {
        put(t, value->valuestring, strlen(value->valuestring));
        return;
    }
    printed = value == NULL ? NULL : cJSON_PrintUnformatted(value);
    if (printed == NULL)
        put(t, "unknown", 7);
    else
        put(t, printed, strlen(printed));
    cJSON_free(printed);
}

/* Follows a dotted path such as `clock.time` from the map of results. */
static const cJSON *
find_value(const cJSON *results, const char *path, size_t length)
{
    char key[128];
    const cJSON *at = results;

    while (length > 0 && at != NULL) {
        size_t part = 0;

        while (part < length && path[part] != '.')
            part++;
        if (part >= sizeof(key))
            return NULL;
        memcpy(key, path, part);
        key[part] = '\0';
        at = cJSON_GetObjectItemCaseSensitive(at, key);
        part += part < length;
        path += part;
        length -= part;
    }
    return at;
}

char *
script_render(const char *text, const cJSON *results, const char *heard)
{
    struct text t = {NULL, 0, 0, false};

    put(&t, "", 0);
    while (*text != '\0') {
        size_t plain = strcspn(text, "{");
        const char *close = strchr(text + plain, '}');

        if (close == NULL)
            plain = strlen(text);
        put(&t, text, plain);
        text += plain;
        if (*text == '\0')
            break;
        text++;
        if (close - text == 4 && memcmp(text, "text", 4) == 0)
            put(&t, heard, strlen(heard));
        else
            put_value(&t, find_value(results, text, (size_t)(close - text)));
        text = close + 1;
    }
    if (!t.failed)
        return t.data;
    free(t.data);
    return NULL;
}

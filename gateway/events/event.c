#include "gateway/events/event.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "gateway/jsonx.h"

#define WORD_BYTES_MAX 64

/* One function a type, because `row_type` needs a scope of its own. */
#define MUST true
#define MAY false
#define ROW(kind, member, path, need, what) \
    {EVENT_##kind, need, offsetof(row_type, member), path, what},

#define EVENT(symbol, name, keep, what)                                        \
    static const struct event_field *symbol##_fields(size_t *count)            \
    {                                                                          \
        typedef struct event_##symbol row_type;                                \
        static const struct event_field rows[] = {EVENT_FIELDS_##symbol(ROW)}; \
        *count = sizeof rows / sizeof *rows;                                   \
        return rows;                                                           \
    }
#include "gateway/events/events.tbl.h"
#undef EVENT

const struct event_field *
event_fields(enum event_type type, size_t *count)
{
    static const struct event_field *(*const of[])(size_t *) = {
#define EVENT(symbol, name, keep, what) symbol##_fields,
#include "gateway/events/events.tbl.h"
#undef EVENT
    };
    return of[type](count);
}

void
event_init(enum event_type type, void *event)
{
    size_t count;
    const struct event_field *fields = event_fields(type, &count);
    for (size_t i = 0; i < count; i++) {
        void *member = (char *)event + fields[i].offset;
        switch (fields[i].kind) {
        case EVENT_TEXT:
            *(const char **)member = NULL;
            break;
        case EVENT_U64:
            *(uint64_t *)member = EVENT_NO_U64;
            break;
        case EVENT_COUNT:
            *(int64_t *)member = EVENT_NO_COUNT;
            break;
        case EVENT_SECONDS:
        case EVENT_NUMBER:
            *(double *)member = NAN;
            break;
        case EVENT_FLAG:
            *(bool *)member = false;
            break;
        case EVENT_JSON:
        case EVENT_LIST:
            *(cJSON **)member = NULL;
            break;
        }
    }
}

/* ---- to JSON ---- */

/* The object that holds the last word of a path; `*word` gets that word. */
static cJSON *
parent_of(cJSON *data, const char *path, const char **word)
{
    const char *dot;
    while (data && (dot = strchr(path, '.')) != NULL) {
        char name[WORD_BYTES_MAX];
        snprintf(name, sizeof name, "%.*s", (int)(dot - path), path);
        cJSON *child = cJSON_GetObjectItemCaseSensitive(data, name);
        data = child ? child : cJSON_AddObjectToObject(data, name);
        path = dot + 1;
    }
    *word = path;
    return data;
}

static void
add_taken(cJSON *parent, const char *word, const struct event_field *field,
          cJSON **member)
{
    cJSON *value = *member;
    *member = NULL;
    if (!value && field->must)
        value = field->kind == EVENT_LIST ? cJSON_CreateArray()
                                          : cJSON_CreateObject();
    jsonx_put(parent, word, value);
}

static void
add_number(cJSON *parent, const char *word, double value, bool absent,
           bool must)
{
    if (!absent || must)
        jsonx_put(parent, word, cJSON_CreateNumber(absent ? 0 : value));
}

static void
add_field(cJSON *data, const struct event_field *field, void *member)
{
    const char *word;
    cJSON *parent = parent_of(data, field->path, &word);
    const char *text;
    switch (field->kind) {
    case EVENT_TEXT:
        text = *(const char *const *)member;
        jsonx_add_text(parent, word, text ? text : field->must ? "" : NULL);
        break;
    case EVENT_U64:
        if (*(uint64_t *)member != EVENT_NO_U64)
            jsonx_add_u64(parent, word, *(uint64_t *)member);
        else if (field->must)
            jsonx_add_u64(parent, word, 0);
        break;
    case EVENT_COUNT:
        add_number(parent, word, (double)*(int64_t *)member,
                   *(int64_t *)member == EVENT_NO_COUNT, field->must);
        break;
    case EVENT_SECONDS:
    case EVENT_NUMBER:
        add_number(parent, word, *(double *)member,
                   !isfinite(*(double *)member), field->must);
        break;
    case EVENT_FLAG:
        if (*(bool *)member || field->must)
            cJSON_AddBoolToObject(parent, word, *(bool *)member);
        break;
    case EVENT_JSON:
    case EVENT_LIST:
        add_taken(parent, word, field, member);
        break;
    }
}

cJSON *
event_data(enum event_type type, void *event)
{
    size_t count;
    const struct event_field *fields = event_fields(type, &count);
    cJSON *data = cJSON_CreateObject();
    for (size_t i = 0; i < count; i++) {
        add_field(data, &fields[i], (char *)event + fields[i].offset);
    }
    return data;
}

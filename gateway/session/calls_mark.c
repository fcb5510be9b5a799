/* When two calls ask for the same. */
#include <string.h>

#include <cjson/cJSON.h>

#include "gateway/session/calls_state.h"
#include "ipc/fnv.h"

static uint64_t
mix(uint64_t hash, const void *bytes, size_t count)
{
    return fnv_bytes(hash, bytes, count);
}

static uint64_t
mark_of(const cJSON *item)
{
    uint64_t mark = mix(FNV_BASIS, &item->type, sizeof item->type);
    const cJSON *child;
    if (cJSON_IsNumber(item))
        return mix(mark, &item->valuedouble, sizeof item->valuedouble);
    if (cJSON_IsString(item))
        return mix(mark, item->valuestring, strlen(item->valuestring));
    cJSON_ArrayForEach(child, item)
    {
        uint64_t inner = mark_of(child);
        if (cJSON_IsObject(item)) /* in whatever order */
            mark += mix(inner, child->string, strlen(child->string));
        else
            mark = mix(mark, &inner, sizeof inner);
    }
    return mark;
}

uint64_t
calls_mark(const char *arguments_json)
{
    const char *text = arguments_json + strspn(arguments_json, " \t\r\n");
    cJSON *root = cJSON_Parse(text);
    cJSON *inner = cJSON_IsString(root) ? cJSON_Parse(root->valuestring) : NULL;
    const cJSON *given = inner ? inner : root;
    bool nothing = !text[0] || cJSON_IsNull(given) ||
                   (cJSON_IsObject(given) && !given->child);
    uint64_t mark = FNV_BASIS;
    if (given && !nothing)
        mark = mark_of(given);
    else if (!nothing) /* no JSON: the same only if it is so to the letter */
        mark = mix(mark, text, strlen(text) + 1);
    cJSON_Delete(inner);
    cJSON_Delete(root);
    return mark;
}

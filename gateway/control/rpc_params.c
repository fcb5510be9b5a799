#include "gateway/control/rpc_params.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "gateway/control/rpc.h"

#define WHOLE_MAX 9007199254740992.0 /* 2^53 */

/* One entry of a list; the texts are not terminated. */
struct entry {
    const char *name;
    int name_bytes;
    const char *type;
    int type_bytes;
    bool must;
};

static const char *const types[] = {"text",   "uint",  "number", "bool",
                                    "object", "array", "any"};

enum type { TEXT, UINT, NUMBER, BOOL, OBJECT, ARRAY, ANY, CHOICE };

/* Reads the entry at `*at` and moves behind it; false at the end. */
static bool
next_entry(const char **at, struct entry *e)
{
    if (!**at)
        return false;
    e->name = *at;
    e->name_bytes = (int)strcspn(*at, ": ");
    e->type = *at + e->name_bytes + (e->name[e->name_bytes] == ':');
    size_t bytes = strcspn(e->type, " ");
    e->must = bytes > 0 && e->type[bytes - 1] == '!';
    e->type_bytes = (int)bytes - e->must;
    *at = e->type + bytes;
    if (**at == ' ' && (*at)[1])
        ++*at;
    return true;
}

static enum type
type_of(const struct entry *e)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strlen(types[i]) == (size_t)e->type_bytes &&
            !memcmp(types[i], e->type, (size_t)e->type_bytes))
            return (enum type)i;
    }
    return CHOICE;
}

bool
rpc_params_valid(const char *list)
{
    struct entry e;
    const char *at = list;
    while (next_entry(&at, &e)) {
        bool choice = type_of(&e) == CHOICE;
        if (e.name_bytes == 0 || e.type_bytes <= 0 ||
            e.name[e.name_bytes] != ':' || *at == ' ' ||
            (choice && !memchr(e.type, '|', (size_t)e.type_bytes)))
            return false;
    }
    return true;
}

/* ---- values ---- */

/* Whether a text is one of the words "a|b|c". */
static bool
chosen(const struct entry *e, const char *text)
{
    const char *word = e->type;
    const char *end = e->type + e->type_bytes;
    size_t bytes = strlen(text);
    while (word < end) {
        const char *bar = memchr(word, '|', (size_t)(end - word));
        size_t n = (size_t)((bar ? bar : end) - word);
        if (n == bytes && !memcmp(word, text, n))
            return true;
        word += n + 1;
    }
    return false;
}

static bool
fits(const struct entry *e, const cJSON *value)
{
    double v = value->valuedouble;
    switch (type_of(e)) {
    case TEXT:
        return cJSON_IsString(value) &&
               strlen(value->valuestring) <= RPC_TEXT_BYTES_MAX;
    case UINT:
        return cJSON_IsNumber(value) && v >= 0 && v <= WHOLE_MAX &&
               floor(v) == v;
    case NUMBER:
        return cJSON_IsNumber(value) && isfinite(v);
    case BOOL:
        return cJSON_IsBool(value);
    case OBJECT:
        return cJSON_IsObject(value);
    case ARRAY:
        return cJSON_IsArray(value);
    case ANY:
        return true;
    case CHOICE:
        return cJSON_IsString(value) && chosen(e, value->valuestring);
    }
    return false;
}

static void
describe(const struct entry *e, char *text, size_t text_size)
{
    static const char *const right[] = {[TEXT] = "a text",
                                        [UINT] = "a whole number from 0",
                                        [NUMBER] = "a number",
                                        [BOOL] = "true or false",
                                        [OBJECT] = "an object, { ... }",
                                        [ARRAY] = "an array, [ ... ]",
                                        [ANY] = "any value"};
    enum type type = type_of(e);
    if (type == CHOICE)
        snprintf(text, text_size, "one of %.*s", e->type_bytes, e->type);
    else if (type == TEXT)
        snprintf(text, text_size, "a text of at most %d bytes",
                 RPC_TEXT_BYTES_MAX);
    else
        snprintf(text, text_size, "%s", right[type]);
}

/* ---- the check ---- */

static bool
find_entry(const char *list, const char *name, struct entry *e)
{
    while (next_entry(&list, e)) {
        if (strlen(name) == (size_t)e->name_bytes &&
            !memcmp(name, e->name, (size_t)e->name_bytes))
            return true;
    }
    return false;
}

static void
drop_nulls(cJSON *params)
{
    cJSON *next;
    for (cJSON *item = params->child; item; item = next) {
        next = item->next;
        if (cJSON_IsNull(item))
            cJSON_Delete(cJSON_DetachItemViaPointer(params, item));
    }
}

static bool
check_given(const char *list, const cJSON *item, char *problem,
            size_t problem_size)
{
    struct entry e;
    char right[128];
    if (!find_entry(list, item->string, &e)) {
        snprintf(problem, problem_size,
                 "is not known here; leave it out, or use: %s",
                 *list ? list : "no parameters");
        return false;
    }
    if (fits(&e, item))
        return true;
    describe(&e, right, sizeof right);
    char *shown = cJSON_PrintUnformatted(item);
    snprintf(problem, problem_size, "is %.40s%s; use %s", shown ? shown : "?",
             shown && strlen(shown) > 40 ? "..." : "", right);
    cJSON_free(shown);
    return false;
}

bool
rpc_params_check(const char *list, cJSON *params, char *param,
                 size_t param_size, char *problem, size_t problem_size)
{
    struct entry e;
    const cJSON *item;
    drop_nulls(params);
    cJSON_ArrayForEach(item, params)
    {
        snprintf(param, param_size, "%s", item->string);
        if (!check_given(list, item, problem, problem_size))
            return false;
    }
    while (next_entry(&list, &e)) {
        snprintf(param, param_size, "%.*s", e.name_bytes, e.name);
        if (e.must && !cJSON_GetObjectItemCaseSensitive(params, param)) {
            char right[128];
            describe(&e, right, sizeof right);
            snprintf(problem, problem_size, "is missing; give %s", right);
            return false;
        }
    }
    return true;
}

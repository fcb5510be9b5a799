#include "gateway/config_env.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/config_list.h"
#include "gateway/jsonx.h"

#define NAME_BYTES_MAX 128
#define VALUE_BYTES_MAX 32768

static bool
good_name(const char *name)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    size_t bytes = strlen(name);
    return bytes > 0 && bytes <= NAME_BYTES_MAX && strchr(letters, name[0]) &&
           bytes == strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789_");
}

static bool
has_name(const struct config_strings *env, const char *name)
{
    size_t bytes = strlen(name);
    for (size_t i = 0; i < env->count; i++) {
        if (!strncmp(env->items[i], name, bytes) &&
            strchr("=", env->items[i][bytes]))
            return true;
    }
    return false;
}

/* What is wrong with a variable, NULL if nothing. Says nothing of the value,
 * which may be a secret. `value` NULL: passed on. */
static const char *
flaw_of(const struct config_strings *env, const char *name, const cJSON *value)
{
    if (!name || !good_name(name))
        return "is no variable's name; use 1 to 128 characters from A-Z, a-z, "
               "0-9 and _, not beginning with a digit, and {\"NAME\": "
               "\"value\"} to set one";
    if (has_name(env, name))
        return "is given twice; keep one";
    if (value && !cJSON_IsString(value))
        return "is no text; put quotes around the value, or null to pass "
               "voxringd's own on";
    if (value && strlen(value->valuestring) > VALUE_BYTES_MAX)
        return "is longer than 32768 bytes; shorten it";
    return NULL;
}

/* "NAME" or "NAME=value"; NULL when memory is out. */
static char *
join(const char *name, const cJSON *value)
{
    size_t name_bytes = strlen(name);
    size_t value_bytes = value ? strlen(value->valuestring) : 0;
    char *text = malloc(name_bytes + value_bytes + 2);
    if (text)
        snprintf(text, name_bytes + value_bytes + 2, "%s%s%s", name,
                 value ? "=" : "", value ? value->valuestring : "");
    return text;
}

/* One variable, added to `env`, which has the room. */
static void
read_variable(struct config_strings *env, const cJSON *item, const char *name,
              const cJSON *value, const char *path,
              struct config_reader *reader)
{
    const char *flaw = flaw_of(env, name, value);
    if (flaw) {
        config_problem(reader->problems, item, path, "%s", flaw);
        return;
    }
    env->items[env->count] = join(name, value);
    if (env->items[env->count])
        env->count++;
    else
        config_problem(reader->problems, item, path, "out of memory");
}

static void
read_variables(struct config_strings *env, const cJSON *item, const char *path,
               struct config_reader *reader)
{
    const cJSON *entry;
    size_t index = 0;
    cJSON_ArrayForEach(entry, item)
    {
        char at[CONFIG_PATH_BYTES + NAME_BYTES_MAX];
        const char *name = entry->string;
        const cJSON *value = cJSON_IsNull(entry) ? NULL : entry;
        if (cJSON_IsArray(item)) {
            snprintf(at, sizeof at, "%s[%zu]", path, index++);
            name = cJSON_IsString(entry) ? entry->valuestring : NULL;
            value = NULL;
        } else {
            snprintf(at, sizeof at, "%s.%.120s", path, name);
        }
        read_variable(env, entry, name, value, at, reader);
    }
}

void
config_env_read(struct config_strings *member, const cJSON *item,
                const char *path, struct config_reader *reader)
{
    struct config_strings env = {0};
    int room = cJSON_GetArraySize(item);
    if ((!cJSON_IsArray(item) && !cJSON_IsObject(item)) ||
        room > CONFIG_ITEMS_MAX) {
        config_problem(reader->problems, item, path,
                       "holds no variables; use a list of names, [\"HOME\"], "
                       "or {\"NAME\": \"value\"}, at most %d",
                       CONFIG_ITEMS_MAX);
        return;
    }
    env.items = room > 0 ? calloc((size_t)room, sizeof *env.items) : NULL;
    if (room > 0 && !env.items) {
        config_problem(reader->problems, item, path, "out of memory");
        return;
    }
    read_variables(&env, item, path, reader);
    config_strings_free(member);
    *member = env;
}

/* ---- showing ---- */

static bool
sets_any(const struct config_strings *env)
{
    for (size_t i = 0; i < env->count; i++) {
        if (strchr(env->items[i], '='))
            return true;
    }
    return false;
}

cJSON *
config_env_to_json(const struct config_strings *env)
{
    if (!sets_any(env))
        return config_strings_to_json(env);
    cJSON *json = cJSON_CreateObject();
    for (size_t i = 0; json && i < env->count; i++) {
        char name[NAME_BYTES_MAX + 1];
        size_t bytes = strcspn(env->items[i], "=");
        snprintf(name, sizeof name, "%.*s", (int)bytes, env->items[i]);
        jsonx_put(json, name,
                  env->items[i][bytes] ? cJSON_CreateString(CONFIG_HIDDEN)
                                       : cJSON_CreateNull());
    }
    return json;
}

#include "gateway/toolbroker/plugin_boot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The statuses that voxring-toolhost ends with on purpose. */
#define EXIT_MEMORY 4
#define EXIT_SERVER 5

/* {NAME: value} of "NAME=value", and of "NAME" as far as we have it. */
static void
add_environment(cJSON *object, const struct config_strings *env)
{
    for (size_t i = 0; i < env->count; i++) {
        const char *sign = strchr(env->items[i], '=');
        char *name =
            sign ? strndup(env->items[i], (size_t)(sign - env->items[i]))
                 : strdup(env->items[i]);
        const char *value = sign ? sign + 1 : name ? getenv(name) : NULL;
        if (name && value)
            cJSON_AddStringToObject(object, name, value);
        free(name);
    }
}

static void
add_texts(cJSON *object, const char *key, const struct config_strings *texts)
{
    cJSON *array = cJSON_AddArrayToObject(object, key);

    for (size_t i = 0; i < texts->count; i++)
        cJSON_AddItemToArray(array, cJSON_CreateString(texts->items[i]));
}

static void
add_text(cJSON *object, const char *key, const char *text)
{
    if (text)
        cJSON_AddStringToObject(object, key, text);
}

static void
add_server(cJSON *root, const struct config_provider *rule)
{
    cJSON *mcp = cJSON_AddObjectToObject(root, "mcp");

    add_text(mcp, "command", rule->command);
    add_texts(mcp, "args", &rule->args);
    add_environment(cJSON_AddObjectToObject(mcp, "env"), &rule->env);
    add_text(mcp, "cwd", rule->cwd);
    add_text(mcp, "url", rule->url);
    add_text(mcp, "headers_file", rule->headers_file);
    add_text(mcp, "prefix", rule->prefix);
    if (!rule->allow.all)
        add_texts(mcp, "allow", &rule->allow);
}

char *
plugin_boot_text(const struct provider *p, const char *token)
{
    const struct config_provider *rule = p->rule;
    cJSON *root = cJSON_CreateObject();
    char *text = NULL;

    cJSON_AddNumberToObject(root, "protocol", WORKER_PROTOCOL);
    cJSON_AddStringToObject(root, "endpoint", p->context->endpoint);
    cJSON_AddStringToObject(root, "token", token);
    cJSON_AddStringToObject(root, "name", p->name);
    cJSON_AddNumberToObject(root, "result_max_bytes", p->result_max_bytes);
    cJSON_AddNumberToObject(root, "memory_bytes",
                            (double)rule->memory_mb * 1024 * 1024);
    cJSON_AddNumberToObject(root, "concurrent_calls", rule->concurrent_calls);
    add_text(root, "path", p->plugin->path);
    if (!p->plugin->path)
        add_server(root, rule);
    if (cJSON_AddRawToObject(root, "config", p->plugin->config_json))
        text = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    return text;
}

void
plugin_boot_memory(const struct provider *p, char *text, size_t text_size)
{
    snprintf(text, text_size,
             "it used more than its %u MiB of memory (%s.%.64s.memory_mb)",
             p->rule->memory_mb, provider_rule_section(p->kind), p->name);
}

void
plugin_boot_death(const struct provider *p, const char *how, int status,
                  char *text, size_t text_size)
{
    if (status == EXIT_MEMORY && p->rule->memory_mb > 0)
        plugin_boot_memory(p, text, text_size);
    else if (status == EXIT_SERVER && !p->plugin->path)
        snprintf(text, text_size, "its MCP server ended");
    else
        snprintf(text, text_size, "%s", how);
}

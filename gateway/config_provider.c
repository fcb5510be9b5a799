#include "gateway/config_provider.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROW(type, key, kind, member, fallback, min, max, choices, check, unit, \
            what)                                                              \
    CONFIG_ROW(type, key, kind, member, fallback, min, max, choices, check,    \
               RESTART, unit, what)

static const struct config_row plugin_rows[] = {
#define CONFIG_PLUGIN(...) ROW(config_provider, __VA_ARGS__)
#include "gateway/config_provider.tbl.h"
};

static const struct config_row mcp_rows[] = {
#define CONFIG_MCP(...) ROW(config_provider, __VA_ARGS__)
#include "gateway/config_provider.tbl.h"
};

static const struct config_row worker_rows[] = {
#define CONFIG_WORKER(...) ROW(config_provider, __VA_ARGS__)
#include "gateway/config_provider.tbl.h"
};

static const struct config_row tool_rows[] = {
#define CONFIG_TOOL(...) ROW(config_tool, __VA_ARGS__)
#include "gateway/config_provider.tbl.h"
};

#define COUNT(rows) (sizeof rows / sizeof *rows)

const struct config_table config_plugin_table = {plugin_rows,
                                                 COUNT(plugin_rows)};
const struct config_table config_mcp_table = {mcp_rows, COUNT(mcp_rows)};
const struct config_table config_worker_table = {worker_rows,
                                                 COUNT(worker_rows)};
const struct config_table config_tool_table = {tool_rows, COUNT(tool_rows)};

/* ---- finding ---- */

const struct config_provider *
config_provider_find(const struct config_providers *providers, const char *name)
{
    const struct config_provider *any = NULL;
    for (size_t i = 0; i < providers->count; i++) {
        const struct config_provider *provider = &providers->items[i];
        if (!strcmp(provider->name, name))
            return provider;
        if (!strcmp(provider->name, "*"))
            any = provider;
    }
    return any;
}

/* The defaults of the tables once more, because a constant needs no memory and
 * no first use; a test compares. */
const struct config_provider *
config_provider_default(enum config_provider_kind kind)
{
    static char any[] = "*";
    static const struct config_provider defaults[] = {
        [CONFIG_PROVIDER_PLUGIN] = {.name = any,
                                    .memory_mb = 512,
                                    .result_bytes = 262144,
                                    .concurrent_calls = 8,
                                    .grants = CONFIG_GRANT_PUBLISH,
                                    .allow = {.all = true},
                                    .tools = {.all = true}},
        [CONFIG_PROVIDER_MCP] = {.name = any,
                                 .result_bytes = 262144,
                                 .concurrent_calls = 8,
                                 .grants = CONFIG_GRANT_PUBLISH,
                                 .allow = {.all = true},
                                 .tools = {.all = true}},
        [CONFIG_PROVIDER_WORKER] = {.name = any,
                                    .result_bytes = 262144,
                                    .concurrent_calls = 16,
                                    .grants = CONFIG_GRANT_PUBLISH,
                                    .allow = {.all = true},
                                    .tools = {.all = true}},
    };
    return &defaults[kind];
}

const struct config_tool *
config_tool_find(const struct config_tools *tools, const char *name)
{
    for (size_t i = 0; i < tools->count; i++) {
        if (!strcmp(tools->items[i].name, name))
            return &tools->items[i];
    }
    return NULL;
}

/* ---- one entry ---- */

/* A problem of one key of an entry. */
static void
complain(const cJSON *item, const char *path, const char *key,
         const char *message, struct config_reader *reader)
{
    char full[CONFIG_PATH_BYTES];
    const cJSON *value = config_item_at(item, key);
    snprintf(full, sizeof full, "%.200s.%s", path, key);
    config_problem(reader->problems, value ? value : item, full, "%s", message);
}

/* A file with a secret: there, a file, and not for everybody. It is opened,
 * not only looked up, because voxringd's user must be able to read it. */
static void
check_secret_file(const char *file, const cJSON *item, const char *path,
                  const char *key, struct config_reader *reader)
{
    struct stat st;
    char message[640];
    if (!file)
        return;
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st) != 0)
        snprintf(message, sizeof message, "cannot open %.400s: %s", file,
                 strerror(errno));
    else if (!S_ISREG(st.st_mode))
        snprintf(message, sizeof message, "%.400s is no file; name a text file",
                 file);
    else if (st.st_mode & S_IRWXO)
        snprintf(message, sizeof message,
                 "%.400s is open to everybody (mode %03o); run: chmod o-rwx "
                 "and its path",
                 file, (unsigned)(st.st_mode & 0777));
    else
        message[0] = '\0';
    if (fd >= 0)
        close(fd);
    if (message[0])
        complain(item, path, key, message, reader);
}

/* Keys that mean nothing beside url. */
static void
check_url_entry(const struct config_provider *provider, const cJSON *item,
                const char *path, struct config_reader *reader)
{
    static const char message[] =
        "is for a command, but a url is given; remove one of the two";
    if (provider->args.count)
        complain(item, path, "args", message, reader);
    if (provider->env.count)
        complain(item, path, "env", message, reader);
    if (provider->cwd)
        complain(item, path, "cwd", message, reader);
}

static void
check_mcp(const struct config_provider *provider, const cJSON *item,
          const char *path, struct config_reader *reader)
{
    if (!provider->command && !provider->url)
        config_problem(reader->problems, item, path,
                       "names no server; give its command, {\"command\": "
                       "\"npx\", \"args\": [...]}, or its url");
    else if (provider->command && provider->url)
        complain(item, path, "url",
                 "stands beside command; keep one of the two", reader);
    else if (provider->url)
        check_url_entry(provider, item, path, reader);
    else if (provider->headers_file)
        complain(item, path, "headers_file",
                 "is for a url, but a command is given; remove one of the two, "
                 "or hand secrets over with env",
                 reader);
}

void
config_provider_check(const struct config_row *row,
                      const struct config_provider *provider, const cJSON *item,
                      const char *path, struct config_reader *reader)
{
    size_t before = reader->problems->count;
    if (row->kind == CONFIG_MCP)
        check_mcp(provider, item, path, reader);
    if (reader->problems->count > before)
        return;
    check_secret_file(provider->headers_file, item, path, "headers_file",
                      reader);
    check_secret_file(provider->token_file, item, path, "token_file", reader);
}

/* ---- all of them ---- */

static bool
has_entry(const struct config_providers *providers, const char *name)
{
    const struct config_provider *found = config_provider_find(providers, name);
    return found && !strcmp(found->name, name);
}

/* Names in `providers`, found at `section` of the file, that `others` has. */
static void
check_names(const struct config_providers *providers, const char *section,
            const struct config_providers *others, const char *other_section,
            const cJSON *json, struct config_reader *reader)
{
    const cJSON *entries = config_item_at(json, section);
    for (size_t i = 0; i < providers->count; i++) {
        const char *name = providers->items[i].name;
        char path[CONFIG_PATH_BYTES];
        if (!strcmp(name, "*") || !has_entry(others, name))
            continue;
        snprintf(path, sizeof path, "%s.%s", section, name);
        config_problem(reader->problems,
                       cJSON_GetObjectItemCaseSensitive(entries, name), path,
                       "has the name of %s.%s; each provider of tools needs "
                       "its own, rename one",
                       other_section, name);
    }
}

void
config_providers_check(const struct config *config, const cJSON *json,
                       struct config_reader *reader)
{
    check_names(&config->mcp, "mcp", &config->plugins.rules, "plugins.rules",
                json, reader);
    check_names(&config->workers.rules, "workers.rules", &config->mcp, "mcp",
                json, reader);
    check_names(&config->workers.rules, "workers.rules", &config->plugins.rules,
                "plugins.rules", json, reader);
}

#include "tools/mcp/setup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/mcp/environment.h"
#include "tools/mcp/headers.h"
#include "tools/toolhost/boot.h"

#define PLACE_BYTES 200

static char *
copy_member(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsString(item) && item->valuestring[0]
               ? strdup(item->valuestring)
               : NULL;
}

static bool
copy_args(struct setup *setup, const cJSON *mcp)
{
    const cJSON *args = cJSON_GetObjectItemCaseSensitive(mcp, "args");
    const cJSON *item;
    size_t n = 0;

    if (!setup->command)
        return true;
    setup->args =
        calloc((size_t)cJSON_GetArraySize(args) + 2, sizeof *setup->args);
    if (!setup->args || !(setup->args[n++] = strdup(setup->command)))
        return false;
    cJSON_ArrayForEach(item, args)
    {
        if (!cJSON_IsString(item))
            continue;
        setup->args[n] = strdup(item->valuestring);
        if (!setup->args[n++])
            return false;
    }
    return true;
}

static bool
copy_env(struct setup *setup, const cJSON *mcp)
{
    const cJSON *item;

    setup->env = environment_new();
    if (!setup->env)
        return false;
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(mcp, "env"))
    {
        if (cJSON_IsString(item) &&
            !environment_set(&setup->env, item->string, item->valuestring))
            return false;
    }
    return true;
}

enum vr_status
setup_read_boot(struct setup *setup, char *why, size_t why_size)
{
    struct boot boot;
    enum vr_status status = boot_read(&boot, BOOT_FD, why, why_size);
    const cJSON *allow;

    memset(setup, 0, sizeof *setup);
    if (status != VR_OK)
        return status;
    allow = cJSON_GetObjectItemCaseSensitive(boot.mcp, "allow");
    setup->mode = SETUP_CHILD;
    setup->name = strdup(boot.name);
    setup->endpoint = strdup(boot.endpoint);
    setup->token = strdup(boot.token);
    setup->result_max_bytes = boot.result_max_bytes;
    setup->memory_bytes = boot.memory_bytes;
    setup->command = copy_member(boot.mcp, "command");
    setup->cwd = copy_member(boot.mcp, "cwd");
    setup->url = copy_member(boot.mcp, "url");
    setup->headers_file = copy_member(boot.mcp, "headers_file");
    setup->prefix = copy_member(boot.mcp, "prefix");
    /* an empty list is no wish to have nothing */
    if (cJSON_GetArraySize(allow) > 0)
        setup->allow = cJSON_Duplicate(allow, 1);
    if (!setup->name || !setup->endpoint || !setup->token ||
        !copy_args(setup, boot.mcp) || !copy_env(setup, boot.mcp)) {
        snprintf(why, why_size, "memory is out");
        setup_fini(setup);
        status = VR_NO_MEMORY;
    }
    boot_fini(&boot);
    return status;
}

/* ---- can it be started? -------------------------------------------------------- */

static bool
is_program(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISREG(info.st_mode) &&
           access(path, X_OK) == 0;
}

/* As execvp does, in the environment and the folder of the server. */
static bool
is_command(const struct setup *setup)
{
    const char *path = environment_get(setup->env, "PATH");
    char file[4096];

    if (strchr(setup->command, '/')) {
        snprintf(file, sizeof file, "%s/%s", setup->cwd ? setup->cwd : ".",
                 setup->command);
        return is_program(setup->command[0] == '/' ? setup->command : file);
    }
    if (!path)
        path = "/usr/local/bin:/bin:/usr/bin";
    while (*path) {
        size_t bytes = strcspn(path, ":");
        snprintf(file, sizeof file, "%.*s/%s", (int)bytes,
                 bytes > 0 ? path : ".", setup->command);
        if (is_program(file))
            return true;
        path += bytes + (path[bytes] == ':');
    }
    return false;
}

/* What a person has to look at: a key of the config, or an argument. */
static const char *
place_of(const struct setup *setup, const char *key, const char *argument,
         char place[PLACE_BYTES])
{
    if (setup->mode == SETUP_CHILD)
        snprintf(place, PLACE_BYTES, "mcp.%s.%s", setup->name, key);
    else
        snprintf(place, PLACE_BYTES, "%s", argument);
    return place;
}

static bool
program_usable(const struct setup *setup, char *why, size_t why_size)
{
    char place[PLACE_BYTES];
    struct stat info;

    if (setup->cwd &&
        (stat(setup->cwd, &info) != 0 || !S_ISDIR(info.st_mode))) {
        snprintf(why, why_size, "%s: there is no folder %s",
                 place_of(setup, "cwd", "--cwd", place), setup->cwd);
        return false;
    }
    if (is_command(setup))
        return true;
    snprintf(why, why_size,
             "%s: there is no program %s%s; install it, or name it "
             "with its whole path%s",
             place_of(setup, "command", "COMMAND", place), setup->command,
             strchr(setup->command, '/') ? "" : " in the folders of PATH",
             strchr(setup->command, ' ') && setup->mode == SETUP_CHILD
                 ? " (arguments go to mcp.NAME.args)"
                 : "");
    return false;
}

static bool
url_usable(const struct setup *setup, char *why, size_t why_size)
{
    struct headers headers;
    char place[PLACE_BYTES];

    if (strncmp(setup->url, "http://", 7) != 0 &&
        strncmp(setup->url, "https://", 8) != 0) {
        snprintf(why, why_size, "%s: it must begin with https:// or http://",
                 place_of(setup, "url", "URL", place));
        return false;
    }
    if (!headers_read(&headers, setup->headers_file, why, why_size))
        return false;
    headers_fini(&headers);
    return true;
}

bool
setup_usable(const struct setup *setup, char *why, size_t why_size)
{
    if (setup->url && setup->command) {
        snprintf(why, why_size,
                 "mcp.%s: it has both a command and a url; one server is one "
                 "of them",
                 setup->name);
        return false;
    }
    if (setup->url)
        return url_usable(setup, why, why_size);
    if (setup->command)
        return program_usable(setup, why, why_size);
    snprintf(why, why_size,
             "mcp.%s: it has neither a command nor a url; give it one of them",
             setup->name);
    return false;
}

void
setup_fini(struct setup *setup)
{
    free(setup->name);
    free(setup->endpoint);
    free(setup->token);
    free(setup->command);
    for (char **arg = setup->args; arg && *arg; arg++)
        free(*arg);
    free(setup->args);
    environment_free(&setup->env);
    free(setup->cwd);
    free(setup->url);
    free(setup->headers_file);
    free(setup->prefix);
    cJSON_Delete(setup->allow);
    memset(setup, 0, sizeof *setup);
}

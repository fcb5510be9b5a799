/* The command line of `--mcp`, for people: fills a setup. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wordexp.h>

#include "tools/mcp/environment.h"
#include "tools/mcp/setup.h"

#define RESULT_BYTES ((size_t)256 * 1024)
#define NAME_MAX_BYTES 64

enum argument {
    OPTION_NAME = 1000,
    OPTION_PREFIX,
    OPTION_ENDPOINT,
    OPTION_RUNTIME_DIR,
    OPTION_ALLOW,
    OPTION_ENV,
    OPTION_CWD,
    OPTION_HEADERS_FILE,
    OPTION_TOKEN_FILE,
    OPTION_CHECK,
    OPTION_MCP,
};

static const struct option options[] = {
    {"name", required_argument, NULL, OPTION_NAME},
    {"prefix", required_argument, NULL, OPTION_PREFIX},
    {"endpoint", required_argument, NULL, OPTION_ENDPOINT},
    {"runtime-dir", required_argument, NULL, OPTION_RUNTIME_DIR},
    {"allow", required_argument, NULL, OPTION_ALLOW},
    {"env", required_argument, NULL, OPTION_ENV},
    {"cwd", required_argument, NULL, OPTION_CWD},
    {"headers-file", required_argument, NULL, OPTION_HEADERS_FILE},
    {"token-file", required_argument, NULL, OPTION_TOKEN_FILE},
    {"check", no_argument, NULL, OPTION_CHECK},
    {"mcp", no_argument, NULL, OPTION_MCP},
    {NULL, 0, NULL, 0},
};

static bool
replace(char **text, const char *value)
{
    free(*text);
    *text = strdup(value);
    return *text != NULL;
}

static bool
allow(struct setup *setup, const char *name)
{
    cJSON *item = cJSON_CreateString(name);

    if (!setup->allow)
        setup->allow = cJSON_CreateArray();
    if (item && cJSON_AddItemToArray(setup->allow, item))
        return true;
    cJSON_Delete(item);
    return false;
}

/* NAME=VALUE, or NAME for what we have ourselves. */
static bool
grant(struct setup *setup, const char *text)
{
    const char *equals = strchr(text, '=');
    char *name = strndup(text, equals ? (size_t)(equals - text) : SIZE_MAX);
    const char *value = equals ? equals + 1 : name ? getenv(name) : NULL;
    bool good = name && (!value || environment_set(&setup->env, name, value));

    free(name);
    return good;
}

/* The first line of a file. */
static bool
read_token(struct setup *setup, const char *path)
{
    char line[1024];
    FILE *f = fopen(path, "re");
    bool good = f && fgets(line, sizeof line, f);

    if (f)
        fclose(f);
    if (!good)
        return false;
    line[strcspn(line, "\r\n")] = '\0';
    return replace(&setup->token, line);
}

static bool
endpoint_in(struct setup *setup, const char *runtime_dir)
{
    free(setup->endpoint);
    if (asprintf(&setup->endpoint, "ipc://%s/tools.sock", runtime_dir) < 0)
        setup->endpoint = NULL;
    return setup->endpoint != NULL;
}

static bool
apply(struct setup *setup, int option, const char *value)
{
    switch (option) {
    case OPTION_NAME:
        return replace(&setup->name, value);
    case OPTION_PREFIX:
        return replace(&setup->prefix, value);
    case OPTION_ENDPOINT:
        return replace(&setup->endpoint, value);
    case OPTION_RUNTIME_DIR:
        return endpoint_in(setup, value);
    case OPTION_ALLOW:
        return allow(setup, value);
    case OPTION_ENV:
        return grant(setup, value);
    case OPTION_CWD:
        return replace(&setup->cwd, value);
    case OPTION_HEADERS_FILE:
        return replace(&setup->headers_file, value);
    case OPTION_TOKEN_FILE:
        return read_token(setup, value);
    case OPTION_CHECK:
        setup->mode = SETUP_CHECK;
        return true;
    default:
        return option == OPTION_MCP;
    }
}

/* Words as a shell has them, without running anything. */
static bool
split_command(struct setup *setup, const char *command)
{
    wordexp_t words;
    bool good = wordexp(command, &words, WRDE_NOCMD) == 0;

    if (!good)
        return false;
    setup->args = calloc(words.we_wordc + 1, sizeof *setup->args);
    good = setup->args && words.we_wordc > 0;
    for (size_t i = 0; good && i < words.we_wordc; i++) {
        setup->args[i] = strdup(words.we_wordv[i]);
        good = setup->args[i] != NULL;
    }
    wordfree(&words);
    return good && replace(&setup->command, setup->args[0]);
}

/* The last part of a program's path or a URL's host, in a name's letters. */
static bool
guess_name(struct setup *setup)
{
    const char *from = setup->command, *slash;
    char name[NAME_MAX_BYTES + 1];
    size_t n = 0;

    if (setup->url) {
        from = strstr(setup->url, "://") + 3;
    } else {
        slash = strrchr(from, '/');
        from = slash ? slash + 1 : from;
    }
    for (; *from && *from != '/' && n < NAME_MAX_BYTES; from++)
        name[n++] = strspn(from, "abcdefghijklmnopqrstuvwxyz0123456789_-"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ") > 0
                        ? *from
                        : '_';
    name[n] = '\0';
    return replace(&setup->name, n > 0 ? name : "mcp");
}

static bool
complete(struct setup *setup, const char *server, char *why, size_t why_size)
{
    char runtime_dir[256];
    bool is_url = strncmp(server, "http://", 7) == 0 ||
                  strncmp(server, "https://", 8) == 0;

    if (is_url ? !replace(&setup->url, server)
               : !split_command(setup, server)) {
        snprintf(why, why_size,
                 "'%s' is no command line; quote what a shell would read as "
                 "something else",
                 server);
        return false;
    }
    if (!setup->name && !guess_name(setup))
        return false;
    if (setup->mode == SETUP_CHECK || setup->endpoint)
        return true;
    if (vr_runtime_dir(runtime_dir, sizeof runtime_dir) != VR_OK ||
        !endpoint_in(setup, runtime_dir)) {
        snprintf(why, why_size,
                 "no gateway runs here; name its runtime "
                 "folder with --runtime-dir");
        return false;
    }
    return true;
}

enum vr_status
setup_read_arguments(struct setup *setup, int argc, char **argv, char *why,
                     size_t why_size)
{
    /* getopt takes the first for the program's name */
    char **line = calloc((size_t)argc + 2, sizeof *line);
    const char *server = NULL;
    bool good = line != NULL;
    int option;

    memset(setup, 0, sizeof *setup);
    setup->mode = SETUP_HAND;
    setup->result_max_bytes = RESULT_BYTES;
    setup->env = environment_new();
    snprintf(why, why_size, "memory is out");
    if (!line || !setup->env)
        goto fail;
    line[0] = (char *)(uintptr_t) "voxring-toolhost";
    memcpy(line + 1, argv, (size_t)argc * sizeof *line);
    optind = 0;
    while (good &&
           (option = getopt_long(argc + 1, line, "-", options, NULL)) != -1) {
        if (option == 1 && !server) {
            server = optarg;
        } else if (!apply(setup, option, optarg)) {
            snprintf(why, why_size,
                     "the arguments are wrong; --help lists "
                     "them");
            good = false;
        }
    }
    if (good && !server) {
        snprintf(why, why_size, "--mcp needs a COMMAND or a URL");
        good = false;
    }
    if (good && complete(setup, server, why, why_size)) {
        free(line);
        return VR_OK;
    }
fail:
    free(line);
    setup_fini(setup);
    return VR_INVALID;
}

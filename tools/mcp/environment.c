#include "tools/mcp/environment.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As gateway/toolbroker/child.c passes them to a plugin. */
static const char *const passed[] = {
    "PATH", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_TIME", "TZ", "TZDIR",
    "HOME", "TMPDIR", "USER", "LOGNAME", "LD_LIBRARY_PATH",
    /* by it the gateway finds what is left */
    "VOXRING_CHILD", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"};

static size_t
count_of(char *const *environment)
{
    size_t count = 0;

    while (environment[count])
        count++;
    return count;
}

static char **
find(char **environment, const char *name)
{
    size_t bytes = strlen(name);

    for (; *environment; environment++) {
        if (strncmp(*environment, name, bytes) == 0 &&
            (*environment)[bytes] == '=')
            return environment;
    }
    return NULL;
}

bool
environment_set(char ***environment, const char *name, const char *value)
{
    char **place = find(*environment, name);
    size_t count = count_of(*environment);
    char **larger;
    char *text;

    if (asprintf(&text, "%s=%s", name, value) < 0)
        return false;
    if (place) {
        free(*place);
        *place = text;
        return true;
    }
    larger = realloc(*environment, (count + 2) * sizeof *larger);
    if (!larger) {
        free(text);
        return false;
    }
    larger[count] = text;
    larger[count + 1] = NULL;
    *environment = larger;
    return true;
}

const char *
environment_get(char *const *environment, const char *name)
{
    char **place = find((char **)(uintptr_t)environment, name);

    return place ? *place + strlen(name) + 1 : NULL;
}

char **
environment_new(void)
{
    char **environment = calloc(1, sizeof *environment);

    for (size_t i = 0; environment && i < sizeof passed / sizeof passed[0];
         i++) {
        const char *value = getenv(passed[i]);
        if (value && !environment_set(&environment, passed[i], value))
            environment_free(&environment);
    }
    return environment;
}

void
environment_free(char ***environment)
{
    for (char **text = *environment; text && *text; text++)
        free(*text);
    free(*environment);
    *environment = NULL;
}

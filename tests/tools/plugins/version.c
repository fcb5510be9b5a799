/* A plugin whose versions can be told apart; each is made by -D. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/voxring_tool.h"

#ifndef VERSION
#define VERSION 1
#endif
#ifndef EXIT_STATUS
#define EXIT_STATUS 7
#endif
#ifndef PREFIX
#define PREFIX ""
#endif

static const struct voxring_host *host;

static int
init(const struct voxring_host *h, const char *config_json, char *why,
     size_t why_bytes)
{
    (void)config_json;
    (void)why;
    (void)why_bytes;
    host = h;
#ifdef INIT_REFUSES
    snprintf(why, why_bytes, "it does not like this version");
    return -1;
#endif
#ifdef INIT_EXITS
    _exit(9);
#endif
    return 0;
}

static void
call_version(const struct voxring_call *call)
{
    char text[64];

    snprintf(text, sizeof text, "{\"version\":%d,\"pid\":%d}", VERSION,
             (int)getpid());
    host->complete(call->token, VOXRING_OK, text);
}

/* Says that it has begun, and waits for the file that its input names:
 * {"until":"PATH"}. */
static void
call_slow(const struct voxring_call *call)
{
    struct timespec t = {0, 2 * 1000000};
    char path[256] = "";
    const char *at = strstr(call->input_json, "\"until\":\"");

    if (at)
        sscanf(at + 9, "%255[^\"]", path);
    host->progress(call->token, 0, 1, "begun");
    while (access(path, F_OK) != 0 && !host->is_cancelled(call->token))
        nanosleep(&t, NULL);
    call_version(call);
}

/* Is never completed, but does not hold anybody up. */
static void
call_endless(const struct voxring_call *call)
{
    (void)call;
}

static void
call_limit(const struct voxring_call *call)
{
    host->complete(call->token, VOXRING_OK,
                   call->deadline_ns == UINT64_MAX ? "{\"limit\":false}"
                                                   : "{\"limit\":true}");
}

static void
call_exit(const struct voxring_call *call)
{
    (void)call;
    _exit(EXIT_STATUS);
}

/* Leaves a process in a session of its own, whose parent is gone. */
static void
call_escape(const struct voxring_call *call)
{
    char text[64];
    int fds[2], pid = 0;

    if (pipe(fds) != 0)
        return;
    if (fork() == 0) {
        setsid();
        pid = fork();
        if (pid == 0) {
            for (;;)
                pause();
        }
        (void)!write(fds[1], &pid, sizeof pid);
        _exit(0);
    }
    (void)!read(fds[0], &pid, sizeof pid);
    snprintf(text, sizeof text, "{\"pid\":%d}", pid);
    host->complete(call->token, VOXRING_OK, text);
}

static void
call_variables(const struct voxring_call *call)
{
    const char *a = getenv("VERSION_PASSED"), *b = getenv("VERSION_SET"),
               *c = getenv("VERSION_SECRET");
    char text[256];

    snprintf(text, sizeof text,
             "{\"passed\":\"%s\",\"set\":\"%s\",\"secret\":\"%s\"}", a ? a : "",
             b ? b : "", c ? c : "");
    host->complete(call->token, VOXRING_OK, text);
}

/* Takes all the memory it can get. */
static void
call_hog(const struct voxring_call *call)
{
    struct timespec t = {0, 1000000};
    size_t bytes = 4 * 1024 * 1024;
    char *p;

    while ((p = malloc(bytes))) {
        memset(p, 1, bytes);
        nanosleep(&t, NULL);
    }
    memset(p, 1, bytes);
    host->complete(call->token, VOXRING_OK, "{}");
}

#define TOOL(tool_name, how, when)                                      \
    {                                                                   \
        .name = PREFIX #tool_name, .description = "Tells its version.", \
        .mode = when, .threading = how, .call = call_##tool_name        \
    }

static const struct voxring_tool tools[] = {
    TOOL(version, VOXRING_PARALLEL, VOXRING_SYNC),
    TOOL(slow, VOXRING_SERIAL, VOXRING_SYNC),
    TOOL(endless, VOXRING_PARALLEL, VOXRING_ASYNC),
    TOOL(limit, VOXRING_SERIAL, VOXRING_ASYNC),
    TOOL(exit, VOXRING_SERIAL, VOXRING_SYNC),
    TOOL(hog, VOXRING_SERIAL, VOXRING_SYNC),
    TOOL(escape, VOXRING_SERIAL, VOXRING_SYNC),
    TOOL(variables, VOXRING_SERIAL, VOXRING_SYNC),
#ifdef EXTRA
    {.name = PREFIX "extra", .description = "Is new.", .call = call_version},
#endif
};

VOXRING_EXPORT const struct voxring_plugin voxring_plugin = {
    VOXRING_PLUGIN_HEAD,
    .name = "version",
    .version = "1",
    .tools = tools,
    .tool_count = sizeof tools / sizeof tools[0],
    .tool_bytes = sizeof tools[0],
    .init = init,
};

/* A plugin that starts processes, and does not end them. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/voxring_tool.h"

/* More than these are never there, whatever the gateway does. */
#define SAFETY_MAX 200
#define MIB (1024 * 1024)

static const struct voxring_host *host;

static int
init(const struct voxring_host *h, const char *config_json, char *why,
     size_t why_bytes)
{
    (void)config_json;
    (void)why;
    (void)why_bytes;
    host = h;
    return 0;
}

static long
number_of(const char *json, const char *name, long otherwise)
{
    char key[32];
    const char *at;

    snprintf(key, sizeof key, "\"%s\":", name);
    at = strstr(json, key);
    return at ? strtol(at + strlen(key), NULL, 10) : otherwise;
}

/* Takes its memory and sleeps; dies with its test if nobody else ends it. */
static void
live(long mib, int said)
{
    char *p = mib > 0 ? mmap(NULL, (size_t)mib * MIB, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                      : NULL;

    for (long i = 0; p && p != MAP_FAILED && i < mib * (MIB / 4096); i++)
        p[i * 4096] = 1;
    (void)!write(said, "!", 1);
    alarm(60);
    for (;;)
        pause();
}

/* {"count": how many, "mib": each has, "away": 1: each in a session of its own,
 * without its parent; "quiet": 1: and the call is answered}. */
static void
call_breed(const struct voxring_call *call)
{
    long count = number_of(call->input_json, "count", 1);
    long mib = number_of(call->input_json, "mib", 0);
    long away = number_of(call->input_json, "away", 0);
    char said;
    int fds[2];

    if (count > SAFETY_MAX || pipe(fds) != 0)
        return;
    for (long i = 0; i < count; i++) {
        if (fork() != 0)
            continue;
        if (away && (setsid() < 0 || fork() != 0))
            _exit(0);
        live(mib, fds[1]);
    }
    for (long i = 0; i < count; i++)
        (void)!read(fds[0], &said, 1);
    close(fds[0]);
    close(fds[1]);
    if (number_of(call->input_json, "quiet", 0))
        host->complete(call->token, VOXRING_OK, "{}");
}

static void
call_pid(const struct voxring_call *call)
{
    char text[64];

    snprintf(text, sizeof text, "{\"pid\":%d}", (int)getpid());
    host->complete(call->token, VOXRING_OK, text);
}

static const struct voxring_tool tools[] = {
    {.name = "breed",
     .description = "Starts processes.",
     .mode = VOXRING_ASYNC,
     .threading = VOXRING_PARALLEL,
     .call = call_breed},
    {.name = "pid",
     .description = "Tells its process.",
     .threading = VOXRING_PARALLEL,
     .call = call_pid},
};

VOXRING_EXPORT const struct voxring_plugin voxring_plugin = {
    VOXRING_PLUGIN_HEAD,
    .name = "brood",
    .version = "1",
    .tools = tools,
    .tool_count = sizeof tools / sizeof tools[0],
    .tool_bytes = sizeof tools[0],
    .init = init,
};

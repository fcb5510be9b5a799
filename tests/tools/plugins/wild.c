/* A plugin that does to its process what it should not. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tools/voxring_tool.h"

static const struct voxring_host *host;

static int
init(const struct voxring_host *h, const char *config_json, char *why,
     size_t why_bytes)
{
    struct rlimit none = {0, 0};

    (void)config_json;
    (void)why;
    (void)why_bytes;
    host = h;
    setrlimit(RLIMIT_CORE, &none);
    return 0;
}

static void
sleep_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&t, NULL);
}

static void
call_ok(const struct voxring_call *call)
{
    host->complete(call->token, VOXRING_OK, "{\"ok\":true}");
}

static void
call_exit(const struct voxring_call *call)
{
    (void)call;
    exit(4);
}

static void
call_closes_all(const struct voxring_call *call)
{
    for (int fd = 3; fd < 1000; fd++)
        close(fd);
    host->complete(call->token, VOXRING_OK, "{\"never\":\"arrives\"}");
}

/* And a file of its own takes the number. */
static void
call_closes_boot(const struct voxring_call *call)
{
    FILE *f;

    (void)call;
    close(3);
    f = fopen("/dev/null", "r");
    (void)f;
}

static void
call_fork_returns(const struct voxring_call *call)
{
    int status = 0;
    pid_t pid = fork();
    char json[80];

    if (pid == 0)
        return;
    waitpid(pid, &status, 0);
    snprintf(json, sizeof json, "{\"copy\":%d}", WEXITSTATUS(status));
    host->complete(call->token, VOXRING_OK, json);
}

static void
call_fork_speaks(const struct voxring_call *call)
{
    char why[200] = "";
    const struct voxring_conversation *conversation =
        host->get_service("voxring.conversation/1");
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        host->log(VOXRING_LOG_ERROR, "the copy speaks");
        host->progress(call->token, 1, 2, "the copy speaks");
        host->complete(call->token, VOXRING_OK, "{\"the\":\"copy\"}");
        _exit(host->is_cancelled(call->token) == 1 &&
                      host->publish(0, "x", NULL) != 0 &&
                      host->publish(call->token, "x", NULL) != 0 &&
                      conversation->text(call->token, "x", why, sizeof why) != 0
                  ? 42
                  : 1);
    }
    waitpid(pid, &status, 0);
    host->complete(call->token, VOXRING_OK,
                   WEXITSTATUS(status) == 42 ? "{\"copy\":\"silent\"}"
                                             : "{\"copy\":\"loud\"}");
}

/* Takes ever more, slowly. */
static void
call_leaks(const struct voxring_call *call)
{
    while (!host->is_cancelled(call->token)) {
        char *bytes = malloc(1024 * 1024);
        if (bytes)
            memset(bytes, 1, 1024 * 1024);
        sleep_ms(5);
    }
}

/* Takes all there is and does not look. */
static void
call_grabs(const struct voxring_call *call)
{
    (void)call;
    for (;;) {
        char *bytes = malloc(1024 * 1024);
        memset(bytes, 1, 1024 * 1024);
    }
}

static void
call_segv(const struct voxring_call *call)
{
    volatile int *nowhere = (int *)8;

    (void)call;
    *nowhere = 1;
}

static void
call_abort(const struct voxring_call *call)
{
    (void)call;
    abort();
}

static void
call_prints(const struct voxring_call *call)
{
    printf("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n");
    fflush(stdout);
    host->complete(call->token, VOXRING_OK, "{\"ok\":true}");
}

#define TOOL(tool_name)                                       \
    {                                                         \
        .name = #tool_name, .description = "Does harm.",      \
        .threading = VOXRING_SERIAL, .call = call_##tool_name \
    }

static const struct voxring_tool tools[] = {
    TOOL(ok),           TOOL(exit),        TOOL(closes_all), TOOL(closes_boot),
    TOOL(fork_returns), TOOL(fork_speaks), TOOL(leaks),      TOOL(grabs),
    TOOL(segv),         TOOL(abort),       TOOL(prints),
};

VOXRING_EXPORT const struct voxring_plugin voxring_plugin = {
    VOXRING_PLUGIN_HEAD,
    .name = "wild",
    .version = "1",
    .tools = tools,
    .tool_count = sizeof tools / sizeof tools[0],
    .tool_bytes = sizeof tools[0],
    .init = init,
};

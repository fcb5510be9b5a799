/* A plugin of odd tools: each does one thing a plugin should not do. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tools/voxring_tool.h"

extern char **environ;

static const struct voxring_host *host;
static uint64_t kept_token;

static void
sleep_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&t, NULL);
}

static void
no_core(void)
{
    struct rlimit none = {0, 0};

    setrlimit(RLIMIT_CORE, &none);
}

static int
init(const struct voxring_host *h, const char *config_json, char *why,
     size_t why_bytes)
{
    (void)config_json;
    (void)why;
    (void)why_bytes;
    host = h;
    no_core();
    return 0;
}

static void
call_ok(const struct voxring_call *call)
{
    host->complete(call->token, VOXRING_OK, "{\"ok\":true}");
}

static void
call_segv(const struct voxring_call *call)
{
    (void)call;
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
}

static void
call_abort(const struct voxring_call *call)
{
    (void)call;
    signal(SIGABRT, SIG_DFL);
    abort();
}

static void
call_exit(const struct voxring_call *call)
{
    (void)call;
    _exit(7);
}

static void
call_hang(const struct voxring_call *call)
{
    (void)call;
    for (;;)
        pause();
}

/* Runs until it is told that nobody waits. */
static void
call_patient(const struct voxring_call *call)
{
    while (!host->is_cancelled(call->token))
        sleep_ms(2);
    host->complete(call->token, VOXRING_OK, "{\"was\":\"cancelled\"}");
}

static void
call_flood(const struct voxring_call *call)
{
    for (int i = 0; i < 20000; i++)
        printf("line %d of a flood on stdout\n", i);
    for (int i = 0; i < 2000; i++)
        host->log(VOXRING_LOG_INFO, "a line of a flood in the log");
    host->complete(call->token, VOXRING_OK, "{\"ok\":true}");
}

static void
call_twice(const struct voxring_call *call)
{
    host->complete(call->token, VOXRING_OK, "{\"time\":1}");
    host->complete(call->token, VOXRING_ERROR, "{\"time\":2}");
    host->complete(call->token + 64, VOXRING_OK, "{\"never\":\"was\"}");
    host->complete(0, VOXRING_OK, NULL);
}

static void *
complete_later(void *arg)
{
    uint64_t *token = arg;

    sleep_ms(20);
    host->progress(*token, 1, 2, "half");
    host->complete(*token, VOXRING_OK, "{\"from\":\"thread\"}");
    free(token);
    return NULL;
}

static void
call_thread(const struct voxring_call *call)
{
    uint64_t *token = malloc(sizeof *token);
    pthread_t thread;

    *token = call->token;
    pthread_create(&thread, NULL, complete_later, token);
    pthread_detach(thread);
}

static void
call_text(const struct voxring_call *call)
{
    host->complete(call->token, VOXRING_OK, "just \"text\"\nin two lines");
}

static void
call_array(const struct voxring_call *call)
{
    host->complete(call->token, VOXRING_OK, "[1,2,18446744073709551615]");
}

static void
call_null(const struct voxring_call *call)
{
    host->complete(call->token, VOXRING_OK, NULL);
}

static void
call_bytes(const struct voxring_call *call)
{
    host->complete(call->token, VOXRING_OK, "{\"bad\":\"\xff\xfe\"}");
}

static void
call_error(const struct voxring_call *call)
{
    host->complete(call->token, VOXRING_ERROR, "{\"error\":\"no luck\"}");
}

static void
call_error_text(const struct voxring_call *call)
{
    host->complete(call->token, VOXRING_ERROR, "no luck at all");
    host->log(VOXRING_LOG_WARN, "bytes \xff\xfe in a log line");
}

static void
call_huge(const struct voxring_call *call)
{
    size_t bytes = 3 * 1024 * 1024;
    char *text = malloc(bytes + 1);

    memset(text, '\1', bytes);
    text[bytes] = '\0';
    host->complete(call->token, VOXRING_OK, text);
    free(text);
}

/* Below the result's limit, but six times that when escaped. */
static void
call_swollen(const struct voxring_call *call)
{
    size_t bytes = 250 * 1024;
    char *text = malloc(bytes + 1);

    memset(text, '\1', bytes);
    text[bytes] = '\0';
    host->complete(call->token, VOXRING_OK, text);
    free(text);
}

static void
call_forgets(const struct voxring_call *call)
{
    kept_token = call->token;
}

/* Completes the call that was forgotten. */
static void
call_remembers(const struct voxring_call *call)
{
    host->complete(kept_token, VOXRING_OK, "{\"late\":true}");
    host->complete(call->token, VOXRING_OK, "{\"ok\":true}");
}

static void
call_slow(const struct voxring_call *call)
{
    sleep_ms(50);
    host->complete(call->token, VOXRING_OK, "{\"slow\":true}");
}

static void
call_who(const struct voxring_call *call)
{
    char text[512];

    snprintf(text, sizeof text,
             "{\"session\":\"%s\",\"conversation\":\"%s\",\"turn\":\"%s\","
             "\"in_time\":%s,\"pid\":%d}",
             call->session, call->conversation, call->turn,
             call->deadline_ns > host->now_ns() ? "true" : "false",
             (int)getpid());
    host->complete(call->token, VOXRING_OK, text);
}

/* What this process has that a plugin should not: descriptors beyond the
 * host's own kinds, and variables. */
static void
call_belongings(const struct voxring_call *call)
{
    char text[4096];
    size_t n = 0;
    int files = 0;
    struct stat st;

    for (int fd = 3; fd < 256; fd++)
        files += fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    n += (size_t)snprintf(text, sizeof text, "{\"files\":%d,\"env\":\"", files);
    for (char **e = environ; *e && n < 3000; e++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%.*s ",
                              (int)strcspn(*e, "="), *e);
    snprintf(text + n, sizeof text - n, "\"}");
    host->complete(call->token, VOXRING_OK, text);
}

/* Leaves a process behind that would live for a long time. */
static void
call_forks(const struct voxring_call *call)
{
    char text[64];
    pid_t pid = fork();

    if (pid == 0) {
        for (;;)
            pause();
    }
    snprintf(text, sizeof text, "{\"pid\":%d}", (int)pid);
    host->complete(call->token, VOXRING_OK, text);
}

#define TOOL(tool_name, how)                                            \
    {                                                                   \
        .name = #tool_name, .description = "Does something odd.",       \
        .threading = how, .timeout_ms = 10000, .call = call_##tool_name \
    }

static const struct voxring_tool tools[] = {
    TOOL(ok, VOXRING_SERIAL),          TOOL(segv, VOXRING_SERIAL),
    TOOL(abort, VOXRING_SERIAL),       TOOL(exit, VOXRING_SERIAL),
    TOOL(hang, VOXRING_SERIAL),        TOOL(patient, VOXRING_SERIAL),
    TOOL(flood, VOXRING_SERIAL),       TOOL(twice, VOXRING_SERIAL),
    TOOL(thread, VOXRING_PARALLEL),    TOOL(text, VOXRING_SERIAL),
    TOOL(array, VOXRING_SERIAL),       TOOL(null, VOXRING_SERIAL),
    TOOL(bytes, VOXRING_SERIAL),       TOOL(error, VOXRING_SERIAL),
    TOOL(error_text, VOXRING_SERIAL),  TOOL(huge, VOXRING_SERIAL),
    TOOL(swollen, VOXRING_SERIAL),     TOOL(forgets, VOXRING_SERIAL),
    TOOL(remembers, VOXRING_PARALLEL), TOOL(slow, VOXRING_SERIAL),
    TOOL(who, VOXRING_PARALLEL),       TOOL(belongings, VOXRING_SERIAL),
    TOOL(forks, VOXRING_SERIAL),
};

VOXRING_EXPORT const struct voxring_plugin voxring_plugin = {
    VOXRING_PLUGIN_HEAD,
    .name = "odd",
    .version = "1",
    .tools = tools,
    .tool_count = sizeof tools / sizeof tools[0],
    .tool_bytes = sizeof tools[0],
    .init = init,
};

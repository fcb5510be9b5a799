/* A plugin that uses all that ABI 1.1 has. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/voxring_tool.h"

static const struct voxring_host *host;
static const struct voxring_conversation *conversation;
static int init_publish;
static char init_why[200];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t change = PTHREAD_COND_INITIALIZER;
static int inside;
static int most_inside;

static int
init(const struct voxring_host *h, const char *config_json, char *why,
     size_t why_bytes)
{
    host = h;
    if (!VOXRING_HAS(h, publish)) {
        snprintf(why, why_bytes, "this host has ABI %u.%u, 1.1 is needed",
                 h->abi_major, h->abi_minor);
        return 1;
    }
    conversation = h->get_service("voxring.conversation/1");
    if (!conversation || !VOXRING_HAS(conversation, end) ||
        h->get_service("voxring.nothing/1") || h->get_service(NULL) ||
        strcmp(h->config(), config_json) != 0)
        return 1;
    init_publish = h->publish(0, "too_early", NULL);
    conversation->text(1, "nobody hears", init_why, sizeof init_why);
    return 0;
}

static void
finish(const struct voxring_call *call, int result, const char *why)
{
    char json[600];

    snprintf(json, sizeof json, "{\"result\":%d,\"why\":\"%s\"}", result, why);
    host->complete(call->token, VOXRING_OK, json);
}

static void
call_config(const struct voxring_call *call)
{
    host->complete(call->token, VOXRING_OK, host->config());
}

static void
call_early(const struct voxring_call *call)
{
    finish(call, init_publish, init_why);
}

static void
call_text(const struct voxring_call *call)
{
    char why[200] = "untouched";
    int result = conversation->text(call->token, "hello", why, sizeof why);

    finish(call, result, why);
}

static void
call_update(const struct voxring_call *call)
{
    char why[200] = "";
    int result = conversation->update(call->token, "no JSON", why, sizeof why);

    if (result != 0 && strcmp(why, "The text is no JSON") == 0)
        result = conversation->update(call->token, "{\"voice\":\"amy\"}", why,
                                      sizeof why);
    finish(call, result, why);
}

static void
call_history(const struct voxring_call *call)
{
    char why[200] = "";
    char *text;

    if (conversation->append(call->token, "user", "hi", why, sizeof why) != 0) {
        finish(call, -1, why);
        return;
    }
    text = conversation->history(call->token, why, sizeof why);
    host->complete(call->token, VOXRING_OK, text ? text : "null");
    free(text);
}

static void
call_end(const struct voxring_call *call)
{
    finish(call, conversation->end(call->token, "done", 2000, NULL, 0), "");
}

static void
call_publish(const struct voxring_call *call)
{
    int result = host->publish(call->token, "ring", "{\"n\":1}");

    result = result * 10 + host->publish(0, "plain", NULL);
    finish(call, result, "");
}

static void
call_bad_publish(const struct voxring_call *call)
{
    finish(call, host->publish(call->token, "ring", "{broken"), "");
}

/* Completes first, so its call is over. */
static void
call_late(const struct voxring_call *call)
{
    char why[200] = "";
    int result;

    host->complete(call->token, VOXRING_OK, "{}");
    result = conversation->text(call->token, "late", why, sizeof why);
    host->log(VOXRING_LOG_INFO, result != 0 ? why : "the gateway was asked");
}

/* Ends when three calls of it are in at once. */
static void
call_meet(const struct voxring_call *call)
{
    pthread_mutex_lock(&lock);
    inside++;
    pthread_cond_broadcast(&change);
    while (inside < 3)
        pthread_cond_wait(&change, &lock);
    pthread_mutex_unlock(&lock);
    host->complete(call->token, VOXRING_OK, "{\"met\":true}");
}

/* Tells how many calls of it were ever in at once. */
static void
call_crowd(const struct voxring_call *call)
{
    char json[40];
    volatile char deep[256 * 1024];

    /* a real plugin may need some stack */
    for (size_t i = 0; i < sizeof deep; i += 4096)
        deep[i] = 1;
    pthread_mutex_lock(&lock);
    if (++inside > most_inside)
        most_inside = inside;
    pthread_mutex_unlock(&lock);
    for (uint64_t end = host->now_ns() + 5000000; host->now_ns() < end;)
        sched_yield();
    pthread_mutex_lock(&lock);
    inside--;
    snprintf(json, sizeof json, "{\"most\":%d}", most_inside);
    pthread_mutex_unlock(&lock);
    host->complete(call->token, VOXRING_OK, json);
}

static void
call_limit(const struct voxring_call *call)
{
    host->complete(call->token, VOXRING_OK,
                   call->deadline_ns == UINT64_MAX ? "{\"limit\":\"none\"}"
                                                   : "{\"limit\":\"some\"}");
}

#define TOOL(tool_name, how)                                             \
    {                                                                    \
        .name = #tool_name, .description = "Is keen.", .threading = how, \
        .call = call_##tool_name                                         \
    }

static const struct voxring_tool tools[] = {
    TOOL(config, VOXRING_SERIAL),
    TOOL(early, VOXRING_SERIAL),
    TOOL(text, VOXRING_SERIAL),
    TOOL(update, VOXRING_PARALLEL),
    TOOL(history, VOXRING_SERIAL),
    TOOL(end, VOXRING_PARALLEL),
    TOOL(publish, VOXRING_SERIAL),
    TOOL(bad_publish, VOXRING_SERIAL),
    TOOL(late, VOXRING_SERIAL),
    TOOL(meet, VOXRING_PARALLEL),
    TOOL(crowd, VOXRING_PARALLEL),
    {.name = "limit",
     .description = "Is keen.",
     .mode = VOXRING_ASYNC,
     .flags = VOXRING_CANCEL_ON_INTERRUPT,
     .call = call_limit},
};

VOXRING_EXPORT const struct voxring_plugin voxring_plugin = {
    VOXRING_PLUGIN_HEAD,
    .name = "keen",
    .version = "1.1",
    .tools = tools,
    .tool_count = sizeof tools / sizeof tools[0],
    .tool_bytes = sizeof tools[0],
    .init = init,
};

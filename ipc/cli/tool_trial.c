#include "ipc/cli/tool_trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/cli/control.h"
#include "ipc/cli/stop.h"
#include "ipc/voxring.h"

#define START_MS 10000
#define LIST_MS 5000
#define AFTER_CANCEL_MS 3000
/* So long a call runs before it is cancelled. */
#define BEFORE_CANCEL_MS 30

/* How the host ended, and its last words. */
static char *
tell_end(struct tool_host *host)
{
    const char *line = tool_host_counts(host)->line;
    char *text = NULL;
    if (asprintf(&text, "%s%s%s", tool_host_end(host),
                 *line ? "; its last line: " : "", line) < 0)
        return NULL;
    return text;
}

int
tool_trial_start(struct tool_trial *t, char **why)
{
    char *refusal;
    *why = NULL;
    int code = tool_host_open(&t->host, t->cli, t->plugin, t->config);
    if (code != CLI_DONE)
        return code;
    switch (tool_host_greet(t->host, stop_deadline_ns(START_MS), &refusal)) {
    case TOOL_MESSAGE:
        if (*refusal == '\0') {
            free(refusal);
            return CLI_DONE;
        }
        *why = refusal;
        break;
    case TOOL_ENDED:
        *why = tell_end(t->host);
        break;
    case TOOL_NOTHING:
        *why = strdup("it says nothing within 10 s; its init must return");
        break;
    case TOOL_STOPPED:
        code = CLI_INTERRUPTED;
        break;
    }
    tool_trial_stop(t);
    return code == CLI_DONE ? CLI_FAILED : code;
}

void
tool_trial_stop(struct tool_trial *t)
{
    if (!t->host)
        return;
    const struct tool_host_counts *c = tool_host_counts(t->host);
    t->sums.stdout_bytes += c->stdout_bytes;
    t->sums.requests += c->requests;
    t->sums.spare += c->spare;
    t->sums.broken += c->broken;
    if (c->line[0])
        memcpy(t->sums.line, c->line, sizeof t->sums.line);
    tool_host_close(&t->host);
}

/* ---- waiting for an answer ---------------------------------------------------- */

/* The answer to `id`; counts those to others. */
static enum tool_news
await(struct tool_trial *t, const char *id, uint64_t deadline_ns,
      unsigned *progress, cJSON **answer)
{
    for (;;) {
        enum tool_news news = tool_host_wait(t->host, deadline_ns, answer);
        if (news != TOOL_MESSAGE)
            return news;
        bool is_answer = !cJSON_HasObjectItem(*answer, "method");
        if (is_answer && strcmp(control_text(*answer, "id", ""), id) == 0)
            return TOOL_MESSAGE;
        t->extra += is_answer;
        *progress += !is_answer;
        cJSON_Delete(*answer);
    }
}

cJSON *
tool_trial_list(struct tool_trial *t)
{
    cJSON *answer = NULL;
    unsigned progress = 0;
    if (!tool_host_send(t->host, "list", "tools/list", "{}") ||
        await(t, "list", stop_deadline_ns(LIST_MS), &progress, &answer) !=
            TOOL_MESSAGE)
        return NULL;
    cJSON *result = cJSON_GetObjectItemCaseSensitive(answer, "result");
    cJSON *tools = cJSON_DetachItemFromObjectCaseSensitive(result, "tools");
    cJSON_Delete(answer);
    return tools;
}

/* ---- one call ------------------------------------------------------------------ */

static bool
send_call(struct tool_trial *t, const struct tool_call *call, const char *id)
{
    cJSON *params = cJSON_CreateObject();
    cJSON_AddStringToObject(params, "name", call->tool);
    cJSON_AddRawToObject(params, "arguments", call->arguments_json);
    cJSON *meta = cJSON_AddObjectToObject(params, "_meta");
    cJSON_AddStringToObject(meta, "progressToken", id);
    cJSON_AddStringToObject(meta, "voxring/session", "test");
    cJSON_AddStringToObject(meta, "voxring/conversation", "tool-test");
    cJSON_AddStringToObject(meta, "voxring/turn", id);
    if (call->timeout_ms >= 0)
        cJSON_AddNumberToObject(meta, "voxring/timeout_ms",
                                (double)call->timeout_ms);
    char *text = cJSON_PrintUnformatted(params);
    bool sent = text && tool_host_send(t->host, id, "tools/call", text);
    cJSON_free(text);
    cJSON_Delete(params);
    return sent;
}

static void
send_cancel(struct tool_trial *t, const char *id)
{
    char params[96];
    snprintf(params, sizeof params,
             "{\"requestId\":\"%s\",\"reason\":\"a test\"}", id);
    tool_host_send(t->host, NULL, "notifications/cancelled", params);
}

/* The text blocks in one, or structuredContent. */
static char *
text_of(const cJSON *result)
{
    const cJSON *blocks = cJSON_GetObjectItemCaseSensitive(result, "content");
    const cJSON *structured =
        cJSON_GetObjectItemCaseSensitive(result, "structuredContent");
    const cJSON *first = cJSON_GetArrayItem(blocks, 0);
    const char *text = control_text(first, "text", NULL);
    if (text)
        return strdup(text);
    return structured ? cJSON_PrintUnformatted(structured) : strdup("");
}

static void
take_answer(struct tool_call *call, const cJSON *answer)
{
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(answer, "error");
    const cJSON *result = cJSON_GetObjectItemCaseSensitive(answer, "result");
    const cJSON *code = cJSON_GetObjectItemCaseSensitive(error, "code");
    call->end = TOOL_CALL_ANSWERED;
    call->is_error =
        error ||
        cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(result, "isError"));
    call->rpc_code = cJSON_IsNumber(code) ? code->valueint : 0;
    call->text =
        error ? strdup(control_text(error, "message", "")) : text_of(result);
}

/* Nobody waits for it any more; a plugin that then goes on is replaced. */
static void
give_up(struct tool_trial *t, const char *id)
{
    cJSON *answer = NULL;
    unsigned progress = 0;
    send_cancel(t, id);
    if (await(t, id, stop_deadline_ns(AFTER_CANCEL_MS), &progress, &answer) ==
        TOOL_MESSAGE)
        cJSON_Delete(answer);
    else
        tool_trial_stop(t);
}

static enum tool_news
await_end(struct tool_trial *t, struct tool_call *call, const char *id,
          cJSON **answer)
{
    uint64_t limit_ns = stop_deadline_ns(call->limit_ms);
    if (call->cancel) {
        enum tool_news news = await(t, id, stop_deadline_ns(BEFORE_CANCEL_MS),
                                    &call->progress, answer);
        if (news != TOOL_NOTHING)
            return news;
        send_cancel(t, id);
    }
    return await(t, id, limit_ns, &call->progress, answer);
}

static void
await_call(struct tool_trial *t, struct tool_call *call, const char *id)
{
    cJSON *answer = NULL;
    switch (await_end(t, call, id, &answer)) {
    case TOOL_MESSAGE:
        take_answer(call, answer);
        cJSON_Delete(answer);
        break;
    case TOOL_ENDED:
        call->end = TOOL_CALL_DIED;
        call->text = tell_end(t->host);
        tool_trial_stop(t);
        break;
    case TOOL_NOTHING:
        call->end = TOOL_CALL_SILENT;
        give_up(t, id);
        break;
    case TOOL_STOPPED:
        break;
    }
}

void
tool_trial_call(struct tool_trial *t, struct tool_call *call)
{
    char id[16], *why = NULL;
    call->end = TOOL_CALL_STOPPED;
    call->text = NULL;
    call->progress = 0;
    if (!t->host && tool_trial_start(t, &why) != CLI_DONE) {
        call->end = why ? TOOL_CALL_DIED : TOOL_CALL_STOPPED;
        call->text = why;
        return;
    }
    snprintf(id, sizeof id, "%u", ++t->last_id);
    uint64_t begin_ns = vr_now_ns();
    if (!send_call(t, call, id))
        return;
    await_call(t, call, id);
    call->took_ms = (double)(vr_now_ns() - begin_ns) / 1e6;
}

void
tool_call_fini(struct tool_call *call)
{
    free(call->text);
    call->text = NULL;
}

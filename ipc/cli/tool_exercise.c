#include "ipc/cli/tool_exercise.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/cli/control.h"
#include "ipc/cli/stop.h"
#include "ipc/cli/tool_schema.h"
#include "ipc/voxring.h"

#define NAME_MAX_BYTES 64
#define NAME_LETTERS \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
#define SYNC_MS 60000
/* How long is waited for what may take as long as it likes. */
#define PATIENCE_MS 10000
#define REPEAT_DEFAULT 1000
#define REPEAT_BUDGET_MS 10000
#define REPEAT_LEAST 20
/* Heaps settle and pages are touched for the first time: less is no leak. */
#define GROWTH_NOISE_BYTES (128 * 1024)
#define QUARTERS 4

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEMORY_IS_TOLD 0
#else
#define MEMORY_IS_TOLD 1
#endif

static const cJSON *
meta_of(const cJSON *tool, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(
        cJSON_GetObjectItemCaseSensitive(tool, "_meta"), name);
}

static const char *
name_of(const cJSON *tool)
{
    return control_text(tool, "name", "?");
}

static bool
is_async(const cJSON *tool)
{
    const cJSON *mode = meta_of(tool, "voxring/mode");
    return cJSON_IsString(mode) && strcmp(mode->valuestring, "async") == 0;
}

/* The tool's own limit; -1 for none. */
static int64_t
own_limit_ms(const cJSON *tool)
{
    const cJSON *given = meta_of(tool, "voxring/timeout_ms");
    if (cJSON_IsNumber(given) && given->valuedouble >= 1)
        return (int64_t)given->valuedouble;
    return is_async(tool) ? -1 : SYNC_MS;
}

int64_t
tool_exercise_limit_ms(const struct cli *cli, const cJSON *tool)
{
    int64_t own_ms = own_limit_ms(tool), given_ms = cli->options.timeout_ms;
    if (given_ms >= 0 && (own_ms < 0 || given_ms < own_ms))
        return given_ms;
    return own_ms;
}

/* ---- without a call ------------------------------------------------------------ */

static bool
look_at_name(struct tool_trial *t, const cJSON *tool)
{
    const char *name = control_text(tool, "name", "");
    if (*name && strlen(name) <= NAME_MAX_BYTES &&
        strspn(name, NAME_LETTERS) == strlen(name))
        return true;
    tool_report_add(t->report, TOOL_FAIL, NULL, "descriptor",
                    "a tool is named \"%.80s\"; a name is 1 to %d of A-Z a-z "
                    "0-9 _ -",
                    name, NAME_MAX_BYTES);
    return false;
}

bool
tool_exercise_look(struct tool_trial *t, const cJSON *tool)
{
    const char *text = control_text(tool, "description", "");
    int64_t limit_ms = own_limit_ms(tool);
    char limit[32] = "no limit";
    if (!look_at_name(t, tool))
        return false;
    if (limit_ms >= 0)
        snprintf(limit, sizeof limit, "%lld ms", (long long)limit_ms);
    if (*text == '\0')
        tool_report_add(t->report, TOOL_FAIL, name_of(tool), "descriptor",
                        "it has no description; the model decides by it when "
                        "to use the tool");
    else if (strlen(text) < 20)
        tool_report_add(t->report, TOOL_WARN, name_of(tool), "descriptor",
                        "the description is short; say what the tool does and "
                        "when to use it");
    else
        tool_report_add(t->report, TOOL_OK, name_of(tool), "descriptor",
                        "%s, %s", is_async(tool) ? "async" : "sync", limit);
    return tool_schema_check(
        cJSON_GetObjectItemCaseSensitive(tool, "inputSchema"), name_of(tool),
        t->report);
}

/* ---- calls ---------------------------------------------------------------------- */

const char *
tool_exercise_shape(const struct tool_call *call)
{
    cJSON *value = cJSON_ParseWithOpts(call->text ? call->text : "", NULL, 1);
    const char *shape = NULL;
    if (!value)
        shape = call->is_error ? "text, which becomes {\"error\": \"...\"}"
                               : "text, which becomes {\"result\": \"...\"}";
    else if (!cJSON_IsObject(value))
        shape = "JSON that is no object, which becomes {\"result\": ...}";
    cJSON_Delete(value);
    return shape;
}

/* A call of `tool` with those arguments. */
static struct tool_call
call_of(const struct tool_trial *t, const cJSON *tool, const char *arguments)
{
    int64_t limit_ms = tool_exercise_limit_ms(t->cli, tool);
    struct tool_call call = {.tool = name_of(tool),
                             .arguments_json = arguments,
                             .timeout_ms = own_limit_ms(tool),
                             .limit_ms = limit_ms};
    if (limit_ms < 0)
        call.limit_ms = PATIENCE_MS;
    return call;
}

static void
judge_answer(struct tool_trial *t, const struct tool_call *call)
{
    const char *shape = tool_exercise_shape(call);
    if (call->rpc_code)
        tool_report_add(t->report, TOOL_FAIL, call->tool, "call",
                        "it ended with error %d: %s", call->rpc_code,
                        call->text);
    else if (call->is_error)
        tool_report_add(t->report, TOOL_WARN, call->tool, "call",
                        "answered with an error to %s: %.300s; try input of "
                        "yours: voxring tool test FILE %s JSON",
                        call->arguments_json, call->text, call->tool);
    else if (shape)
        tool_report_add(t->report, TOOL_WARN, call->tool, "call",
                        "answered in %.2f ms with %s; answer with an object",
                        call->took_ms, shape);
    else
        tool_report_add(t->report, TOOL_OK, call->tool, "call",
                        "answered in %.2f ms", call->took_ms);
}

/* A synchronous tool that is silent past its limit, or dies. */
static bool
judge_end(struct tool_trial *t, const cJSON *tool, const struct tool_call *call,
          const char *check, const char *what)
{
    if (call->end == TOOL_CALL_DIED)
        tool_report_add(t->report, TOOL_FAIL, call->tool, check,
                        "%s ends the plugin: %s", what,
                        call->text ? call->text : "");
    else if (call->end == TOOL_CALL_SILENT &&
             tool_exercise_limit_ms(t->cli, tool) >= 0 &&
             call->limit_ms >= tool_exercise_limit_ms(t->cli, tool))
        tool_report_add(t->report, TOOL_FAIL, call->tool, check,
                        "%s is not answered within %lld ms; call "
                        "host->complete() on every way out",
                        what, (long long)call->limit_ms);
    else if (call->end == TOOL_CALL_SILENT)
        tool_report_add(t->report, TOOL_WARN, call->tool, check,
                        "%s is not answered within %lld ms; it was cancelled",
                        what, (long long)call->limit_ms);
    return call->end == TOOL_CALL_ANSWERED;
}

/* Input that fits: what is required, or everything if the tool wants more than
 * its schema tells. The caller's, by cJSON_free(). */
static char *
make_arguments(const cJSON *tool, bool all)
{
    cJSON *sample = tool_schema_sample(
        cJSON_GetObjectItemCaseSensitive(tool, "inputSchema"), all);
    char *text = sample ? cJSON_PrintUnformatted(sample) : NULL;
    cJSON_Delete(sample);
    return text;
}

/* Tries again with all parameters when the required ones gave an error; then
 * *arguments is that. */
static void
try_arguments(struct tool_trial *t, const cJSON *tool, struct tool_call *call,
              char **arguments)
{
    *call = call_of(t, tool, *arguments);
    tool_trial_call(t, call);
    if (call->end != TOOL_CALL_ANSWERED || !call->is_error)
        return;
    char *all = make_arguments(tool, true);
    struct tool_call again = call_of(t, tool, all);
    if (!all || strcmp(all, *arguments) == 0) {
        cJSON_free(all);
        return;
    }
    tool_trial_call(t, &again);
    tool_call_fini(call);
    cJSON_free(*arguments);
    *arguments = all;
    *call = again;
}

/* False after a signal; *took_ms is how long one call takes, or -1: it does
 * not even answer this. */
static bool
call_well(struct tool_trial *t, const cJSON *tool, char **arguments,
          double *took_ms)
{
    struct tool_call call;
    try_arguments(t, tool, &call, arguments);
    *took_ms = -1;
    if (judge_end(t, tool, &call, "call", "input that fits the schema")) {
        judge_answer(t, &call);
        *took_ms = call.took_ms;
    }
    tool_call_fini(&call);
    return call.end != TOOL_CALL_STOPPED;
}

static bool
call_badly(struct tool_trial *t, const cJSON *tool)
{
    const cJSON *schema = cJSON_GetObjectItemCaseSensitive(tool, "inputSchema");
    unsigned survived = 0;
    const char *what;
    char *text;
    for (unsigned i = 0; (text = tool_schema_bad(schema, i, &what)); i++) {
        struct tool_call call = call_of(t, tool, text);
        if (call.limit_ms > PATIENCE_MS)
            call.limit_ms = PATIENCE_MS;
        tool_trial_call(t, &call);
        survived += judge_end(t, tool, &call, "bad input", what);
        tool_call_fini(&call);
        free(text);
        if (call.end == TOOL_CALL_STOPPED)
            return false;
        /* the next kinds would be waited for as long */
        if (call.end == TOOL_CALL_SILENT)
            break;
    }
    if (survived > 0)
        tool_report_add(t->report, TOOL_OK, name_of(tool), "bad input",
                        "answered %u kinds of it", survived);
    return true;
}

static bool
call_and_cancel(struct tool_trial *t, const cJSON *tool, const char *arguments)
{
    struct tool_call call = call_of(t, tool, arguments);
    call.cancel = true;
    tool_trial_call(t, &call);
    if (call.end == TOOL_CALL_SILENT)
        tool_report_add(t->report, TOOL_WARN, call.tool, "cancel",
                        "a cancelled call goes on for more than %lld ms; ask "
                        "host->is_cancelled() now and then, and complete",
                        (long long)call.limit_ms);
    else if (judge_end(t, tool, &call, "cancel", "cancelling a call"))
        tool_report_add(t->report, TOOL_OK, call.tool, "cancel",
                        "a cancelled call ended in %.2f ms", call.took_ms);
    tool_call_fini(&call);
    return call.end != TOOL_CALL_STOPPED;
}

/* ---- many calls ------------------------------------------------------------------- */

static int64_t
repeats(const struct tool_trial *t, double took_ms)
{
    int64_t wanted = t->cli->options.repeat;
    if (wanted < 0)
        wanted = REPEAT_DEFAULT;
    if (took_ms > 0 && (double)wanted * took_ms > REPEAT_BUDGET_MS)
        wanted = (int64_t)(REPEAT_BUDGET_MS / took_ms);
    return wanted;
}

static void
judge_growth(struct tool_trial *t, const char *tool, int64_t count,
             const uint64_t memory[QUARTERS + 1], double each_ms)
{
    /* the first quarter fills caches */
    int64_t grown = (int64_t)memory[QUARTERS] - (int64_t)memory[1];
    int64_t calls = count - count / QUARTERS;
    bool always = true;
    for (int i = 1; i < QUARTERS; i++)
        always = always && memory[i + 1] > memory[i];
    bool leak = MEMORY_IS_TOLD && always && grown > GROWTH_NOISE_BYTES;
    double per_call =
        grown > 0 && calls > 0 ? (double)grown / (double)calls : 0;
    tool_report_add(t->report, leak ? TOOL_FAIL : TOOL_OK, tool, "repeat",
                    "%lld calls, %.3f ms each, memory %+lld KiB, %.0f bytes a "
                    "call%s",
                    (long long)count, each_ms, (long long)grown / 1024,
                    per_call, leak ? "; it keeps what it should free" : "");
}

static double
ms_since(uint64_t begin_ns)
{
    return (double)(vr_now_ns() - begin_ns) / 1e6;
}

/* False after a signal. */
static bool
call_often(struct tool_trial *t, const cJSON *tool, const char *arguments,
           double took_ms)
{
    int64_t count = repeats(t, took_ms);
    uint64_t memory[QUARTERS + 1] = {0}, begin_ns = vr_now_ns();
    if (took_ms < 0 || count < REPEAT_LEAST || t->cli->options.repeat == 0) {
        tool_report_add(t->report, TOOL_OK, name_of(tool), "repeat",
                        "not repeated: one call takes too long, or --repeat "
                        "is too small");
        return true;
    }
    for (int64_t i = 0; i < count; i++) {
        struct tool_call call = call_of(t, tool, arguments);
        tool_trial_call(t, &call);
        bool good =
            judge_end(t, tool, &call, "repeat", "one of many equal calls");
        tool_call_fini(&call);
        if (!good)
            return call.end != TOOL_CALL_STOPPED;
        if (ms_since(begin_ns) > 2 * REPEAT_BUDGET_MS) {
            tool_report_add(t->report, TOOL_OK, name_of(tool), "repeat",
                            "only %lld calls, %.3f ms each", (long long)i + 1,
                            ms_since(begin_ns) / (double)(i + 1));
            return true;
        }
        if ((i + 1) % (count / QUARTERS) == 0 &&
            (i + 1) / (count / QUARTERS) <= QUARTERS)
            memory[(i + 1) / (count / QUARTERS)] =
                tool_host_memory_bytes(t->host);
    }
    judge_growth(t, name_of(tool), count, memory,
                 ms_since(begin_ns) / (double)count);
    return true;
}

bool
tool_exercise_calls(struct tool_trial *t, const cJSON *tool)
{
    char *arguments = make_arguments(tool, false);
    double took_ms;
    bool goes_on = arguments && call_well(t, tool, &arguments, &took_ms);
    if (goes_on && took_ms < 0 && !is_async(tool))
        tool_report_add(t->report, TOOL_WARN, name_of(tool), "call",
                        "the other calls are left out");
    else
        goes_on = goes_on && call_badly(t, tool) &&
                  call_and_cancel(t, tool, arguments) &&
                  call_often(t, tool, arguments, took_ms);
    cJSON_free(arguments);
    return goes_on;
}

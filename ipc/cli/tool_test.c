/* voxring tool test: a plugin without a gateway. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ipc/cli/control.h"
#include "ipc/cli/say.h"
#include "ipc/cli/settings.h"
#include "ipc/cli/stop.h"
#include "ipc/cli/tool_exercise.h"
#include "ipc/voxring.h"

#define END_MS 2000
#define UNKNOWN "voxring-test-none-such"
#define UNKNOWN_MS 5000
#define PARAMS_INVALID (-32602)

static void
note(struct tool_trial *t, enum tool_verdict verdict, const char *check,
     const char *text)
{
    tool_report_add(t->report, verdict, NULL, check, "%s", text);
}

/* What the gateway looks at before it loads a file. */
static void
check_file(struct tool_trial *t, const struct stat *file)
{
    if (file->st_mode & S_IWOTH)
        note(t, TOOL_FAIL, "file",
             "everybody may write to it, so the gateway refuses it; chmod o-w");
    else
        note(t, TOOL_OK, "file", "only its owner or group may change it");
}

static int
load(struct tool_trial *t, cJSON **tools)
{
    uint64_t begin_ns = vr_now_ns();
    char *why = NULL;
    int code = tool_trial_start(t, &why);
    *tools = NULL;
    if (code != CLI_DONE) {
        if (why)
            note(t, TOOL_FAIL, "load", why);
        free(why);
        return why ? CLI_DONE : code;
    }
    tool_report_add(t->report, TOOL_OK, NULL, "load", "in %.1f ms",
                    (double)(vr_now_ns() - begin_ns) / 1e6);
    *tools = tool_trial_list(t);
    if (cJSON_GetArraySize(*tools) > 0)
        return CLI_DONE;
    note(t, TOOL_FAIL, "tools", "it lists none; it must offer at least one");
    cJSON_Delete(*tools);
    *tools = NULL;
    return CLI_DONE;
}

static bool
check_unknown(struct tool_trial *t)
{
    struct tool_call call = {.tool = UNKNOWN,
                             .arguments_json = "{}",
                             .timeout_ms = UNKNOWN_MS,
                             .limit_ms = UNKNOWN_MS};
    tool_trial_call(t, &call);
    if (call.end == TOOL_CALL_ANSWERED && call.rpc_code == PARAMS_INVALID)
        note(t, TOOL_OK, "unknown tool", "is refused");
    else if (call.end != TOOL_CALL_STOPPED)
        tool_report_add(t->report, TOOL_FAIL, NULL, "unknown tool",
                        "a call of a tool that is none ended with %s",
                        call.text ? call.text : "silence");
    tool_call_fini(&call);
    return call.end != TOOL_CALL_STOPPED;
}

static void
check_end(struct tool_trial *t)
{
    uint64_t begin_ns = vr_now_ns();
    cJSON *message = NULL;
    enum tool_news news;
    if (!t->host)
        return;
    tool_host_dismiss(t->host);
    while ((news = tool_host_wait(t->host, begin_ns + END_MS * 1000000,
                                  &message)) == TOOL_MESSAGE)
        cJSON_Delete(message);
    if (news == TOOL_NOTHING)
        note(t, TOOL_WARN, "end",
             "it is still there 2 s after it was asked to end, and is killed; "
             "fini must return, and threads must not hold it");
    else if (news == TOOL_ENDED && !tool_host_ended_well(t->host))
        tool_report_add(t->report, TOOL_FAIL, NULL, "end", "when asked to, %s",
                        tool_host_end(t->host));
    else if (news == TOOL_ENDED)
        tool_report_add(t->report, TOOL_OK, NULL, "end", "in %.1f ms",
                        (double)(vr_now_ns() - begin_ns) / 1e6);
}

static void
check_sums(struct tool_trial *t)
{
    const struct tool_host_counts *sums = &t->sums;
    if (t->extra || sums->spare)
        note(t, TOOL_FAIL, "answers",
             "a call was completed more than once; call host->complete() "
             "exactly once for each");
    else if (t->last_id > 0)
        tool_report_add(t->report, TOOL_OK, NULL, "answers",
                        "one for each of %u calls", t->last_id);
    if (sums->broken)
        note(t, TOOL_FAIL, "messages", "some were no JSON-RPC");
    if (sums->stdout_bytes)
        tool_report_add(t->report, TOOL_WARN, NULL, "stdout",
                        "%u bytes were printed, the last \"%.100s\"; use "
                        "host->log()",
                        sums->stdout_bytes, sums->line);
}

/* False after a signal. */
static bool
exercise(struct tool_trial *t, const cJSON *tools)
{
    const cJSON *tool = NULL;
    bool calls = !t->cli->options.no_calls;
    cJSON_ArrayForEach(tool, tools)
    {
        if (tool_exercise_look(t, tool) && calls &&
            !tool_exercise_calls(t, tool))
            return false;
    }
    return !calls || check_unknown(t);
}

static int
test_all(struct tool_trial *t, const struct stat *file)
{
    cJSON *tools;
    check_file(t, file);
    int code = load(t, &tools);
    if (code == CLI_DONE && tools) {
        if (!exercise(t, tools))
            code = stop_wanted() ? CLI_INTERRUPTED : CLI_FAILED;
        check_end(t);
    }
    tool_trial_stop(t);
    cJSON_Delete(tools);
    check_sums(t);
    int end = tool_report_end(t->report, t->plugin);
    return code == CLI_DONE ? end : code;
}

/* ---- one call --------------------------------------------------------------------- */

static const cJSON *
find_tool(const cJSON *tools, const char *name)
{
    const cJSON *tool = NULL;
    cJSON_ArrayForEach(tool, tools)
    {
        if (strcmp(control_text(tool, "name", ""), name) == 0)
            return tool;
    }
    return NULL;
}

static void
print_call(const struct cli *cli, const struct tool_call *call)
{
    cJSON *value = cJSON_Parse(call->text);
    const char *shape = tool_exercise_shape(call);
    if (value)
        control_print(cli, value);
    else
        say_line("%s", call->text);
    if (shape)
        say_note(cli, "this is %s", shape);
    say_note(cli, "answered in %.2f ms%s", call->took_ms,
             call->progress ? ", with progress" : "");
    cJSON_Delete(value);
}

static int
call_one(struct tool_trial *t, const cJSON *tool, const char *arguments)
{
    const struct cli *cli = t->cli;
    struct tool_call call = {.tool = cli->arguments[1],
                             .arguments_json = arguments,
                             .timeout_ms = tool_exercise_limit_ms(cli, tool)};
    int code = CLI_FAILED;
    call.limit_ms = call.timeout_ms < 0 ? INT32_MAX : call.timeout_ms;
    tool_trial_call(t, &call);
    switch (call.end) {
    case TOOL_CALL_ANSWERED:
        print_call(cli, &call);
        code = call.is_error ? CLI_FAILED : CLI_DONE;
        break;
    case TOOL_CALL_DIED:
        say_fail(cli, code, "the plugin ended: %s", call.text ? call.text : "");
        break;
    case TOOL_CALL_SILENT:
        code = say_fail(cli, CLI_TIMEOUT, "no answer within %lld ms",
                        (long long)call.limit_ms);
        break;
    case TOOL_CALL_STOPPED:
        code = CLI_INTERRUPTED;
        break;
    }
    tool_call_fini(&call);
    return code;
}

static int
test_one(struct tool_trial *t, const char *arguments)
{
    const char *name = t->cli->arguments[1];
    char *why = NULL;
    int code = tool_trial_start(t, &why);
    if (code != CLI_DONE && why)
        say_fail(t->cli, code, "%s", why);
    free(why);
    if (code != CLI_DONE)
        return code;
    cJSON *tools = tool_trial_list(t);
    const cJSON *tool = find_tool(tools, name);
    code = tool ? call_one(t, tool, arguments)
                : say_fail(t->cli, CLI_USAGE, "%s offers no tool \"%s\"",
                           t->plugin, name);
    cJSON_Delete(tools);
    tool_trial_stop(t);
    return code;
}

/* The arguments of one call, checked: an object. */
static int
read_arguments(const struct cli *cli, cJSON **arguments)
{
    const char *given = cli->argument_count > 2 ? cli->arguments[2] : "{}";
    *arguments = cJSON_ParseWithOpts(given, NULL, true);
    if (cJSON_IsObject(*arguments))
        return CLI_DONE;
    cJSON_Delete(*arguments);
    *arguments = NULL;
    return say_fail(cli, CLI_USAGE,
                    "\"%s\" is no JSON object; arguments look like "
                    "{\"zone\": \"UTC\"}",
                    given);
}

static int
run(struct cli *cli, const cJSON *config, const struct stat *file)
{
    struct tool_report report = {.json = cli->options.json};
    struct tool_trial trial = {.cli = cli,
                               .plugin = cli->arguments[0],
                               .config = config,
                               .report = &report};
    cJSON *arguments;
    if (cli->argument_count < 2)
        return test_all(&trial, file);
    int code = read_arguments(cli, &arguments);
    if (code != CLI_DONE)
        return code;
    char *text = cJSON_PrintUnformatted(arguments);
    code = text ? test_one(&trial, text)
                : say_fail(cli, CLI_FAILED, "out of memory");
    cJSON_free(text);
    cJSON_Delete(arguments);
    return code;
}

int
tool_test_run(struct cli *cli)
{
    const char *plugin = cli->arguments[0];
    cJSON *config = NULL;
    struct stat file;
    int code = CLI_DONE;
    if (stat(plugin, &file) != 0)
        return say_fail(cli, CLI_USAGE, "%s: %s", plugin, strerror(errno));
    if (!S_ISREG(file.st_mode))
        return say_fail(cli, CLI_USAGE, "%s is no file", plugin);
    if (cli->options.config)
        code = settings_read(cli, "config", cli->options.config, &config);
    if (code == CLI_DONE)
        code = run(cli, config, &file);
    cJSON_Delete(config);
    return code;
}

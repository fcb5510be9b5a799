/* voxring tool ...: what the model is offered, and calls without a model. */
#include <stdio.h>
#include <string.h>

#include "ipc/cli/control.h"
#include "ipc/cli/say.h"

#define TIMEOUT_MS 10000
/* The gateway ends a call at its tool's own limit; this is only for a gateway
 * that does not. */
#define CALL_MS 600000
#define GRACE_MS 1000

static void
list_tools(const cJSON *tools)
{
    const cJSON *tool = NULL;
    cJSON_ArrayForEach(tool, tools)
    {
        say_line("%-20s %-7s %-16s %-5s %s", control_text(tool, "name", "?"),
                 control_text(tool, "kind", ""),
                 control_text(tool, "provider", "?"),
                 control_text(tool, "mode", ""),
                 control_text(tool, "description", ""));
    }
}

/* Why it does not offer its tools; else how many they are, and its process. */
static void
describe(const cJSON *provider, char *text, size_t text_bytes)
{
    const char *reason = control_text(provider, "reason", NULL);
    const cJSON *tools = cJSON_GetObjectItemCaseSensitive(provider, "tools");
    const cJSON *pid = cJSON_GetObjectItemCaseSensitive(provider, "pid");
    int count =
        cJSON_IsNumber(tools) ? tools->valueint : cJSON_GetArraySize(tools);
    int used =
        snprintf(text, text_bytes, "%d tool%s", count, count == 1 ? "" : "s");
    if (cJSON_IsNumber(pid))
        used += snprintf(text + used, text_bytes - (size_t)used, ", pid %d",
                         pid->valueint);
    if (reason)
        snprintf(text + used, text_bytes - (size_t)used, ": %s", reason);
}

static void
list_providers(const cJSON *providers)
{
    const cJSON *provider = NULL;
    char text[1024];
    if (cJSON_GetArraySize(providers) > 0)
        say_line("%s", "");
    cJSON_ArrayForEach(provider, providers)
    {
        describe(provider, text, sizeof text);
        say_line("%-20s %-7s %-16s %s", control_text(provider, "name", "?"),
                 control_text(provider, "kind", ""),
                 control_text(provider, "state", "?"), text);
    }
}

int
tool_list_run(struct cli *cli)
{
    cJSON *result;
    int code = control_ask(cli, "tool.list", NULL,
                           control_timeout_ms(cli, TIMEOUT_MS), &result);
    if (code == CLI_DONE && cli->options.json) {
        control_print(cli, result);
    } else if (code == CLI_DONE) {
        list_tools(cJSON_GetObjectItemCaseSensitive(result, "tools"));
        list_providers(cJSON_GetObjectItemCaseSensitive(result, "providers"));
        if (cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(result, "complete")))
            say_note(cli, "some of them are still starting");
    }
    cJSON_Delete(result);
    return code;
}

int
tool_reload_run(struct cli *cli)
{
    cJSON *params = cJSON_CreateObject();
    cJSON *result;
    if (cli->argument_count > 0)
        cJSON_AddStringToObject(params, "provider", cli->arguments[0]);
    int code = control_ask(cli, "tool.reload", params,
                           control_timeout_ms(cli, TIMEOUT_MS), &result);
    const cJSON *count = cJSON_GetObjectItemCaseSensitive(result, "reloaded");
    if (code == CLI_DONE && cli->options.json)
        control_print(cli, result);
    else if (code == CLI_DONE)
        say_line("%d started anew; voxring tool list shows them",
                 cJSON_IsNumber(count) ? count->valueint : 0);
    cJSON_Delete(result);
    return code;
}

static int
make_params(struct cli *cli, cJSON **params)
{
    *params = cJSON_CreateObject();
    cJSON_AddStringToObject(*params, "tool", cli->arguments[0]);
    if (cli->options.session)
        cJSON_AddStringToObject(*params, "session", cli->options.session);
    if (cli->options.timeout_ms >= 0)
        cJSON_AddNumberToObject(*params, "timeout_ms",
                                (double)cli->options.timeout_ms);
    if (cli->argument_count < 2)
        return CLI_DONE;
    cJSON *arguments = cJSON_ParseWithOpts(cli->arguments[1], NULL, true);
    if (cJSON_IsObject(arguments)) {
        cJSON_AddItemToObject(*params, "arguments", arguments);
        return CLI_DONE;
    }
    cJSON_Delete(arguments);
    cJSON_Delete(*params);
    return say_fail(cli, CLI_USAGE,
                    "\"%s\" is no JSON object; arguments look like "
                    "{\"zone\": \"UTC\"}",
                    cli->arguments[1]);
}

static int
show_result(struct cli *cli, const cJSON *result)
{
    const char *outcome = control_text(result, "outcome", "?");
    const cJSON *content = cJSON_GetObjectItemCaseSensitive(result, "content");
    control_print(cli, cli->options.json || !content ? result : content);
    if (strcmp(outcome, "result") == 0)
        return CLI_DONE;
    return say_fail(cli,
                    strcmp(outcome, "timeout") == 0 ? CLI_TIMEOUT : CLI_FAILED,
                    "%s ended with %s%s%s", cli->arguments[0], outcome,
                    control_text(result, "reason", NULL) ? ": " : "",
                    control_text(result, "reason", ""));
}

int
tool_call_run(struct cli *cli)
{
    cJSON *params, *result;
    int code = make_params(cli, &params);
    if (code != CLI_DONE)
        return code;
    code = control_ask(cli, "tool.call", params,
                       control_timeout_ms(cli, CALL_MS) + GRACE_MS, &result);
    if (code == CLI_DONE)
        code = show_result(cli, result);
    cJSON_Delete(result);
    return code;
}

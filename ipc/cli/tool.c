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

int
tool_list_run(struct cli *cli)
{
    cJSON *result;
    const cJSON *tool = NULL;
    int code = control_ask(cli, "tool.list", NULL,
                           control_timeout_ms(cli, TIMEOUT_MS), &result);
    if (code == CLI_DONE && cli->options.json)
        control_print(cli, result);
    else if (code == CLI_DONE)
        cJSON_ArrayForEach(tool,
                           cJSON_GetObjectItemCaseSensitive(result, "tools"))
        {
            say_line("%-20s %-16s %s", control_text(tool, "name", "?"),
                     control_text(tool, "provider", "?"),
                     control_text(tool, "description", ""));
        }
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

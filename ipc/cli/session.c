/* voxring session ...: what there is, and what is done to one. */
#include <stdio.h>

#include "ipc/cli/control.h"
#include "ipc/cli/say.h"
#include "ipc/cli/settings.h"

#define TIMEOUT_MS 10000

int
session_list_run(struct cli *cli)
{
    cJSON *result;
    const cJSON *session = NULL;
    int code = control_ask(cli, "session.list", NULL,
                           control_timeout_ms(cli, TIMEOUT_MS), &result);
    if (code == CLI_DONE && cli->options.json)
        control_print(cli, result);
    else if (code == CLI_DONE)
        cJSON_ArrayForEach(session,
                           cJSON_GetObjectItemCaseSensitive(result, "sessions"))
        {
            say_line("%-16s %-12s %-28s %s",
                     control_text(session, "session", "?"),
                     control_text(session, "state", "?"),
                     control_text(session, "model", "?"),
                     control_text(session, "conversation", "?"));
        }
    cJSON_Delete(result);
    return code;
}

int
session_get_run(struct cli *cli)
{
    cJSON *result;
    int code = control_ask_session(cli, "session.get", &result);
    if (code == CLI_DONE)
        control_print(cli, result);
    cJSON_Delete(result);
    return code;
}

/* One line that says where the session stands now. */
static int
show_state(struct cli *cli, int code, cJSON *result)
{
    if (code == CLI_DONE && cli->options.json)
        control_print(cli, result);
    else if (code == CLI_DONE)
        say_line("%s %s, conversation %s",
                 control_text(result, "session", cli->arguments[0]),
                 control_text(result, "state", "?"),
                 control_text(result, "conversation", "?"));
    cJSON_Delete(result);
    return code;
}

/* What was given by options is added to `params`. */
static int
add_given(struct cli *cli, cJSON *params)
{
    cJSON *config = NULL, *history = NULL;
    int code = CLI_DONE;
    if (cli->options.config)
        code = settings_read(cli, "--config", cli->options.config, &config);
    if (code == CLI_DONE && cli->options.history)
        code = settings_read_messages(cli, "--history", cli->options.history,
                                      &history);
    if (config)
        cJSON_AddItemToObject(params, "config", config);
    if (history)
        cJSON_AddItemToObject(params, "history", history);
    if (cli->options.conversation)
        cJSON_AddStringToObject(params, "conversation",
                                cli->options.conversation);
    return code;
}

int
session_open_run(struct cli *cli)
{
    cJSON *params = cJSON_CreateObject(), *result;
    cJSON_AddStringToObject(params, "session", cli->arguments[0]);
    int code = add_given(cli, params);
    if (code != CLI_DONE) {
        cJSON_Delete(params);
        return code;
    }
    code = control_ask(cli, "session.open", params,
                       control_timeout_ms(cli, TIMEOUT_MS), &result);
    return show_state(cli, code, result);
}

int
session_close_run(struct cli *cli)
{
    cJSON *result;
    int code = control_ask_session(cli, "session.close", &result);
    return show_state(cli, code, result);
}

static int
mute(struct cli *cli, bool muted)
{
    cJSON *params = cJSON_CreateObject(), *result;
    cJSON_AddStringToObject(params, "session", cli->arguments[0]);
    cJSON_AddBoolToObject(params, "muted", muted);
    int code = control_ask(cli, "session.mute", params,
                           control_timeout_ms(cli, TIMEOUT_MS), &result);
    if (code == CLI_DONE && cli->options.json)
        control_print(cli, result);
    cJSON_Delete(result);
    return code;
}

int
session_mute_run(struct cli *cli)
{
    return mute(cli, true);
}

int
session_unmute_run(struct cli *cli)
{
    return mute(cli, false);
}

int
session_interrupt_run(struct cli *cli)
{
    cJSON *result;
    int code = control_ask_session(cli, "session.interrupt", &result);
    const cJSON *heard = cJSON_GetObjectItemCaseSensitive(result, "heard_ms");
    if (code == CLI_DONE && cli->options.json)
        control_print(cli, result);
    else if (code == CLI_DONE && cJSON_IsNumber(heard))
        printf("interrupted after %.0f ms\n", heard->valuedouble);
    cJSON_Delete(result);
    return code;
}

/* voxring session ...: what there is, and what is done to one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/cli/control.h"
#include "ipc/cli/file.h"
#include "ipc/cli/say.h"

#define TIMEOUT_MS 10000
#define CONFIG_BYTES (1 << 20)

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

/* The line of `text` where `at` is. */
static int
line_of(const char *text, const char *at)
{
    int line = 1;
    for (; at && text < at; text++)
        line += *text == '\n';
    return line;
}

/* Where a comment that begins here ends, or `at` if none does. */
static char *
behind_comment(char *at)
{
    if (at[0] == '/' && at[1] == '/')
        return at + strcspn(at, "\n");
    if (at[0] != '/' || at[1] != '*')
        return at;
    char *end = strstr(at + 2, "*/");
    return end ? end + 2 : at + strlen(at);
}

/* Comments blanked, so that a parser's place stays one of the text's. */
static void
blank_comments(char *text)
{
    bool quoted = false;
    char *at = text;
    while (*at) {
        char *end = quoted ? at : behind_comment(at);
        if (end != at) {
            for (; at < end; at++)
                *at = *at == '\n' ? '\n' : ' ';
            continue;
        }
        if (quoted && *at == '\\' && at[1])
            at++;
        else if (*at == '"')
            quoted = !quoted;
        at++;
    }
}

static int
parse_config(const struct cli *cli, char *text, const char *where,
             cJSON **config)
{
    const char *end = NULL;
    blank_comments(text);
    *config = cJSON_ParseWithOpts(text, &end, true);
    if (*config && cJSON_IsObject(*config))
        return CLI_DONE;
    cJSON_Delete(*config);
    *config = NULL;
    return say_fail(cli, CLI_USAGE,
                    "%s:%d: this is no JSON object; settings look like "
                    "{\"voice\": \"amy\"}",
                    where, line_of(text, end));
}

static int
read_config(const struct cli *cli, cJSON **config)
{
    const char *given = cli->options.config;
    char *text;
    int code = CLI_DONE;
    if (given[strspn(given, " \t\n")] == '{') {
        text = strdup(given);
        given = "--config";
    } else {
        code = file_read(cli, given, CONFIG_BYTES, &text);
    }
    if (code == CLI_DONE && !text)
        code = say_fail(cli, CLI_FAILED, "out of memory");
    if (code == CLI_DONE)
        code = parse_config(cli, text, given, config);
    free(text);
    return code;
}

int
session_open_run(struct cli *cli)
{
    cJSON *config = NULL, *result = NULL;
    int code = cli->options.config ? read_config(cli, &config) : CLI_DONE;
    if (code != CLI_DONE)
        return code;
    cJSON *params = cJSON_CreateObject();
    cJSON_AddStringToObject(params, "session", cli->arguments[0]);
    if (config)
        cJSON_AddItemToObject(params, "config", config);
    if (cli->options.conversation)
        cJSON_AddStringToObject(params, "conversation",
                                cli->options.conversation);
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

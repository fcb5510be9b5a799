/* voxring update, reset, rotate, sleep: changes to a running conversation. */
#include <stdbool.h>
#include <string.h>

#include "ipc/cli/control.h"
#include "ipc/cli/say.h"
#include "ipc/cli/settings.h"

#define TIMEOUT_MS 10000

static bool
is_in_first_line(const char *name)
{
    return strcmp(name, "session") == 0 || strcmp(name, "state") == 0;
}

/* Whatever the gateway tells of what it did: "name: value". */
static void
show_members(const cJSON *result)
{
    const cJSON *member = NULL;
    cJSON_ArrayForEach(member, result)
    {
        if (!member->string || is_in_first_line(member->string))
            continue;
        char *json = cJSON_PrintUnformatted(member);
        const char *text = cJSON_IsString(member) ? member->valuestring : json;
        say_line("  %s: %s", member->string, text ? text : "?");
        cJSON_free(json);
    }
}

/* Asks with these parameters, taken, and shows what comes of it. */
static int
change(struct cli *cli, const char *method, cJSON *params)
{
    cJSON *result;
    int code = control_ask(cli, method, params,
                           control_timeout_ms(cli, TIMEOUT_MS), &result);
    const char *state = control_text(result, "state", "");
    if (code == CLI_DONE && cli->options.json) {
        control_print(cli, result);
    } else if (code == CLI_DONE) {
        say_line("%s%s%s", control_text(result, "session", cli->arguments[0]),
                 *state ? " " : "", state);
        show_members(result);
    }
    cJSON_Delete(result);
    return code;
}

static cJSON *
for_session(const struct cli *cli)
{
    cJSON *params = cJSON_CreateObject();
    cJSON_AddStringToObject(params, "session", cli->arguments[0]);
    return params;
}

static int
read_settings(const struct cli *cli, cJSON **settings)
{
    int code = CLI_DONE;
    if (cli->options.config)
        code = settings_read(cli, "--config", cli->options.config, settings);
    else
        *settings = cJSON_CreateObject();
    for (int i = 1; code == CLI_DONE && i < cli->argument_count; i++)
        code = settings_assign(cli, *settings, cli->arguments[i]);
    if (code == CLI_DONE && !cJSON_GetArraySize(*settings))
        code = say_fail(cli, CLI_USAGE,
                        "nothing is to be changed; for example voxring update "
                        "%s voice=amy",
                        cli->arguments[0]);
    return code;
}

int
update_run(struct cli *cli)
{
    cJSON *settings = NULL;
    int code = read_settings(cli, &settings);
    if (code != CLI_DONE) {
        cJSON_Delete(settings);
        return code;
    }
    cJSON *params = for_session(cli);
    cJSON_AddItemToObject(params, "config", settings);
    return change(cli, "session.update", params);
}

int
reset_run(struct cli *cli)
{
    cJSON *params = for_session(cli);
    cJSON_AddBoolToObject(params, "keep_history", !cli->options.forget);
    return change(cli, "session.reset", params);
}

int
rotate_run(struct cli *cli)
{
    return change(cli, "session.rotate", for_session(cli));
}

int
sleep_run(struct cli *cli)
{
    return change(cli, "session.sleep", for_session(cli));
}

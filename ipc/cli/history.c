/* voxring history: what was said, as the gateway keeps it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/cli/control.h"
#include "ipc/cli/file.h"
#include "ipc/cli/say.h"
#include "ipc/cli/settings.h"

#define TIMEOUT_MS 10000
#define TEXT_BYTES 262144

static bool
is_true(const cJSON *object, const char *member)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, member));
}

/* "2026-11-21T10:00:00Z user: Hello. (pinned)" */
static void
show_message(const cJSON *message)
{
    const char *time = control_text(message, "time", NULL);
    if (time) {
        say_text(stdout, time);
        putchar(' ');
    }
    say_text(stdout, control_text(message, "role", "?"));
    fputs(": ", stdout);
    say_text(stdout, control_text(message, "text", "?"));
    if (is_true(message, "interrupted"))
        fputs(" (interrupted)", stdout);
    if (is_true(message, "pinned"))
        fputs(" (pinned)", stdout);
    putchar('\n');
}

static int
show(struct cli *cli)
{
    cJSON *result;
    const cJSON *message = NULL;
    int code = control_ask_session(cli, "session.history", &result);
    if (code == CLI_DONE && cli->options.json)
        control_print(cli, result);
    else if (code == CLI_DONE)
        cJSON_ArrayForEach(message,
                           cJSON_GetObjectItemCaseSensitive(result, "messages"))
            show_message(message);
    cJSON_Delete(result);
    return code;
}

/* What it is now; lives as long as `result` and `room`. */
static const char *
revision_of(const cJSON *result, char *room, size_t size)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(result, "revision");
    if (cJSON_IsNumber(item)) {
        snprintf(room, size, "%.0f", item->valuedouble);
        return room;
    }
    return cJSON_IsString(item) ? item->valuestring : "?";
}

/* Takes `params`. */
static int
change(struct cli *cli, const char *method, cJSON *params)
{
    char room[32];
    cJSON *result;
    cJSON_AddStringToObject(params, "session", cli->arguments[0]);
    if (cli->options.revision)
        cJSON_AddStringToObject(params, "revision", cli->options.revision);
    int code = control_ask(cli, method, params,
                           control_timeout_ms(cli, TIMEOUT_MS), &result);
    if (code == CLI_DONE && cli->options.json)
        control_print(cli, result);
    else if (code == CLI_DONE)
        say_line("%s revision %s", cli->arguments[0],
                 revision_of(result, room, sizeof room));
    cJSON_Delete(result);
    return code;
}

static int
append(struct cli *cli)
{
    char *text = NULL;
    const char *given = cli->arguments[1];
    int code = CLI_DONE;
    if (strcmp(given, "-") == 0)
        code = file_read(cli, "-", TEXT_BYTES, &text);
    if (code != CLI_DONE)
        return code;
    cJSON *params = cJSON_CreateObject();
    cJSON_AddStringToObject(params, "role", cli->options.append);
    cJSON_AddStringToObject(params, "text", text ? text : given);
    if (cli->options.pinned)
        cJSON_AddTrueToObject(params, "pinned");
    free(text);
    return change(cli, "history.append", params);
}

static int
replace(struct cli *cli)
{
    cJSON *messages, *params;
    int code = settings_read_messages(cli, "--replace", cli->options.replace,
                                      &messages);
    if (code != CLI_DONE)
        return code;
    params = cJSON_CreateObject();
    cJSON_AddItemToObject(params, "messages", messages);
    return change(cli, "history.replace", params);
}

/* What of the options does not go together; NULL if all does. */
static const char *
contradiction(const struct cli *cli)
{
    const struct options *o = &cli->options;
    bool text = cli->argument_count > 1;
    if (o->append && o->replace)
        return "--append and --replace do not go together";
    if (o->append && !text)
        return "--append needs a TEXT after the session; `-` reads standard "
               "input";
    if (text && !o->append)
        return "a TEXT is for --append ROLE; for example --append user";
    if (o->pinned && !o->append)
        return "--pinned is for --append ROLE";
    if (o->revision && !o->append && !o->replace)
        return "--revision is for --append and --replace";
    if (o->revision && (!*o->revision || strlen(o->revision) > 20 ||
                        o->revision[strspn(o->revision, "0123456789")]))
        return "--revision is a whole number, as voxring history --json shows";
    return NULL;
}

int
history_run(struct cli *cli)
{
    const char *wrong = contradiction(cli);
    if (wrong)
        return say_fail(cli, CLI_USAGE, "%s", wrong);
    if (cli->options.append)
        return append(cli);
    return cli->options.replace ? replace(cli) : show(cli);
}

/* voxring text: says something to the model in writing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/cli/control.h"
#include "ipc/cli/file.h"
#include "ipc/cli/say.h"

#define TIMEOUT_MS 30000
/* The gateway's own time-out says more than ours, so it comes first. */
#define GRACE_MS 2000
#define TEXT_BYTES 262144

static int
get_text(struct cli *cli, char **text)
{
    if (strcmp(cli->arguments[1], "-") == 0)
        return file_read(cli, "-", TEXT_BYTES, text);
    *text = strdup(cli->arguments[1]);
    return *text ? CLI_DONE : say_fail(cli, CLI_FAILED, "out of memory");
}

static int
show_answer(struct cli *cli, const cJSON *result)
{
    const char *status = control_text(result, "status", "complete");
    if (cli->options.json) {
        control_print(cli, result);
    } else if (control_text(result, "text", NULL)) {
        say_text(stdout, control_text(result, "text", ""));
        putchar('\n');
    }
    if (strcmp(status, "error") == 0)
        return say_fail(cli, CLI_FAILED,
                        "the answer broke off; `voxring tail error` tells why");
    if (strcmp(status, "interrupted") == 0)
        say_note(cli, "the answer was interrupted");
    return CLI_DONE;
}

int
text_run(struct cli *cli)
{
    const char *wait = cli->options.wait ? cli->options.wait : "response";
    int64_t timeout_ms = control_timeout_ms(cli, TIMEOUT_MS);
    char *text;
    if (strcmp(wait, "response") != 0 && strcmp(wait, "accepted") != 0)
        return say_fail(cli, CLI_USAGE,
                        "--wait \"%s\" is not known; use accepted or response",
                        wait);
    int code = get_text(cli, &text);
    if (code != CLI_DONE)
        return code;
    cJSON *params = cJSON_CreateObject(), *result;
    cJSON_AddStringToObject(params, "session", cli->arguments[0]);
    cJSON_AddStringToObject(params, "text", text);
    cJSON_AddStringToObject(params, "wait", wait);
    cJSON_AddNumberToObject(params, "timeout_ms", (double)timeout_ms);
    free(text);
    code = control_ask(cli, "session.text", params, timeout_ms + GRACE_MS,
                       &result);
    if (code == CLI_DONE)
        code = show_answer(cli, result);
    cJSON_Delete(result);
    return code;
}

/* voxring version, log, snapshot, shutdown: the gateway as a whole. */
#include <stdio.h>
#include <sys/stat.h>

#include "ipc/cli/control.h"
#include "ipc/cli/say.h"
#include "ipc/cli/stop.h"
#include "ipc/voxring.h"

#define TIMEOUT_MS 10000
/* Longest that an orderly end takes: 2 s for the last usage of each session,
 * then what waits for tools and sockets. */
#define SHUTDOWN_MS 20000
#define LOOK_MS 20

static int
ask(struct cli *cli, const char *method, cJSON *params, cJSON **result)
{
    return control_ask(cli, method, params, control_timeout_ms(cli, TIMEOUT_MS),
                       result);
}

int
version_run(struct cli *cli)
{
    cJSON *result;
    int code = ask(cli, "gateway.version", NULL, &result);
    if (cli->options.json && result) {
        cJSON_AddStringToObject(result, "client", VOXRING_VERSION);
        control_print(cli, result);
    } else {
        puts("voxring  " VOXRING_VERSION);
    }
    if (result && !cli->options.json) {
        const cJSON *library = NULL;
        const cJSON *libraries =
            cJSON_GetObjectItemCaseSensitive(result, "libraries");
        printf("voxringd ");
        say_text(stdout, control_text(result, "version", "?"));
        cJSON_ArrayForEach(library, libraries)
        {
            printf("\n  %-8s ", library->string);
            say_text(stdout,
                     cJSON_IsString(library) ? library->valuestring : "?");
        }
        putchar('\n');
    }
    cJSON_Delete(result);
    return code;
}

int
log_run(struct cli *cli)
{
    cJSON *params = cJSON_CreateObject(), *result;
    if (cli->argument_count)
        cJSON_AddStringToObject(params, "levels", cli->arguments[0]);
    int code = ask(cli, "gateway.log", params, &result);
    if (code == CLI_DONE && cli->options.json) {
        control_print(cli, result);
    } else if (code == CLI_DONE) {
        say_text(stdout, control_text(result, "levels", "?"));
        putchar('\n');
    }
    cJSON_Delete(result);
    return code;
}

int
snapshot_run(struct cli *cli)
{
    cJSON *result;
    int code = ask(cli, "gateway.snapshot", NULL, &result);
    if (code == CLI_DONE)
        control_print(cli, result);
    cJSON_Delete(result);
    return code;
}

/* The gateway takes its socket's name away at its end. */
static int
await_end(const struct cli *cli)
{
    char path[PATH_MAX + 32];
    struct stat found;
    int64_t limit_ms = control_timeout_ms(cli, SHUTDOWN_MS);
    uint64_t deadline_ns = stop_deadline_ns(limit_ms);
    snprintf(path, sizeof path, "%s/control.sock", cli->runtime_dir);
    while (stat(path, &found) == 0) {
        if (stop_wanted())
            return CLI_INTERRUPTED;
        if (vr_now_ns() >= deadline_ns)
            return say_fail(cli, CLI_TIMEOUT,
                            "it was asked to stop, but is still there after "
                            "%lld ms; its log says what it waits for",
                            (long long)limit_ms);
        stop_sleep_until(stop_deadline_ns(LOOK_MS));
    }
    return CLI_DONE;
}

int
shutdown_run(struct cli *cli)
{
    cJSON *result;
    int code = ask(cli, "gateway.shutdown", NULL, &result);
    if (code == CLI_DONE && cli->options.json)
        control_print(cli, result);
    cJSON_Delete(result);
    if (code == CLI_DONE && !cli->options.control)
        code = await_end(cli);
    return code;
}

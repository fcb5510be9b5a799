/* voxring stats: the counters as tables for people, or for Prometheus. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ipc/cli/control.h"
#include "ipc/cli/prometheus.h"
#include "ipc/cli/say.h"

#define TIMEOUT_MS 10000
#define DEPTH_MAX 4

static void
print_number(const cJSON *item)
{
    const char *name = item->string ? item->string : "";
    size_t length = strlen(name);
    bool whole = item->valuedouble == (double)(int64_t)item->valuedouble &&
                 !(length > 7 && strcmp(name + length - 7, "seconds") == 0);
    if (whole)
        printf("%14.0f", item->valuedouble);
    else
        printf("%14.*f", fabs(item->valuedouble) < 1 ? 6 : 3,
               item->valuedouble);
}

static void
print_name(const char *name)
{
    char padded[160];
    snprintf(padded, sizeof padded, "  %-40s ", name);
    say_text(stdout, padded);
}

/* Member names beginning with those of the objects around them. */
static void
print_members(const cJSON *object, const char *prefix, int depth)
{
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, object)
    {
        char name[128];
        snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "",
                 item->string ? item->string : "?");
        if (cJSON_IsObject(item) && depth < DEPTH_MAX) {
            print_members(item, name, depth + 1);
            continue;
        }
        if (!cJSON_IsNumber(item) && !cJSON_IsString(item))
            continue;
        print_name(name);
        if (cJSON_IsNumber(item))
            print_number(item);
        else
            say_text(stdout, item->valuestring);
        putchar('\n');
    }
}

static void
print_sessions(const cJSON *sessions)
{
    const cJSON *session = NULL;
    cJSON_ArrayForEach(session, sessions)
    {
        putchar('\n');
        say_line("session %s (%s)", session->string ? session->string : "?",
                 control_text(session, "state", "?"));
        print_members(session, "", 0);
    }
}

static void
print_tables(cJSON *stats)
{
    cJSON *sessions =
        cJSON_DetachItemFromObjectCaseSensitive(stats, "sessions");
    puts("gateway");
    print_members(stats, "", 0);
    print_sessions(sessions);
    cJSON_Delete(sessions);
}

static int
print(struct cli *cli, cJSON *stats)
{
    if (cli->options.json)
        control_print(cli, stats);
    else if (!cli->options.prometheus)
        print_tables(stats);
    else if (!prometheus_print(stats, stdout))
        return say_fail(cli, CLI_FAILED, "out of memory; figures lack");
    return CLI_DONE;
}

int
stats_run(struct cli *cli)
{
    if (cli->options.json && cli->options.prometheus)
        return say_fail(cli, CLI_USAGE,
                        "--json and --prometheus do not go together");
    cJSON *params = cJSON_CreateObject(), *result;
    if (cli->options.session)
        cJSON_AddStringToObject(params, "session", cli->options.session);
    int code = control_ask(cli, "gateway.stats", params,
                           control_timeout_ms(cli, TIMEOUT_MS), &result);
    if (code == CLI_DONE)
        code = print(cli, result);
    cJSON_Delete(result);
    return code;
}

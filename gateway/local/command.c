#include "gateway/local/command.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "gateway/local/jsontext.h"

#define OFFSET_MS_MAX 864000000000.0

static char *
print(cJSON *answer)
{
    char *text = cJSON_PrintUnformatted(answer);
    cJSON_Delete(answer);
    return text;
}

char *
command_refuse(const char *reason)
{
    cJSON *answer = cJSON_CreateObject();
    cJSON_AddFalseToObject(answer, "ok");
    cJSON_AddStringToObject(answer, "error", reason);
    return print(answer);
}

static cJSON *
agree(void)
{
    cJSON *answer = cJSON_CreateObject();
    cJSON_AddTrueToObject(answer, "ok");
    return answer;
}

static char *
run_add(const struct command_target *target, const cJSON *value)
{
    char problem[FAULT_PROBLEM_BYTES];
    struct fault fault;
    if (!fault_parse(&fault, value, problem))
        return command_refuse(problem);
    unsigned id = faults_add(target->faults, &fault);
    if (id == 0) {
        snprintf(problem, sizeof(problem),
                 "there are %d faults already; remove some", FAULTS_MAX);
        return command_refuse(problem);
    }
    cJSON *answer = agree();
    cJSON_AddNumberToObject(answer, "id", id);
    return print(answer);
}

/* Whether the value is an integer within the range. */
static bool
is_integer(const cJSON *value, double least, double most)
{
    return cJSON_IsNumber(value) && value->valuedouble >= least &&
           value->valuedouble <= most &&
           value->valuedouble == floor(value->valuedouble);
}

static char *
run_remove(const struct command_target *target, const cJSON *value)
{
    if (!is_integer(value, 1, 4294967295.0))
        return command_refuse("\"remove\" must be the id of a fault");
    if (!faults_remove(target->faults, (unsigned)value->valuedouble))
        return command_refuse("\"remove\": no fault has this id");
    return print(agree());
}

static char *
run_list(const struct command_target *target)
{
    cJSON *answer = agree();
    cJSON *list = cJSON_AddArrayToObject(answer, "faults");
    for (size_t i = 0; i < target->faults->count; i++)
        cJSON_AddItemToArray(list, fault_describe(&target->faults->list[i]));
    cJSON_AddNumberToObject(answer, "wall_offset_ms",
                            (double)target->faults->wall_offset_ms);
    return print(answer);
}

static char *
run_stats(const struct command_target *target, uint64_t now_ms)
{
    cJSON *answer = ledger_describe(target->ledger, now_ms);
    cJSON_AddTrueToObject(answer, "ok");
    cJSON_AddNumberToObject(answer, "faults_struck", target->faults->struck);
    return print(answer);
}

static char *
run_offset(const struct command_target *target, const cJSON *value)
{
    if (!is_integer(value, -OFFSET_MS_MAX, OFFSET_MS_MAX))
        return command_refuse("\"wall_offset_ms\" must be an integer within "
                              "-864000000000..864000000000");
    target->faults->wall_offset_ms = (int64_t)value->valuedouble;
    return print(agree());
}

static char *
run_refuse(const struct command_target *target, const cJSON *value)
{
    struct faults *faults = target->faults;
    double scale = faults->time_scale > 0 ? faults->time_scale : 1;
    if (!is_integer(value, 0, OFFSET_MS_MAX))
        return command_refuse("\"refuse_connections_ms\" must be an integer "
                              "within 0..864000000000");
    if (faults->refuse_connections != NULL)
        faults->refuse_connections(faults->arg,
                                   (uint64_t)(value->valuedouble / scale));
    return print(agree());
}

static char *
run(const struct command_target *target, const cJSON *member, uint64_t now_ms)
{
    const char *key = member->string;
    bool flag = strcmp(key, "clear") == 0 || strcmp(key, "list") == 0 ||
                strcmp(key, "stats") == 0;
    if (strcmp(key, "add") == 0)
        return run_add(target, member);
    if (strcmp(key, "remove") == 0)
        return run_remove(target, member);
    if (strcmp(key, "wall_offset_ms") == 0)
        return run_offset(target, member);
    if (strcmp(key, "refuse_connections_ms") == 0)
        return run_refuse(target, member);
    if (!flag)
        return command_refuse(
            "unknown command; known are add, remove, clear, list, stats, "
            "wall_offset_ms, refuse_connections_ms");
    if (!cJSON_IsTrue(member))
        return command_refuse("clear, list and stats want the value true");
    if (key[0] == 'l')
        return run_list(target);
    if (key[0] == 's')
        return run_stats(target, now_ms);
    faults_clear(target->faults);
    return print(agree());
}

char *
command_run(const struct command_target *target, const char *line, size_t bytes,
            uint64_t now_ms)
{
    const char *end = NULL;
    cJSON *root = jsontext_is_utf8(line, bytes)
                      ? cJSON_ParseWithLengthOpts(line, bytes, &end, false)
                      : NULL;
    char *answer;
    while (root != NULL && end < line + bytes && *end != '\0' &&
           strchr(" \t\r", *end) != NULL)
        end++;
    if (root == NULL || end != line + bytes)
        answer = command_refuse("not one line with one JSON object");
    else if (!cJSON_IsObject(root) || cJSON_GetArraySize(root) != 1)
        answer = command_refuse(
            "a command is an object with one member, such as {\"list\": true}");
    else
        answer = run(target, root->child, now_ms);
    cJSON_Delete(root);
    return answer;
}

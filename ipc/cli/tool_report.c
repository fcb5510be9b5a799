#include "ipc/cli/tool_report.h"

#include <stdarg.h>
#include <stdio.h>

#include "ipc/cli/say.h"

#define TEXT_BYTES 1024

void
tool_report_add(struct tool_report *r, enum tool_verdict verdict,
                const char *tool, const char *check, const char *format, ...)
{
    static const char *const words[] = {"ok", "warn", "FAIL"};
    static const char *const results[] = {"ok", "warn", "fail"};
    char text[TEXT_BYTES];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    r->warnings += verdict == TOOL_WARN;
    r->failures += verdict == TOOL_FAIL;
    if (!r->json) {
        say_line("%-4s %s%s%s: %s", words[verdict], tool ? tool : "",
                 tool ? ": " : "", check, text);
        fflush(stdout);
        return;
    }
    cJSON *row = cJSON_CreateObject();
    if (!r->checks)
        r->checks = cJSON_CreateArray();
    if (tool)
        cJSON_AddStringToObject(row, "tool", tool);
    cJSON_AddStringToObject(row, "check", check);
    cJSON_AddStringToObject(row, "result", results[verdict]);
    cJSON_AddStringToObject(row, "text", text);
    cJSON_AddItemToArray(r->checks, row);
}

static void
print_json(struct tool_report *r, const char *plugin)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "plugin", plugin);
    cJSON_AddItemToObject(root, "checks",
                          r->checks ? r->checks : cJSON_CreateArray());
    cJSON_AddNumberToObject(root, "warnings", r->warnings);
    cJSON_AddNumberToObject(root, "failures", r->failures);
    char *text = cJSON_PrintUnformatted(root);
    if (text)
        say_text(stdout, text);
    putchar('\n');
    cJSON_free(text);
    cJSON_Delete(root);
    r->checks = NULL;
}

int
tool_report_end(struct tool_report *r, const char *plugin)
{
    if (r->json)
        print_json(r, plugin);
    else
        say_line("%s: %u failure%s, %u warning%s", plugin, r->failures,
                 r->failures == 1 ? "" : "s", r->warnings,
                 r->warnings == 1 ? "" : "s");
    return r->failures ? CLI_FAILED : CLI_DONE;
}

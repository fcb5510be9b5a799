#include "gateway/config.h"

#include <string.h>

#include "gateway/config_provider.h"
#include "gateway/config_table.h"

#define COLUMNS 78
#define COUNT(list) (sizeof(list) / sizeof *(list))

static const char *
kind_name(const struct config_row *row)
{
    static const char *const names[] = {
        [CONFIG_TEXT] = "text",
        [CONFIG_PATH] = "path",
        [CONFIG_PATHS] = "path or list of paths",
        [CONFIG_UINT] = "whole number",
        [CONFIG_NUMBER] = "number",
        [CONFIG_CHOICE] = "choice",
        [CONFIG_CHOICES] = "list of choices",
        [CONFIG_NAMES] = "list of names",
        [CONFIG_HISTORY] = "list of messages",
        [CONFIG_TARGETS] = "list of models to fall back to",
        [CONFIG_OBJECT] = "object",
        [CONFIG_OBJECTS] = "object of objects",
        [CONFIG_FLAG] = "true or false",
        [CONFIG_TEXTS] = "list of texts",
        [CONFIG_ENV] = "list of names or object of texts",
        [CONFIG_MAYBE_FLAG] = "true or false",
        [CONFIG_MAYBE_NUMBER] = "number",
        [CONFIG_PLUGINS] = "plugins by name",
        [CONFIG_MCP] = "servers by name",
        [CONFIG_WORKERS] = "workers by name",
        [CONFIG_TOOLS] = "tools by name",
    };
    return names[row->kind];
}

/* The tables, in the order of the keys. */
static const struct config_table *const tables[] = {
    &config_root_table,   &config_plugin_table, &config_mcp_table,
    &config_worker_table, &config_tool_table,   &config_session_table};

/* Row `index` of all tables together. */
static const struct config_row *
row_at(size_t index)
{
    size_t t = 0;
    while (index >= tables[t]->row_count)
        index -= tables[t++]->row_count;
    return &tables[t]->rows[index];
}

const struct config_key *
config_key_at(size_t index)
{
    static const char *const paths[] = {
#define CONFIG_ROOT(path, ...) path,
#include "gateway/config.tbl.h"
#define CONFIG_PLUGIN(path, ...) "plugins.rules.NAME." path,
#include "gateway/config_provider.tbl.h"
#define CONFIG_MCP(path, ...) "mcp.NAME." path,
#include "gateway/config_provider.tbl.h"
#define CONFIG_WORKER(path, ...) "workers.rules.NAME." path,
#include "gateway/config_provider.tbl.h"
#define CONFIG_TOOL(path, ...) "tool_settings.TOOL." path,
#include "gateway/config_provider.tbl.h"
#define CONFIG_SESSION(path, ...) "sessions.NAME." path,
#include "gateway/config.tbl.h"
    };
    static struct config_key keys[COUNT(paths)];
    if (index >= COUNT(keys))
        return NULL;
    const struct config_row *row = row_at(index);
    keys[index] = (struct config_key){
        .path = paths[index],
        .type = kind_name(row),
        .fallback = row->fallback,
        .unit = row->unit,
        .what = row->what,
        .applies = row->applies,
    };
    return &keys[index];
}

const char *
config_applies_name(enum config_applies applies)
{
    static const char *const names[] = {
        [CONFIG_APPLIES_RESTART] = "restart",
        [CONFIG_APPLIES_LIVE] = "live",
        [CONFIG_APPLIES_ROTATION] = "rotation",
        [CONFIG_APPLIES_REOPEN] = "reopen",
    };
    return names[applies];
}

/* "// HEAD: a, b, c", in lines of COLUMNS. */
static void
print_applies(enum config_applies applies, const char *head, FILE *out)
{
    int column = fprintf(out, "// %s:", head);
    const char *comma = "";
    for (size_t i = 0; i < config_session_table.row_count; i++) {
        const struct config_row *row = &config_session_table.rows[i];
        if (row->applies != applies)
            continue;
        int bytes = (int)strlen(row->path) + 2;
        column += fprintf(out, "%s", comma);
        if (column + bytes > COLUMNS)
            column = fprintf(out, "\n//  ") - 1;
        column += fprintf(out, " %s", row->path);
        comma = ",";
    }
    fprintf(out, "\n");
}

void
config_applies_print(FILE *out)
{
    print_applies(CONFIG_APPLIES_LIVE, "session.update applies at once", out);
    print_applies(CONFIG_APPLIES_ROTATION, "with the next stream", out);
    print_applies(CONFIG_APPLIES_REOPEN, "when the session is opened anew",
                  out);
}

#include "gateway/config.h"

#include <string.h>

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
    };
    return names[row->kind];
}

const struct config_key *
config_key_at(size_t index)
{
    static const char *const paths[] = {
#define CONFIG_ROOT(path, ...) path,
#include "gateway/config.tbl.h"
#define CONFIG_SESSION(path, ...) "sessions.NAME." path,
#include "gateway/config.tbl.h"
    };
    static struct config_key keys[COUNT(paths)];
    if (index >= COUNT(keys))
        return NULL;
    size_t root_count = config_root_table.row_count;
    const struct config_row *row =
        index < root_count ? &config_root_table.rows[index]
                           : &config_session_table.rows[index - root_count];
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

#include "ipc/cli/settings.h"

#include <stdlib.h>
#include <string.h>

#include "ipc/cli/file.h"
#include "ipc/cli/say.h"

#define SETTINGS_BYTES (1 << 20)
#define KEY_BYTES 128

/* ---- JSON with comments ---- */

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

static bool
begins_with(const char *text, const char *characters)
{
    const char *first = text + strspn(text, " \t\n");
    return *first && strchr(characters, *first);
}

/* What is read, and how it is spoken of. */
struct source {
    const char *option; /* for JSON on the command line */
    const char *given;
    const char *begins; /* what JSON on the command line begins with */
    const char *wanted; /* what it is to be, and an example */
};

static int
refuse(const struct cli *cli, const struct source *source, const char *where,
       int line)
{
    return say_fail(cli, CLI_USAGE, "%s:%d: this is no %s", where, line,
                    source->wanted);
}

/* *value is any JSON; *where is how its place is called, *text the caller's. */
static int
read_json(const struct cli *cli, const struct source *source, cJSON **value,
          const char **where)
{
    const char *end = NULL;
    char *text = NULL;
    int code = CLI_DONE;
    bool inline_json = begins_with(source->given, source->begins);
    *value = NULL;
    *where = inline_json ? source->option : source->given;
    if (inline_json)
        text = strdup(source->given);
    else
        code = file_read(cli, source->given, SETTINGS_BYTES, &text);
    if (code != CLI_DONE)
        return code;
    if (!text)
        return say_fail(cli, CLI_FAILED, "out of memory");
    blank_comments(text);
    *value = cJSON_ParseWithOpts(text, &end, true);
    int line = line_of(text, end);
    free(text);
    return *value ? CLI_DONE : refuse(cli, source, *where, line);
}

int
settings_read(const struct cli *cli, const char *option, const char *given,
              cJSON **settings)
{
    struct source source = {
        option, given, "{",
        "JSON object; settings look like {\"voice\": \"amy\"}"};
    const char *where;
    int code = read_json(cli, &source, settings, &where);
    if (code != CLI_DONE || cJSON_IsObject(*settings))
        return code;
    cJSON_Delete(*settings);
    *settings = NULL;
    return refuse(cli, &source, where, 1);
}

int
settings_read_messages(const struct cli *cli, const char *option,
                       const char *given, cJSON **messages)
{
    struct source source = {option, given, "[{",
                            "JSON array of messages; they look like "
                            "[{\"role\": \"user\", \"text\": \"Hello.\"}]"};
    const char *where;
    cJSON *value;
    int code = read_json(cli, &source, &value, &where);
    *messages = NULL;
    if (code != CLI_DONE)
        return code;
    if (cJSON_IsArray(value)) {
        *messages = value;
        return CLI_DONE;
    }
    const cJSON *inside = cJSON_GetObjectItemCaseSensitive(value, "messages");
    if (cJSON_IsArray(inside))
        *messages = cJSON_DetachItemFromObjectCaseSensitive(value, "messages");
    cJSON_Delete(value);
    return *messages ? CLI_DONE : refuse(cli, &source, where, 1);
}

/* ---- KEY=VALUE ---- */

/* The object's member of that name, made if need be; NULL if it is there and
 * no object. */
static cJSON *
step_into(cJSON *object, const char *name)
{
    cJSON *inner = cJSON_GetObjectItemCaseSensitive(object, name);
    if (!inner)
        return cJSON_AddObjectToObject(object, name);
    return cJSON_IsObject(inner) ? inner : NULL;
}

/* Takes `value`. False if there is something in the way. */
static bool
put(cJSON *settings, const char *key, cJSON *value)
{
    char name[KEY_BYTES];
    const char *dot;
    for (; settings && (dot = strchr(key, '.')); key = dot + 1) {
        memcpy(name, key, (size_t)(dot - key));
        name[dot - key] = '\0';
        settings = step_into(settings, name);
    }
    if (settings && !cJSON_GetObjectItemCaseSensitive(settings, key) &&
        cJSON_AddItemToObject(settings, key, value))
        return true;
    cJSON_Delete(value);
    return false;
}

static int
twice(const struct cli *cli, const char *key)
{
    return say_fail(cli, CLI_USAGE, "%s is given twice; give it once", key);
}

static int
read_value(const struct cli *cli, const char *key, const char *text,
           cJSON **value)
{
    char *content;
    *value = NULL;
    if (text[0] == '@') {
        int code = file_read(cli, text + 1, SETTINGS_BYTES, &content);
        if (code == CLI_DONE)
            *value = cJSON_CreateString(content);
        free(content);
        return code;
    }
    *value = cJSON_ParseWithOpts(text, NULL, true);
    if (!*value && begins_with(text, "{[\""))
        return say_fail(cli, CLI_USAGE,
                        "the value of %s begins as JSON, but is none: %s", key,
                        text);
    if (!*value)
        *value = cJSON_CreateString(text);
    return CLI_DONE;
}

static bool
is_key(const char *key, size_t length)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    return length > 0 && length < KEY_BYTES && key[0] != '.' &&
           key[length - 1] != '.' && strspn(key, letters) >= length &&
           !memmem(key, length, "..", 2);
}

static int
assign_members(const struct cli *cli, cJSON *settings, const char *argument)
{
    cJSON *given, *member;
    int code = settings_read(cli, cli->command->name, argument, &given);
    while (code == CLI_DONE && (member = given->child)) {
        cJSON_DetachItemViaPointer(given, member);
        if (!cJSON_GetObjectItemCaseSensitive(settings, member->string)) {
            cJSON_AddItemToObject(settings, member->string, member);
            continue;
        }
        code = twice(cli, member->string);
        cJSON_Delete(member);
    }
    cJSON_Delete(given);
    return code;
}

int
settings_assign(const struct cli *cli, cJSON *settings, const char *argument)
{
    const char *equals = strchr(argument, '=');
    char key[KEY_BYTES];
    cJSON *value;
    if (begins_with(argument, "{"))
        return assign_members(cli, settings, argument);
    if (!equals || !is_key(argument, (size_t)(equals - argument)))
        return say_fail(cli, CLI_USAGE,
                        "\"%s\" is no KEY=VALUE and no JSON object; for "
                        "example voice=amy or speech.hangover_ms=400",
                        argument);
    memcpy(key, argument, (size_t)(equals - argument));
    key[equals - argument] = '\0';
    int code = read_value(cli, key, equals + 1, &value);
    if (code != CLI_DONE)
        return code;
    if (!value)
        return say_fail(cli, CLI_FAILED, "out of memory");
    return put(settings, key, value) ? CLI_DONE : twice(cli, key);
}

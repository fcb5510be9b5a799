#include "tools/plugins/agent_search/message.h"

#include <string.h>

const char *
message_string(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsString(item) ? item->valuestring : "";
}

/* The first of two members that says something: 0.3 and 1.0 differ in names. */
static const char *
either(const cJSON *object, const char *name, const char *other)
{
    const char *value = message_string(object, name);

    return value[0] ? value : message_string(object, other);
}

static void
add_file(const cJSON *file, struct text *out)
{
    const char *name = either(file, "filename", "name");
    const char *type = either(file, "mediaType", "mimeType");
    const char *url = either(file, "url", "uri");

    text_add(out, "[file");
    if (name[0]) {
        text_add(out, " ");
        text_add(out, name);
    }
    if (type[0]) {
        text_add(out, " (");
        text_add(out, type);
        text_add(out, ")");
    }
    text_add(out, url[0] ? " at " : ", its content is left out");
    text_add(out, url);
    text_add(out, "]");
}

static void
add_data(const cJSON *data, struct text *out)
{
    char *json = cJSON_PrintUnformatted(data);

    if (!json)
        out->cut = true;
    text_add(out, json);
    cJSON_free(json);
}

static void
add_part(const cJSON *part, struct text *out)
{
    const cJSON *text = cJSON_GetObjectItemCaseSensitive(part, "text");
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(part, "data");
    const cJSON *file = cJSON_GetObjectItemCaseSensitive(part, "file");

    if (cJSON_IsString(text))
        text_add(out, text->valuestring);
    else if (data)
        add_data(data, out);
    else if (cJSON_IsObject(file))
        add_file(file, out);
    else if (cJSON_HasObjectItem(part, "url") ||
             cJSON_HasObjectItem(part, "raw"))
        add_file(part, out);
}

/* Texts are broken into lines only if breaks_texts. */
static void
add_parts(const cJSON *object, struct text *out, bool breaks_texts)
{
    const cJSON *parts = cJSON_GetObjectItemCaseSensitive(object, "parts");
    const cJSON *part;

    if (!cJSON_IsArray(parts))
        return;
    cJSON_ArrayForEach(part, parts)
    {
        bool breaks = breaks_texts || !cJSON_HasObjectItem(part, "text");

        if (!cJSON_IsObject(part))
            continue;
        if (breaks)
            text_break(out);
        add_part(part, out);
        if (breaks)
            text_break(out);
    }
}

void
message_read(const cJSON *message, struct text *out)
{
    add_parts(message, out, true);
}

void
message_read_artifact(const cJSON *artifact, struct text *out)
{
    add_parts(artifact, out, false);
}

bool
message_is_agents(const cJSON *message)
{
    const char *role = message_string(message, "role");

    return strcmp(role, "agent") == 0 || strcmp(role, "ROLE_AGENT") == 0;
}

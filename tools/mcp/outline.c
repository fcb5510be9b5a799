#include "tools/mcp/outline.h"

#include <string.h>

#include "tools/mcp/message.h"

static void
keep(struct outline *o, char c)
{
    if (o->depth != 1)
        return;
    if (o->token_bytes < sizeof o->token - 1)
        o->token[o->token_bytes] = c;
    o->token_bytes++;
}

static bool
token_is(const struct outline *o, const char *text)
{
    return o->token_bytes == strlen(text) &&
           memcmp(o->token, text, o->token_bytes) == 0;
}

static void
end_key(struct outline *o)
{
    size_t kept = o->token_bytes < sizeof o->token - 1 ? o->token_bytes
                                                       : sizeof o->token - 1;

    if (token_is(o, "\"id\""))
        o->key = OUTLINE_KEY_ID;
    else if (token_is(o, "\"method\""))
        o->has_method = true;
    else if (token_is(o, "\"result\"") || token_is(o, "\"error\""))
        o->has_outcome = true;
    else if (memchr(o->token, '\\', kept))
        o->doubtful = true;
    o->token_bytes = 0;
}

static void
end_value(struct outline *o)
{
    /* of two ids the first counts, as for messages that are kept */
    if (o->key == OUTLINE_KEY_ID && !o->has_id) {
        o->has_id = true;
        if (o->token_bytes < sizeof o->id) {
            memcpy(o->id, o->token, o->token_bytes);
            o->id[o->token_bytes] = '\0';
        }
    }
    o->key = OUTLINE_KEY_OTHER;
    o->token_bytes = 0;
}

static void
take_in_string(struct outline *o, char c)
{
    keep(o, c);
    if (o->escaped)
        o->escaped = false;
    else if (c == '\\')
        o->escaped = true;
    else if (c == '"')
        o->in_string = false;
}

static void
go_up(struct outline *o)
{
    if (o->depth == 1)
        end_value(o);
    if (o->depth > 0)
        o->depth--;
    o->ended = o->depth == 0;
}

static void
take(struct outline *o, char c)
{
    /* the JSON parser takes all of them as blanks */
    if ((unsigned char)c <= ' ')
        return;
    if (o->first == '\0')
        o->first = c;
    if (o->ended) {
        o->doubtful = true;
    } else if (c == '"') {
        o->in_string = true;
        keep(o, c);
    } else if (c == '{' || c == '[') {
        o->depth++;
    } else if (c == '}' || c == ']') {
        go_up(o);
    } else if (c == ':' && o->depth == 1) {
        end_key(o);
    } else if (c == ',' && o->depth == 1) {
        end_value(o);
    } else {
        keep(o, c);
    }
}

void
outline_feed(struct outline *outline, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (outline->in_string)
            take_in_string(outline, bytes[i]);
        else
            take(outline, bytes[i]);
    }
}

enum outline_kind
outline_kind(const struct outline *o)
{
    if (o->first == '[' || o->first == '\0')
        return OUTLINE_UNKNOWN;
    if (o->first != '{')
        return OUTLINE_NO_MESSAGE;
    if (o->has_method)
        return OUTLINE_BY_ITSELF;
    if (outline_id(o) != 0)
        return OUTLINE_ANSWER;
    if (o->ended && !o->doubtful && !o->has_outcome)
        return OUTLINE_NO_MESSAGE;
    return OUTLINE_UNKNOWN;
}

uint64_t
outline_id(const struct outline *o)
{
    cJSON *raw_id = outline_raw_id(o);
    uint64_t id = message_own_id(raw_id);

    cJSON_Delete(raw_id);
    return id;
}

cJSON *
outline_raw_id(const struct outline *o)
{
    cJSON *id = o->has_id ? cJSON_Parse(o->id) : NULL;

    if (cJSON_IsString(id) || cJSON_IsNumber(id))
        return id;
    cJSON_Delete(id);
    return NULL;
}

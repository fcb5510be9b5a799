#include "gateway/bedrock/sigv4.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/bedrock/text.h"

#define QUERY_PARAMETERS_MAX 256

static bool
unreserved(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
           c == '~';
}

static void
put_encoded(struct text *text, unsigned char c)
{
    static const char digits[] = "0123456789ABCDEF";
    char escape[3] = {'%', digits[c >> 4], digits[c & 15]};

    if (unreserved(c))
        text_char(text, (char)c);
    else
        text_bytes(text, escape, sizeof escape);
}

/* ---- path ---- */

/* Takes back the last "/segment", but no further than `start`. */
static void
drop_segment(struct text *text, size_t start)
{
    while (text->used > start && text->at[--text->used] != '/')
        ;
}

static void
put_path_bytes(struct text *text, const char *bytes, size_t count, bool encode)
{
    for (size_t i = 0; i < count; i++) {
        if (encode && bytes[i] != '/')
            put_encoded(text, (unsigned char)bytes[i]);
        else
            text_char(text, bytes[i]);
    }
}

static void
put_path_normalized(struct text *text, const char *path, bool encode)
{
    size_t start = text->used;
    bool slash_last = true;

    while (*path) {
        size_t count = strcspn(path, "/");
        bool up = count == 2 && !memcmp(path, "..", 2);
        bool stay = count == 0 || (count == 1 && *path == '.');

        if (up)
            drop_segment(text, start);
        if (!up && !stay) {
            text_char(text, '/');
            put_path_bytes(text, path, count, encode);
        }
        slash_last = path[count] == '/' || up || stay;
        path += count + (path[count] == '/');
    }
    if (slash_last)
        text_char(text, '/');
}

static void
put_path(struct text *text, const char *path, struct sigv4_path_rules rules)
{
    if (rules.normalize)
        put_path_normalized(text, path, rules.encode);
    else if (!*path)
        text_char(text, '/');
    else
        put_path_bytes(text, path, strlen(path), rules.encode);
}

/* ---- query ---- */

/* Name and value of one parameter, encoded, in the scratch text. */
struct parameter {
    const char *name, *value;
    size_t name_chars, value_chars;
};

static int
compare_spans(const char *a, size_t a_chars, const char *b, size_t b_chars)
{
    int order = memcmp(a, b, a_chars < b_chars ? a_chars : b_chars);

    return order ? order : (a_chars > b_chars) - (a_chars < b_chars);
}

static int
compare_parameters(const void *a_arg, const void *b_arg)
{
    const struct parameter *a = a_arg, *b = b_arg;
    int order = compare_spans(a->name, a->name_chars, b->name, b->name_chars);

    return order ? order
                 : compare_spans(a->value, a->value_chars, b->value,
                                 b->value_chars);
}

/* Encodes what may be encoded already: escapes are decoded first. */
static void
put_recoded(struct text *text, const char *from, size_t chars)
{
    for (size_t i = 0; i < chars; i++) {
        int high =
            from[i] == '%' && i + 2 < chars ? text_hex_value(from[i + 1]) : -1;
        int low = high >= 0 ? text_hex_value(from[i + 2]) : -1;

        if (low >= 0) {
            put_encoded(text, (unsigned char)(high * 16 + low));
            i += 2;
        } else {
            put_encoded(text, (unsigned char)from[i]);
        }
    }
}

/* Encodes one "name=value" into the scratch text. */
static struct parameter
take_parameter(struct text *scratch, const char *from, size_t chars)
{
    const char *equals = memchr(from, '=', chars);
    size_t name_chars = equals ? (size_t)(equals - from) : chars;
    struct parameter parameter = {.name = scratch->at + scratch->used};
    size_t start = scratch->used;

    put_recoded(scratch, from, name_chars);
    parameter.name_chars = scratch->used - start;
    parameter.value = scratch->at + scratch->used;
    start = scratch->used;
    if (equals)
        put_recoded(scratch, equals + 1, chars - name_chars - 1);
    parameter.value_chars = scratch->used - start;
    return parameter;
}

static void
put_parameters(struct text *text, const struct parameter *parameters,
               size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i)
            text_char(text, '&');
        text_bytes(text, parameters[i].name, parameters[i].name_chars);
        text_char(text, '=');
        text_bytes(text, parameters[i].value, parameters[i].value_chars);
    }
}

static enum vr_status
put_query(struct text *text, const char *query)
{
    struct parameter parameters[QUERY_PARAMETERS_MAX];
    struct text scratch = {.size = strlen(query) * 3 + 1};
    size_t count = 0;

    if (!*query)
        return VR_OK;
    scratch.at = malloc(scratch.size);
    if (!scratch.at)
        return VR_NO_MEMORY;
    while (*query) {
        size_t chars = strcspn(query, "&");

        if (chars && count == QUERY_PARAMETERS_MAX)
            text->over = true;
        else if (chars)
            parameters[count++] = take_parameter(&scratch, query, chars);
        query += chars + (query[chars] == '&');
    }
    qsort(parameters, count, sizeof *parameters, compare_parameters);
    put_parameters(text, parameters, count);
    free(scratch.at);
    return VR_OK;
}

/* ---- headers ---- */

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static int
compare_names(const char *a, const char *b)
{
    while (*a && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return (unsigned char)lower(*a) - (unsigned char)lower(*b);
}

/* Stable: values of one name keep their order. */
static void
sort_headers(const struct signer_header **sorted, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        const struct signer_header *header = sorted[i];
        size_t at = i;

        while (at && compare_names(sorted[at - 1]->name, header->name) > 0) {
            sorted[at] = sorted[at - 1];
            at--;
        }
        sorted[at] = header;
    }
}

static void
put_name(struct text *text, const char *name)
{
    for (; *name; name++)
        text_char(text, lower(*name));
}

static void
put_value(struct text *text, const char *value)
{
    static const char blank[] = " \t\r\n\v\f";

    value += strspn(value, blank);
    while (*value) {
        size_t chars = strcspn(value, blank);

        text_bytes(text, value, chars);
        value += chars;
        value += strspn(value, blank);
        if (*value)
            text_char(text, ' ');
    }
}

static bool
same_as_before(const struct signer_header **sorted, size_t i)
{
    return i && !compare_names(sorted[i - 1]->name, sorted[i]->name);
}

static void
put_headers(struct text *text, const struct signer_header **sorted,
            size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (same_as_before(sorted, i)) {
            text_char(text, ',');
        } else {
            if (i)
                text_char(text, '\n');
            put_name(text, sorted[i]->name);
            text_char(text, ':');
        }
        put_value(text, sorted[i]->value);
    }
    if (count)
        text_char(text, '\n');
}

static void
put_signed_names(struct text *text, const struct signer_header **sorted,
                 size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (same_as_before(sorted, i))
            continue;
        if (i)
            text_char(text, ';');
        put_name(text, sorted[i]->name);
    }
}

enum vr_status
sigv4_canonical_request(const struct signer_request *request,
                        struct sigv4_path_rules rules, char *out, size_t size,
                        struct sigv4_canonical *parts)
{
    const struct signer_header *sorted[SIGV4_HEADERS_MAX];
    struct text text = {.at = out, .size = size};
    enum vr_status status;

    if (request->header_count > SIGV4_HEADERS_MAX)
        return VR_LIMIT;
    for (size_t i = 0; i < request->header_count; i++)
        sorted[i] = &request->headers[i];
    sort_headers(sorted, request->header_count);

    text_string(&text, request->method);
    text_char(&text, '\n');
    put_path(&text, request->path, rules);
    text_char(&text, '\n');
    status = put_query(&text, request->query ? request->query : "");
    if (status)
        return status;
    text_char(&text, '\n');
    put_headers(&text, sorted, request->header_count);
    text_char(&text, '\n');
    parts->signed_headers_at = text.used;
    put_signed_names(&text, sorted, request->header_count);
    parts->signed_headers_chars = text.used - parts->signed_headers_at;
    text_char(&text, '\n');
    text_string(&text, request->payload_hash);
    parts->chars = text.used;
    return text.over ? VR_LIMIT : VR_OK;
}

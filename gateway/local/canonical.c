#include "gateway/local/canonical.h"

#include <stdlib.h>
#include <string.h>

#define QUERY_PARAMETERS_MAX 64

static bool
unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c >= '0' && c <= '9') || strchr("-_.~", c) != NULL;
}

static void
add_encoded(struct bytes *out, const char *text, size_t count, bool keep_slash)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < count; i++) {
        uint8_t c = (uint8_t)text[i];
        char escaped[3] = {'%', digits[c >> 4], digits[c & 15]};
        if (unreserved(text[i]) || (keep_slash && text[i] == '/'))
            bytes_add(out, &text[i], 1);
        else
            bytes_add(out, escaped, sizeof(escaped));
    }
}

/* ---- query ---- */

struct parameter {
    const char *text; /* name=value, the "=" perhaps missing */
    size_t bytes;
    size_t name_bytes;
};

static int
compare_runs(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
    int order = memcmp(a, b, a_bytes < b_bytes ? a_bytes : b_bytes);
    if (order != 0)
        return order;
    return (a_bytes > b_bytes) - (a_bytes < b_bytes);
}

static int
compare_parameters(const void *left, const void *right)
{
    const struct parameter *a = left, *b = right;
    int order = compare_runs(a->text, a->name_bytes, b->text, b->name_bytes);
    return order ? order : compare_runs(a->text, a->bytes, b->text, b->bytes);
}

/* An escape that is there already stays; what should have been one becomes
 * one. */
static void
add_query_text(struct bytes *out, const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (text[i] == '%')
            bytes_add(out, &text[i], 1);
        else
            add_encoded(out, &text[i], 1, false);
    }
}

static void
add_query(struct bytes *out, const char *query)
{
    struct parameter list[QUERY_PARAMETERS_MAX];
    size_t count = 0;
    while (*query != '\0' && count < QUERY_PARAMETERS_MAX) {
        size_t size = strcspn(query, "&");
        const char *equals = memchr(query, '=', size);
        list[count++] = (struct parameter){
            query, size, equals ? (size_t)(equals - query) : size};
        query += size + (query[size] == '&');
    }
    qsort(list, count, sizeof(list[0]), compare_parameters);
    for (size_t i = 0; i < count; i++) {
        const struct parameter *p = &list[i];
        if (i > 0)
            bytes_add_text(out, "&");
        add_query_text(out, p->text, p->name_bytes);
        bytes_add_text(out, "=");
        if (p->bytes > p->name_bytes)
            add_query_text(out, p->text + p->name_bytes + 1,
                           p->bytes - p->name_bytes - 1);
    }
}

/* ---- headers ---- */

static bool
blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Trimmed, and each run of blanks inside is one space. */
static void
add_value(struct bytes *out, const char *value)
{
    bool gap = false;
    while (blank(*value))
        value++;
    for (; *value != '\0'; value++) {
        if (blank(*value)) {
            gap = true;
            continue;
        }
        if (gap)
            bytes_add_text(out, " ");
        gap = false;
        bytes_add(out, value, 1);
    }
}

static size_t
add_header(struct bytes *out, const struct request *request, const char *name,
           size_t name_bytes)
{
    size_t found = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        const struct request_header *header = &request->headers[i];
        if (strlen(header->name) != name_bytes ||
            memcmp(header->name, name, name_bytes) != 0)
            continue;
        if (found++ == 0) {
            bytes_add(out, name, name_bytes);
            bytes_add_text(out, ":");
        } else {
            bytes_add_text(out, ",");
        }
        add_value(out, header->value);
    }
    return found;
}

static bool
add_signed_header(struct bytes *out, const struct request *request,
                  const char *name, size_t name_bytes)
{
    size_t found = add_header(out, request, name, name_bytes);
    if (found == 0 && name_bytes == 4 && memcmp(name, "host", 4) == 0) {
        const char *authority = request_get(request, ":authority");
        if (authority == NULL)
            return false;
        bytes_add_text(out, "host:");
        add_value(out, authority);
        found = 1;
    }
    bytes_add_text(out, "\n");
    return found > 0;
}

bool
canonical_request(const struct request *request, const char *signed_headers,
                  const char *payload_hash, struct bytes *out,
                  const char **missing)
{
    const char *method = request_get(request, ":method");
    const char *path = request_get(request, ":path");
    *missing = NULL;
    path = path ? path : "/";
    size_t path_bytes = strcspn(path, "?");
    bytes_add_text(out, method ? method : "");
    bytes_add_text(out, "\n");
    add_encoded(out, path, path_bytes, true);
    bytes_add_text(out, "\n");
    if (path[path_bytes] == '?')
        add_query(out, path + path_bytes + 1);
    bytes_add_text(out, "\n");
    for (const char *name = signed_headers; *name != '\0';) {
        size_t name_bytes = strcspn(name, ";");
        if (!add_signed_header(out, request, name, name_bytes)) {
            *missing = name;
            return false;
        }
        name += name_bytes + (name[name_bytes] == ';');
    }
    bytes_add_text(out, "\n");
    bytes_add_text(out, signed_headers);
    bytes_add_text(out, "\n");
    bytes_add_text(out, payload_hash);
    bytes_add(out, "", 1);
    if (out->failed)
        return false;
    out->count--;
    return true;
}

#include "gateway/jsonc.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/jsonx.h"

struct place {
    const cJSON *item;
    size_t line;
};

struct jsonc {
    cJSON *root;
    struct place *places; /* in the document's order */
    size_t place_count;
};

static size_t
line_at(const char *text, size_t offset)
{
    size_t line = 1;
    for (size_t i = 0; i < offset; i++)
        line += text[i] == '\n';
    return line;
}

/* ---- comments ---- */

/* The end of the text that begins at `at`, behind its quote. */
static size_t
text_end(const char *text, size_t bytes, size_t at)
{
    for (at++; at < bytes && text[at] != '"'; at++)
        at += text[at] == '\\' && at + 1 < bytes;
    return at < bytes ? at + 1 : bytes;
}

/* The end of the comment that begins at `at`; `at` itself if it is not
 * closed. */
static size_t
comment_end(const char *text, size_t bytes, size_t at)
{
    size_t i = at + 2;
    if (text[at + 1] == '/') {
        while (i < bytes && text[i] != '\n')
            i++;
        return i;
    }
    for (; i + 1 < bytes; i++) {
        if (text[i] == '*' && text[i + 1] == '/')
            return i + 2;
    }
    return at;
}

/* Blanks every comment and a byte order mark, so that offsets and lines stay.
 * False at a comment that is not closed, `*offset` says which. */
static bool
blank_comments(char *text, size_t bytes, size_t *offset)
{
    size_t i = 0;
    if (bytes >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
        memset(text, ' ', 3);
    while (i < bytes) {
        size_t end;
        if (text[i] == '"') {
            i = text_end(text, bytes, i);
            continue;
        }
        if (text[i] != '/' || i + 1 == bytes ||
            (text[i + 1] != '/' && text[i + 1] != '*')) {
            i++;
            continue;
        }
        end = comment_end(text, bytes, i);
        if (end == i) {
            *offset = i;
            return false;
        }
        for (; i < end; i++)
            text[i] = text[i] == '\n' ? '\n' : ' ';
    }
    return true;
}

/* ---- places ---- */

static bool
space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* One token of a document known to be JSON, from `*at`. Returns true if it
 * begins a value; `*key` if it is a member's name. Moves `*at` behind it. */
static bool
next_token(const char *text, size_t bytes, size_t *at, bool *key)
{
    size_t i = *at;
    *key = false;
    if (text[i] == '"') {
        *at = i = text_end(text, bytes, i);
        while (i < bytes && space(text[i]))
            i++;
        *key = i < bytes && text[i] == ':';
        return !*key;
    }
    *at = i + 1;
    if (text[i] == '{' || text[i] == '[')
        return true;
    if (strchr("}],:", text[i]))
        return false;
    while (*at < bytes && !space(text[*at]) && !strchr("}],:", text[*at]))
        ++*at;
    return true;
}

/* The lines of the values in the document's order; returns how many. With
 * `places` NULL only counts. */
static size_t
find_lines(const char *text, size_t bytes, struct place *places)
{
    size_t count = 0;
    size_t line = 1;
    size_t key_line = 0;
    for (size_t at = 0; at < bytes;) {
        bool key;
        if (space(text[at])) {
            line += text[at++] == '\n';
            continue;
        }
        if (next_token(text, bytes, &at, &key)) {
            if (places)
                places[count].line = key_line ? key_line : line;
            count++;
            key_line = 0;
        } else if (key) {
            key_line = line;
        }
    }
    return count;
}

static void
find_items(struct jsonc *jsonc, const cJSON *item, size_t *index)
{
    const cJSON *child;
    if (*index < jsonc->place_count)
        jsonc->places[(*index)++].item = item;
    cJSON_ArrayForEach(child, item) find_items(jsonc, child, index);
}

static bool
find_places(struct jsonc *jsonc, const char *text, size_t bytes)
{
    size_t index = 0;
    jsonc->place_count = find_lines(text, bytes, NULL);
    jsonc->places = calloc(jsonc->place_count, sizeof *jsonc->places);
    if (!jsonc->places)
        return false;
    find_lines(text, bytes, jsonc->places);
    find_items(jsonc, jsonc->root, &index);
    return true;
}

/* ---- parsing ---- */

/* Whether a text, array or object is still open at the end. */
static bool
left_open(const char *text, size_t bytes)
{
    long depth = 0;
    for (size_t i = 0; i < bytes;) {
        if (text[i] == '"') {
            i = text_end(text, bytes, i);
            if (i == bytes && text[bytes - 1] != '"')
                return true;
            continue;
        }
        depth += text[i] == '{' || text[i] == '[';
        depth -= text[i] == '}' || text[i] == ']';
        i++;
    }
    return depth > 0;
}

static void
explain(const char *text, size_t bytes, size_t at, const char *flaw,
        char *problem, size_t problem_size)
{
    size_t before = at < bytes ? at : bytes;
    size_t shown = 0;
    while (before && space(text[before - 1]))
        before--;
    while (shown < 24 && at + shown < bytes && text[at + shown] != '\n')
        shown++;
    bool at_end = true;
    for (size_t i = at + 1; i < bytes; i++)
        at_end = at_end && space(text[i]);
    if (bytes == 0 || (at_end && left_open(text, bytes)))
        snprintf(problem, problem_size,
                 "the file ends too early; close what is open: \", ] or }");
    else if (before && text[before - 1] == ',' && strchr("}]", text[at]))
        snprintf(problem, problem_size,
                 "nothing follows a comma; remove the comma before %c",
                 text[at]);
    else if (before && text[at] == '"' && strchr("\"}]", text[before - 1]))
        snprintf(problem, problem_size,
                 "two values without a comma between them; put one before "
                 "%.*s",
                 (int)shown, text + at);
    else
        snprintf(problem, problem_size, "%s, at: %.*s", flaw, (int)shown,
                 text + at);
}

static struct jsonc *
parse_blanked(const char *text, size_t bytes, size_t *line, char *problem,
              size_t problem_size)
{
    const char *flaw;
    size_t at = 0;
    struct jsonc *jsonc = calloc(1, sizeof *jsonc);
    *line = 0;
    snprintf(problem, problem_size, "out of memory");
    if (!jsonc)
        return NULL;
    jsonc->root = jsonx_parse(text, bytes, &at, &flaw);
    if (!jsonc->root) {
        *line = line_at(text, at);
        explain(text, bytes, at, flaw, problem, problem_size);
    } else if (find_places(jsonc, text, bytes)) {
        return jsonc;
    }
    jsonc_free(&jsonc);
    return NULL;
}

struct jsonc *
jsonc_parse(const char *text, size_t text_bytes, size_t *line, char *problem,
            size_t problem_size)
{
    struct jsonc *jsonc = NULL;
    size_t at = 0;
    char *copy = malloc(text_bytes + 1);
    *line = 0;
    snprintf(problem, problem_size, "out of memory");
    if (!copy)
        return NULL;
    memcpy(copy, text, text_bytes);
    copy[text_bytes] = '\0';
    if (blank_comments(copy, text_bytes, &at)) {
        jsonc = parse_blanked(copy, text_bytes, line, problem, problem_size);
    } else {
        *line = line_at(copy, at);
        snprintf(problem, problem_size,
                 "a comment is not closed; end it with */");
    }
    free(copy);
    return jsonc;
}

void
jsonc_free(struct jsonc **jsonc)
{
    if (!*jsonc)
        return;
    cJSON_Delete((*jsonc)->root);
    free((*jsonc)->places);
    free(*jsonc);
    *jsonc = NULL;
}

const cJSON *
jsonc_root(const struct jsonc *jsonc)
{
    return jsonc->root;
}

size_t
jsonc_line(const struct jsonc *jsonc, const cJSON *item)
{
    for (size_t i = 0; jsonc && i < jsonc->place_count; i++) {
        if (jsonc->places[i].item == item)
            return jsonc->places[i].line;
    }
    return 0;
}

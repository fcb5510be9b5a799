#include "gateway/bedrock/classify.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

/* Credentials that are looked for again are mostly the same ones. */
#define HELPS_BY_ITSELF(action) \
    ((action) != CLASSIFY_ACTION_give_up && (action) != CLASSIFY_ACTION_refresh)
#define IS_CLOCK(kind) \
    ((kind) == CLASSIFY_KIND_clock || (kind) == CLASSIFY_KIND_signature)
#define RESULT(kind, action, remedy)                           \
    {                                                          \
        CLASSIFY_KIND_##kind, CLASSIFY_ACTION_##action,        \
            HELPS_BY_ITSELF(CLASSIFY_ACTION_##action), remedy, \
            IS_CLOCK(CLASSIFY_KIND_##kind)                     \
    }

/* ---- errors that AWS names ---- */

struct row {
    const char *code;
    const char *message;
    int http_status;
    struct classification result;
};

static const struct row rows[] = {
#define CLASSIFY_ERROR(code, message, status, kind, action, remedy) \
    {code, message, status, RESULT(kind, action, remedy)},
#include "gateway/bedrock/exceptions.tbl.h"
};

#define ROW_COUNT (sizeof rows / sizeof *rows)

/* The name in "aws.protocol#Name:http://...". */
static const char *
bare_code(const char *code, size_t *chars)
{
    const char *hash = strchr(code, '#');

    if (hash)
        code = hash + 1;
    *chars = strcspn(code, ":");
    return code;
}

static bool
row_matches(const struct row *row, const char *code, size_t code_chars,
            int http_status, const char *message)
{
    if (*row->code && (strlen(row->code) != code_chars ||
                       strncasecmp(row->code, code, code_chars) != 0))
        return false;
    if (*row->message && !strcasestr(message, row->message))
        return false;
    return !row->http_status || row->http_status == http_status;
}

const struct classification *
classify_error(const char *code, int http_status, const char *message)
{
    size_t chars, i = 0;

    code = bare_code(code ? code : "", &chars);
    /* The last row matches anything. */
    while (i < ROW_COUNT - 1 && !row_matches(&rows[i], code, chars, http_status,
                                             message ? message : ""))
        i++;
    return &rows[i].result;
}

/* ---- ends ---- */

static const struct {
    bool known;
    struct classification result;
} causes[BEDROCK_END_COUNT] = {
#define CLASSIFY_CAUSE(cause, kind, action, remedy) \
    [BEDROCK_END_##cause] = {true, RESULT(kind, action, remedy)},
#include "gateway/bedrock/exceptions.tbl.h"
};

static const struct {
    uint32_t error;
    struct classification result;
} h2_errors[] = {
#define CLASSIFY_H2(error, name, kind, action, remedy) \
    {error, RESULT(kind, action, remedy)},
#include "gateway/bedrock/exceptions.tbl.h"
};

#define H2_ERROR_COUNT (sizeof h2_errors / sizeof *h2_errors)

const struct classification *
classify_end(const struct bedrock_end *end)
{
    bool by_code = end->cause == BEDROCK_END_rst_stream ||
                   end->cause == BEDROCK_END_goaway;

    for (size_t i = 0; by_code && i < H2_ERROR_COUNT; i++) {
        if (h2_errors[i].error == end->h2_error)
            return &h2_errors[i].result;
    }
    if ((unsigned)end->cause < BEDROCK_END_COUNT && causes[end->cause].known)
        return &causes[end->cause].result;
    return classify_error(end->code, end->http_status, end->message);
}

/* ---- names ---- */

const char *
classify_kind_name(enum classify_kind kind)
{
    static const char *const names[] = {
#define CLASSIFY_KIND(name, what) #name,
#include "gateway/bedrock/exceptions.tbl.h"
    };

    return (unsigned)kind < CLASSIFY_KIND_COUNT ? names[kind] : "unknown";
}

const char *
classify_action_name(enum classify_action action)
{
    static const char *const names[] = {
#define CLASSIFY_ACTION(name, what) #name,
#include "gateway/bedrock/exceptions.tbl.h"
    };

    return (unsigned)action < CLASSIFY_ACTION_COUNT ? names[action] : "give_up";
}

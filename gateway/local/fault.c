#include "gateway/local/fault.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define REQUEST 1u
#define STREAM 2u

enum member {
#define FAULT_NUMBER(member, key, standard, least, most) MEMBER_##member,
#define FAULT_TEXT(member, key, bytes) MEMBER_##member,
#include "gateway/local/member.tbl.h"
#undef FAULT_NUMBER
#undef FAULT_TEXT
    MEMBER_COUNT
};

static const struct {
    const char *name;
    unsigned where;
    unsigned count;
    unsigned needs, may; /* bits of enum member */
} kinds[] = {
#define M(member) (1u << MEMBER_##member)
#define FAULT(kind, where, count, needs, may, what) \
    {#kind, where, count, needs, may},
#include "gateway/local/fault.tbl.h"
#undef FAULT
#undef M
};

static const char *const phases[] = {
#define FAULT_PHASE(name, what) #name,
#include "gateway/local/phase.tbl.h"
#undef FAULT_PHASE
};

static const char *const member_keys[] = {
#define FAULT_NUMBER(member, key, standard, least, most) key,
#define FAULT_TEXT(member, key, bytes) key,
#include "gateway/local/member.tbl.h"
#undef FAULT_NUMBER
#undef FAULT_TEXT
};

const char *
fault_kind_name(enum fault_kind kind)
{
    return kinds[kind].name;
}

const char *
fault_phase_name(enum fault_phase phase)
{
    return phases[phase];
}

/* ---- reading ---- */

struct reader {
    struct fault *fault;
    char *problem;
    bool failed;
};

static void complain(struct reader *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
complain(struct reader *r, const char *format, ...)
{
    va_list args;
    if (r->failed)
        return;
    r->failed = true;
    va_start(args, format);
    vsnprintf(r->problem, FAULT_PROBLEM_BYTES, format, args);
    va_end(args);
}

/* Appends a name to a list of them; what does not fit is left out. */
static void
list_name(char *list, size_t size, const char *name)
{
    size_t used = strlen(list);
    snprintf(list + used, size - used, "%s%s", used > 0 ? ", " : "", name);
}

static double
take_number(struct reader *r, const cJSON *item, double least, double most)
{
    double value = cJSON_IsNumber(item) ? item->valuedouble : NAN;
    if (value >= least && value <= most && value == floor(value))
        return value;
    complain(r, "\"%s\" must be an integer within %.0f..%.0f", item->string,
             least, most);
    return least;
}

static void
take_text(struct reader *r, const cJSON *item, char *out, size_t size)
{
    if (!cJSON_IsString(item) || strlen(item->valuestring) >= size)
        complain(r, "\"%s\" must be a text of at most %zu bytes", item->string,
                 size - 1);
    else
        memcpy(out, item->valuestring, strlen(item->valuestring) + 1);
}

static void
take_kind(struct reader *r, const cJSON *item)
{
    char known[FAULT_PROBLEM_BYTES - 32] = "";
    for (int i = 0; i < FAULT_KIND_COUNT; i++) {
        if (cJSON_IsString(item) &&
            strcmp(item->valuestring, kinds[i].name) == 0) {
            r->fault->kind = (enum fault_kind)i;
            return;
        }
        list_name(known, sizeof(known), kinds[i].name);
    }
    complain(r, "\"fault\" must be one of %s", known);
}

static void
take_phase(struct reader *r, const cJSON *item)
{
    char known[128] = "";
    for (int i = 0; i < PHASE_COUNT; i++) {
        if (cJSON_IsString(item) && strcmp(item->valuestring, phases[i]) == 0) {
            r->fault->phase = (enum fault_phase)i;
            return;
        }
        list_name(known, sizeof(known), phases[i]);
    }
    complain(r, "\"phase\" must be one of %s", known);
}

/* Takes the member of that number; it is one of the kind's. */
static void
take_own(struct reader *r, enum member member, const cJSON *item)
{
    switch (member) {
#define FAULT_NUMBER(member, key, standard, least, most)                    \
    case MEMBER_##member:                                                   \
        r->fault->member =                                                  \
            (int64_t)take_number(r, item, (double)(least), (double)(most)); \
        break;
#define FAULT_TEXT(member, key, bytes)               \
    case MEMBER_##member:                            \
        take_text(r, item, r->fault->member, bytes); \
        break;
#include "gateway/local/member.tbl.h"
#undef FAULT_NUMBER
#undef FAULT_TEXT
    case MEMBER_COUNT:
        break;
    }
}

static void
complain_unknown(struct reader *r, const char *key, unsigned own)
{
    char known[FAULT_PROBLEM_BYTES - 128] =
        "phase, after_ms, stream, model, count, probability_percent";
    for (unsigned i = 0; i < MEMBER_COUNT; i++) {
        if ((own & 1u << i) != 0)
            list_name(known, sizeof(known), member_keys[i]);
    }
    complain(r, "\"%.40s\" is no member of %s; it has fault, %s", key,
             kinds[r->fault->kind].name, known);
}

/* Takes a member that every kind has; false: it is none of them. */
static bool
take_common(struct reader *r, const cJSON *item)
{
    const char *key = item->string;
    struct fault *f = r->fault;
    if (strcmp(key, "fault") == 0)
        return true;
    if (strcmp(key, "phase") == 0)
        take_phase(r, item);
    else if (strcmp(key, "after_ms") == 0)
        f->after_ms = take_number(r, item, 0, 864000000);
    else if (strcmp(key, "stream") == 0)
        f->stream = (unsigned)take_number(r, item, 0, 1000000000);
    else if (strcmp(key, "model") == 0)
        take_text(r, item, f->model, sizeof(f->model));
    else if (strcmp(key, "count") == 0)
        f->count = (unsigned)take_number(r, item, 0, 1000000000);
    else if (strcmp(key, "probability_percent") == 0)
        f->probability_percent = (unsigned)take_number(r, item, 0, 100);
    else
        return false;
    return true;
}

static unsigned
take_member(struct reader *r, const cJSON *item)
{
    unsigned own = kinds[r->fault->kind].needs | kinds[r->fault->kind].may;
    if (take_common(r, item))
        return 0;
    for (unsigned i = 0; i < MEMBER_COUNT; i++) {
        if ((own & 1u << i) != 0 && strcmp(item->string, member_keys[i]) == 0) {
            take_own(r, (enum member)i, item);
            return 1u << i;
        }
    }
    complain_unknown(r, item->string, own);
    return 0;
}

static void
check(struct reader *r, unsigned given)
{
    const struct fault *f = r->fault;
    const char *name = kinds[f->kind].name;
    for (unsigned i = 0; i < MEMBER_COUNT; i++) {
        if ((kinds[f->kind].needs & ~given & 1u << i) != 0)
            complain(r, "%s needs \"%s\"", name, member_keys[i]);
    }
    if (f->phase == PHASE_request && (kinds[f->kind].where & REQUEST) == 0)
        complain(r,
                 "\"phase\" of %s cannot be request: it needs a stream that "
                 "was answered",
                 name);
    if (f->phase != PHASE_request && (kinds[f->kind].where & STREAM) == 0)
        complain(r, "\"phase\" of %s must be request", name);
    if (f->last_stream[0] != '\0' && strcmp(f->last_stream, "zero") != 0 &&
        strcmp(f->last_stream, "current") != 0)
        complain(r, "\"last_stream\" must be \"current\" or \"zero\"");
    if (f->how[0] != '\0' && strcmp(f->how, "rst") != 0 &&
        strcmp(f->how, "fin") != 0)
        complain(r, "\"how\" must be \"rst\" or \"fin\"");
    if (f->kind == FAULT_refuse_connections && f->ms < 0)
        complain(r, "\"ms\" must be an integer within 0..864000000000");
}

static void
set_defaults(struct fault *fault)
{
    fault->phase =
        (kinds[fault->kind].where & STREAM) != 0 ? PHASE_any : PHASE_request;
    fault->count = kinds[fault->kind].count;
    fault->probability_percent = 100;
#define FAULT_NUMBER(member, key, standard, least, most) \
    fault->member = standard;
#define FAULT_TEXT(member, key, bytes)
#include "gateway/local/member.tbl.h"
#undef FAULT_NUMBER
#undef FAULT_TEXT
}

bool
fault_parse(struct fault *fault, const cJSON *object,
            char problem[FAULT_PROBLEM_BYTES])
{
    struct reader r = {fault, problem, false};
    const cJSON *item;
    unsigned given = 0;
    memset(fault, 0, sizeof(*fault));
    problem[0] = '\0';
    if (!cJSON_IsObject(object)) {
        complain(&r, "a fault is an object such as {\"fault\": \"cut\", "
                     "\"phase\": \"speaking\"}");
        return false;
    }
    take_kind(&r, cJSON_GetObjectItemCaseSensitive(object, "fault"));
    if (r.failed)
        return false;
    set_defaults(fault);
    cJSON_ArrayForEach(item, object)
    {
        given |= take_member(&r, item);
    }
    check(&r, given);
    return !r.failed;
}

cJSON *
fault_describe(const struct fault *fault)
{
    unsigned own = kinds[fault->kind].needs | kinds[fault->kind].may;
    cJSON *object = cJSON_CreateObject();
    cJSON_AddNumberToObject(object, "id", fault->id);
    cJSON_AddStringToObject(object, "fault", kinds[fault->kind].name);
    cJSON_AddStringToObject(object, "phase", phases[fault->phase]);
    cJSON_AddNumberToObject(object, "after_ms", fault->after_ms);
    cJSON_AddNumberToObject(object, "stream", fault->stream);
    cJSON_AddStringToObject(object, "model", fault->model);
    cJSON_AddNumberToObject(object, "count", fault->count);
    cJSON_AddNumberToObject(object, "probability_percent",
                            fault->probability_percent);
    cJSON_AddNumberToObject(object, "struck", fault->struck);
#define FAULT_NUMBER(member, key, standard, least, most) \
    if ((own & 1u << MEMBER_##member) != 0)              \
        cJSON_AddNumberToObject(object, key, (double)fault->member);
#define FAULT_TEXT(member, key, bytes)      \
    if ((own & 1u << MEMBER_##member) != 0) \
        cJSON_AddStringToObject(object, key, fault->member);
#include "gateway/local/member.tbl.h"
#undef FAULT_NUMBER
#undef FAULT_TEXT
    return object;
}

bool
fault_fits(const struct fault *fault, bool answered)
{
    return (kinds[fault->kind].where & (answered ? STREAM : REQUEST)) != 0;
}

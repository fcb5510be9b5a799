#include "ipc/cli/prometheus.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/cli/exposition.h"

#define DEPTH_MAX 8
#define PATH_BYTES 256

enum scope { GATEWAY, SESSION };

static const struct metric {
    enum scope scope;
    const char *path, *name, *type, *labels, *help;
} metrics[] = {
#define METRIC(scope, path, name, type, labels, help) \
    {scope, path, name, #type, labels, help},
#include "ipc/cli/prometheus.tbl.h"
#undef METRIC
};

/* Where in the answer a number stands. */
struct place {
    struct exposition *out;
    enum scope scope;
    const char *session;    /* in SESSION */
    char path[PATH_BYTES];  /* below the scope; arrays' indices left out */
    char index[PATH_BYTES]; /* of the arrays around it, parted by dots */
    int depth;
};

static const struct metric *
find_metric(const struct place *place)
{
    for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++) {
        if (metrics[i].scope == place->scope &&
            strcmp(metrics[i].path, place->path) == 0)
            return &metrics[i];
    }
    return NULL;
}

static bool
ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

static struct place
inside(const struct place *outer, const char *member)
{
    struct place p = *outer;
    p.depth++;
    snprintf(p.path, sizeof p.path, "%.*s%s%.*s", PATH_BYTES / 2, outer->path,
             *outer->path ? "." : "", PATH_BYTES / 2 - 2, member);
    return p;
}

static struct place
at_index(const struct place *outer, int index)
{
    struct place p = *outer;
    p.depth++;
    snprintf(p.index, sizeof p.index, "%.*s%s%d", PATH_BYTES / 2, outer->index,
             *outer->index ? "." : "", index);
    return p;
}

/* ---- one number ---- */

/* What is shown of a number beside its place. */
struct shown {
    const char *suffix, *type;
    const char *label, *label_value; /* NULL: none */
    double value;
};

/* The caller's, by free(); NULL without memory. */
static char *
make_labels(const struct place *place, const struct metric *known,
            const struct shown *shown)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    bool first = true;
    if (!out)
        return NULL;
    if (place->scope == SESSION) {
        exposition_label(out, first, "session", place->session);
        first = false;
    }
    if (known && *known->labels) {
        fprintf(out, "%s%s", first ? "" : ",", known->labels);
        first = false;
    }
    if (*place->index) {
        exposition_label(out, first, "index", place->index);
        first = false;
    }
    if (shown->label)
        exposition_label(out, first, shown->label, shown->label_value);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

/* In the units that Prometheus wants: a name's end, what it becomes, and what
 * its numbers are divided by. */
static const struct unit {
    const char *end, *base;
    double by;
} units[] = {
    {"_ms", "_seconds", 1e3},
    {"_us", "_seconds", 1e6},
    {"_ns", "_seconds", 1e9},
};

static const struct unit *
find_unit(const char *path)
{
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (ends_with(path, units[i].end))
            return &units[i];
    }
    return NULL;
}

/* voxring_session_rings_in_fill_seconds, for what has no line in the table. */
static void
make_name(const struct place *place, const struct unit *unit, char *name,
          size_t size)
{
    const char *path = place->path;
    if (strncmp(path, "counters.", 9) == 0)
        path += 9;
    size_t length = strlen(path) - (unit ? strlen(unit->end) : 0);
    snprintf(name, size, "voxring_%s%.*s%s",
             place->scope == SESSION ? "session_" : "", (int)length, path,
             unit ? unit->base : "");
}

static void
add(const struct place *place, const struct shown *shown)
{
    const struct metric *known = find_metric(place);
    const struct unit *unit = known ? NULL : find_unit(place->path);
    bool counted = strcmp(shown->suffix, "_count") == 0;
    char name[PATH_BYTES + 64], help[PATH_BYTES + 64];
    if (known)
        snprintf(name, sizeof name, "voxring_%s", known->name);
    else
        make_name(place, unit, name, sizeof name);
    snprintf(help, sizeof help, "%s of gateway.stats%s.", place->path,
             place->scope == SESSION ? ", by session" : "");
    char *labels = make_labels(place, known, shown);
    if (!labels) {
        place->out->incomplete = true;
        return;
    }
    struct exposition_point point = {
        .family = name,
        .suffix = shown->suffix,
        .type = known ? known->type : shown->type,
        .help = known ? known->help : help,
        .labels = labels,
        .origin = place->path,
        .value = unit && !counted ? shown->value / unit->by : shown->value,
    };
    exposition_add(place->out, &point);
    free(labels);
}

static void
add_number(const struct place *place, double value)
{
    struct shown shown = {.suffix = "",
                          .type = ends_with(place->path, "_total") ? "counter"
                                                                   : "gauge",
                          .value = value};
    add(place, &shown);
}

/* 64-bit counts and positions come as text. */
static bool
is_number_as_text(const char *name, const char *text)
{
    static const char *const ends[] = {"_total", "_frames", "_frame",
                                       "_bytes", "_ns",     "_us",
                                       "_ms",    "_seconds"};
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 20 || text[digits])
        return false;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        if (ends_with(name, ends[i]))
            return true;
    }
    return false;
}

/* ---- summaries ---- */

/* What a member of a summary is. False if it is nothing of the kind. */
static bool
read_quantile(const cJSON *member, char *quantile, size_t size)
{
    const char *name = member->string;
    size_t digits = strspn(name + 1, "0123456789");
    if (strcmp(name, "max") == 0 || strcmp(name, "min") == 0) {
        snprintf(quantile, size, "%d", name[1] == 'a');
        return true;
    }
    if (name[0] != 'p' || digits == 0 || digits > 6 || name[1 + digits])
        return false;
    if (strcmp(name, "p100") == 0)
        snprintf(quantile, size, "1");
    else
        snprintf(quantile, size, "%g",
                 strtod(name + 1, NULL) / pow(10, (double)digits));
    return true;
}

/* An object of percentiles, beside which there may be count and sum. */
static bool
is_summary(const cJSON *object)
{
    const cJSON *member = NULL;
    char quantile[16];
    cJSON_ArrayForEach(member, object)
    {
        if (cJSON_IsNumber(member) && member->string &&
            member->string[0] == 'p' &&
            read_quantile(member, quantile, sizeof quantile))
            return true;
    }
    return false;
}

/* Shows a member of a summary; false if it belongs beside it. */
static bool
add_summary_part(const struct place *place, const cJSON *member)
{
    char quantile[16];
    struct shown shown = {
        .suffix = "", .type = "summary", .value = member->valuedouble};
    if (!cJSON_IsNumber(member) || !member->string)
        return false;
    if (strcmp(member->string, "count") == 0) {
        shown.suffix = "_count";
    } else if (strcmp(member->string, "sum") == 0) {
        shown.suffix = "_sum";
    } else if (read_quantile(member, quantile, sizeof quantile)) {
        shown.label = "quantile";
        shown.label_value = quantile;
    } else {
        return false;
    }
    add(place, &shown);
    return true;
}

/* ---- all of them ---- */

static void walk(const struct place *place, const cJSON *item);

static void
walk_object(const struct place *place, const cJSON *object)
{
    bool summary = is_summary(object);
    const cJSON *member = NULL;
    cJSON_ArrayForEach(member, object)
    {
        if (summary && add_summary_part(place, member))
            continue;
        struct place within =
            inside(place, member->string ? member->string : "");
        walk(&within, member);
    }
}

static void
walk_array(const struct place *place, const cJSON *array)
{
    const cJSON *item = NULL;
    int index = 0;
    cJSON_ArrayForEach(item, array)
    {
        struct place within = at_index(place, index++);
        walk(&within, item);
    }
}

static void
walk(const struct place *place, const cJSON *item)
{
    if (place->depth > DEPTH_MAX)
        return;
    if (cJSON_IsObject(item))
        walk_object(place, item);
    else if (cJSON_IsArray(item))
        walk_array(place, item);
    else if (cJSON_IsNumber(item))
        add_number(place, item->valuedouble);
    else if (cJSON_IsBool(item))
        add_number(place, cJSON_IsTrue(item));
    else if (cJSON_IsString(item) &&
             is_number_as_text(place->path, item->valuestring))
        add_number(place, strtod(item->valuestring, NULL));
}

/* A gauge that is 1, whose label is the text. */
static void
add_text(const struct place *place, const cJSON *session, const char *member)
{
    const cJSON *text = cJSON_GetObjectItemCaseSensitive(session, member);
    struct place within = inside(place, member);
    struct shown shown = {.suffix = "", .type = "gauge", .label = member};
    if (!cJSON_IsString(text))
        return;
    shown.label_value = text->valuestring;
    shown.value = 1;
    add(&within, &shown);
}

static void
add_sessions(const struct place *outer, const cJSON *sessions)
{
    const cJSON *session = NULL;
    cJSON_ArrayForEach(session, sessions)
    {
        struct place place = *outer;
        place.scope = SESSION;
        place.session = session->string ? session->string : "";
        add_text(&place, session, "state");
        add_text(&place, session, "model");
        add_text(&place, session, "conversation");
        walk(&place, session);
    }
}

bool
prometheus_print(const cJSON *stats, FILE *out)
{
    struct exposition exposition = {0};
    struct place place = {.out = &exposition, .scope = GATEWAY};
    const cJSON *member = NULL;
    cJSON_ArrayForEach(member, stats)
    {
        struct place within =
            inside(&place, member->string ? member->string : "");
        if (strcmp(within.path, "sessions") == 0 && cJSON_IsObject(member))
            add_sessions(&place, member);
        else
            walk(&within, member);
    }
    exposition_print(&exposition, out);
    bool complete = !exposition.incomplete;
    exposition_fini(&exposition);
    return complete;
}

#include "tools/mcp/catalog.h"

#include <stdlib.h>
#include <string.h>

#include "tools/mcp/journal.h"
#include "tools/mcp/names.h"
#include "tools/mcp/utf8.h"

/* The whole list must fit into one message to the gateway. */
#define LIST_MAX_BYTES ((size_t)1000 * 1024)
#define DESCRIPTION_MAX_BYTES 10000
#define EMPTY_LIST "{\"tools\":[]}"

struct entry {
    char name[NAMES_MAX_BYTES + 1];
    char *own_name; /* as the server has it */
};

struct list {
    struct entry entries[CATALOG_MAX];
    size_t count;
    size_t bytes;
    size_t refused; /* for want of room */
    cJSON *tools;
    char *json;
};

struct catalog {
    char *prefix;
    cJSON *allow;
    struct list *now;
    struct list *next; /* NULL while none is being read */
};

static void
list_free(struct list **list)
{
    struct list *l = *list;

    *list = NULL;
    if (!l)
        return;
    for (size_t i = 0; i < l->count; i++)
        free(l->entries[i].own_name);
    cJSON_Delete(l->tools);
    cJSON_free(l->json);
    free(l);
}

struct catalog *
catalog_new(const char *prefix, const cJSON *allow)
{
    struct catalog *catalog = calloc(1, sizeof *catalog);

    if (!catalog)
        return NULL;
    catalog->prefix = prefix ? strdup(prefix) : NULL;
    catalog->allow = cJSON_IsArray(allow) ? cJSON_Duplicate(allow, 1) : NULL;
    if ((prefix && !catalog->prefix) ||
        (cJSON_IsArray(allow) && !catalog->allow))
        catalog_free(&catalog);
    return catalog;
}

void
catalog_free(struct catalog **catalog)
{
    struct catalog *c = *catalog;

    *catalog = NULL;
    if (!c)
        return;
    list_free(&c->now);
    list_free(&c->next);
    cJSON_Delete(c->allow);
    free(c->prefix);
    free(c);
}

void
catalog_begin(struct catalog *catalog)
{
    list_free(&catalog->next);
    catalog->next = calloc(1, sizeof *catalog->next);
    if (catalog->next)
        catalog->next->tools = cJSON_CreateArray();
}

/* ---- one tool --------------------------------------------------------------- */

static const cJSON *
member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static const char *
text_member(const cJSON *object, const char *name)
{
    const cJSON *item = member(object, name);

    return cJSON_IsString(item) && item->valuestring[0] ? item->valuestring
                                                        : NULL;
}

/* Description, else title, else the words that the name is made of. */
static void
add_description(cJSON *tool, const cJSON *theirs, const char *own_name)
{
    const char *title = text_member(theirs, "title");
    const char *given = text_member(theirs, "description");
    char *text;

    if (!title)
        title = text_member(member(theirs, "annotations"), "title");
    if (!given)
        given = title ? title : own_name;
    text = strndup(given, utf8_cut(given, DESCRIPTION_MAX_BYTES));
    for (char *p = text; given == own_name && p && *p; p++) {
        if (strchr("_-./", *p))
            *p = ' ';
    }
    cJSON_AddStringToObject(tool, "description", text ? text : "");
    free(text);
}

/* The schema of the input; one that no model can use becomes that of no
 * input. */
static void
add_schema(cJSON *tool, const cJSON *theirs)
{
    const cJSON *schema = member(theirs, "inputSchema");
    const cJSON *type = member(schema, "type");
    const cJSON *properties = member(schema, "properties");
    cJSON *copy = NULL;

    if (cJSON_IsObject(schema) && cJSON_IsString(type) &&
        strcmp(type->valuestring, "object") == 0 &&
        (!properties || cJSON_IsObject(properties)))
        copy = cJSON_Duplicate(schema, 1);
    cJSON_DeleteItemFromObjectCaseSensitive(copy, "$schema");
    if (!copy) {
        copy = cJSON_CreateObject();
        cJSON_AddStringToObject(copy, "type", "object");
    }
    if (!member(copy, "properties"))
        cJSON_AddObjectToObject(copy, "properties");
    if (copy && !cJSON_AddItemToObject(tool, "inputSchema", copy))
        cJSON_Delete(copy);
}

static cJSON *
make_tool(const char *name, const cJSON *theirs, const char *own_name)
{
    cJSON *tool = cJSON_CreateObject();
    cJSON *meta;

    cJSON_AddStringToObject(tool, "name", name);
    add_description(tool, theirs, own_name);
    add_schema(tool, theirs);
    meta = cJSON_AddObjectToObject(tool, "_meta");
    cJSON_AddStringToObject(meta, "voxring/mode", "sync");
    cJSON_AddStringToObject(meta, "voxring/threading", "parallel");
    return tool;
}

/* ---- which are offered ------------------------------------------------------ */

static bool
is_allowed(const struct catalog *catalog, const char *own_name)
{
    const cJSON *item;

    if (!catalog->allow)
        return true;
    cJSON_ArrayForEach(item, catalog->allow)
    {
        if (cJSON_IsString(item) && strcmp(item->valuestring, own_name) == 0)
            return true;
    }
    return false;
}

static const struct entry *
find(const struct list *list, const char *name)
{
    for (size_t i = 0; list && i < list->count; i++) {
        if (strcmp(list->entries[i].name, name) == 0)
            return &list->entries[i];
    }
    return NULL;
}

/* A tool that only runs as a task cannot be called without one. */
static bool
needs_task(const cJSON *theirs)
{
    const char *support =
        text_member(member(theirs, "execution"), "taskSupport");

    return support && strcmp(support, "required") == 0;
}

/* False, told in the journal, if the tool cannot be offered as `name`. */
static bool
may_offer(const struct catalog *catalog, const cJSON *theirs,
          const char *own_name, const char *name)
{
    const struct entry *other = find(catalog->next, name);

    if (needs_task(theirs)) {
        journal(VOXRING_LOG_WARN,
                "tool %s is not offered: it runs only as a task, which voxring "
                "does not do",
                own_name);
        return false;
    }
    if (other && strcmp(other->own_name, own_name) == 0) {
        journal(VOXRING_LOG_WARN, "the server lists tool %s twice", own_name);
        return false;
    }
    if (other) {
        journal(VOXRING_LOG_WARN,
                "tool %s is not offered: as %s it would have the name of the "
                "server's %s",
                own_name, name, other->own_name);
        return false;
    }
    return true;
}

static void
keep(struct list *list, cJSON *tool, const char *own_name, const char *name)
{
    struct entry *entry = &list->entries[list->count];
    char *text = cJSON_PrintUnformatted(tool);
    size_t bytes = text ? strlen(text) + 1 : 0;
    char *copy = strdup(own_name);

    cJSON_free(text);
    if (bytes == 0 || !copy || list->bytes + bytes > LIST_MAX_BYTES ||
        !cJSON_AddItemToArray(list->tools, tool)) {
        list->refused++;
        cJSON_Delete(tool);
        free(copy);
        return;
    }
    list->bytes += bytes;
    entry->own_name = copy;
    memcpy(entry->name, name, strlen(name) + 1);
    list->count++;
}

static const char *
hint(const cJSON *theirs, const char *name)
{
    const cJSON *item = member(member(theirs, "annotations"), name);

    return cJSON_IsTrue(item) ? "yes" : cJSON_IsFalse(item) ? "no" : "?";
}

static void
add_one(struct catalog *catalog, const cJSON *theirs)
{
    const char *own_name = text_member(theirs, "name");
    char name[NAMES_MAX_BYTES + 1];

    if (!own_name || !names_map(catalog->prefix, own_name, name)) {
        journal(VOXRING_LOG_WARN, "the server lists a tool without a name");
        return;
    }
    if (!is_allowed(catalog, own_name) ||
        !may_offer(catalog, theirs, own_name, name))
        return;
    if (catalog->next->count == CATALOG_MAX) {
        catalog->next->refused++;
        return;
    }
    keep(catalog->next, make_tool(name, theirs, own_name), own_name, name);
    journal(VOXRING_LOG_DEBUG,
            "tool %s is the server's %s; read only: %s, destructive: %s", name,
            own_name, hint(theirs, "readOnlyHint"),
            hint(theirs, "destructiveHint"));
}

void
catalog_add(struct catalog *catalog, const cJSON *tools)
{
    const cJSON *item;

    if (!catalog->next || !catalog->next->tools)
        return;
    cJSON_ArrayForEach(item, tools) add_one(catalog, item);
}

/* ---- the whole --------------------------------------------------------------- */

static bool
offers(const struct list *list, const char *own_name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->entries[i].own_name, own_name) == 0)
            return true;
    }
    return false;
}

static void
tell_missing(const struct catalog *catalog)
{
    const cJSON *item;

    if (catalog->next->refused > 0)
        journal(VOXRING_LOG_WARN,
                "%zu tools are not offered: the gateway takes %d of one "
                "server, and %zu bytes; choose with `allow`",
                catalog->next->refused, CATALOG_MAX, LIST_MAX_BYTES);
    cJSON_ArrayForEach(item, catalog->allow)
    {
        if (cJSON_IsString(item) && !offers(catalog->next, item->valuestring))
            journal(VOXRING_LOG_WARN,
                    "`allow` names %s, which the server does not offer",
                    item->valuestring);
    }
}

bool
catalog_end(struct catalog *catalog)
{
    struct list *next = catalog->next;
    cJSON *root;
    bool changed;

    if (!next || !next->tools)
        return false;
    tell_missing(catalog);
    root = cJSON_CreateObject();
    if (root && cJSON_AddItemReferenceToObject(root, "tools", next->tools))
        next->json = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    if (!next->json)
        return false;
    changed = strcmp(next->json, catalog_json(catalog)) != 0;
    list_free(&catalog->now);
    catalog->now = next;
    catalog->next = NULL;
    return changed;
}

size_t
catalog_count(const struct catalog *catalog)
{
    return catalog->now ? catalog->now->count : 0;
}

const char *
catalog_find(const struct catalog *catalog, const char *name)
{
    const struct entry *entry = find(catalog->now, name);

    return entry ? entry->own_name : NULL;
}

const char *
catalog_json(const struct catalog *catalog)
{
    return catalog->now ? catalog->now->json : EMPTY_LIST;
}

#include "gateway/toolbroker/plugin_shelf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/clock.h"
#include "gateway/toolbroker/plugin_folder.h"
#include "gateway/toolbroker/tool_content.h"

/* When it is told that a file is not whole, and how often it is looked at. */
#define PATIENCE_NS (10 * CLOCK_NS_PER_S)
#define UNWHOLE_LOOK_NS CLOCK_NS_PER_S
/* Files of the first look hold up the start for so many times settle_ms. */
#define FIRST_LOOKS 3

enum vr_status
plugin_shelf_init(struct plugin_shelf *shelf, const char *const *folders,
                  size_t count, uint32_t settle_ms)
{
    memset(shelf, 0, sizeof *shelf);
    shelf->settle_ms = settle_ms;
    shelf->folders = calloc(count + 1, sizeof *shelf->folders);
    if (!shelf->folders)
        return VR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        shelf->folders[i].path = strdup(folders[i]);
        if (!shelf->folders[i].path)
            return VR_NO_MEMORY;
        shelf->folder_count++;
    }
    return VR_OK;
}

static void
free_entry(struct plugin_shelf_entry *e)
{
    free(e->path);
    free(e->name);
    free(e->trouble);
    free(e);
}

void
plugin_shelf_fini(struct plugin_shelf *shelf)
{
    struct plugin_shelf_entry *next;

    for (struct plugin_shelf_entry *e = shelf->entries; e; e = next) {
        next = e->next;
        free_entry(e);
    }
    for (size_t i = 0; i < shelf->folder_count; i++) {
        free(shelf->folders[i].path);
        free(shelf->folders[i].trouble);
    }
    free(shelf->folders);
    memset(shelf, 0, sizeof *shelf);
}

/* ---- what is there ---------------------------------------------------------- */

/* One look, on its way through the folders. */
struct look {
    struct plugin_shelf *shelf;
    uint64_t now_ns;
    size_t folder;
};

static struct plugin_shelf_entry *
new_entry(const struct look *look, const char *path, const char *name)
{
    struct plugin_shelf_entry *e = calloc(1, sizeof *e);

    if (!e)
        return NULL;
    e->path = strdup(path);
    e->name = strdup(name);
    e->folder = look->folder;
    e->still_since_ns = e->new_since_ns = look->now_ns;
    if (!e->path || !e->name) {
        free_entry(e);
        return NULL;
    }
    return e;
}

static bool
is_before(const struct plugin_shelf_entry *e, size_t folder, const char *name)
{
    if (e->folder != folder)
        return e->folder < folder;
    return strcmp(e->name, name) < 0;
}

static void
on_file(void *arg, const char *path, const char *name)
{
    struct look *look = arg;
    struct plugin_shelf_entry **at = &look->shelf->entries;
    struct plugin_shelf_entry *e;

    while (*at && is_before(*at, look->folder, name))
        at = &(*at)->next;
    e = *at;
    if (!e || e->folder != look->folder || strcmp(e->name, name) != 0) {
        e = new_entry(look, path, name);
        if (!e)
            return;
        e->next = *at;
        *at = e;
    }
    e->seen = true;
}

/* While a folder cannot be read, its files are taken to be as they were. */
static void
keep_files_of(struct plugin_shelf *shelf, size_t folder)
{
    for (struct plugin_shelf_entry *e = shelf->entries; e; e = e->next)
        e->seen |= e->folder == folder;
}

static void
look_at_folder(struct look *look)
{
    struct plugin_shelf *shelf = look->shelf;
    struct plugin_shelf_folder *folder = &shelf->folders[look->folder];
    char why[1024];
    enum vr_status status =
        plugin_folder_scan(folder->path, on_file, look, why, sizeof why);

    if (status == VR_OK) {
        free(folder->trouble);
        folder->trouble = NULL;
        return;
    }
    if (status != VR_NOT_FOUND)
        keep_files_of(shelf, look->folder);
    if (folder->trouble && strcmp(folder->trouble, why) == 0)
        return;
    free(folder->trouble);
    folder->trouble = strdup(why);
    shelf->refused(shelf->arg, folder->path, why, false);
}

static void
forget_unseen(struct plugin_shelf *shelf)
{
    struct plugin_shelf_entry **at = &shelf->entries;

    while (*at) {
        struct plugin_shelf_entry *e = *at;
        if (e->seen) {
            e->seen = false;
            at = &e->next;
        } else {
            *at = e->next;
            free_entry(e);
        }
    }
}

/* ---- what it is worth -------------------------------------------------------- */

void
plugin_shelf_note(struct plugin_shelf_entry *e, const char *trouble)
{
    char *copy;

    if (trouble && e->trouble && strcmp(trouble, e->trouble) == 0)
        return;
    copy = trouble ? strdup(trouble) : NULL;
    if (copy)
        tool_content_clean(copy);
    free(e->trouble);
    e->trouble = copy;
}

static void
set_state(struct plugin_shelf_entry *e, enum plugin_shelf_state state)
{
    e->state = state;
    e->clash_told &= state == PLUGIN_SHELF_GOOD;
}

static void
refuse(struct plugin_shelf *shelf, struct plugin_shelf_entry *e,
       const char *reason)
{
    bool told = e->told;

    set_state(e, PLUGIN_SHELF_BAD);
    plugin_shelf_note(e, reason);
    e->told = true;
    if (!told)
        shelf->refused(shelf->arg, e->name, reason, false);
}

/* When it has been still for long enough. */
static uint64_t
still_at_ns(const struct plugin_shelf *shelf,
            const struct plugin_shelf_entry *e)
{
    uint64_t settle_ns = shelf->settle_ms * CLOCK_NS_PER_MS;
    uint64_t wall_ns = (uint64_t)clock_wall_ms() * CLOCK_NS_PER_MS;

    if (e->file.mtime_ns <= wall_ns && wall_ns - e->file.mtime_ns >= settle_ns)
        return 0;
    return e->still_since_ns + settle_ns;
}

static uint64_t
wait_for_rest(struct plugin_shelf *shelf, struct plugin_shelf_entry *e,
              const char *why, uint64_t now_ns)
{
    bool at_start = e->new_since_ns == shelf->begin_ns;
    char reason[800];

    snprintf(reason, sizeof reason, "%s; it is used as soon as it is whole",
             why);
    plugin_shelf_note(e, reason);
    if (!e->told && (at_start || now_ns >= e->new_since_ns + PATIENCE_NS)) {
        e->told = true;
        shelf->refused(shelf->arg, e->name, reason, true);
    }
    return now_ns + UNWHOLE_LOOK_NS;
}

/* Decides on a NEW file; returns when to look again. */
static uint64_t
decide(struct plugin_shelf *shelf, struct plugin_shelf_entry *e,
       uint64_t now_ns, bool at_once)
{
    uint64_t still_ns = still_at_ns(shelf, e);
    char why[700];

    if (!tool_content_is_utf8(e->name, strlen(e->name))) {
        refuse(shelf, e, "the file's name is not UTF-8; rename it");
        return UINT64_MAX;
    }
    if (!at_once && now_ns < still_ns)
        return still_ns;
    switch (plugin_file_check(e->path, why, sizeof why)) {
    case VR_OK:
        e->told = false;
        plugin_shelf_note(e, NULL);
        set_state(e, PLUGIN_SHELF_GOOD);
        return UINT64_MAX;
    case VR_AGAIN:
        return wait_for_rest(shelf, e, why, now_ns);
    default:
        refuse(shelf, e, why);
        return UINT64_MAX;
    }
}

static void
note_change(struct plugin_shelf_entry *e, const struct plugin_file *file,
            uint64_t now_ns)
{
    bool is_waiting = e->state == PLUGIN_SHELF_NEW;

    /* what runs was loaded while it was fit to be */
    if (plugin_file_same(file, &e->file) &&
        (e->state == PLUGIN_SHELF_GOOD || file->mode == e->file.mode))
        return;
    if (!is_waiting) {
        e->new_since_ns = now_ns;
        e->told = false;
        plugin_shelf_note(e, NULL);
    }
    e->file = *file;
    e->still_since_ns = now_ns;
    set_state(e, PLUGIN_SHELF_NEW);
}

static uint64_t
look_at_file(struct plugin_shelf *shelf, struct plugin_shelf_entry *e,
             uint64_t now_ns, bool at_once)
{
    struct plugin_file file;
    char why[700];
    enum vr_status status = plugin_file_look(e->path, &file, why, sizeof why);

    note_change(e, &file, now_ns);
    if (e->state != PLUGIN_SHELF_NEW)
        return UINT64_MAX;
    if (status != VR_OK) {
        refuse(shelf, e, why);
        return UINT64_MAX;
    }
    return decide(shelf, e, now_ns, at_once);
}

uint64_t
plugin_shelf_look(struct plugin_shelf *shelf, uint64_t now_ns, bool at_once)
{
    struct look look = {shelf, now_ns, 0};
    uint64_t due_ns = UINT64_MAX;

    if (shelf->begin_ns == 0)
        shelf->begin_ns = now_ns;
    for (; look.folder < shelf->folder_count; look.folder++)
        look_at_folder(&look);
    forget_unseen(shelf);
    for (struct plugin_shelf_entry *e = shelf->entries; e; e = e->next) {
        uint64_t next_ns = look_at_file(shelf, e, now_ns, at_once);
        if (next_ns < due_ns)
            due_ns = next_ns;
    }
    return due_ns;
}

/* ---- questions ---------------------------------------------------------------- */

bool
plugin_shelf_is_settled(const struct plugin_shelf *shelf, uint64_t now_ns)
{
    uint64_t long_ns =
        shelf->begin_ns + FIRST_LOOKS * shelf->settle_ms * CLOCK_NS_PER_MS;

    if (now_ns >= long_ns)
        return true;
    for (const struct plugin_shelf_entry *e = shelf->entries; e; e = e->next) {
        if (e->state == PLUGIN_SHELF_NEW && !e->told)
            return false;
    }
    return true;
}

const struct plugin_shelf_entry *
plugin_shelf_best(const struct plugin_shelf *shelf, const char *name)
{
    for (const struct plugin_shelf_entry *e = shelf->entries; e; e = e->next) {
        if (e->state == PLUGIN_SHELF_GOOD && strcmp(e->name, name) == 0)
            return e;
    }
    return NULL;
}

const struct plugin_shelf_entry *
plugin_shelf_at(const struct plugin_shelf *shelf, const char *path)
{
    for (const struct plugin_shelf_entry *e = shelf->entries; e; e = e->next) {
        if (strcmp(e->path, path) == 0)
            return e;
    }
    return NULL;
}

/* The plugin files that there are, as they were last seen, and which of them
 * may be used.
 *
 *   NEW --still for a while, and whole--> GOOD
 *   NEW --of no use--> BAD
 *   any --another version, or other permissions--> NEW
 *
 * A file that is not whole stays NEW: somebody is still writing it. */
#ifndef GATEWAY_TOOLBROKER_PLUGIN_SHELF_H
#define GATEWAY_TOOLBROKER_PLUGIN_SHELF_H

#include "gateway/toolbroker/plugin_file.h"

enum plugin_shelf_state {
    PLUGIN_SHELF_NEW,
    PLUGIN_SHELF_GOOD,
    PLUGIN_SHELF_BAD
};

struct plugin_shelf_entry {
    struct plugin_shelf_entry *next; /* by folder, then by name */
    char *path;
    char *name;    /* of the plugin: the file's without ".so" */
    size_t folder; /* its place among the folders */
    enum plugin_shelf_state state;
    struct plugin_file file;
    uint64_t still_since_ns; /* monotonic */
    uint64_t new_since_ns;
    /* why it is not used (NULL: nothing to say); of one that is GOOD: why it
     * is not, all the same */
    char *trouble;
    bool told;       /* that */
    bool clash_told; /* that another one has its name */
    bool seen;
};

struct plugin_shelf_folder {
    char *path;
    char *trouble; /* why it cannot be used, NULL if it can */
};

struct plugin_shelf {
    struct plugin_shelf_entry *entries;
    struct plugin_shelf_folder *folders;
    size_t folder_count;
    uint32_t settle_ms;
    uint64_t begin_ns; /* of the first look; 0: none yet */
    /* Something is not used, for `reason`; `name` is a plugin's or a folder's
     * path, `is_waiting` that it still may be. Once per version. */
    void (*refused)(void *arg, const char *name, const char *reason,
                    bool is_waiting);
    void *arg;
};

/* An empty shelf for these folders, whose paths are copied. VR_NO_MEMORY
 * leaves one to plugin_shelf_fini(). [loop] */
enum vr_status plugin_shelf_init(struct plugin_shelf *shelf,
                                 const char *const *folders, size_t count,
                                 uint32_t settle_ms) VR_NODISCARD;
void plugin_shelf_fini(struct plugin_shelf *shelf);

/* Looks at all folders. `at_once`: whoever asks knows that nobody is writing,
 * so what is whole is used without waiting. Returns when to look again for
 * what is NEW, UINT64_MAX for never. [loop] */
uint64_t plugin_shelf_look(struct plugin_shelf *shelf, uint64_t now_ns,
                           bool at_once);

/* Whether all that was there at the first look has been decided on, or has
 * had its time. [loop] */
bool plugin_shelf_is_settled(const struct plugin_shelf *shelf, uint64_t now_ns);

/* The first good entry of that name, NULL if there is none. [loop] */
const struct plugin_shelf_entry *
plugin_shelf_best(const struct plugin_shelf *shelf, const char *name);

/* Notes why an entry is not used, copied; NULL: it is. [loop] */
void plugin_shelf_note(struct plugin_shelf_entry *entry, const char *trouble);

/* The entry of that path, good or not, or NULL. [loop] */
const struct plugin_shelf_entry *
plugin_shelf_at(const struct plugin_shelf *shelf, const char *path);

#endif

/* voxring ring rm: takes away what dead gateways left. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/cli/ring_pick.h"
#include "ipc/cli/ring_text.h"
#include "ipc/cli/say.h"
#include "ipc/ring_map.h"
#include "ipc/ring_sweep.h"

struct removal {
    struct cli *cli;
    struct ring_pick pick;
    int worst;      /* exit code */
    unsigned count; /* removed, or to be removed */
};

static void
note_worst(struct removal *r, int code)
{
    if (r->worst == CLI_DONE || code == CLI_BUSY)
        r->worst = code;
}

static void
say_removed(struct removal *r, const char *what, const char *name)
{
    r->count++;
    say_line("%s %s %s", r->cli->options.dry_run ? "would remove" : "removed",
             what, name);
}

/* ---- doorbells ---- */

/* The header may name any folder. It is the gateway's if the instance in the
 * object's name follows from it and it belongs to the object's owner. */
static bool
is_its_folder(const char *folder, const struct ring_view_name *name,
              uid_t owner)
{
    char instance[RING_INSTANCE_BYTES], *real = realpath(folder, NULL);
    struct stat st;
    bool is = real && strcmp(real, folder) == 0 && stat(real, &st) == 0 &&
              S_ISDIR(st.st_mode) && st.st_uid == owner &&
              ring_name_instance(instance, NULL, real, NULL, 0) == VR_OK &&
              strcmp(instance, name->instance) == 0;
    free(real);
    return is;
}

/* Where the doorbell is: "" if that is not known. */
static void
find_folder(const struct removal *r, const struct ring_view *view,
            const struct ring_view_name *name, char folder[RING_PATH_BYTES])
{
    char named[RING_DIR_BYTES];
    folder[0] = '\0';
    if (name->ring != VR_RING_IN)
        return;
    ring_text_folder(view, named);
    if (r->cli->options.runtime_dir)
        snprintf(folder, RING_PATH_BYTES, "%s", r->cli->runtime_dir);
    else if (*named && is_its_folder(named, name, view->owner))
        snprintf(folder, RING_PATH_BYTES, "%s", named);
}

static void
remove_bell(struct removal *r, const char *folder, const char *session,
            uid_t owner)
{
    char path[RING_PATH_BYTES];
    if (!*folder || ring_name_bell(path, folder, session) != VR_OK ||
        !ring_sweep_is_bell(path, owner))
        return;
    if (r->cli->options.dry_run || ring_sweep_bell(folder, session, owner))
        say_removed(r, "the doorbell", path);
    else
        note_worst(r,
                   say_fail(r->cli, CLI_FAILED, "cannot remove %s: %m", path));
}

/* ---- objects ---- */

/* The doorbell goes while its ring is ours to remove, so that no gateway can
 * have made another by then. */
static void
remove_bell_of(struct removal *r, const struct ring_view *view,
               const struct ring_view_name *name)
{
    char folder[RING_PATH_BYTES];
    struct ring_map map;
    find_folder(r, view, name, folder);
    if (!*folder)
        return;
    if (r->cli->options.dry_run) {
        remove_bell(r, folder, name->session, view->owner);
        return;
    }
    if (!ring_map_open(&map, name->object, 0))
        return;
    if (ring_sweep_take(map.fork.fd[RING_MAP_OBJECT_FD]) &&
        ring_map_is_named(&map, name->object))
        remove_bell(r, folder, name->session, view->owner);
    ring_map_detach(&map);
}

static void
refuse_living(struct removal *r, const struct ring_view *view,
              const struct ring_view_name *name)
{
    char pid[32] = "of an unknown pid";
    if (view->has_words)
        snprintf(pid, sizeof pid, "pid %lu",
                 (unsigned long)view->words.gateway_pid);
    note_worst(r, say_fail(r->cli, CLI_BUSY,
                           "%s is in use by voxringd %s%s; voxring session "
                           "close, or shutdown, ends it",
                           name->object, pid,
                           view->stopped ? ", which is stopped" : ""));
}

static void
remove_object(struct removal *r, const struct ring_view *view,
              const struct ring_view_name *name)
{
    char why[VR_ERROR_BYTES];
    enum vr_status status = VR_OK;
    remove_bell_of(r, view, name);
    if (!r->cli->options.dry_run)
        status = ring_sweep_object(name->object, why, sizeof why);
    if (status == VR_OK)
        say_removed(r, "the ring", name->object);
    else
        note_worst(r, say_fail(r->cli, say_exit_of(status), "%s", why));
}

/* What cannot even be opened for reading is left to its owner; but a link
 * under a ring's name is no gateway's. */
static void
remove_closed(struct removal *r, const struct ring_view *view,
              const struct ring_view_name *name)
{
    char path[RING_FILE_BYTES], text[VR_ERROR_BYTES];
    struct stat st;
    ring_name_file(path, name->object);
    if (lstat(path, &st) != 0)
        return; /* somebody was faster */
    if (S_ISLNK(st.st_mode)) {
        remove_object(r, view, name);
        return;
    }
    ring_text_closed(view, name, text, sizeof text);
    if (r->pick.word_count)
        note_worst(r, say_fail(r->cli, CLI_FAILED, "%s", text));
    else
        say_note(r->cli, "left alone: %s", text);
}

static void
consider(struct removal *r, const struct ring_view_name *name)
{
    struct ring_view view;
    if (ring_view_open(&view, name) != VR_OK) {
        remove_closed(r, &view, name);
        return;
    }
    if (view.living && r->pick.word_count)
        refuse_living(r, &view, name);
    else if (!view.living && r->cli->options.stale)
        remove_object(r, &view, name);
    else if (!view.living)
        note_worst(r, say_fail(r->cli, CLI_USAGE,
                               "%s is what a dead gateway left; say --stale to "
                               "remove it",
                               name->object));
    ring_view_close(&view);
}

/* ---- doorbells without a ring ---- */

/* While nothing is removed, a dead ring speaks for its doorbell. */
static bool
has_living_ring(const struct removal *r, const char *session)
{
    struct ring_view_name name;
    struct ring_view view;
    char object[RING_OBJECT_BYTES];
    ring_name_object(object, r->pick.instance, session, VR_RING_IN);
    if (!ring_view_parse(&name, object))
        return true;
    enum vr_status status = ring_view_open(&view, &name);
    bool living = status == VR_OK ? view.living || r->cli->options.dry_run
                                  : status != VR_NOT_FOUND;
    ring_view_close(&view);
    return living;
}

static void
consider_bell(struct removal *r, const char *file)
{
    char session[VR_SESSION_MAX + 1];
    if (ring_name_of_bell(session, file) && !has_living_ring(r, session))
        remove_bell(r, r->cli->runtime_dir, session, geteuid());
}

static void
consider_folder(struct removal *r)
{
    DIR *folder = opendir(r->cli->runtime_dir);
    struct dirent *entry;
    while (folder && (entry = readdir(folder)))
        consider_bell(r, entry->d_name);
    if (folder)
        closedir(folder);
}

int
ring_rm_run(struct cli *cli)
{
    struct removal r = {.cli = cli, .worst = CLI_DONE};
    struct ring_view_list list;
    if (!cli->options.stale && cli->argument_count == 0)
        return say_fail(cli, CLI_USAGE,
                        "only what dead gateways left can be removed; say "
                        "--stale");
    int code =
        ring_pick_init(&r.pick, cli, cli->arguments, cli->argument_count);
    if (code == CLI_DONE)
        code = ring_pick_read(&r.pick, cli, &list);
    if (code != CLI_DONE)
        return code;
    code = ring_pick_check(&r.pick, cli, &list);
    for (size_t i = 0; code == CLI_DONE && i < list.count; i++)
        consider(&r, &list.names[i]);
    if (code == CLI_DONE && cli->options.runtime_dir && !cli->argument_count)
        consider_folder(&r);
    if (code == CLI_DONE && r.worst == CLI_DONE && !r.count)
        say_note(cli, "dead gateways left nothing");
    ring_view_list_free(&list);
    return code == CLI_DONE ? r.worst : code;
}

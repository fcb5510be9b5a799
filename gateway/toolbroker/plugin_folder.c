#include "gateway/toolbroker/plugin_folder.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SUFFIX ".so"

static enum vr_status
check_folder(const char *folder, char *why, size_t why_size)
{
    struct stat st;

    if (stat(folder, &st) != 0) {
        snprintf(why, why_size,
                 "The plugin folder %.300s cannot be read: %s; create it or "
                 "correct plugins.path",
                 folder, strerror(errno));
        return errno == ENOENT ? VR_NOT_FOUND : VR_SYSTEM;
    }
    if (!S_ISDIR(st.st_mode)) {
        snprintf(why, why_size,
                 "%.300s is no folder; plugins.path names folders", folder);
        return VR_INVALID;
    }
    if (st.st_mode & S_IWOTH) {
        snprintf(why, why_size,
                 "The plugin folder %.300s can be written by everybody; run: "
                 "chmod o-w %.300s",
                 folder, folder);
        return VR_DENIED;
    }
    return VR_OK;
}

static int
is_plugin(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);
    size_t suffix = strlen(SUFFIX);

    return entry->d_name[0] != '.' && n > suffix &&
           strcmp(entry->d_name + n - suffix, SUFFIX) == 0;
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void
visit_file(const char *folder, const char *file, plugin_folder_fn *visit,
           void *arg)
{
    char path[PATH_MAX];
    char name[NAME_MAX + 1];
    int n = snprintf(path, sizeof path, "%s/%s", folder, file);

    snprintf(name, sizeof name, "%.*s", (int)(strlen(file) - strlen(SUFFIX)),
             file);
    /* a path that is too long cannot be opened, and is refused as that */
    if (n > 0)
        visit(arg, path, name);
}

enum vr_status
plugin_folder_scan(const char *folder, plugin_folder_fn *visit, void *arg,
                   char *why, size_t why_size)
{
    struct dirent **entries = NULL;
    enum vr_status status = check_folder(folder, why, why_size);
    int count;

    if (status != VR_OK)
        return status;
    count = scandir(folder, &entries, is_plugin, by_name);
    if (count < 0) {
        snprintf(why, why_size, "The plugin folder %.300s cannot be read: %s",
                 folder, strerror(errno));
        return VR_SYSTEM;
    }
    for (int i = 0; i < count; i++) {
        visit_file(folder, entries[i]->d_name, visit, arg);
        free(entries[i]);
    }
    free(entries);
    return VR_OK;
}

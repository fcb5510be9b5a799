#include "gateway/toolbroker/plugin_folder.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SUFFIX ".so"

enum vr_status
plugin_folder_check(const char *path, char *why, size_t why_size)
{
    struct stat st;

    if (stat(path, &st) != 0) {
        snprintf(why, why_size, "%.300s cannot be read: %s", path,
                 strerror(errno));
        return VR_NOT_FOUND;
    }
    if (!S_ISREG(st.st_mode)) {
        snprintf(why, why_size, "%.300s is not a file; remove it", path);
        return VR_INVALID;
    }
    if (st.st_mode & S_IWOTH) {
        snprintf(why, why_size,
                 "%.300s can be written by everybody; run: chmod o-w %.300s",
                 path, path);
        return VR_DENIED;
    }
    return VR_OK;
}

static enum vr_status
check_folder(const char *folder, char *why, size_t why_size)
{
    struct stat st;

    if (stat(folder, &st) != 0) {
        snprintf(why, why_size,
                 "The plugin folder %.300s cannot be read: %s; create it or "
                 "correct plugins.path",
                 folder, strerror(errno));
        return VR_NOT_FOUND;
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

static void
visit_file(const char *folder, const char *file, plugin_folder_fn *visit,
           void *arg)
{
    char path[PATH_MAX];
    char name[NAME_MAX + 1];
    char why[1024];
    int n = snprintf(path, sizeof path, "%s/%s", folder, file);

    snprintf(name, sizeof name, "%.*s", (int)(strlen(file) - strlen(SUFFIX)),
             file);
    if (n < 0 || (size_t)n >= sizeof path) {
        visit(arg, folder, name, "Its path is too long");
        return;
    }
    if (plugin_folder_check(path, why, sizeof why) != VR_OK)
        visit(arg, path, name, why);
    else
        visit(arg, path, name, NULL);
}

void
plugin_folder_scan(const char *folder, plugin_folder_fn *visit, void *arg)
{
    struct dirent **entries = NULL;
    char why[1024];
    int count;

    if (check_folder(folder, why, sizeof why) != VR_OK) {
        visit(arg, folder, folder, why);
        return;
    }
    count = scandir(folder, &entries, is_plugin, alphasort);
    if (count < 0) {
        snprintf(why, sizeof why, "The plugin folder %.300s cannot be read: %s",
                 folder, strerror(errno));
        visit(arg, folder, folder, why);
        return;
    }
    for (int i = 0; i < count; i++) {
        visit_file(folder, entries[i]->d_name, visit, arg);
        free(entries[i]);
    }
    free(entries);
}

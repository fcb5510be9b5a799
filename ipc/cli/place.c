#include "ipc/cli/place.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool
place_find(const char *name, char *path, size_t path_bytes)
{
    char own[PATH_MAX], joined[PATH_MAX + 64], *found;
    ssize_t count = readlink("/proc/self/exe", own, sizeof own - 1);
    if (count <= 0)
        return false;
    own[count] = '\0';
    char *slash = strrchr(own, '/');
    if (!slash)
        return false;
    *slash = '\0';
    snprintf(joined, sizeof joined, "%s/%s", own, name);
    found = realpath(joined, NULL);
    bool fits = found && strlen(found) < path_bytes && !access(found, R_OK);
    if (fits)
        memcpy(path, found, strlen(found) + 1);
    free(found);
    return fits;
}

bool
place_find_header(char *folder, size_t folder_bytes)
{
    /* installed; build/; build/VARIANT/ */
    static const char *const places[] = {"../include/voxring_tool.h",
                                         "../tools/voxring_tool.h",
                                         "../../tools/voxring_tool.h"};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (!place_find(places[i], folder, folder_bytes))
            continue;
        *strrchr(folder, '/') = '\0';
        return true;
    }
    return false;
}

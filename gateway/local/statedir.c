#include "gateway/local/statedir.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Like mkdir -p; what exists already is left as it is. */
static bool
make_folders(const char *path)
{
    char part[STATEDIR_PATH_BYTES];
    size_t count = strlen(path);
    if (count >= sizeof(part)) {
        errno = ENAMETOOLONG;
        return false;
    }
    for (size_t i = 1; i <= count; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST)
            return false;
    }
    return true;
}

static bool
trusted(const char *path, char *problem, size_t problem_size)
{
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode)) {
        snprintf(problem, problem_size, "state folder %s is not a folder",
                 path);
        return false;
    }
    if (info.st_uid != geteuid() || (info.st_mode & 022) != 0) {
        snprintf(problem, problem_size,
                 "state folder %s belongs to another user or can be written by "
                 "others; use one of your own with mode 0700",
                 path);
        return false;
    }
    return true;
}

static bool
make_temporary(struct statedir *dir, char *problem, size_t problem_size)
{
    const char *below = getenv("TMPDIR");
    int size = snprintf(dir->path, sizeof(dir->path), "%s/voxring-local.XXXXXX",
                        below && below[0] ? below : "/tmp");
    if (size < 0 || (size_t)size >= sizeof(dir->path) ||
        mkdtemp(dir->path) == NULL) {
        snprintf(problem, problem_size,
                 "no temporary state folder below %s: %s (use --state-dir)",
                 below && below[0] ? below : "/tmp", strerror(errno));
        return false;
    }
    dir->temporary = true;
    return true;
}

static bool
use_folder(struct statedir *dir, const char *path, char *problem,
           size_t problem_size)
{
    char *real = make_folders(path) ? realpath(path, NULL) : NULL;
    if (real == NULL || strlen(real) >= sizeof(dir->path)) {
        snprintf(problem, problem_size, "cannot make the state folder %s: %s",
                 path, strerror(real ? ENAMETOOLONG : errno));
        free(real);
        return false;
    }
    snprintf(dir->path, sizeof(dir->path), "%s", real);
    free(real);
    return trusted(dir->path, problem, problem_size);
}

bool
statedir_open(struct statedir *dir, const char *path, char *problem,
              size_t problem_size)
{
    char below_runtime[STATEDIR_PATH_BYTES];
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    *dir = (struct statedir){0};
    if (path != NULL)
        return use_folder(dir, path, problem, problem_size);
    if (runtime != NULL && runtime[0] == '/' &&
        snprintf(below_runtime, sizeof(below_runtime), "%s/voxring-local",
                 runtime) < (int)sizeof(below_runtime) &&
        use_folder(dir, below_runtime, problem, problem_size))
        return true;
    return make_temporary(dir, problem, problem_size);
}

void
statedir_close(struct statedir *dir)
{
    if (!dir->temporary)
        return;
    DIR *listing = opendir(dir->path);
    for (struct dirent *entry; listing && (entry = readdir(listing)) != NULL;) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(dirfd(listing), entry->d_name, 0);
    }
    if (listing != NULL)
        closedir(listing);
    rmdir(dir->path);
    dir->temporary = false;
}

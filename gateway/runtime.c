#include "gateway/runtime.h"

#include <errno.h>
#include <grp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define IPC "ipc://"
#define DESCRIPTORS_MAX 65536

static enum vr_status
status_of_errno(void)
{
    return errno == EACCES || errno == EPERM ? VR_DENIED
           : errno == ENOENT                 ? VR_NOT_FOUND
                                             : VR_SYSTEM;
}

/* The group's id; false with a sentence if there is none of that name. */
static bool
find_group(const char *name, gid_t *gid, char *problem, size_t problem_size)
{
    struct group entry;
    struct group *found = NULL;
    char buffer[16384];
    getgrnam_r(name, &entry, buffer, sizeof buffer, &found);
    if (found)
        *gid = found->gr_gid;
    else
        snprintf(problem, problem_size,
                 "there is no group \"%s\"; make it with groupadd, or change "
                 "ring.group",
                 name);
    return found != NULL;
}

/* Gives a path of ours to a group and sets its permission bits. */
static enum vr_status
share(const char *path, const char *group, mode_t own_mode, mode_t group_mode,
      char *problem, size_t problem_size)
{
    gid_t gid;
    if (group && !find_group(group, &gid, problem, problem_size))
        return VR_NOT_FOUND;
    if (group && lchown(path, (uid_t)-1, gid) != 0) {
        snprintf(problem, problem_size,
                 "cannot give %s to group %s: %s; voxringd must be root or a "
                 "member of it",
                 path, group, strerror(errno));
        return VR_DENIED;
    }
    if (chmod(path, group ? group_mode : own_mode) == 0)
        return VR_OK;
    snprintf(problem, problem_size, "cannot set the permissions of %s: %s",
             path, strerror(errno));
    return VR_SYSTEM;
}

/* ---- the folder ---- */

/* Refuses a folder in which somebody else could put or swap our sockets. */
static enum vr_status
check_folder(const char *path, char *problem, size_t problem_size)
{
    struct stat st;
    const char *wrong = NULL;
    if (lstat(path, &st) != 0) {
        snprintf(problem, problem_size, "cannot look at %s: %s", path,
                 strerror(errno));
        return VR_SYSTEM;
    }
    if (!S_ISDIR(st.st_mode))
        wrong = "is no folder (or a link to one)";
    else if (st.st_uid != geteuid())
        wrong = "belongs to another user";
    else if (st.st_mode & (S_IWGRP | S_IWOTH))
        wrong = "can be written by others than its owner";
    if (!wrong)
        return VR_OK;
    snprintf(problem, problem_size,
             "%s %s; remove it, or set runtime_dir to another folder", path,
             wrong);
    return VR_DENIED;
}

enum vr_status
runtime_prepare(const char *path, const char *group, char *problem,
                size_t problem_size)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        enum vr_status status = status_of_errno();
        snprintf(problem, problem_size,
                 "cannot make the runtime folder %s: %s; make its parent, or "
                 "set runtime_dir to another folder",
                 path, strerror(errno));
        return status;
    }
    enum vr_status status = check_folder(path, problem, problem_size);
    if (status != VR_OK)
        return status;
    return share(path, group, 0700, 0750, problem, problem_size);
}

/* ---- sockets in it ---- */

static const char *
socket_path(const char *endpoint, char *problem, size_t problem_size)
{
    struct sockaddr_un address;
    const char *path = endpoint + sizeof IPC - 1;
    if (strncmp(endpoint, IPC, sizeof IPC - 1) || path[0] != '/' ||
        strlen(path) >= sizeof address.sun_path) {
        snprintf(problem, problem_size,
                 "%.128s is no endpoint; use " IPC
                 "/ABSOLUTE/PATH with a path of at most %zu bytes",
                 endpoint, sizeof address.sun_path - 1);
        return NULL;
    }
    return path;
}

enum vr_status
runtime_share(const char *endpoint, const char *group, char *problem,
              size_t problem_size)
{
    const char *path = socket_path(endpoint, problem, problem_size);
    if (!path)
        return VR_INVALID;
    return share(path, group, 0600, 0660, problem, problem_size);
}

/* Whether a process accepts connections at the path. */
static bool
listened_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    bool taken =
        connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 ||
        errno == EAGAIN || errno == EINPROGRESS;
    close(fd);
    return taken;
}

enum vr_status
runtime_clear(const char *endpoint, char *problem, size_t problem_size)
{
    struct stat st;
    const char *path = socket_path(endpoint, problem, problem_size);
    if (!path)
        return VR_INVALID;
    if (lstat(path, &st) != 0) {
        if (errno == ENOENT)
            return VR_OK;
        snprintf(problem, problem_size, "cannot look at %s: %s", path,
                 strerror(errno));
        return status_of_errno();
    }
    if (!S_ISSOCK(st.st_mode)) {
        snprintf(problem, problem_size,
                 "%s is there and no socket; remove it, or choose another "
                 "path",
                 path);
        return VR_INVALID;
    }
    if (listened_to(path)) {
        snprintf(problem, problem_size,
                 "another process listens on %s; stop it, or set runtime_dir "
                 "to another folder",
                 path);
        return VR_BUSY;
    }
    if (unlink(path) == 0 || errno == ENOENT)
        return VR_OK;
    snprintf(problem, problem_size, "cannot remove %s: %s", path,
             strerror(errno));
    return status_of_errno();
}

void
runtime_remove(const char *endpoint)
{
    char problem[256];
    const char *path = socket_path(endpoint, problem, sizeof problem);
    if (path)
        unlink(path);
}

void
runtime_raise_descriptors(void)
{
    struct rlimit limit;
    rlim_t most;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    most = limit.rlim_max < DESCRIPTORS_MAX ? limit.rlim_max : DESCRIPTORS_MAX;
    if (limit.rlim_cur >= most)
        return;
    limit.rlim_cur = most;
    setrlimit(RLIMIT_NOFILE, &limit);
}

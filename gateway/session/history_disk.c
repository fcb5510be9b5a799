#include "gateway/session/history_disk.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/clock.h"

#define NAME_BYTES_MAX 200 /* leaves room for what is put behind it */
#define BESIDE_BYTES (NAME_MAX + 1)
#define LOCK_TRIES 16
#define ASIDE_TRIES 100

/* "cannot rename FILE: why", and the status of errno. */
static enum vr_status
failed(const struct history_disk *d, const char *what, char *why,
       size_t why_size)
{
    int error = errno;
    snprintf(why, why_size, "cannot %s %s: %s", what, d->path, strerror(error));
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return VR_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return VR_DENIED;
    case ENOSPC:
    case EDQUOT:
        return VR_NO_SPACE;
    default:
        return VR_SYSTEM;
    }
}

static void
beside(const struct history_disk *d, const char *suffix,
       char name[BESIDE_BYTES])
{
    snprintf(name, BESIDE_BYTES, "%s%s", d->name, suffix);
}

static int
open_folder(const struct history_disk *d)
{
    return open(d->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* ---- the lock ---- */

/* Whether the name still stands for what is open: who had the lock before us
 * may have removed it. */
static bool
still_there(int folder, const char *name, int fd)
{
    struct stat ours, named;
    return fstat(fd, &ours) == 0 &&
           fstatat(folder, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

static enum vr_status
lock_in(struct history_disk *d, int folder, char *why, size_t why_size)
{
    char name[BESIDE_BYTES];
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    beside(d, ".lock", name);
    for (int i = 0; i < LOCK_TRIES; i++) {
        int fd = openat(folder, name,
                        O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
                        0600);
        if (fd < 0)
            return failed(d, "make the lock of", why, why_size);
        bool ours = fcntl(fd, F_OFD_SETLK, &lock) == 0;
        if (ours && still_there(folder, name, fd)) {
            d->lock_fd = fd;
            return VR_OK;
        }
        int error = errno;
        close(fd);
        errno = error;
        if (!ours && errno != EAGAIN && errno != EACCES)
            return failed(d, "lock", why, why_size);
        if (!ours)
            break;
    }
    snprintf(why, why_size,
             "%s is in use by another session or gateway; give each session a "
             "history_file of its own",
             d->path);
    return VR_BUSY;
}

static enum vr_status
split(struct history_disk *d, const char *path, char *why, size_t why_size)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    if (!*name || strlen(name) > NAME_BYTES_MAX || !strcmp(name, ".") ||
        !strcmp(name, "..")) {
        snprintf(why, why_size,
                 "%s names no file; name one, of at most %d bytes behind the "
                 "last /",
                 path, NAME_BYTES_MAX);
        return VR_INVALID;
    }
    d->path = strdup(path);
    if (!slash)
        d->folder = strdup(".");
    else
        d->folder = strndup(path, slash > path ? (size_t)(slash - path) : 1);
    if (!d->path || !d->folder) {
        snprintf(why, why_size, "out of memory");
        return VR_NO_MEMORY;
    }
    d->name = d->path + (name - path);
    return VR_OK;
}

static enum vr_status
take_lock(struct history_disk *d, char *why, size_t why_size)
{
    int folder = open_folder(d);
    if (folder < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        snprintf(why, why_size,
                 "the folder of %s is not there; make it, or name another",
                 d->path);
        return VR_NOT_FOUND;
    }
    if (folder < 0)
        return failed(d, "open the folder of", why, why_size);
    enum vr_status status = lock_in(d, folder, why, why_size);
    close(folder);
    return status;
}

enum vr_status
history_disk_open(struct history_disk *disk, const char *path, char *why,
                  size_t why_size)
{
    *disk = (struct history_disk){.lock_fd = -1};
    enum vr_status status = split(disk, path, why, why_size);
    if (status == VR_OK)
        status = take_lock(disk, why, why_size);
    if (status != VR_OK)
        history_disk_close(disk);
    return status;
}

void
history_disk_close(struct history_disk *disk)
{
    int folder = disk->lock_fd >= 0 ? open_folder(disk) : -1;
    char name[BESIDE_BYTES];
    if (folder >= 0) {
        beside(disk, ".lock", name);
        if (still_there(folder, name, disk->lock_fd))
            unlinkat(folder, name, 0);
        close(folder);
    }
    if (disk->lock_fd >= 0)
        close(disk->lock_fd);
    free(disk->path);
    free(disk->folder);
    *disk = (struct history_disk){.lock_fd = -1};
}

/* ---- reading ---- */

/* Whether the name stands for a regular file, or for nothing. */
static enum vr_status
check_kind(const struct history_disk *d, int folder, char *why, size_t why_size)
{
    struct stat st;
    if (fstatat(folder, d->name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return failed(d, "look at", why, why_size);
    if (S_ISREG(st.st_mode))
        return VR_OK;
    snprintf(why, why_size,
             S_ISLNK(st.st_mode)
                 ? "%s is a symbolic link; name the file it leads to"
                 : "%s is no regular file; name another",
             d->path);
    return VR_INVALID;
}

/* The size read, at most `size`; -1 with errno. */
static ssize_t
read_all(int fd, char *text, size_t size)
{
    size_t at = 0;
    while (at < size) {
        ssize_t n = read(fd, text + at, size - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        at += (size_t)n;
    }
    return (ssize_t)at;
}

static char *
read_open(const struct history_disk *d, int fd, size_t limit_bytes,
          size_t *bytes, enum vr_status *status, char *why, size_t why_size)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        *status = failed(d, "look at", why, why_size);
        return NULL;
    }
    if (st.st_size < 0 || (size_t)st.st_size > limit_bytes) {
        snprintf(why, why_size, "it has %lld bytes, more than %zu",
                 (long long)st.st_size, limit_bytes);
        *status = VR_LIMIT;
        return NULL;
    }
    char *text = malloc((size_t)st.st_size + 1);
    ssize_t n = text ? read_all(fd, text, (size_t)st.st_size) : 0;
    if (n >= 0 && text) {
        text[n] = '\0';
        *bytes = (size_t)n;
        *status = VR_OK;
        return text;
    }
    *status = text ? failed(d, "read", why, why_size) : VR_NO_MEMORY;
    if (!text)
        snprintf(why, why_size, "out of memory for %s", d->path);
    free(text);
    return NULL;
}

char *
history_disk_read(const struct history_disk *d, size_t limit_bytes,
                  size_t *bytes, enum vr_status *status, char *why,
                  size_t why_size)
{
    char *text = NULL;
    int folder = open_folder(d), fd = -1;
    *bytes = 0;
    *status = folder < 0 ? failed(d, "open the folder of", why, why_size)
                         : check_kind(d, folder, why, why_size);
    if (*status == VR_OK) {
        fd = openat(folder, d->name,
                    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0)
            *status = failed(d, "open", why, why_size);
        else
            text = read_open(d, fd, limit_bytes, bytes, status, why, why_size);
    }
    if (fd >= 0)
        close(fd);
    if (folder >= 0)
        close(folder);
    return text;
}

/* ---- setting aside ---- */

/* The newest names, the newest first: they are in the order of their times. */
struct newest {
    char names[HISTORY_DISK_DAMAGED_KEPT][BESIDE_BYTES];
};

/* Keeps `name` in its place; `name` is then the one that is too much, or "". */
static void
keep_newest(struct newest *newest, char name[BESIDE_BYTES])
{
    for (size_t i = 0; i < HISTORY_DISK_DAMAGED_KEPT; i++) {
        char newer[BESIDE_BYTES];
        if (strcmp(name, newest->names[i]) <= 0)
            continue;
        memcpy(newer, name, BESIDE_BYTES);
        memcpy(name, newest->names[i], BESIDE_BYTES);
        memcpy(newest->names[i], newer, BESIDE_BYTES);
    }
}

static void
remove_oldest(const struct history_disk *d, int folder)
{
    struct newest newest = {{{0}}};
    char prefix[BESIDE_BYTES];
    int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = again < 0 ? NULL : fdopendir(again);
    if (!entries && again >= 0)
        close(again);
    beside(d, ".damaged-", prefix);
    size_t length = strlen(prefix);
    for (struct dirent *e; entries && (e = readdir(entries));) {
        char name[BESIDE_BYTES] = "";
        if (strncmp(e->d_name, prefix, length) ||
            !isdigit((unsigned char)e->d_name[length]))
            continue;
        snprintf(name, sizeof name, "%s", e->d_name);
        keep_newest(&newest, name);
        if (name[0])
            unlinkat(folder, name, 0);
    }
    if (entries)
        closedir(entries);
}

/* Renames without replacing; -1 with errno. */
static int
rename_to(const struct history_disk *d, int folder, const char *name)
{
    struct stat st;
    int result = renameat2(folder, d->name, folder, name, RENAME_NOREPLACE);
    if (result == 0 || (errno != EINVAL && errno != ENOSYS))
        return result;
    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
        return -1;
    }
    return renameat(folder, d->name, folder, name);
}

/* "20260131T120000.123Z" */
static void
time_stamp(char text[CLOCK_UTC_BYTES])
{
    char utc[CLOCK_UTC_BYTES];
    char *to = text;
    clock_utc_text(utc);
    for (const char *at = utc; *at; at++) {
        if (*at != '-' && *at != ':')
            *to++ = *at;
    }
    *to = '\0';
}

enum vr_status
history_disk_set_aside(const struct history_disk *d, char *aside,
                       size_t aside_size, char *why, size_t why_size)
{
    char name[BESIDE_BYTES], suffix[64], stamp[CLOCK_UTC_BYTES];
    int folder = open_folder(d), result = -1;
    time_stamp(stamp);
    for (int i = 0; folder >= 0 && result != 0 && i < ASIDE_TRIES; i++) {
        snprintf(suffix, sizeof suffix, ".damaged-%s-%02d", stamp, i);
        beside(d, suffix, name);
        result = rename_to(d, folder, name);
        if (result != 0 && errno != EEXIST)
            break;
    }
    enum vr_status status =
        result == 0 ? VR_OK : failed(d, "set aside", why, why_size);
    if (result == 0) {
        snprintf(aside, aside_size, "%s/%s", d->folder, name);
        remove_oldest(d, folder);
    }
    if (folder >= 0)
        close(folder);
    return status;
}

/* ---- writing ---- */

static bool
write_all(int fd, const char *text, size_t bytes)
{
    while (bytes > 0) {
        ssize_t n = write(fd, text, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        text += n;
        bytes -= (size_t)n;
    }
    return fsync(fd) == 0;
}

/* The text is in the temporary file, and on the disk. */
static bool
write_temporary(int folder, const char *name, const char *text, size_t bytes)
{
    unlinkat(folder, name, 0); /* of one that died while it wrote */
    int fd = openat(folder, name,
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool written = write_all(fd, text, bytes);
    int error = errno;
    if (close(fd) != 0 && written) {
        error = errno;
        written = false;
    }
    errno = error;
    return written;
}

/* Some file systems cannot sync a folder, and need not. */
static bool
sync_folder(int folder)
{
    return fsync(folder) == 0 || errno == EINVAL || errno == ENOTSUP;
}

static enum vr_status
replace_in(const struct history_disk *d, int folder, const char *text,
           size_t bytes, char *why, size_t why_size)
{
    char name[BESIDE_BYTES];
    enum vr_status status = check_kind(d, folder, why, why_size);
    if (status != VR_OK && status != VR_NOT_FOUND)
        return status;
    beside(d, ".tmp", name);
    status = VR_OK;
    if (!write_temporary(folder, name, text, bytes))
        status = failed(d, "write", why, why_size);
    else if (renameat(folder, name, folder, d->name) != 0)
        status = failed(d, "replace", why, why_size);
    else if (!sync_folder(folder))
        status = failed(d, "sync the folder of", why, why_size);
    if (status != VR_OK)
        unlinkat(folder, name, 0);
    return status;
}

enum vr_status
history_disk_write(const struct history_disk *d, const char *text, size_t bytes,
                   char *why, size_t why_size)
{
    int folder = open_folder(d);
    if (folder < 0)
        return failed(d, "open the folder of", why, why_size);
    enum vr_status status = replace_in(d, folder, text, bytes, why, why_size);
    close(folder);
    return status;
}

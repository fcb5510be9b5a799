#include "gateway/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum vr_status
status_of_errno(void)
{
    switch (errno) {
    case ENOENT:
    case ENOTDIR:
        return VR_NOT_FOUND;
    case EACCES:
    case EPERM:
        return VR_DENIED;
    default:
        return VR_SYSTEM;
    }
}

/* Reads to the end; -1 with errno, or more than `size` bytes are there and
 * `size` + 1 is returned. */
static ssize_t
read_all(int fd, char *text, size_t size)
{
    size_t at = 0;
    for (;;) {
        ssize_t n = read(fd, text + at, size + 1 - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        at += (size_t)n;
        if (n == 0 || at > size)
            return (ssize_t)at;
    }
}

static char *
read_open(int fd, const char *path, size_t limit_bytes, size_t *bytes,
          enum vr_status *status, char *why, size_t why_size)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        *status = VR_INVALID;
        snprintf(why, why_size, "%s is no file; name a text file", path);
        return NULL;
    }
    char *text = malloc(limit_bytes + 2);
    if (!text) {
        *status = VR_NO_MEMORY;
        snprintf(why, why_size, "out of memory for %s", path);
        return NULL;
    }
    ssize_t n = read_all(fd, text, limit_bytes);
    if (n < 0) {
        *status = VR_SYSTEM;
        snprintf(why, why_size, "cannot read %s: %s", path, strerror(errno));
    } else if ((size_t)n > limit_bytes) {
        *status = VR_LIMIT;
        snprintf(why, why_size, "%s is longer than %zu bytes; shorten it", path,
                 limit_bytes);
    } else {
        *status = VR_OK;
        *bytes = (size_t)n;
        text[n] = '\0';
        return text;
    }
    free(text);
    return NULL;
}

char *
config_file_read(const char *path, size_t limit_bytes, size_t *bytes,
                 enum vr_status *status, char *why, size_t why_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    *bytes = 0;
    if (fd < 0) {
        *status = status_of_errno();
        snprintf(why, why_size, "cannot open %s: %s", path, strerror(errno));
        return NULL;
    }
    char *text = read_open(fd, path, limit_bytes, bytes, status, why, why_size);
    close(fd);
    return text;
}

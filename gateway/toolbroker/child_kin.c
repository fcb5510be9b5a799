#include "gateway/toolbroker/child_kin.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Nobody forks faster than we kill for so long. */
#define ROUNDS_MAX 8
/* The mark is among the first that a child gets. */
#define ENVIRONMENT_BYTES (64 * 1024)

/* Whether the process has that variable. `buffer` is scratch. */
static bool
is_kin(int proc, const char *pid, const char *variable, char *buffer)
{
    size_t count = 0;
    char path[64];
    ssize_t n;
    int fd;

    snprintf(path, sizeof path, "%.20s/environ", pid);
    fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    while (count < ENVIRONMENT_BYTES &&
           (n = read(fd, buffer + count, ENVIRONMENT_BYTES - count)) > 0)
        count += (size_t)n;
    close(fd);
    return memmem(buffer, count, variable, strlen(variable) + 1) != NULL;
}

static bool
is_ours(int proc, const char *pid)
{
    struct stat st;

    return pid[0] >= '1' && pid[0] <= '9' && fstatat(proc, pid, &st, 0) == 0 &&
           st.st_uid == geteuid();
}

/* True if there was one: it may have forked meanwhile. */
static bool
kill_round(const char *variable, char *buffer)
{
    DIR *dir = opendir("/proc");
    const struct dirent *entry;
    bool found = false;

    while (dir && (entry = readdir(dir))) {
        if (!is_ours(dirfd(dir), entry->d_name) ||
            !is_kin(dirfd(dir), entry->d_name, variable, buffer))
            continue;
        kill((pid_t)strtol(entry->d_name, NULL, 10), SIGKILL);
        found = true;
    }
    if (dir)
        closedir(dir);
    return found;
}

void
child_kin_kill(const char *mark)
{
    char *buffer = malloc(ENVIRONMENT_BYTES);
    char variable[128];

    snprintf(variable, sizeof variable, CHILD_KIN_VARIABLE "=%.64s", mark);
    for (int i = 0; buffer && i < ROUNDS_MAX; i++) {
        if (!kill_round(variable, buffer))
            break;
    }
    free(buffer);
}

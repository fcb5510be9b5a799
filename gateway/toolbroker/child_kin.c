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
#define ROUNDS_MAX 64
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

/* ---- each of them ----------------------------------------------------------- */

typedef void kin_fn(void *arg, int proc, const char *pid);

/* Visits every process that has the mark; true if there was one. */
static bool
each_kin(const char *mark, kin_fn *visit, void *arg)
{
    DIR *dir = opendir("/proc");
    char *buffer = malloc(ENVIRONMENT_BYTES);
    const struct dirent *entry;
    char variable[128];
    bool found = false;

    snprintf(variable, sizeof variable, CHILD_KIN_VARIABLE "=%.64s", mark);
    while (dir && buffer && (entry = readdir(dir))) {
        if (!is_ours(dirfd(dir), entry->d_name) ||
            !is_kin(dirfd(dir), entry->d_name, variable, buffer))
            continue;
        visit(arg, dirfd(dir), entry->d_name);
        found = true;
    }
    if (dir)
        closedir(dir);
    free(buffer);
    return found;
}

static int
number_of(const char *pid)
{
    return (int)strtol(pid, NULL, 10);
}

static void
kill_one(void *arg, int proc, const char *pid)
{
    (void)arg;
    (void)proc;
    kill(number_of(pid), SIGKILL);
}

void
child_kin_kill(const char *mark)
{
    /* it may have forked while it was looked for */
    for (int i = 0; i < ROUNDS_MAX; i++) {
        if (!each_kin(mark, kill_one, NULL))
            return;
    }
}

/* ---- what they take --------------------------------------------------------- */

/* Its share of the memory that it has: what a fork has in common with its
 * parent is not counted twice. 0 if that cannot be known. */
static uint64_t
share_bytes(int proc, const char *pid)
{
    char path[64], text[4096];
    unsigned long long kilobytes = 0;
    const char *line;
    ssize_t n;
    int fd;

    snprintf(path, sizeof path, "%.20s/smaps_rollup", pid);
    fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    line = strstr(text, "\nPss:");
    if (!line || sscanf(line, "\nPss: %llu", &kilobytes) != 1)
        return 0;
    return kilobytes * 1024;
}

struct measure {
    int pid;
    struct child_kin *kin;
};

static void
measure_one(void *arg, int proc, const char *pid)
{
    const struct measure *m = arg;

    m->kin->count += number_of(pid) != m->pid;
    m->kin->bytes += share_bytes(proc, pid);
}

void
child_kin_measure(const char *mark, int pid, struct child_kin *kin)
{
    struct measure m = {pid, kin};

    memset(kin, 0, sizeof *kin);
    each_kin(mark, measure_one, &m);
}

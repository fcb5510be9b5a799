#include "tools/toolhost/fence.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEPT_MAX 4
/* Statuses that mean something to the gateway; exit() of a plugin must not be
 * taken for one. */
#define STATUS_OWN_FIRST 3
#define STATUS_OWN_LAST 5

static struct {
    pid_t pid;
    struct {
        int fd;
        dev_t device;
        ino_t inode;
    } kept[KEPT_MAX];
    unsigned count;
} fence;

void
fence_init(void)
{
    fence.pid = getpid();
}

bool
fence_is_copy(void)
{
    return getpid() != fence.pid;
}

_Noreturn void
fence_end(int status, const char *sentence)
{
    static const char head[] = "voxring-toolhost: ";
    char line[300];
    size_t at = sizeof head - 1;
    size_t bytes = strnlen(sentence, sizeof line - at - 1);

    /* in one write, so that lines of other threads stay apart, and with
     * nothing that a signal handler may not use */
    memcpy(line, head, at);
    memcpy(line + at, sentence, bytes);
    at += bytes;
    line[at++] = '\n';
    (void)!write(STDERR_FILENO, line, at);
    _exit(status);
}

void
fence_end_copy(void)
{
    if (fence_is_copy())
        fence_end(EXIT_FAILURE,
                  "a process that the plugin forked returned from the "
                  "plugin's function and is ended; let it end in _exit() or "
                  "exec()");
}

void
fence_keep(int fd)
{
    struct stat st;

    assert(fence.count < KEPT_MAX);
    if (fstat(fd, &st) != 0)
        memset(&st, 0, sizeof st);
    fence.kept[fence.count].fd = fd;
    fence.kept[fence.count].device = st.st_dev;
    fence.kept[fence.count].inode = st.st_ino;
    fence.count++;
}

void
fence_check(void)
{
    struct stat st;

    for (unsigned i = 0; i < fence.count; i++) {
        if (fstat(fence.kept[i].fd, &st) == 0 &&
            st.st_dev == fence.kept[i].device &&
            st.st_ino == fence.kept[i].inode)
            continue;
        fence_end(EXIT_FAILURE,
                  "the plugin closed a descriptor that is not its own, so "
                  "this process is cut off and ends; close only what you "
                  "opened");
    }
}

static void
on_plugin_exit(int status, void *arg)
{
    char sentence[80];

    (void)arg;
    if (fence_is_copy())
        return;
    fflush(stdout);
    snprintf(sentence, sizeof sentence, "the plugin called exit(%d)", status);
    status &= 0xff;
    if (status >= STATUS_OWN_FIRST && status <= STATUS_OWN_LAST)
        status = EXIT_FAILURE;
    fence_end(status, sentence);
}

void
fence_watch_exit(void)
{
    on_exit(on_plugin_exit, NULL);
}

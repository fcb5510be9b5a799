#include "ipc/cli/tool_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/cli/say.h"

#define BOOT_FD 3
#define MESSAGE_PATIENCE_S 5

/* What a plugin gets of the environment from the gateway, too. */
static const char *const passed[] = {
    "PATH",           "LANG",          "LANGUAGE",
    "LC_ALL",         "LC_CTYPE",      "TZ",
    "LC_TIME",        "TZDIR",         "HOME",
    "TMPDIR",         "USER",          "LOGNAME",
    "ASAN_OPTIONS",   "UBSAN_OPTIONS", "TSAN_OPTIONS",
    "LD_LIBRARY_PATH"};
#define PASSED_COUNT (sizeof passed / sizeof passed[0])

static void
free_environment(char **environment)
{
    for (size_t i = 0; environment && environment[i]; i++)
        free(environment[i]);
    free(environment);
}

static char **
make_environment(void)
{
    char **made = calloc(PASSED_COUNT + 2, sizeof *made);
    size_t count = 0;
    for (size_t i = 0; made && i < PASSED_COUNT; i++) {
        const char *value = getenv(passed[i]);
        if (!value)
            continue;
        if (asprintf(&made[count], "%s=%s", passed[i], value) < 0)
            made[count] = NULL;
        count += made[count] != NULL;
    }
    if (made)
        made[count] = strdup("LD_BIND_NOW=1");
    return made;
}

/* The ends the child gets; ours are in *p. */
struct ends {
    int boot, print[2];
};

static void
close_all(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
        fds[i] = -1;
    }
}

static bool
make_ends(struct tool_process *p, struct ends *ends)
{
    const struct timeval patience = {.tv_sec = MESSAGE_PATIENCE_S};
    int pair[2];
    ends->boot = ends->print[0] = ends->print[1] = -1;
    p->boot_fd = p->print_fd[0] = p->print_fd[1] = -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return false;
    p->boot_fd = pair[0];
    ends->boot = pair[1];
    setsockopt(p->boot_fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    for (int i = 0; i < 2; i++) {
        if (pipe2(pair, O_CLOEXEC) != 0)
            return false;
        p->print_fd[i] = pair[0];
        ends->print[i] = pair[1];
        fcntl(pair[0], F_SETFL, O_NONBLOCK);
    }
    return true;
}

/* 0, or an errno. */
static int
spawn(struct tool_process *p, const struct ends *ends, const char *program,
      const char *plugin)
{
    char *arguments[] = {(char *)program, (char *)plugin, NULL};
    char **environment = make_environment();
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none;
    if (!environment)
        return ENOMEM;
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, ends->print[0], 1);
    posix_spawn_file_actions_adddup2(&files, ends->print[1], 2);
    posix_spawn_file_actions_adddup2(&files, ends->boot, BOOT_FD);
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
    int error = posix_spawn(&p->pid, program, &files, &attributes, arguments,
                            environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    free_environment(environment);
    p->group = error ? 0 : p->pid;
    p->pid = error ? 0 : p->pid;
    return error;
}

/* A process that is dead by now tells so itself. */
static void
give_message(struct tool_process *p, const char *message)
{
    size_t count = strlen(message);
    while (count > 0) {
        ssize_t sent = send(p->boot_fd, message, count, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return;
        message += sent;
        count -= (size_t)sent;
    }
    (void)!send(p->boot_fd, "\n", 1, MSG_NOSIGNAL);
}

int
tool_process_start(struct tool_process *p, const struct cli *cli,
                   const char *program, const char *plugin, const char *message)
{
    struct ends ends;
    memset(p, 0, sizeof *p);
    int error = make_ends(p, &ends) ? 0 : errno;
    if (!error)
        error = spawn(p, &ends, program, plugin);
    close_all(&ends.boot, 1);
    close_all(ends.print, 2);
    if (error) {
        tool_process_stop(p);
        return say_fail(cli, CLI_FAILED, "%s cannot be started: %s", program,
                        strerror(error));
    }
    give_message(p, message);
    return CLI_DONE;
}

static void
keep_line(struct tool_process *p, const char *bytes, size_t count)
{
    while (count > 0 && bytes[count - 1] == '\n')
        count--;
    const char *begin = bytes + count;
    while (begin > bytes && begin[-1] != '\n')
        begin--;
    size_t length = (size_t)(bytes + count - begin);
    if (length == 0)
        return;
    if (length >= sizeof p->line)
        length = sizeof p->line - 1;
    memcpy(p->line, begin, length);
    p->line[length] = '\0';
}

void
tool_process_read(struct tool_process *p, int which)
{
    char bytes[4096];
    if (p->print_fd[which] < 0)
        return;
    ssize_t got = read(p->print_fd[which], bytes, sizeof bytes);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        close_all(&p->print_fd[which], 1);
        return;
    }
    if (which == 0)
        p->stdout_bytes += (unsigned)got;
    keep_line(p, bytes, (size_t)got);
}

bool
tool_process_reap(struct tool_process *p)
{
    if (p->ended || p->pid == 0)
        return true;
    if (waitpid(p->pid, &p->status, WNOHANG) != p->pid)
        return false;
    p->pid = 0;
    p->ended = true;
    for (int i = 0; i < 2; i++)
        tool_process_read(p, i);
    if (WIFSIGNALED(p->status))
        snprintf(p->end, sizeof p->end, "it was killed by signal %d (%s)",
                 WTERMSIG(p->status), strsignal(WTERMSIG(p->status)));
    else
        snprintf(p->end, sizeof p->end, "it exited with status %d",
                 WEXITSTATUS(p->status));
    return true;
}

void
tool_process_dismiss(struct tool_process *p)
{
    close_all(&p->boot_fd, 1);
}

void
tool_process_stop(struct tool_process *p)
{
    if (p->group > 0)
        kill(-p->group, SIGKILL);
    if (p->pid > 0)
        waitpid(p->pid, &p->status, 0);
    p->pid = p->group = 0;
    close_all(&p->boot_fd, 1);
    close_all(p->print_fd, 2);
}

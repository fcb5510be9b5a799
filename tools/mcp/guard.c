#include "tools/mcp/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOT_STARTED 127

static void
run_server(char **argv, const sigset_t *mask)
{
    setpgid(0, 0);
    sigprocmask(SIG_SETMASK, mask, NULL);
    execvp(argv[0], argv);
    fprintf(stderr, "cannot start %s: %s\n", argv[0], strerror(errno));
    _exit(NOT_STARTED);
}

/* The server's pipes are its own: we would keep them open. */
static void
release_pipes(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0)
        return;
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
}

/* Ends this process as that one ended. */
static int
end_like(int status)
{
    struct rlimit no_core = {0, 0};
    sigset_t set;

    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    setrlimit(RLIMIT_CORE, &no_core);
    signal(WTERMSIG(status), SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, WTERMSIG(status));
    raise(WTERMSIG(status));
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    return 128 + WTERMSIG(status);
}

static int
watch(pid_t server, const sigset_t *set)
{
    int status = 0;

    for (;;) {
        int number = sigwaitinfo(set, NULL);
        if (number == SIGTERM)
            kill(-server, SIGTERM);
        else if (number == SIGHUP)
            kill(-server, SIGKILL);
        if (waitpid(server, &status, WNOHANG) == server)
            break;
    }
    kill(-server, SIGKILL);
    return end_like(status);
}

int
guard_main(int argc, char **argv)
{
    sigset_t set, before;
    pid_t server;

    if (argc < 2)
        return EXIT_FAILURE;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, &before);
    prctl(PR_SET_PDEATHSIG, SIGHUP);
    if (getppid() != (pid_t)strtol(argv[0], NULL, 10))
        return EXIT_FAILURE;
    server = fork();
    if (server < 0) {
        fprintf(stderr, "cannot start %s: %s\n", argv[1], strerror(errno));
        return NOT_STARTED;
    }
    if (server == 0)
        run_server(argv + 1, &before);
    /* by whom it is done first does not matter */
    setpgid(server, server);
    release_pipes();
    return watch(server, &set);
}

#include "tests/local/client_program.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/local/program.h"

#define ARGUMENTS_MAX 16

/* In the child: never returns. */
static void
become_program(const char *const *first, const char *const *more)
{
    char *argv[ARGUMENTS_MAX + 1] = {(char *)(uintptr_t) "voxring-local"};
    int argc = 1;
    for (; first != NULL && *first != NULL; first++)
        argv[argc++] = (char *)(uintptr_t)*first;
    for (; more != NULL && *more != NULL && argc < ARGUMENTS_MAX; more++)
        argv[argc++] = (char *)(uintptr_t)*more;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int status = program_run(argc, argv);
    exit(status);
}

static bool
read_line(int fd, char *line, size_t size)
{
    size_t used = 0;
    while (used + 1 < size) {
        struct pollfd wait = {fd, POLLIN, 0};
        if (poll(&wait, 1, 20000) != 1 || read(fd, line + used, 1) != 1)
            break;
        if (line[used] == '\n') {
            line[used] = '\0';
            return true;
        }
        used++;
    }
    line[used] = '\0';
    return false;
}

bool
client_program_start(struct client_program *program,
                     const char *const *arguments)
{
    int out[2];
    *program = (struct client_program){0};
    snprintf(program->folder, sizeof(program->folder),
             "/tmp/voxring-test.XXXXXX");
    if (mkdtemp(program->folder) == NULL || pipe2(out, O_CLOEXEC) != 0)
        return false;
    snprintf(program->log_file, sizeof(program->log_file), "%s/log",
             program->folder);
    fflush(NULL);
    program->pid = fork();
    if (program->pid == 0) {
        int log = open(program->log_file, O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(out[1], STDOUT_FILENO);
        dup2(log, STDERR_FILENO);
        unsetenv("AWS_ACCESS_KEY_ID");
        unsetenv("AWS_SECRET_ACCESS_KEY");
        unsetenv("AWS_SESSION_TOKEN");
        const char *const first[] = {
            "--state-dir", program->folder,      "--log",
            "json",        "--exit-with-parent", NULL};
        become_program(first, arguments);
    }
    close(out[1]);
    bool listening = read_line(out[0], program->line, sizeof(program->line)) &&
                     sscanf(program->line,
                            "voxring-local listening "
                            "https://127.0.0.1:%d ca=%511s",
                            &program->port, program->ca_file) == 2;
    close(out[0]);
    return listening;
}

static int
wait_for(pid_t pid)
{
    int status;
    for (int i = 0; i < 1000; i++) {
        if (waitpid(pid, &status, WNOHANG) == pid)
            return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        poll(NULL, 0, 10);
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return -1;
}

int
client_program_stop(struct client_program *program)
{
    if (program->pid <= 0)
        return -1;
    kill(program->pid, SIGTERM);
    int status = wait_for(program->pid);
    program->pid = 0;
    return status;
}

static bool
log_has(const struct client_program *program, const char *text)
{
    static char log[1 << 20];
    FILE *file = fopen(program->log_file, "r");
    if (file == NULL)
        return false;
    size_t count = fread(log, 1, sizeof(log) - 1, file);
    fclose(file);
    log[count] = '\0';
    return strstr(log, text) != NULL;
}

bool
client_program_logged(const struct client_program *program, const char *text)
{
    for (int i = 0; i < 200; i++) {
        if (log_has(program, text))
            return true;
        poll(NULL, 0, 10);
    }
    return false;
}

void
client_program_clean(struct client_program *program)
{
    DIR *listing = opendir(program->folder);
    if (program->pid > 0)
        client_program_stop(program);
    for (struct dirent *entry; listing && (entry = readdir(listing)) != NULL;) {
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(listing), entry->d_name, 0);
    }
    if (listing != NULL)
        closedir(listing);
    rmdir(program->folder);
}

int
client_program_once(const char *const *arguments, char *out, size_t size)
{
    int pipes[2];
    size_t used = 0;
    if (pipe2(pipes, O_CLOEXEC) != 0)
        return -1;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(pipes[1], STDOUT_FILENO);
        dup2(pipes[1], STDERR_FILENO);
        become_program(NULL, arguments);
    }
    close(pipes[1]);
    for (ssize_t count; used + 1 < size && (count = read(pipes[0], out + used,
                                                         size - 1 - used)) > 0;)
        used += (size_t)count;
    out[used] = '\0';
    close(pipes[0]);
    return wait_for(pid);
}

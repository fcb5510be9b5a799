/* One voxring-toolhost: its process, its start message, what it prints. */
#ifndef IPC_CLI_TOOL_PROCESS_H
#define IPC_CLI_TOOL_PROCESS_H

#include <sys/types.h>

#include "ipc/cli/command.h"

struct tool_process {
    pid_t pid;       /* 0: none, or it was waited for */
    pid_t group;     /* what it forked is in it */
    int boot_fd;     /* our end; closing it asks the process to end */
    int print_fd[2]; /* its stdout and stderr, -1 at their end */
    int status;      /* of waitpid(), once `ended` */
    bool ended;
    unsigned stdout_bytes;
    char line[256]; /* the last whole or broken line it printed */
    char end[160];  /* how it ended, "" before */
};

/* Starts `program` with `plugin` and gives it `message`, one line.
 * CLI_DONE, or CLI_FAILED after a line on stderr. [any] */
int tool_process_start(struct tool_process *p, const struct cli *cli,
                       const char *program, const char *plugin,
                       const char *message);

/* Takes what it printed: print_fd[which] can be read. [any] */
void tool_process_read(struct tool_process *p, int which);

/* True once it has ended; `end` then says how. Never waits. [any] */
bool tool_process_reap(struct tool_process *p);

/* Asks it to end. [any] */
void tool_process_dismiss(struct tool_process *p);

/* Kills it and what it forked, waits for it, closes. [any] */
void tool_process_stop(struct tool_process *p);

#endif

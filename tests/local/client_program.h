/* voxring-local as a child process of a test. */
#ifndef TESTS_LOCAL_CLIENT_PROGRAM_H
#define TESTS_LOCAL_CLIENT_PROGRAM_H

#include <stdbool.h>
#include <sys/types.h>

struct client_program {
    pid_t pid;
    int port;
    char ca_file[512];
    char folder[64]; /* scratch, removed at the end */
    char log_file[96];
    char line[640]; /* what it printed */
};

/* Starts it with up to eight extra arguments (ended by NULL), its state folder
 * in a scratch folder and its log in `log_file`; the test keys are expected.
 * Waits for the listening line; false if it ended instead. It dies with the
 * test. [any] */
bool client_program_start(struct client_program *program,
                          const char *const *arguments);

/* SIGTERM; gives the exit status, -1 after a signal or 10 s. Keeps the scratch
 * folder. [any] */
int client_program_stop(struct client_program *program);

/* Whether the log has `text`; waits for it up to 2 s, for a log line may come
 * after what it is about. [any] */
bool client_program_logged(const struct client_program *program,
                           const char *text);

/* Removes the scratch folder. [any] */
void client_program_clean(struct client_program *program);

/* Runs it to its end with the arguments and gives the exit status; `out` gets
 * what it said on stdout and stderr. [any] */
int client_program_once(const char *const *arguments, char *out, size_t size);

#endif

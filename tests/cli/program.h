/* What the tests of the command line share: a runtime folder that nobody else
 * has, and runs of the program. */
#ifndef TESTS_CLI_PROGRAM_H
#define TESTS_CLI_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The runtime folder of this test program. */
extern char program_dir[64];

/* cmocka set-up and tear-down of a group: the folder, and that no process and
 * no file is left, whatever failed. */
int program_up(void **state);
int program_down(void **state);

/* A path in the folder; lives until the fourth call after it. */
const char *program_path(const char *name);

/* One run of `voxring`. */
struct program {
    pid_t pid;
    int code; /* -1 while it runs, 128 + number if a signal ended it */
    char out[1 << 17];
    char err[1 << 14];
};

/* Starts `voxring` with these arguments and --runtime-dir; standard input comes
 * from the file `input` (NULL: empty). Not ended after 30 s, it is killed. */
struct program *program_start(const char *input, const char *const *arguments);

/* True once it has ended: then code, out and err are filled in. */
bool program_ended(struct program *program);

/* Waits for the end; returns the exit code. */
int program_wait(struct program *program);

/* Waits until a running program's standard output holds `text`; fails the test
 * if it ends without. */
void program_await(struct program *program, const char *text);

/* program_start() and program_wait(); the last one's output stays readable
 * through the pointer. */
#define PROGRAM_RUN(...) \
    program_run(NULL, (const char *const[]){__VA_ARGS__, NULL})
struct program *program_run(const char *input, const char *const *arguments);

/* Writes a file in the folder; returns its path as program_path() does. */
const char *program_file(const char *name, const void *bytes, size_t count);

/* Reads a file of the folder whole; the caller's, by free(). */
uint8_t *program_bytes(const char *name, size_t *count);

/* A s16le WAV in the folder. */
const char *program_wav(const char *name, uint32_t rate_hz, uint32_t channels,
                        const int16_t *samples, size_t frames);

/* A millisecond, in loops around what has no event to wait for. */
void program_pause(void);

#endif

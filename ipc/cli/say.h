/* What the program tells a person: one line on stderr for each thing. */
#ifndef IPC_CLI_SAY_H
#define IPC_CLI_SAY_H

#include <stddef.h>
#include <stdio.h>

#include "ipc/cli/command.h"
#include "ipc/status.h"

/* One line on stderr after "voxring COMMAND: ", then returns exit_code. What
 * could control a terminal is shown as '?'. [any] */
int say_fail(const struct cli *cli, int exit_code, const char *format, ...)
    VR_PRINTF(3, 4);

/* The same, for what is no failure. [any] */
void say_note(const struct cli *cli, const char *format, ...) VR_PRINTF(2, 3);

/* A vr_log_fn; log_arg is the struct cli. [any] */
void say_library(void *log_arg, const char *line);

/* Prints text from outside, what could control a terminal as '?', newlines and
 * tabs kept. [any] */
void say_text(FILE *out, const char *text);

/* Prints one line on stdout, cleaned as say_text() does. [any] */
void say_line(const char *format, ...) VR_PRINTF(1, 2);

/* The exit code for a failed call of libvoxring. [any] */
int say_exit_of(enum vr_status status);

#endif

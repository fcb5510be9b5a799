/* The limit of the memory that a plugin may have.
 *
 * Counted is what the kernel calls data: heap, other private memory that may be
 * written, and thread stacks at their full size, touched or not; without what
 * the host itself has. A little above the limit the kernel refuses more, so a
 * plugin that takes all at once cannot take the machine's memory before the
 * main loop looks. */
#ifndef TOOLS_TOOLHOST_LIMIT_H
#define TOOLS_TOOLHOST_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit status of a process that was ended for its memory. */
#define EXIT_MEMORY 4

/* Sets the limit and lets crashes near it end as EXIT_MEMORY. `threads_max`:
 * how many calls may have threads of the host's. 0 bytes is no limit; neither
 * has a build with a sanitizer, which needs memory without measure. [any] once,
 * before the plugin is loaded */
void limit_set(uint64_t bytes, unsigned threads_max);

bool limit_is_set(void);

/* Ends the process, with a message, if it has more than the limit. `threads`:
 * how many threads for calls the host has now. [any] */
void limit_check(unsigned threads);

/* Ends the process, with a message: memory is out, and without it a call would
 * be left without an answer. [any] */
_Noreturn void limit_is_reached(void);

/* The stack of a thread that runs the plugin's code: the system's default, at
 * least 1 MiB. [any] */
size_t limit_stack_bytes(void);

#endif

/* What a plugin can do to the process it shares with its host, beside its
 * calls: fork it, close its descriptors, end it. Each becomes an end of the
 * process with a message, so that the gateway learns of it at once. */
#ifndef TOOLS_TOOLHOST_FENCE_H
#define TOOLS_TOOLHOST_FENCE_H

#include <stdbool.h>

/* Remembers which process this is. First of all, once. [any] */
void fence_init(void);

/* True in a copy of the process that the plugin forked. Such a copy shares the
 * socket with the host and may hold any lock for ever, so it may touch neither.
 * [any] */
bool fence_is_copy(void);

/* Ends the process if it is a copy: nothing of the host's may run in it.
 * [any] */
void fence_end_copy(void);

/* This descriptor has to stay open, and to stay the same. At most four.
 * [any] before there are threads that check */
void fence_keep(int fd);

/* Ends the process, with a message, if a kept descriptor was closed or is
 * another now. [any] */
void fence_check(void);

/* From now on exit() in the plugin ends the process at once, without its other
 * handlers, which could wait for threads that run on. [any] */
void fence_watch_exit(void);

/* Ends the process with a sentence on stderr, which is in the gateway's log.
 * Safe in a signal handler. [any] */
_Noreturn void fence_end(int status, const char *sentence);

#endif

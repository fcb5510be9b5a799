/* Messages on their way from any thread to the one that has the socket.
 *
 * Answers are always taken (there are no more of them than calls); progress
 * and log lines only while there is room. */
#ifndef TOOLS_TOOLHOST_OUTBOX_H
#define TOOLS_TOOLHOST_OUTBOX_H

#include <stdbool.h>

/* Starts with an empty outbox; one per process. False if there is no event
 * descriptor. [any] */
bool outbox_init(void);

/* Readable when the owner of the socket should look. [any] */
int outbox_fd(void);

/* Makes outbox_fd() readable; safe in a signal handler. Ends the process if the
 * plugin closed that descriptor. [any] */
void outbox_wake(void);

/* Clears outbox_fd(). Ends the process if it is no event descriptor any more.
 * [any] */
void outbox_clear(void);

/* Puts a malloc'ed text in, which it takes. It must arrive: if it is NULL, or
 * memory is out, the process ends. [any] */
void outbox_put(char *text);

/* The same, unless more than a bounded number wait or it is NULL: then it is
 * freed, false returned. [any] */
bool outbox_try(char *text);

/* Takes the oldest text out, for the caller to free(); NULL if empty. [any] */
char *outbox_take(void);

/* Puts a text back to the front, which it takes. [any] */
void outbox_return(char *text);

#endif

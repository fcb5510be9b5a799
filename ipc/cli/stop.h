/* SIGINT and SIGTERM ask the program to end properly; a second one ends it at
 * once. */
#ifndef IPC_CLI_STOP_H
#define IPC_CLI_STOP_H

#include <stdbool.h>
#include <stdint.h>

/* How long a wait lasts at most before stop_wanted() is asked again: a signal
 * may come right before the wait. */
#define STOP_SLICE_MS 100

/* Takes the two signals. Waits of the program end with EINTR. [any] */
void stop_install(void);

/* True once one came. [any] */
bool stop_wanted(void);

/* Milliseconds to wait now for something due at deadline_ns (vr_now_ns()'s
 * clock; UINT64_MAX never): at most STOP_SLICE_MS, 0 when it has passed. [any]
 */
int stop_slice_ms(uint64_t deadline_ns);

/* vr_now_ns() and `ms` milliseconds; UINT64_MAX for a negative `ms`. [any] */
uint64_t stop_deadline_ns(int64_t ms);

/* Sleeps until then, or until a signal came. [any] */
void stop_sleep_until(uint64_t when_ns);

#endif

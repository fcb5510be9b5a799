/* Where log lines wait and how they leave: a bounded ring of bytes in front of
 * a descriptor that is never waited for. Used by log.c only. */
#ifndef GATEWAY_LOG_SINK_H
#define GATEWAY_LOG_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Attaches a descriptor, which stays the caller's. Bytes put before wait for
 * it. [loop] */
void log_sink_open(int fd);

/* Writes what is left, waiting at most `wait_ms`, then empties the ring and
 * detaches. [loop] */
void log_sink_close(int wait_ms);

/* Adds bytes, all or none; false if they do not fit. [loop] */
bool log_sink_put(const char *bytes, size_t count);

/* Hands over what the descriptor takes now. [loop] */
void log_sink_flush(void);

/* Bytes that wait. [loop] */
size_t log_sink_pending_bytes(void);

#endif

/* The log: levels per topic, changeable at run time, never blocking the loop.
 *
 * Lines go into a bounded buffer that a flush hands to stderr without
 * blocking; what does not fit is dropped and counted, and the count is logged
 * as soon as there is room. A line of LOG_INFO or above that repeats within
 * LOG_REPEAT_MS is one line and a count; debug and trace show everything.
 *
 *   2026-01-31T12:00:00.123Z warn session [robot 5f0c...] no producer
 *
 * Nothing secret may be passed in: key ids through log_key_id(), secrets
 * never. */
#ifndef GATEWAY_LOG_H
#define GATEWAY_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/status.h"

#define LOG_BUFFER_BYTES (256u * 1024u)
#define LOG_LINE_BYTES 4096u /* longer lines are cut, and say so */
#define LOG_REPEAT_MS 10000u

enum log_level { LOG_OFF, LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_TRACE };

enum log_topic {
#define LOG_TOPIC(name, what) LOG_##name,
#include "gateway/log.tbl.h"
#undef LOG_TOPIC
    LOG_TOPIC_COUNT
};

/* Starts logging to `fd`, which stays the caller's and whose flags, shared with
 * other processes, are not touched: a pipe that is full makes lines wait in
 * the buffer. All topics at LOG_INFO. Lines written before wait for it. SIGPIPE
 * must be ignored by the program. [loop] */
void log_init(int fd);

/* Writes what is left, waiting at most 100 ms, and forgets the buffer.
 * [loop] */
void log_fini(void);

/* Hands buffered lines to the descriptor as far as it takes them without
 * blocking. Called by the loop before it sleeps. [loop] */
void log_flush(void);

/* True while lines wait, so that the loop can come back. [loop] */
bool log_pending(void);

/* Sets levels from text such as "info" or "info,bedrock=debug,wire=trace".
 * VR_INVALID, with the offending word in `wrong` (may be NULL), changes
 * nothing. [loop] */
enum vr_status log_levels(const char *spec, char *wrong,
                          size_t wrong_size) VR_NODISCARD;

/* Whether log_levels() would take the text; `wrong` as there. [any] */
bool log_levels_valid(const char *spec, char *wrong, size_t wrong_size);

/* Writes the levels in force in the form log_levels() takes: the commonest
 * first, then every topic that differs. Cut if it does not fit. [loop] */
void log_levels_text(char *text, size_t text_size);

/* "off", "error", ...: static storage. [any] */
const char *log_level_name(enum log_level level);

/* Whether a line of this topic and level would be kept. [loop] */
bool log_enabled(enum log_topic topic, enum log_level level);

/* One line: no newline at the end, `context` ("session conversation-id") may
 * be NULL. Control characters are escaped, long lines are cut. [loop] */
void log_write(enum log_topic topic, enum log_level level, const char *context,
               const char *format, ...) VR_PRINTF(4, 5);

/* Lines dropped since log_init() because the buffer was full. [loop] */
uint64_t log_dropped(void);

/* Replaces the monotonic clock that LOG_REPEAT_MS runs on, for tests; NULL
 * puts the real one back. [loop] */
void log_clock(uint64_t (*mono_ns)(void));

/* "AKIA..." cut to what may be shown: the first four characters. The result
 * is valid until the next call. [loop] */
const char *log_key_id(const char *access_key_id);

#define log_error(topic, context, ...) \
    log_at(topic, LOG_ERROR, context, __VA_ARGS__)
#define log_warn(topic, context, ...) \
    log_at(topic, LOG_WARN, context, __VA_ARGS__)
#define log_info(topic, context, ...) \
    log_at(topic, LOG_INFO, context, __VA_ARGS__)
#define log_debug(topic, context, ...) \
    log_at(topic, LOG_DEBUG, context, __VA_ARGS__)
#define log_trace(topic, context, ...) \
    log_at(topic, LOG_TRACE, context, __VA_ARGS__)

/* The arguments are evaluated only if the line is kept. */
#define log_at(topic, level, context, ...)                       \
    do {                                                         \
        if (log_enabled(LOG_##topic, level))                     \
            log_write(LOG_##topic, level, context, __VA_ARGS__); \
    } while (0)

#endif

/* The program's own log on stderr: one line per thing, for people (text) or
 * for machines (json). Lines are written whole; a reader that stops reading
 * stops the program, so it must read or close. */
#ifndef GATEWAY_LOCAL_JSONLOG_H
#define GATEWAY_LOCAL_JSONLOG_H

#include <stddef.h>
#include <stdint.h>

enum jsonlog_mode { JSONLOG_QUIET, JSONLOG_TEXT, JSONLOG_JSON };

struct jsonlog {
    enum jsonlog_mode mode;
    int fd;
};

/* Where something happened: the connection's number, and the HTTP/2 stream's
 * (0: none). */
struct jsonlog_place {
    unsigned connection;
    int stream;
};

/* One JSON event that went in ("received") or out ("sent"), audio as a count
 * of bytes. Only in json mode. [loop] */
void jsonlog_event(const struct jsonlog *log, struct jsonlog_place place,
                   const char *direction, const char *json, size_t json_bytes);

/* Anything else: `kind` such as "violation", "refused", "stream". [loop] */
void jsonlog_note(const struct jsonlog *log, struct jsonlog_place place,
                  const char *kind, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif

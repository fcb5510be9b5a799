#include "tools/mcp/journal.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tools/mcp/utf8.h"

#define LINE_BYTES 1000
#define LINES_PER_S 20
/* a whole list of tools */
#define CATALOG_LINES 64

static struct {
    journal_fn *sink;
    void *arg;
    time_t second;
    unsigned lines;
    unsigned details; /* lines for debugging, counted apart */
    uint64_t dropped;
} state;

void
journal_to(journal_fn *sink, void *arg)
{
    state.sink = sink;
    state.arg = arg;
}

static void
tell(int level, const char *line)
{
    if (state.sink && state.sink(state.arg, level, line))
        return;
    if (level != VOXRING_LOG_DEBUG)
        fprintf(stderr, "%s\n", line);
}

/* False: there were enough in this second. */
static bool
may_tell(int level)
{
    struct timespec now;
    char line[80];

    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec != state.second) {
        state.second = now.tv_sec;
        state.lines = state.details = 0;
        if (state.dropped > 0) {
            snprintf(line, sizeof line, "%llu more lines were not logged",
                     (unsigned long long)state.dropped);
            tell(VOXRING_LOG_WARN, line);
        }
        state.dropped = 0;
    }
    if (level == VOXRING_LOG_DEBUG)
        return state.details++ < CATALOG_LINES;
    if (state.lines >= LINES_PER_S) {
        state.dropped++;
        return false;
    }
    state.lines++;
    return true;
}

void
journal(int level, const char *format, ...)
{
    char line[LINE_BYTES + 1];
    va_list args;

    if ((level == VOXRING_LOG_DEBUG && !state.sink) || !may_tell(level))
        return;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    for (char *p = line; *p; p++) {
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = ' ';
    }
    utf8_clean(line, strlen(line));
    tell(level, line);
}

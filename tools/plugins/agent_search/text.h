/* Text that grows up to a limit and is valid UTF-8 whatever is added. */
#ifndef TOOLS_PLUGINS_AGENT_SEARCH_TEXT_H
#define TOOLS_PLUGINS_AGENT_SEARCH_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct text {
    char *bytes; /* NULL while empty, else ended by a NUL */
    size_t used_bytes, room_bytes;
    size_t limit_bytes; /* used_bytes never exceeds it */
    bool cut;           /* something did not fit, or memory lacked */
    bool line_due;      /* what comes next begins a line */
};

/* An empty text; give it back with text_fini(). [any] */
void text_init(struct text *text, size_t limit_bytes);

/* Frees what is in it and leaves it empty, with its limit. [any] */
void text_fini(struct text *text);

/* Makes it empty and uncut. [any] */
void text_clear(struct text *text);

/* Appends `bytes` up to its NUL; what is no UTF-8 becomes U+FFFD, what does not
 * fit is left out at a character's border and marks the text as cut. NULL adds
 * nothing. [any] */
void text_add(struct text *text, const char *bytes);

/* Lets what is added next begin a new line. [any] */
void text_break(struct text *text);

/* Its characters, "" if empty; valid until the next change. [any] */
const char *text_get(const struct text *text);

/* Copies `from` into `to` as text_add() would, cut to fit. [any] */
void text_copy(char *to, size_t to_bytes, const char *from);

#endif

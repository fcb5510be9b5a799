/* The inside of a history, for its files. */
#ifndef GATEWAY_SESSION_HISTORY_STATE_H
#define GATEWAY_SESSION_HISTORY_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/session/history.h"

struct history {
    struct history_limits limits;
    struct history_message *entries; /* their texts are owned */
    size_t capacity;
    struct history_totals totals; /* `messages` is how many entries there are */
    uint64_t revision;
    uint64_t next_id;
};

/* `first`, `gap`, `second` as one text of at most HISTORY_TEXT_BYTES_MAX, its
 * end cut with a mark, which sets *cut; NULL when memory is out. Caller frees.
 * [any] */
char *history_joined(const char *first, const char *gap, const char *second,
                     size_t *bytes, bool *cut);

/* Frees the text of an entry, which owns it. [loop] */
void history_drop_text(struct history_message *e);

/* Frees so many entries and the array of them. [loop] */
void history_free_entries(struct history_message *entries, size_t count);

/* Counts an entry in (1) or out (-1). [any] */
void history_account(struct history_totals *t, const struct history_message *e,
                     int sign);

/* Another revision, within the limits. [loop] */
void history_changed(struct history *h);

/* Room for one more entry; false when memory is out. [loop] */
bool history_reserve(struct history *h);

/* An entry gets its place and id. Its text is the history's from here on; there
 * is room for it. [loop] */
void history_put_in(struct history *h, size_t at, struct history_message *e);

#endif

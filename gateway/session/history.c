#include "gateway/session/history.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/jsonx.h"
#include "gateway/session/history_state.h"

static size_t
at_most(size_t value, size_t most)
{
    return value < most ? value : most;
}

static size_t
clamped(size_t value, size_t least, size_t most)
{
    return value < least ? least : at_most(value, most);
}

const char *
history_role_name(enum history_role role)
{
    return role == HISTORY_USER ? "user" : "assistant";
}

void
history_drop_text(struct history_message *e)
{
    free((char *)e->text);
    e->text = NULL;
}

/* ---- entries ---- */

void
history_account(struct history_totals *t, const struct history_message *e,
                int sign)
{
    size_t one = (size_t)sign, bytes = (size_t)sign * e->text_bytes;
    t->messages += one;
    t->bytes += bytes;
    if (e->pinned) {
        t->pinned_messages += one;
        t->pinned_bytes += bytes;
    }
}

/* The newest entry stays, whatever its size, and does not push others out:
 * words may still be added to it. */
static bool
over(const struct history *h, size_t newest_bytes)
{
    const struct history_totals *t = &h->totals;
    return t->messages > h->limits.messages * HISTORY_KEPT_FACTOR ||
           t->bytes - newest_bytes >
               h->limits.total_bytes * HISTORY_KEPT_FACTOR;
}

static void
trim(struct history *h)
{
    size_t count = h->totals.messages, kept = 0;
    size_t newest_bytes = count ? h->entries[count - 1].text_bytes : 0;
    for (size_t i = 0; i < count; i++) {
        struct history_message *e = &h->entries[i];
        if (e->pinned || i + 1 == count || !over(h, newest_bytes)) {
            h->entries[kept++] = *e;
            continue;
        }
        history_account(&h->totals, e, -1);
        h->totals.dropped_messages++;
        h->totals.dropped_bytes += e->text_bytes;
        history_drop_text(e);
    }
}

void
history_changed(struct history *h)
{
    h->revision++;
    trim(h);
}

bool
history_reserve(struct history *h)
{
    if (h->totals.messages < h->capacity)
        return true;
    size_t capacity = h->capacity ? 2 * h->capacity : 16;
    struct history_message *entries =
        realloc(h->entries, capacity * sizeof *entries);
    if (!entries)
        return false;
    h->entries = entries;
    h->capacity = capacity;
    return true;
}

static void
take_out(struct history *h, struct history_message *e)
{
    size_t behind = (size_t)(h->entries + h->totals.messages - (e + 1));
    history_account(&h->totals, e, -1);
    history_drop_text(e);
    memmove(e, e + 1, behind * sizeof *e);
    history_changed(h);
}

void
history_put_in(struct history *h, size_t at, struct history_message *e)
{
    memmove(&h->entries[at + 1], &h->entries[at],
            (h->totals.messages - at) * sizeof *e);
    e->id = h->next_id++;
    h->entries[at] = *e;
    history_account(&h->totals, e, 1);
    h->totals.cut_messages += e->cut;
    history_changed(h);
}

static struct history_message *
find(const struct history *h, enum history_role role, uint64_t turn)
{
    for (size_t i = h->totals.messages; turn && i > 0; i--) {
        struct history_message *e = &h->entries[i - 1];
        if (e->turn == turn && e->role == role && !e->settled)
            return e;
    }
    return NULL;
}

/* ---- life ---- */

struct history *
history_new(const struct history_limits *limits)
{
    struct history *h = calloc(1, sizeof *h);
    if (!h)
        return NULL;
    h->revision = 1;
    h->next_id = 1;
    history_set_limits(h, limits);
    return h;
}

void
history_free_entries(struct history_message *entries, size_t count)
{
    for (size_t i = 0; i < count; i++)
        history_drop_text(&entries[i]);
    free(entries);
}

void
history_free(struct history **history)
{
    struct history *h = *history;
    *history = NULL;
    if (!h)
        return;
    history_free_entries(h->entries, h->totals.messages);
    free(h);
}

void
history_set_limits(struct history *h, const struct history_limits *limits)
{
    h->limits.total_bytes = clamped(
        limits->total_bytes, HISTORY_TOTAL_BYTES_MIN, HISTORY_TOTAL_BYTES_MAX);
    h->limits.messages = clamped(limits->messages, 1, HISTORY_MESSAGES_MAX);
    size_t before = h->totals.messages;
    trim(h);
    h->revision += h->totals.messages != before;
}

const struct history_limits *
history_limits(const struct history *h)
{
    return &h->limits;
}

uint64_t
history_revision(const struct history *h)
{
    return h->revision;
}

const struct history_totals *
history_totals(const struct history *h)
{
    return &h->totals;
}

const struct history_message *
history_at(const struct history *h, size_t index)
{
    return &h->entries[index];
}

const struct history_message *
history_find(const struct history *h, enum history_role role, uint64_t turn)
{
    return find(h, role, turn);
}

/* ---- what is said ---- */

static enum vr_status
extend(struct history *h, struct history_message *e, const char *text)
{
    bool gap = !isspace((unsigned char)text[0]) &&
               !isspace((unsigned char)e->text[e->text_bytes - 1]);
    bool cut = false;
    size_t bytes;
    if (e->cut)
        return VR_OK;
    char *whole = history_joined(e->text, gap ? " " : "", text, &bytes, &cut);
    if (!whole)
        return VR_NO_MEMORY;
    history_account(&h->totals, e, -1);
    history_drop_text(e);
    e->text = whole;
    e->text_bytes = bytes;
    e->cut = cut;
    history_account(&h->totals, e, 1);
    h->totals.cut_messages += cut;
    history_changed(h);
    return VR_OK;
}

/* Where a turn's new entry belongs: before later turns, and the user's words
 * before their answer. */
static size_t
place(const struct history *h, enum history_role role, uint64_t turn)
{
    size_t at = h->totals.messages;
    for (; turn && at > 0; at--) {
        const struct history_message *e = &h->entries[at - 1];
        bool answer = e->turn == turn && role == HISTORY_USER &&
                      e->role == HISTORY_ASSISTANT;
        if (e->settled || !(e->turn > turn || answer))
            break;
    }
    return at;
}

static enum vr_status
insert(struct history *h, enum history_role role, uint64_t turn,
       int64_t time_ms, const char *text)
{
    struct history_message e = {.role = role, .turn = turn, .time_ms = time_ms};
    if (!history_reserve(h))
        return VR_NO_MEMORY;
    e.text = history_joined(text, "", "", &e.text_bytes, &e.cut);
    if (!e.text)
        return VR_NO_MEMORY;
    history_put_in(h, place(h, role, turn), &e);
    return VR_OK;
}

enum vr_status
history_add(struct history *h, enum history_role role, uint64_t turn,
            int64_t time_ms, const char *text)
{
    if (history_text_blank(text))
        return VR_OK;
    char *clean = jsonx_utf8(text);
    if (!clean)
        return VR_NO_MEMORY;
    struct history_message *e = find(h, role, turn);
    enum vr_status status =
        e ? extend(h, e, clean) : insert(h, role, turn, time_ms, clean);
    free(clean);
    return status;
}

bool
history_interrupted(struct history *h, uint64_t turn, const char *heard)
{
    struct history_message *e = find(h, HISTORY_ASSISTANT, turn);
    if (!e)
        return false;
    if (heard && history_text_blank(heard) && !e->pinned) {
        take_out(h, e);
        return true;
    }
    char *clean =
        heard && !history_text_blank(heard) ? jsonx_utf8(heard) : NULL;
    bool cut = false;
    size_t bytes;
    char *text = clean ? history_joined(clean, "", "", &bytes, &cut) : NULL;
    free(clean);
    if (text) {
        history_account(&h->totals, e, -1);
        history_drop_text(e);
        e->text = text;
        e->text_bytes = bytes;
        e->cut = cut;
        history_account(&h->totals, e, 1);
    }
    e->interrupted = true;
    history_changed(h);
    return true;
}

bool
history_trigger(struct history *h, uint64_t turn)
{
    struct history_message *e = find(h, HISTORY_USER, turn);
    if (!e)
        return false;
    e->trigger = true;
    history_changed(h);
    return true;
}

bool
history_drop_user(struct history *h, uint64_t turn)
{
    struct history_message *e = find(h, HISTORY_USER, turn);
    if (!e || e->pinned)
        return false;
    take_out(h, e);
    return true;
}

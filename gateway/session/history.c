#include "gateway/session/history.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/jsonx.h"

/* Higher numbers in a file are no numbers of ours, and could overflow. */
#define NUMBER_MAX (UINT64_C(1) << 53)

#define MARK_BYTES (sizeof HISTORY_TRUNCATED - 1)

struct history {
    struct history_limits limits;
    struct history_message *entries; /* their texts are owned */
    size_t capacity;
    struct history_totals totals; /* `messages` is how many entries there are */
    uint64_t revision;
    uint64_t next_id;
};

/* ---- small things ---- */

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

bool
history_text_blank(const char *text)
{
    while (text && isspace((unsigned char)*text))
        text++;
    return !text || !*text;
}

bool
history_text_valid(const char *text)
{
    size_t left = strlen(text), n;
    for (; left; text += n, left -= n) {
        n = jsonx_utf8_bytes(text, left);
        if (!n)
            return false;
    }
    return true;
}

static void
drop_text(struct history_message *e)
{
    free((char *)e->text);
    e->text = NULL;
}

size_t
history_cut(const char *text, size_t text_bytes, size_t room_bytes)
{
    if (text_bytes <= room_bytes)
        return text_bytes;
    size_t end = room_bytes;
    while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80)
        end--;
    return end;
}

const char *
history_role_name(enum history_role role)
{
    return role == HISTORY_USER ? "user" : "assistant";
}

/* `first`, `gap`, `second` as one text of at most HISTORY_TEXT_BYTES_MAX, its
 * end cut with a mark; NULL when memory is out. */
static char *
joined(const char *first, const char *gap, const char *second, size_t *bytes,
       bool *cut)
{
    size_t size[] = {strlen(first), strlen(gap), strlen(second)};
    size_t all = size[0] + size[1] + size[2];
    char *text = malloc(all + 1);
    if (!text)
        return NULL;
    memcpy(text, first, size[0]);
    memcpy(text + size[0], gap, size[1]);
    memcpy(text + size[0] + size[1], second, size[2] + 1);
    if (all > HISTORY_TEXT_BYTES_MAX) {
        all = history_cut(text, all, HISTORY_TEXT_BYTES_MAX - MARK_BYTES);
        memcpy(text + all, HISTORY_TRUNCATED, MARK_BYTES + 1);
        all += MARK_BYTES;
        *cut = true;
        char *smaller = realloc(text, all + 1);
        text = smaller ? smaller : text;
    }
    *bytes = all;
    return text;
}

/* ---- entries ---- */

static void
account(struct history_totals *t, const struct history_message *e, int sign)
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
        account(&h->totals, e, -1);
        h->totals.dropped_messages++;
        h->totals.dropped_bytes += e->text_bytes;
        drop_text(e);
    }
}

static void
changed(struct history *h)
{
    h->revision++;
    trim(h);
}

static bool
reserve(struct history *h)
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
    account(&h->totals, e, -1);
    drop_text(e);
    memmove(e, e + 1, behind * sizeof *e);
    changed(h);
}

/* The text of `e` is the history's from here on; there is room for it. */
static void
put_in(struct history *h, size_t at, struct history_message *e)
{
    memmove(&h->entries[at + 1], &h->entries[at],
            (h->totals.messages - at) * sizeof *e);
    e->id = h->next_id++;
    h->entries[at] = *e;
    account(&h->totals, e, 1);
    h->totals.cut_messages += e->cut;
    changed(h);
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

static void
free_entries(struct history_message *entries, size_t count)
{
    for (size_t i = 0; i < count; i++)
        drop_text(&entries[i]);
    free(entries);
}

void
history_free(struct history **history)
{
    struct history *h = *history;
    *history = NULL;
    if (!h)
        return;
    free_entries(h->entries, h->totals.messages);
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
    char *whole = joined(e->text, gap ? " " : "", text, &bytes, &cut);
    if (!whole)
        return VR_NO_MEMORY;
    account(&h->totals, e, -1);
    drop_text(e);
    e->text = whole;
    e->text_bytes = bytes;
    e->cut = cut;
    account(&h->totals, e, 1);
    h->totals.cut_messages += cut;
    changed(h);
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
    if (!reserve(h))
        return VR_NO_MEMORY;
    e.text = joined(text, "", "", &e.text_bytes, &e.cut);
    if (!e.text)
        return VR_NO_MEMORY;
    put_in(h, place(h, role, turn), &e);
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
    char *text = clean ? joined(clean, "", "", &bytes, &cut) : NULL;
    free(clean);
    if (text) {
        account(&h->totals, e, -1);
        drop_text(e);
        e->text = text;
        e->text_bytes = bytes;
        e->cut = cut;
        account(&h->totals, e, 1);
    }
    e->interrupted = true;
    changed(h);
    return true;
}

bool
history_trigger(struct history *h, uint64_t turn)
{
    struct history_message *e = find(h, HISTORY_USER, turn);
    if (!e)
        return false;
    e->trigger = true;
    changed(h);
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

/* ---- what control does ---- */

static enum vr_status
check_revision(const struct history *h, uint64_t revision, char *why,
               size_t why_size)
{
    if (!revision || revision == h->revision)
        return VR_OK;
    snprintf(why, why_size,
             "the history has changed: it is at revision %llu, not %llu; read "
             "it again",
             (unsigned long long)h->revision, (unsigned long long)revision);
    return VR_STATE;
}

static enum vr_status
check_message(const struct history_message *m, size_t most, char *why,
              size_t why_size)
{
    if (history_text_blank(m->text)) {
        snprintf(why, why_size, "the text is empty");
        return VR_INVALID;
    }
    if (!history_text_valid(m->text)) {
        snprintf(why, why_size, "the text holds a byte that is no UTF-8");
        return VR_INVALID;
    }
    if (strlen(m->text) > most) {
        snprintf(why, why_size, "the text has %zu bytes; use at most %zu",
                 strlen(m->text), most);
        return VR_LIMIT;
    }
    return VR_OK;
}

/* Whether so much may be pinned, which keeps room for what is said. */
static enum vr_status
check_pinned(const struct history *h, size_t messages, size_t bytes, char *why,
             size_t why_size)
{
    if (!messages || (messages <= h->limits.messages / 2 &&
                      bytes <= h->limits.total_bytes / 2))
        return VR_OK;
    snprintf(why, why_size,
             "%zu pinned messages of %zu bytes are too many; pin at most %zu "
             "of %zu bytes, half of the session's history_limits",
             messages, bytes, h->limits.messages / 2,
             h->limits.total_bytes / 2);
    return VR_LIMIT;
}

enum vr_status
history_append(struct history *h, const struct history_message *message,
               uint64_t revision, char *why, size_t why_size)
{
    struct history_message e = *message;
    size_t pinned = e.pinned;
    enum vr_status status = check_revision(h, revision, why, why_size);
    if (status == VR_OK)
        status = check_message(
            message, at_most(HISTORY_TEXT_BYTES_MAX, h->limits.total_bytes),
            why, why_size);
    if (status == VR_OK && pinned)
        status = check_pinned(h, h->totals.pinned_messages + 1,
                              h->totals.pinned_bytes + strlen(e.text), why,
                              why_size);
    if (status != VR_OK)
        return status;
    e.settled = true;
    e.cut = false;
    e.text = reserve(h) ? joined(message->text, "", "", &e.text_bytes, &e.cut)
                        : NULL;
    if (!e.text) {
        snprintf(why, why_size, "out of memory");
        return VR_NO_MEMORY;
    }
    put_in(h, h->totals.messages, &e);
    return VR_OK;
}

/* What is being built to be held instead of the entries there are. */
struct copy {
    struct history_message *entries;
    struct history_totals totals;
    uint64_t next_id;
    bool keep_ids; /* where they grow */
};

static bool
copy_one(struct copy *c, const struct history_message *m)
{
    struct history_message *e = &c->entries[c->totals.messages];
    if (history_text_blank(m->text))
        return true;
    *e = *m;
    e->settled = true;
    e->text = joined(m->text, "", "", &e->text_bytes, &e->cut);
    if (!e->text)
        return false;
    if (!c->keep_ids || e->id < c->next_id || e->id > NUMBER_MAX)
        e->id = c->next_id;
    c->next_id = e->id + 1;
    account(&c->totals, e, 1);
    c->totals.cut_messages += e->cut;
    return true;
}

/* The history holds copies of these instead of what it held. */
static enum vr_status
take_over(struct history *h, const struct history_message *messages,
          size_t count, bool keep_ids)
{
    struct copy c = {
        .entries = calloc(count + 1, sizeof *c.entries),
        .totals = {.dropped_messages = h->totals.dropped_messages,
                   .dropped_bytes = h->totals.dropped_bytes,
                   .cut_messages = h->totals.cut_messages},
        .next_id = keep_ids ? 1 : h->next_id,
        .keep_ids = keep_ids,
    };
    bool whole = c.entries != NULL;
    for (size_t i = 0; whole && i < count; i++)
        whole = copy_one(&c, &messages[i]);
    if (!whole) {
        free_entries(c.entries, c.totals.messages);
        return VR_NO_MEMORY;
    }
    free_entries(h->entries, h->totals.messages);
    h->entries = c.entries;
    h->capacity = count + 1;
    h->totals = c.totals;
    h->next_id = c.next_id > h->next_id ? c.next_id : h->next_id;
    changed(h);
    return VR_OK;
}

static enum vr_status
check_messages(const struct history *h, const struct history_message *messages,
               size_t count, char *why, size_t why_size)
{
    size_t pinned = 0, bytes = 0;
    char problem[160];
    for (size_t i = 0; i < count; i++) {
        enum vr_status status = check_message(
            &messages[i], HISTORY_TEXT_BYTES_MAX, problem, sizeof problem);
        if (status != VR_OK) {
            snprintf(why, why_size, "message %zu: %s", i, problem);
            return status;
        }
        pinned += messages[i].pinned;
        bytes += messages[i].pinned ? strlen(messages[i].text) : 0;
    }
    return check_pinned(h, pinned, bytes, why, why_size);
}

enum vr_status
history_replace(struct history *h, const struct history_message *messages,
                size_t count, uint64_t revision, char *why, size_t why_size)
{
    enum vr_status status = check_revision(h, revision, why, why_size);
    if (status == VR_OK)
        status = check_messages(h, messages, count, why, why_size);
    if (status != VR_OK)
        return status;
    status = take_over(h, messages, count, false);
    if (status != VR_OK)
        snprintf(why, why_size, "out of memory");
    return status;
}

enum vr_status
history_restore(struct history *h, const struct history_message *messages,
                size_t count, uint64_t revision)
{
    enum vr_status status = take_over(h, messages, count, true);
    if (status == VR_OK && revision <= NUMBER_MAX && revision > h->revision)
        h->revision = revision;
    if (status == VR_OK)
        h->revision += HISTORY_REVISION_GAP;
    return status;
}

void
history_clear(struct history *h, bool keep_pinned)
{
    size_t count = h->totals.messages, kept = 0;
    for (size_t i = 0; i < count; i++) {
        struct history_message *e = &h->entries[i];
        if (keep_pinned && e->pinned) {
            h->entries[kept++] = *e;
            continue;
        }
        account(&h->totals, e, -1);
        drop_text(e);
    }
    if (kept != count)
        changed(h);
}

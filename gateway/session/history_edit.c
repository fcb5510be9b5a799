/* What control does to a history: entries added, all replaced, restored,
 * cleared. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/session/history_state.h"

/* Higher numbers in a file are no numbers of ours, and could overflow. */
#define NUMBER_MAX (UINT64_C(1) << 53)

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
    size_t most = h->limits.total_bytes < HISTORY_TEXT_BYTES_MAX
                      ? h->limits.total_bytes
                      : HISTORY_TEXT_BYTES_MAX;
    enum vr_status status = check_revision(h, revision, why, why_size);
    if (status == VR_OK)
        status = check_message(message, most, why, why_size);
    if (status == VR_OK && pinned)
        status = check_pinned(h, h->totals.pinned_messages + 1,
                              h->totals.pinned_bytes + strlen(e.text), why,
                              why_size);
    if (status != VR_OK)
        return status;
    e.settled = true;
    e.cut = false;
    e.text = history_reserve(h)
                 ? history_joined(message->text, "", "", &e.text_bytes, &e.cut)
                 : NULL;
    if (!e.text) {
        snprintf(why, why_size, "out of memory");
        return VR_NO_MEMORY;
    }
    history_put_in(h, h->totals.messages, &e);
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
    e->text = history_joined(m->text, "", "", &e->text_bytes, &e->cut);
    if (!e->text)
        return false;
    if (!c->keep_ids || e->id < c->next_id || e->id > NUMBER_MAX)
        e->id = c->next_id;
    c->next_id = e->id + 1;
    history_account(&c->totals, e, 1);
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
        history_free_entries(c.entries, c.totals.messages);
        return VR_NO_MEMORY;
    }
    history_free_entries(h->entries, h->totals.messages);
    h->entries = c.entries;
    h->capacity = count + 1;
    h->totals = c.totals;
    h->next_id = c.next_id > h->next_id ? c.next_id : h->next_id;
    history_changed(h);
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
        history_account(&h->totals, e, -1);
        history_drop_text(e);
    }
    if (kept != count)
        history_changed(h);
}

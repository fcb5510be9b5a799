/* What of a history a new stream is given; the rules stand in history.h. */
#include <stdlib.h>
#include <string.h>

#include "gateway/session/history.h"

#define MARK_BYTES (sizeof HISTORY_TRUNCATED - 1)

/* Less of a message than this says nothing. */
#define CUT_BYTES_MIN 64

#define NONE SIZE_MAX

enum fate { OUT, IN, APART };

struct picker {
    const struct history *history;
    size_t count;
    unsigned char *fates; /* enum fate of each entry */
    bool apart;           /* unanswered words are handed over apart */
    size_t room_bytes, room_blocks;
    size_t cut_index; /* NONE, or the entry that is cut */
    size_t cut_kept;  /* bytes of it, without the mark */
    struct history_selection *selection;
};

static const struct history_message *
entry(const struct picker *p, size_t index)
{
    return history_at(p->history, index);
}

/* What an entry takes up, cut or whole. */
static size_t
size_of(const struct picker *p, size_t index)
{
    return index == p->cut_index ? p->cut_kept + MARK_BYTES
                                 : entry(p, index)->text_bytes;
}

static size_t
less(size_t value, size_t what)
{
    return value > what ? value - what : 0;
}

/* ---- choosing ---- */

static void
set_apart(struct picker *p)
{
    for (size_t i = p->count; p->apart && i > 0; i--) {
        if (entry(p, i - 1)->role != HISTORY_USER)
            return;
        if (!entry(p, i - 1)->pinned)
            p->fates[i - 1] = APART;
    }
}

/* What the lines before and behind may need. */
static void
reserve_lines(struct picker *p)
{
    bool assistant = false, user = false;
    for (size_t i = 0; i < p->count; i++) {
        bool is_user = entry(p, i)->role == HISTORY_USER;
        assistant = assistant || (entry(p, i)->pinned && !is_user);
        user = user || (entry(p, i)->pinned && is_user);
    }
    if (assistant) {
        p->room_bytes = less(p->room_bytes, sizeof HISTORY_RESUMED - 1);
        p->room_blocks = less(p->room_blocks, 1);
    }
    if (user && p->apart) {
        p->room_bytes = less(p->room_bytes, sizeof HISTORY_NOTED - 1);
        p->room_blocks = less(p->room_blocks, 1);
    }
}

/* How many more messages there are with this entry between its neighbours. */
static size_t
blocks_of(const struct picker *p, size_t index, size_t before, size_t behind)
{
    enum history_role role = entry(p, index)->role;
    bool parted = before != NONE && behind != NONE &&
                  entry(p, before)->role != entry(p, behind)->role;
    size_t more = (before != NONE && entry(p, before)->role != role) +
                  (behind != NONE && entry(p, behind)->role != role);
    return before == NONE && behind == NONE ? 1 : more - parted;
}

/* Takes the entry in, if it fits with the line break that it may need. */
static bool
take_in(struct picker *p, size_t index, size_t before, size_t behind)
{
    size_t bytes = size_of(p, index) + (behind != NONE || before != NONE);
    size_t blocks = blocks_of(p, index, before, behind);
    if (bytes > p->room_bytes || blocks > p->room_blocks)
        return false;
    p->room_bytes -= bytes;
    p->room_blocks -= blocks;
    p->fates[index] = IN;
    return true;
}

static void
choose_pinned(struct picker *p)
{
    size_t behind = NONE;
    for (size_t i = p->count; i > 0; i--) {
        if (!entry(p, i - 1)->pinned)
            continue;
        if (!take_in(p, i - 1, NONE, behind))
            return;
        behind = i - 1;
    }
}

/* Half of the room, so that some of what went before is known too. */
static bool
take_in_cut(struct picker *p, size_t index, size_t before, size_t behind)
{
    const struct history_message *e = entry(p, index);
    size_t room = less(p->room_bytes / 2, MARK_BYTES + 1);
    if (room < CUT_BYTES_MIN || e->text_bytes + 1 <= p->room_bytes)
        return false;
    p->cut_index = index;
    p->cut_kept = history_cut(e->text, e->text_bytes, room);
    if (take_in(p, index, before, behind))
        return true;
    p->cut_index = NONE;
    return false;
}

static void
choose_newest(struct picker *p)
{
    size_t before = p->count, behind = NONE;
    bool newest = true;
    for (size_t i = p->count; i > 0; i--) {
        size_t index = i - 1;
        while (before != NONE && before >= index) {
            do {
                before = before ? before - 1 : NONE;
            } while (before != NONE && p->fates[before] != IN);
        }
        if (p->fates[index] == OUT) {
            if (!take_in(p, index, before, behind) &&
                !(newest && take_in_cut(p, index, before, behind)))
                return;
            newest = false;
        }
        if (p->fates[index] == IN)
            behind = index;
    }
}

/* What the assistant said before the user's first words. */
static void
drop_leading(struct picker *p)
{
    for (size_t i = 0; i < p->count; i++) {
        if (p->fates[i] != IN)
            continue;
        if (entry(p, i)->role == HISTORY_USER || entry(p, i)->pinned)
            return;
        p->fates[i] = OUT;
    }
}

/* ---- runs of one role ---- */

/* The next run of chosen entries of one role from `begin` on; false if there
 * is none. Its first and last are both in it. */
static bool
next_run(const struct picker *p, size_t begin, size_t *first, size_t *last)
{
    while (begin < p->count && p->fates[begin] != IN)
        begin++;
    *first = *last = begin;
    for (size_t i = begin; i < p->count; i++) {
        if (p->fates[i] != IN)
            continue;
        if (entry(p, i)->role != entry(p, begin)->role)
            break;
        *last = i;
    }
    return begin < p->count;
}

static size_t
run_bytes(const struct picker *p, size_t first, size_t last)
{
    size_t bytes = 0, entries = 0;
    for (size_t i = first; i <= last; i++) {
        if (p->fates[i] != IN)
            continue;
        bytes += size_of(p, i);
        entries++;
    }
    return bytes + less(entries, 1);
}

/* The oldest give way, pinned ones last. No entry is longer than a message may
 * be, so that one of them stays and no two runs become one. */
static void
thin_run(struct picker *p, size_t first, size_t last)
{
    size_t bytes = run_bytes(p, first, last);
    for (int pinned = 0; pinned <= 1; pinned++) {
        for (size_t i = first; i <= last; i++) {
            if (bytes <= HISTORY_TEXT_BYTES_MAX)
                return;
            if (p->fates[i] != IN || entry(p, i)->pinned != pinned)
                continue;
            p->fates[i] = OUT;
            bytes = less(bytes, size_of(p, i) + 1);
        }
    }
}

static void
thin_runs(struct picker *p)
{
    size_t first, last;
    for (size_t at = 0; next_run(p, at, &first, &last); at = last + 1)
        thin_run(p, first, last);
}

/* ---- writing it down ---- */

static char *
put(char *to, const char *text, size_t bytes)
{
    memcpy(to, text, bytes);
    return to + bytes;
}

static char *
put_entry(const struct picker *p, char *to, size_t index)
{
    const struct history_message *e = entry(p, index);
    if (index != p->cut_index)
        return put(to, e->text, e->text_bytes);
    p->selection->cut_bytes += e->text_bytes - p->cut_kept;
    to = put(to, e->text, p->cut_kept);
    return put(to, HISTORY_TRUNCATED, MARK_BYTES);
}

/* Entries of one fate from `first` to `last`, a line break between them. */
static char *
written(const struct picker *p, enum fate fate, size_t first, size_t last,
        size_t bytes)
{
    char *text = malloc(bytes + 1);
    char *to = text;
    for (size_t i = first; text && i <= last; i++) {
        if (p->fates[i] != fate)
            continue;
        if (to != text)
            to = put(to, "\n", 1);
        to = put_entry(p, to, i);
    }
    if (text)
        *to = '\0';
    return text;
}

/* `text` becomes the selection's; NULL is memory that was out. */
static bool
add_block(struct history_selection *s, enum history_role role, char *text)
{
    if (!text)
        return false;
    s->blocks[s->count] = (struct history_block){
        .role = role, .text = text, .text_bytes = strlen(text)};
    s->bytes += s->blocks[s->count++].text_bytes;
    return true;
}

static enum vr_status
write_blocks(const struct picker *p)
{
    struct history_selection *s = p->selection;
    size_t first, last, runs = 0;
    for (size_t at = 0; next_run(p, at, &first, &last); at = last + 1)
        runs++;
    s->blocks = calloc(runs + 2, sizeof *s->blocks);
    bool whole = s->blocks != NULL;
    for (size_t at = 0; whole && next_run(p, at, &first, &last);
         at = last + 1) {
        enum history_role role = entry(p, first)->role;
        if (!s->count && role == HISTORY_ASSISTANT)
            whole = add_block(s, HISTORY_USER, strdup(HISTORY_RESUMED));
        whole = whole && add_block(s, role,
                                   written(p, IN, first, last,
                                           run_bytes(p, first, last)));
    }
    if (whole && p->apart && s->count &&
        s->blocks[s->count - 1].role == HISTORY_USER)
        whole = add_block(s, HISTORY_ASSISTANT, strdup(HISTORY_NOTED));
    return whole ? VR_OK : VR_NO_MEMORY;
}

/* The newest unanswered words that fit, the newest of all cut if need be. */
static enum vr_status
write_unanswered(struct picker *p)
{
    size_t room = history_limits(p->history)->total_bytes;
    size_t bytes = 0, first = p->count, count = 0;
    for (size_t i = p->count; i > 0; i--) {
        if (p->fates[i - 1] != APART)
            continue;
        size_t size = size_of(p, i - 1) + (count > 0);
        if (!count && size > room) {
            p->cut_index = i - 1;
            p->cut_kept =
                history_cut(entry(p, i - 1)->text, entry(p, i - 1)->text_bytes,
                            less(room, MARK_BYTES));
            size = p->cut_kept + MARK_BYTES;
        }
        if (bytes + size > room && count) {
            p->fates[i - 1] = OUT;
            room = 0;
            continue;
        }
        bytes += size;
        count++;
        first = i - 1;
    }
    if (!count)
        return VR_OK;
    p->selection->unanswered = written(p, APART, first, p->count - 1, bytes);
    return p->selection->unanswered ? VR_OK : VR_NO_MEMORY;
}

static void
count_left_out(const struct picker *p)
{
    struct history_selection *s = p->selection;
    for (size_t i = 0; i < p->count; i++) {
        if (p->fates[i] != OUT)
            continue;
        s->left_out_messages++;
        s->left_out_bytes += entry(p, i)->text_bytes;
        s->pinned_left_out += entry(p, i)->pinned;
    }
}

enum vr_status
history_select(const struct history *history, unsigned flags,
               struct history_selection *selection)
{
    struct picker p = {
        .history = history,
        .count = history_totals(history)->messages,
        .apart = flags & HISTORY_TAKE_UNANSWERED,
        .room_bytes = history_limits(history)->total_bytes,
        .room_blocks = history_limits(history)->messages,
        .cut_index = NONE,
        .selection = selection,
    };
    memset(selection, 0, sizeof *selection);
    p.fates = calloc(p.count + 1, 1);
    if (!p.fates)
        return VR_NO_MEMORY;
    set_apart(&p);
    reserve_lines(&p);
    choose_pinned(&p);
    choose_newest(&p);
    drop_leading(&p);
    thin_runs(&p);
    enum vr_status status = write_blocks(&p);
    if (status == VR_OK)
        status = write_unanswered(&p);
    count_left_out(&p);
    free(p.fates);
    if (status != VR_OK)
        history_selection_fini(selection);
    return status;
}

void
history_selection_fini(struct history_selection *selection)
{
    for (size_t i = 0; i < selection->count; i++)
        free(selection->blocks[i].text);
    free(selection->blocks);
    free(selection->unanswered);
    memset(selection, 0, sizeof *selection);
}

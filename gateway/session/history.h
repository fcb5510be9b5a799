/* What was said in a conversation, kept beyond the streams it was said on, and
 * what of it a new stream is given. Sans-IO; one history is used by one thread.
 *
 * Only what was really said belongs here: FINAL texts, texts that people sent,
 * and what control put in. Beside the newest entry it holds at most
 * HISTORY_KEPT_FACTOR times what its limits let a stream have; beyond that the
 * oldest entries go, and are counted. Pinned entries stay until they are
 * replaced or cleared, and may use half of the limits, so that there is always
 * room for the conversation itself.
 *
 * What a new stream is given (history_select()), so that it takes the model's
 * rules (PROTOCOL 2.5, 2.6) and nothing is answered twice:
 *
 *  1. With HISTORY_TAKE_UNANSWERED, the user's words at the end that nobody
 *     answered yet are taken out and handed over apart, to be said live or not
 *     at all. Pinned entries there are things to know, not words to answer:
 *     they stay, and HISTORY_NOTED closes behind them.
 *  2. Pinned entries come in first, then the newest others, until the first
 *     that does not fit; the newest of all is cut to fit, with
 *     HISTORY_TRUNCATED. Order is kept.
 *  3. Entries of one role that follow each other become one message, with a
 *     line break between them; roles alternate.
 *  4. It begins with USER: what the assistant said before is left out, unless
 *     it is pinned; HISTORY_RESUMED then goes before it.
 *  5. A message holds at most HISTORY_TEXT_BYTES_MAX; older parts give way.
 *  6. Everything left out is counted. Limits are never exceeded: pinned entries
 *     that alone are too much (the limits were lowered) are left out too, the
 *     oldest first, and counted apart. */
#ifndef GATEWAY_SESSION_HISTORY_H
#define GATEWAY_SESSION_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "ipc/status.h"

#define HISTORY_TEXT_BYTES_MAX 51200 /* of one entry, one message */
#define HISTORY_TOTAL_BYTES_MIN 256
#define HISTORY_TOTAL_BYTES_MAX 204800 /* highest limit there is */
#define HISTORY_MESSAGES_MAX 1000
#define HISTORY_KEPT_FACTOR 2
#define HISTORY_REVISION_GAP 1000
#define HISTORY_TRUNCATED "... [truncated]"
#define HISTORY_RESUMED "[Resuming conversation]"
#define HISTORY_NOTED "[Noted]"

enum history_role { HISTORY_USER, HISTORY_ASSISTANT };

/* What a stream is given at most; clamped to what is possible. */
struct history_limits {
    size_t total_bytes; /* of text */
    size_t messages;    /* after merging */
};

/* One entry, or one to be. */
struct history_message {
    uint64_t id;      /* never given twice; 0: not numbered yet */
    uint64_t turn;    /* 0: of no turn */
    int64_t time_ms;  /* since 1970, when it began; 0: not known */
    const char *text; /* UTF-8, never empty */
    size_t text_bytes;
    enum history_role role;
    bool interrupted; /* the answer was cut off */
    bool pinned;
    bool trigger; /* the clip that makes a v1 model speak first, not a person */
    bool settled; /* came from outside: no piece is ever added to it */
    bool cut;     /* was longer than HISTORY_TEXT_BYTES_MAX */
};

/* How much there is, and what went. */
struct history_totals {
    size_t messages, bytes;
    size_t pinned_messages, pinned_bytes;
    uint64_t dropped_messages, dropped_bytes; /* for want of room, ever */
    uint64_t cut_messages;                    /* cut to the longest, ever */
};

struct history;

/* Empty, revision 1. NULL when memory is out. [any] */
struct history *history_new(const struct history_limits *limits);

/* Accepts NULL inside. [any] */
void history_free(struct history **history);

/* Other limits from now on; lower ones drop the oldest. [any] */
void history_set_limits(struct history *history,
                        const struct history_limits *limits);

/* Counts every change; never 0. [any] */
uint64_t history_revision(const struct history *history);

/* Valid until the next change. [any] */
const struct history_totals *history_totals(const struct history *history);

/* The limits in force. [any] */
const struct history_limits *history_limits(const struct history *history);

/* Entries in order; `index` is below history_totals()->messages. The one of a
 * role and turn, settled ones apart, NULL if there is none. What they point to
 * is valid until the next change. [any] */
const struct history_message *history_at(const struct history *history,
                                         size_t index);
const struct history_message *history_find(const struct history *history,
                                           enum history_role role,
                                           uint64_t turn);

/* ---- what is said ---- */

/* A piece of what somebody said. Pieces of one role and turn are one entry,
 * with a space between them where they have none; a piece that comes late goes
 * to its turn's entry, or in front of later turns. What exceeds
 * HISTORY_TEXT_BYTES_MAX is cut; bytes that are no UTF-8 become U+FFFD; text
 * of white space only changes nothing. VR_NO_MEMORY changes nothing. [any] */
enum vr_status history_add(struct history *history, enum history_role role,
                           uint64_t turn, int64_t time_ms,
                           const char *text) VR_NODISCARD;

/* The assistant's answer in this turn was cut off. `heard`, unless it is NULL,
 * is what of it was heard and replaces the text; "" takes the entry out; where
 * there is no memory for it the entry is marked only. False if there is no such
 * entry. [any] */
bool history_interrupted(struct history *history, uint64_t turn,
                         const char *heard);

/* The user's entry of this turn was not said by a person. False if there is
 * none. [any] */
bool history_trigger(struct history *history, uint64_t turn);

/* Takes the user's unpinned entry of this turn out: it will be said again, live
 * or as audio. False if there is none. [any] */
bool history_drop_user(struct history *history, uint64_t turn);

/* ---- what control does ---- */

/* `revision` is the one that the caller has seen, 0 if it does not care:
 * VR_STATE if there is a newer one. VR_INVALID: text that is empty or no
 * UTF-8. VR_LIMIT: longer than HISTORY_TEXT_BYTES_MAX or the total limit, or
 * pinned beyond half of the limits. VR_NO_MEMORY. `why` gets a sentence. All
 * of these change nothing. Of `message`, id, text_bytes, settled and cut are
 * not used. [any] */
enum vr_status history_append(struct history *history,
                              const struct history_message *message,
                              uint64_t revision, char *why,
                              size_t why_size) VR_NODISCARD;

/* All entries anew, with new ids. Statuses as above, but a text may exceed the
 * total limit, and more unpinned ones than are kept is no error: the oldest are
 * dropped and counted. [any] */
enum vr_status history_replace(struct history *history,
                               const struct history_message *messages,
                               size_t count, uint64_t revision, char *why,
                               size_t why_size) VR_NODISCARD;

/* The same for what was kept in a file: nothing is refused but for want of
 * memory, what has no text is left out, ids are kept where they grow. The
 * revision goes on HISTORY_REVISION_GAP beyond `revision`, as changes that were
 * not written any more have used the next ones. [any] */
enum vr_status history_restore(struct history *history,
                               const struct history_message *messages,
                               size_t count, uint64_t revision) VR_NODISCARD;

/* Forgets all entries, or all but the pinned. [any] */
void history_clear(struct history *history, bool keep_pinned);

/* {revision, messages: [{id, turn, time, role, text, interrupted, pinned}]};
 * role is "user" or "assistant"; turn and time are left out where there is
 * none, `trigger` unless it is true. Caller frees; NULL when memory is out.
 * [any] */
cJSON *history_to_json(const struct history *history);

/* "user" or "assistant". Static storage. [any] */
const char *history_role_name(enum history_role role);

/* ---- what a new stream is given ---- */

/* Take the user's last, unanswered words out and hand them over apart. */
#define HISTORY_TAKE_UNANSWERED 1u

struct history_block {
    enum history_role role;
    char *text; /* NUL-terminated, owned by the selection */
    size_t text_bytes;
};

struct history_selection {
    struct history_block *blocks; /* alternating, the first is USER */
    size_t count;
    size_t bytes; /* of all blocks' text */
    /* Owned; NULL: none, or not asked for. At most the total limit, the newest;
     * not part of `blocks` and `bytes`. May be taken: set it to NULL. */
    char *unanswered;
    size_t left_out_messages, left_out_bytes; /* entries, of every kind */
    size_t pinned_left_out;                   /* of these, pinned ones */
    size_t cut_bytes;                         /* from those that were cut */
};

/* VR_NO_MEMORY gives an empty selection. [any] */
enum vr_status history_select(const struct history *history, unsigned flags,
                              struct history_selection *selection) VR_NODISCARD;

/* Frees and empties it. [any] */
void history_selection_fini(struct history_selection *selection);

/* ---- texts ---- */

/* How much of a text fits into `room_bytes` without cutting a character: at
 * most `text_bytes`. [any] */
size_t history_cut(const char *text, size_t text_bytes, size_t room_bytes);

/* Nothing but white space, or NULL; and whether all of it is UTF-8. [any] */
bool history_text_blank(const char *text);
bool history_text_valid(const char *text);

#endif

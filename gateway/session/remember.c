#include "gateway/session/remember.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/clock.h"
#include "gateway/events/event.h"
#include "gateway/jsonx.h"
#include "gateway/log.h"
#include "gateway/session/history_file.h"
#include "gateway/session/history_import.h"
#include "gateway/session/self.h"

#define COUNT_MAX (UINT64_C(1) << 53)

/* Waits for the last write, also when the session is gone. */
struct remember_end {
    struct session *session; /* NULL: it is gone */
};

static struct history_limits
limits_of(const struct session *s)
{
    return (struct history_limits){
        .total_bytes = s->settings->history_limits.total_bytes,
        .messages = s->settings->history_limits.messages};
}

static void
publish(struct session *s, const char *phase, const char *reason,
        size_t dropped)
{
    const struct history_totals *totals = history_totals(s->history);
    struct event_history e;
    event_history_init(&e);
    e.phase = phase;
    e.revision = history_revision(s->history);
    e.messages = (int64_t)totals->messages;
    e.bytes = (int64_t)totals->bytes;
    if (dropped)
        e.dropped_messages = (int64_t)dropped;
    e.reason = reason;
    event_history_publish(s->services->bus, &s->subject, &e);
}

void
remember_tell(struct session *s, const char *phase, const char *reason,
              size_t dropped)
{
    publish(s, phase, reason, dropped);
    if (s->history_file)
        history_file_changed(s->history_file);
}

/* ---- what is said ---- */

static void
add(struct session *s, enum history_role role, uint64_t turn, const char *text,
    bool trigger)
{
    uint64_t dropped = history_totals(s->history)->dropped_messages;
    enum vr_status status =
        history_add(s->history, role, turn, clock_wall_ms(), text);
    if (status != VR_OK)
        log_error(session, s->context, "the history lacks a text: %s",
                  vr_status_text(status));
    if (trigger)
        history_trigger(s->history, turn);
    dropped = history_totals(s->history)->dropped_messages - dropped;
    if (dropped)
        remember_tell(s, "trimmed", "the oldest gave way to what was said",
                      dropped);
    else
        remember_tell(s, "added", NULL, 0);
}

/* FINAL texts follow what was planned, piece by piece. */
static bool
is_kept_ahead(struct session *s, const struct dialogue_text *t)
{
    const struct response *r = dialogue_response(s->dialogue, t->response_id);
    return r && r->id == s->kept_ahead.response_id &&
           r->spoken_count <= s->kept_ahead.pieces;
}

/* The FINAL texts of an answer that was cut off come behind its end. */
static void
mark_interrupted(struct session *s, const struct dialogue_text *t)
{
    const struct response *r = dialogue_response(s->dialogue, t->response_id);
    if (r && r->interrupted &&
        history_interrupted(s->history, t->turn_id, NULL))
        remember_tell(s, "added", "the answer was interrupted", 0);
}

void
remember_text(struct session *s, const struct dialogue_text *t)
{
    if (!t->final || is_kept_ahead(s, t))
        return;
    add(s, t->user ? HISTORY_USER : HISTORY_ASSISTANT, t->turn_id, t->text,
        t->trigger);
    if (!t->user)
        mark_interrupted(s, t);
}

void
remember_written(struct session *s, uint64_t turn, const char *text)
{
    add(s, HISTORY_USER, turn, text, false);
}

void
remember_response(struct session *s, const struct response *r)
{
    if (r->status == RESPONSE_COMPLETE && !r->spoken.bytes &&
        r->planned.bytes && r->id != s->kept_ahead.response_id)
        add(s, HISTORY_ASSISTANT, r->turn_id, strbuf_text(&r->planned), false);
    if (r->status == RESPONSE_INTERRUPTED &&
        history_interrupted(s->history, r->turn_id, NULL))
        remember_tell(s, "added", "the answer was interrupted", 0);
}

void
remember_unfinished(struct session *s, const struct response *r)
{
    const char *planned = strbuf_text(&r->planned);
    const char *spoken = strbuf_text(&r->spoken);
    size_t said = r->spoken.bytes;
    if (strncmp(planned, spoken, said) != 0 || !planned[said])
        return;
    s->kept_ahead.response_id = r->id;
    s->kept_ahead.pieces = r->planned_count;
    add(s, HISTORY_ASSISTANT, r->turn_id,
        planned + said + (planned[said] == ' '), false);
}

void
remember_cut(struct session *s, const struct response *r)
{
    remember_unfinished(s, r);
    if (history_interrupted(s->history, r->turn_id, NULL))
        remember_tell(s, "added", "the answer was cut off", 0);
}

void
remember_not(struct session *s, uint64_t turn)
{
    if (history_drop_user(s->history, turn))
        remember_tell(s, "trimmed", "it will be heard again", 1);
}

void
remember_limits(struct session *s)
{
    struct history_limits limits = limits_of(s);
    uint64_t before = history_totals(s->history)->dropped_messages;
    history_set_limits(s->history, &limits);
    uint64_t dropped = history_totals(s->history)->dropped_messages - before;
    if (dropped)
        remember_tell(s, "trimmed", "the limits are lower now", dropped);
}

/* ---- the file ---- */

static cJSON *
extra_of(const struct session *s)
{
    const struct token_counts *t = &s->tokens_total;
    cJSON *extra = cJSON_CreateObject();
    jsonx_add_u64(extra, "input_speech_tokens", t->input_speech);
    jsonx_add_u64(extra, "input_text_tokens", t->input_text);
    jsonx_add_u64(extra, "output_speech_tokens", t->output_speech);
    jsonx_add_u64(extra, "output_text_tokens", t->output_text);
    jsonx_add_u64(extra, "last_turn", dialogue_last_turn_id(s->dialogue));
    return extra;
}

static void
on_state(void *arg, struct history_state *state)
{
    struct session *s = arg;
    state->history = s->history;
    state->conversation = s->conversation;
    state->extra = extra_of(s);
}

static void
on_failed(void *arg, const char *sentence)
{
    struct session *s = arg;
    struct session_fault fault = {
        .class_ = "config",
        .code = "history_file",
        .message = sentence,
        .remedy = "Make room, or make the folder writable; it is tried again "
                  "at the next change",
        .component = "session",
        .recoverable = true};
    report_fault(s, &fault);
}

static void
on_saved(void *arg, uint64_t revision, size_t messages, size_t file_bytes)
{
    struct session *s = arg;
    log_debug(session, s->context,
              "history revision %llu is kept: %zu messages, %zu bytes",
              (unsigned long long)revision, messages, file_bytes);
    publish(s, "saved", NULL, 0);
}

static const struct history_file_ops file_ops = {
    .on_state = on_state, .on_saved = on_saved, .on_failed = on_failed};

/* What a file says is not believed to be so large that counting fails. */
static uint64_t
number(const cJSON *object, const char *name)
{
    uint64_t value = 0;
    if (!jsonx_u64(object, name, &value) || value > COUNT_MAX)
        return 0;
    return value;
}

static void
take_extra(struct session *s, const cJSON *extra)
{
    s->tokens_total = (struct token_counts){
        .input_speech = number(extra, "input_speech_tokens"),
        .input_text = number(extra, "input_text_tokens"),
        .output_speech = number(extra, "output_speech_tokens"),
        .output_text = number(extra, "output_text_tokens")};
    dialogue_go_on_from(s->dialogue, number(extra, "last_turn"));
}

static void
tell_damaged(struct session *s, const char *sentence)
{
    struct session_fault fault = {
        .class_ = "peer",
        .code = "history_damaged",
        .message = sentence,
        .remedy = "Nothing has to be done: the conversation begins anew. The "
                  "damaged file is kept beside it",
        .component = "session",
        .recoverable = true};
    report_fault(s, &fault);
    remember_tell(s, "damaged", sentence, 0);
}

static void
restore(struct session *s, const struct history_loaded *loaded)
{
    enum vr_status status =
        history_restore(s->history, loaded->import.messages,
                        loaded->import.count, loaded->revision);
    if (status != VR_OK) {
        log_error(session, s->context, "the history file is not taken: %s",
                  vr_status_text(status));
        return;
    }
    if (loaded->conversation[0] && !s->conversation_given)
        session_go_on_as(s, loaded->conversation);
    take_extra(s, loaded->extra);
    s->greeted = loaded->import.count > 0;
    publish(s, "loaded", s->settings->history_file, 0);
    log_info(session, s->context, "the conversation goes on: %zu messages",
             loaded->import.count);
}

static void
cannot_keep(struct session *s, const char *why)
{
    struct session_fault fault = {
        .class_ = "config",
        .code = "history_file",
        .message = why,
        .remedy = "Correct history_file and open the session anew; until then "
                  "this conversation is forgotten with the gateway",
        .component = "session",
        .recoverable = true};
    report_fault(s, &fault);
}

static void
open_file(struct session *s)
{
    struct history_loaded loaded;
    char why[HISTORY_WHY_BYTES];
    if (history_file_open(s->services->loop, s->settings->history_file,
                          &file_ops, s, &s->history_file, &loaded, why,
                          sizeof why) != VR_OK) {
        cannot_keep(s, why);
        return;
    }
    if (loaded.damaged[0])
        tell_damaged(s, loaded.damaged);
    if (loaded.revision)
        restore(s, &loaded);
    history_loaded_fini(&loaded);
}

static bool
take_settings(struct session *s)
{
    struct history_import import;
    char why[256];
    if (!s->settings->history.count)
        return true;
    enum vr_status status =
        history_import_settings(&s->settings->history, &import);
    if (status == VR_OK)
        status = history_replace(s->history, import.messages, import.count, 0,
                                 why, sizeof why);
    history_import_fini(&import);
    return status == VR_OK;
}

bool
remember_begin(struct session *s)
{
    struct history_limits limits = limits_of(s);
    s->history = history_new(&limits);
    if (!s->history)
        return false;
    if (s->settings->history_file)
        open_file(s);
    return history_totals(s->history)->messages || take_settings(s);
}

/* ---- the end ---- */

static void
on_file_closed(void *arg, const char *why)
{
    struct remember_end *end = arg;
    struct session *s = end->session;
    free(end);
    if (!s)
        return;
    if (why)
        log_error(session, s->context, "the history is not kept: %s", why);
    s->history_end = NULL;
    s->ops->on_state(s->arg, s);
}

void
remember_end(struct session *s)
{
    if (!s->history_file)
        return;
    struct remember_end *end = calloc(1, sizeof *end);
    if (end)
        end->session = s;
    s->history_end = end;
    history_file_close(&s->history_file, end ? on_file_closed : NULL, end);
}

void
remember_forget_end(struct session *s)
{
    if (s->history_end)
        s->history_end->session = NULL;
    s->history_end = NULL;
}

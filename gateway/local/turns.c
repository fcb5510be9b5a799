#include "gateway/local/turns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TURNS_MAX 8
#define BYTES_PER_TOKEN 4

enum step {
    STEP_PAUSE,  /* thinking */
    STEP_BEFORE, /* the filler is to be said */
    STEP_CALL,   /* tool uses go out, if any are left */
    STEP_WHILE,  /* said while tools work */
    STEP_WAIT,   /* for results */
    STEP_ANSWER,
    STEP_FINALS
};

struct call {
    const char *name;
    const cJSON *arguments;
    bool double_encoded;
    bool open;
    char id[EMIT_ID_BYTES];
};

struct turn {
    struct turn *next;
    const struct script_line *line;
    char *heard;
    cJSON *results; /* by tool name */
    enum step step;
    struct call *calls;
    size_t call_count;
    size_t sent_calls;
    size_t open_calls;
    const char *missing_tool; /* wanted, but not in the prompt */
    bool failed;              /* a result was an error */
    uint64_t pause_until_ms;
};

static void
turn_free(struct turn *turn)
{
    if (turn == NULL)
        return;
    cJSON_Delete(turn->results);
    free(turn->calls);
    free(turn->heard);
    free(turn);
}

static void
free_all(struct turn **list)
{
    while (*list != NULL) {
        struct turn *turn = *list;

        *list = turn->next;
        turn_free(turn);
    }
}

static void
append(struct turn **list, struct turn *turn)
{
    while (*list != NULL)
        list = &(*list)->next;
    turn->next = NULL;
    *list = turn;
}

static size_t
count(const struct turn *list)
{
    size_t n = 0;

    for (; list != NULL; list = list->next)
        n++;
    return n;
}

void
turns_init(struct turns *t, const struct turns_config *config)
{
    memset(t, 0, sizeof(*t));
    t->config = *config;
    speech_init(&t->speech, config->emit, config->script->voice,
                &config->script->numbers);
}

void
turns_fini(struct turns *t)
{
    turn_free(t->current);
    free_all(&t->ready);
    free_all(&t->waiting);
    speech_fini(&t->speech);
    memset(t, 0, sizeof(*t));
}

void
turns_set_prompt(struct turns *t, const struct prompt *prompt,
                 enum family family)
{
    t->prompt = prompt;
    t->tools_block = family == FAMILY_V1;
    speech_set_voice(&t->speech, prompt->voice, prompt->output_rate_hz);
}

/* ---- planning ------------------------------------------------------------ */

static void
plan_call(struct turns *t, struct turn *turn, const char *name,
          const cJSON *arguments, bool double_encoded)
{
    struct call *call = &turn->calls[turn->call_count];

    if (!prompt_has_tool(t->prompt, name)) {
        turn->missing_tool = name;
        return;
    }
    call->name = name;
    call->arguments = arguments;
    call->double_encoded = double_encoded;
    turn->call_count++;
}

static bool
calls_tool(const struct script_line *line, const char *name)
{
    for (size_t i = 0; i < line->call_count; i++) {
        if (name == NULL || strcmp(line->calls[i].name, name) == 0)
            return true;
    }
    return false;
}

/* toolChoice makes a tool come first that the script did not ask for. */
static const char *
forced_tool(const struct turns *t, const struct script_line *line)
{
    const struct prompt *prompt = t->prompt;

    if (prompt->choice == CHOICE_TOOL &&
        !calls_tool(line, prompt->tools[prompt->chosen]))
        return prompt->tools[prompt->chosen];
    if (prompt->choice == CHOICE_ANY && !calls_tool(line, NULL))
        return prompt->tools[0];
    return NULL;
}

static bool
plan(struct turns *t, struct turn *turn)
{
    const struct script_line *line = turn->line;
    const char *forced = forced_tool(t, line);

    turn->calls = calloc(line->call_count + 1, sizeof(*turn->calls));
    turn->results = cJSON_CreateObject();
    if (turn->calls == NULL || turn->results == NULL)
        return false;
    if (forced != NULL)
        plan_call(t, turn, forced, NULL, false);
    for (size_t i = 0; i < line->call_count; i++)
        plan_call(t, turn, line->calls[i].name, line->calls[i].arguments,
                  line->calls[i].double_encoded);
    return true;
}

void
turns_add(struct turns *t, const struct script_line *line, const char *heard,
          uint64_t now_ms)
{
    struct turn *turn;

    if (count(t->ready) + count(t->waiting) >= TURNS_MAX) {
        t->config.note(t->config.arg, "dropped: too many turns are waiting");
        return;
    }
    turn = calloc(1, sizeof(*turn));
    if (turn == NULL) {
        t->config.emit->failed = true;
        return;
    }
    turn->line = line;
    turn->heard = strdup(heard);
    turn->pause_until_ms = now_ms + line->slow_ms +
                           (uint32_t)t->config.script->numbers.first_audio_ms;
    if (turn->heard == NULL || !plan(t, turn)) {
        t->config.emit->failed = true;
        turn_free(turn);
        return;
    }
    append(&t->ready, turn);
    turns_tick(t, now_ms);
}

/* ---- tool uses ----------------------------------------------------------- */

/* Placeholders stand in the strings of the arguments, at any depth. */
static bool
render_strings(const struct turn *turn, cJSON *value)
{
    cJSON *item;

    if (cJSON_IsString(value)) {
        char *text =
            script_render(value->valuestring, turn->results, turn->heard);

        if (text == NULL)
            return false;
        cJSON_free(value->valuestring);
        value->valuestring = text;
        return true;
    }
    cJSON_ArrayForEach(item, value)
    {
        if (!render_strings(turn, item))
            return false;
    }
    return true;
}

static char *
arguments_text(const struct turn *turn, const struct call *call)
{
    cJSON *arguments = call->arguments == NULL
                           ? cJSON_CreateObject()
                           : cJSON_Duplicate(call->arguments, true);
    char *text = NULL;

    if (arguments != NULL && render_strings(turn, arguments))
        text = cJSON_PrintUnformatted(arguments);
    cJSON_Delete(arguments);
    return text;
}

static char *
encode_again(char *text)
{
    cJSON *string = text == NULL ? NULL : cJSON_CreateString(text);
    char *encoded = string == NULL ? NULL : cJSON_PrintUnformatted(string);

    cJSON_Delete(string);
    free(text);
    return encoded;
}

static void
send_call(struct turns *t, struct turn *turn, struct call *call)
{
    struct emit *emit = t->config.emit;
    char *text = arguments_text(turn, call);

    if (call->double_encoded)
        text = encode_again(text);
    emit_new_id(call->id);
    if (text == NULL || !t->config.on_tool_use(t->config.arg, call->id)) {
        emit->failed = true;
        free(text);
        return;
    }
    call->open = true;
    turn->open_calls++;
    turn->sent_calls++;
    emit->tokens.text_out += strlen(text) / BYTES_PER_TOKEN + 1;
    emit_tool_use(emit, call->id, call->name, text);
    free(text);
}

static void
send_calls(struct turns *t, struct turn *turn)
{
    do {
        send_call(t, turn, &turn->calls[turn->sent_calls]);
    } while (turn->line->parallel && !t->config.emit->failed &&
             turn->sent_calls < turn->call_count);
    emit_usage(t->config.emit);
}

static struct call *
find_call(struct turn *turn, const char *id)
{
    for (size_t i = 0; turn != NULL && i < turn->sent_calls; i++) {
        if (turn->calls[i].open && strcmp(turn->calls[i].id, id) == 0)
            return &turn->calls[i];
    }
    return NULL;
}

static void
take_result(struct turns *t, struct turn *turn, struct call *call,
            const char *text)
{
    cJSON *result = cJSON_Parse(text);

    if (result == NULL) {
        t->config.emit->failed = true;
        return;
    }
    turn->failed |= cJSON_HasObjectItem(result, "error");
    cJSON_DeleteItemFromObjectCaseSensitive(turn->results, call->name);
    cJSON_AddItemToObject(turn->results, call->name, result);
    call->open = false;
    turn->open_calls--;
}

void
turns_on_result(struct turns *t, const char *tool_use_id, const char *result,
                uint64_t now_ms)
{
    struct turn **at = &t->waiting;
    struct call *call = find_call(t->current, tool_use_id);

    t->config.emit->tokens.text_in += strlen(result) / BYTES_PER_TOKEN + 1;
    if (call != NULL) {
        take_result(t, t->current, call, result);
        turns_tick(t, now_ms);
        return;
    }
    while (*at != NULL && (call = find_call(*at, tool_use_id)) == NULL)
        at = &(*at)->next;
    if (call == NULL) {
        t->config.note(t->config.arg,
                       "late: result for a turn that was interrupted");
        return;
    }
    take_result(t, *at, call, result);
    if ((*at)->open_calls == 0) {
        struct turn *turn = *at;

        *at = turn->next;
        append(&t->ready, turn);
        turns_tick(t, now_ms);
    }
}

static struct call *
open_call(struct turn *turn)
{
    for (size_t i = 0; turn != NULL && i < turn->sent_calls; i++) {
        if (turn->calls[i].open)
            return &turn->calls[i];
    }
    return NULL;
}

size_t
turns_open_calls(const struct turns *t)
{
    size_t n = t->current == NULL ? 0 : t->current->open_calls;

    for (const struct turn *turn = t->waiting; turn != NULL; turn = turn->next)
        n += turn->open_calls;
    return n;
}

bool
turns_due(const struct turns *t)
{
    return t->current != NULL || t->ready != NULL;
}

bool
turns_repeat_call(struct turns *t)
{
    struct turn *turn = t->current;
    struct call *call = open_call(turn);
    char *text;

    for (struct turn *w = t->waiting; call == NULL && w != NULL; w = w->next) {
        turn = w;
        call = open_call(w);
    }
    if (call == NULL)
        return false;
    text = arguments_text(turn, call);
    if (text == NULL)
        t->config.emit->failed = true;
    else
        emit_tool_use(t->config.emit, call->id, call->name, text);
    free(text);
    return true;
}

/* ---- steps --------------------------------------------------------------- */

static char *
answer_text(const struct turn *turn)
{
    const struct script_line *line = turn->line;
    const char *say = line->say;
    char text[160];

    if (turn->failed)
        say = line->say_error[0] != '\0' ? line->say_error
                                         : "Sorry, that did not work.";
    if (turn->missing_tool != NULL) {
        snprintf(text, sizeof(text), "Sorry, I have no tool called %.100s.",
                 turn->missing_tool);
        say = text;
    }
    return script_render(say, turn->results, turn->heard);
}

static void
say_answer(struct turns *t, struct turn *turn, uint64_t now_ms)
{
    char *text = answer_text(turn);

    if (text == NULL)
        t->config.emit->failed = true;
    else
        speech_begin(&t->speech, text, true, now_ms);
    free(text);
}

static void
say(struct turns *t, const struct turn *turn, const char *words,
    uint64_t now_ms)
{
    char *text = script_render(words, turn->results, turn->heard);

    if (text == NULL)
        t->config.emit->failed = true;
    else
        speech_begin(&t->speech, text, false, now_ms);
    free(text);
}

/* On Nova 2 a turn without its results gives the floor away. False: it keeps
 * it, and nothing can be done before they come. */
static bool
wait_for_results(struct turns *t, struct turn *turn)
{
    speech_finals(&t->speech, "PARTIAL_TURN");
    if (turn->open_calls == 0) {
        turn->step = STEP_CALL;
        return true;
    }
    if (t->tools_block)
        return false;
    turn->step = STEP_CALL;
    t->current = NULL;
    append(&t->waiting, turn);
    return true;
}

static void
call_next(struct turns *t, struct turn *turn)
{
    if (turn->sent_calls == turn->call_count) {
        turn->step = STEP_ANSWER;
        return;
    }
    send_calls(t, turn);
    turn->step = STEP_WHILE;
}

static void
finish(struct turns *t)
{
    speech_finals(&t->speech, "END_TURN");
    emit_usage(t->config.emit);
    t->config.note(t->config.arg, "answered");
    turn_free(t->current);
    t->current = NULL;
}

/* One step of the turn that has the floor. False: it must wait. */
static bool
take_step(struct turns *t, struct turn *turn, uint64_t now_ms)
{
    switch (turn->step) {
    case STEP_PAUSE:
        if (now_ms < turn->pause_until_ms)
            return false;
        turn->step = STEP_BEFORE;
        return true;
    case STEP_BEFORE:
        say(t, turn, turn->line->say_before, now_ms);
        turn->step = STEP_CALL;
        return true;
    case STEP_CALL:
        call_next(t, turn);
        return true;
    case STEP_WHILE:
        if (!t->tools_block && turn->sent_calls == turn->call_count)
            say(t, turn, turn->line->say_while, now_ms);
        turn->step = STEP_WAIT;
        return true;
    case STEP_WAIT:
        return wait_for_results(t, turn);
    case STEP_ANSWER:
        say_answer(t, turn, now_ms);
        turn->step = STEP_FINALS;
        return true;
    case STEP_FINALS:
        finish(t);
        return true;
    }
    return false;
}

void
turns_tick(struct turns *t, uint64_t now_ms)
{
    bool moved = !t->held;

    while (moved && !t->config.emit->failed) {
        speech_tick(&t->speech, now_ms);
        if (speech_active(&t->speech))
            return;
        if (t->current == NULL) {
            t->current = t->ready;
            if (t->current == NULL)
                return;
            t->ready = t->current->next;
            t->current->next = NULL;
        }
        moved = take_step(t, t->current, now_ms);
    }
}

uint64_t
turns_deadline_ms(const struct turns *t)
{
    if (t->held)
        return UINT64_MAX;
    if (speech_active(&t->speech))
        return speech_deadline_ms(&t->speech);
    if (t->current != NULL && t->current->step == STEP_PAUSE)
        return t->current->pause_until_ms;
    return UINT64_MAX;
}

void
turns_hold(struct turns *t, bool held)
{
    t->held = held;
}

/* ---- interruption -------------------------------------------------------- */

bool
turns_is_heard(const struct turns *t, uint64_t now_ms)
{
    return speech_is_heard(&t->speech, now_ms);
}

bool
turns_busy(const struct turns *t, uint64_t now_ms)
{
    return t->current != NULL || t->ready != NULL ||
           speech_is_heard(&t->speech, now_ms);
}

static void
send_signals(struct turns *t)
{
    unsigned barge_in = t->config.script->barge_in;
    const char *stop =
        (barge_in & BARGE_STOP_REASON) != 0 ? "INTERRUPTED" : "END_TURN";
    bool told = speech_finals(&t->speech, stop);

    if ((barge_in & BARGE_MARKER) != 0)
        emit_text(t->config.emit, "ASSISTANT", "FINAL",
                  "{ \"interrupted\" : true }", stop);
    else if (!told && (barge_in & BARGE_STOP_REASON) != 0)
        emit_text(t->config.emit, "ASSISTANT", "FINAL", NULL, stop);
    emit_usage(t->config.emit);
}

static void
drop_current(struct turns *t)
{
    turn_free(t->current);
    t->current = NULL;
}

bool
turns_interrupt(struct turns *t, uint64_t now_ms)
{
    if (!speech_is_heard(&t->speech, now_ms))
        return false;
    if (speech_active(&t->speech)) {
        speech_cut(&t->speech);
        drop_current(t);
    }
    send_signals(t);
    speech_forget(&t->speech);
    t->config.note(t->config.arg, "interrupted");
    return true;
}

void
turns_stop(struct turns *t)
{
    t->held = false;
    speech_cut(&t->speech);
    speech_finals(&t->speech, "END_TURN");
    drop_current(t);
    free_all(&t->ready);
    free_all(&t->waiting);
}

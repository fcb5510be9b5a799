#include "gateway/local/conversation.h"

#include "gateway/local/listener.h"
#include "gateway/local/rules.h"
#include "gateway/local/script.h"
#include "gateway/local/turns.h"

#include <stdlib.h>
#include <string.h>

#define MESSAGE_NO_INPUT "Timed out waiting for input events"
#define MESSAGE_WALL \
    "Model has timed out in processing the request. Try your request again."
#define MESSAGE_SILENCE                                                    \
    "InternalErrorCode=531::RST_STREAM closed stream. HTTP/2 error code: " \
    "NO_ERROR"
#define MESSAGE_BROKEN                                                        \
    "The system encountered an unexpected error during processing. Try your " \
    "request again."

#define MS_PER_TOKEN 40
#define BYTES_PER_TOKEN 4

struct conversation {
    struct conversation_config config;
    struct conversation_ops ops;
    void *arg;
    bool over; /* failed or ended: deaf and silent */

    enum family family;
    struct rules *rules;
    struct emit emit;
    struct turns turns;
    struct prompt prompt;
    enum sensitivity sensitivity;
    bool prompt_open;

    struct listener listener;
    bool deaf;              /* by a fault */
    bool had_audio;         /* since the prompt began */
    bool speaking;          /* the first audio of an answer is out */
    bool fresh;             /* no history, and nothing was said yet */
    bool tells_speech;      /* of this utterance */
    uint64_t speech_tokens; /* told of this AUDIO block */
    size_t cursor;          /* into the script, for EAR_SCRIPT */

    /* clocks */
    uint64_t now_ms; /* of the call under way */
    uint64_t opened_ms;
    uint64_t last_input_ms;
    uint64_t last_sign_ms;   /* of life from either side, silence apart */
    uint64_t quiet_since_ms; /* nobody spoke since */
    unsigned silence_lines_done;
};

/* ---- ends ---------------------------------------------------------------- */

static void
note(struct conversation *c, const char *kind, const char *text)
{
    c->ops.note(c->arg, kind, text);
}

static void
fail(struct conversation *c, const char *exception, const char *message)
{
    if (c->over)
        return;
    c->over = true;
    c->ops.fail(c->arg, exception, message);
}

static void
end(struct conversation *c)
{
    if (c->over)
        return;
    c->over = true;
    c->ops.end(c->arg);
}

static void
check_broken(struct conversation *c)
{
    if (c->emit.failed)
        fail(c, "internalServerException", MESSAGE_BROKEN);
}

/* ---- what the parts call ------------------------------------------------- */

static void
on_emit(void *arg, const char *json, size_t json_bytes)
{
    struct conversation *c = arg;

    if (!c->over)
        c->ops.emit(c->arg, json, json_bytes);
}

static void
on_violation(void *arg, const char *text)
{
    note(arg, "violation", text);
}

static void
on_turn(void *arg, const char *text)
{
    note(arg, "turn", text);
}

static bool
on_tool_use(void *arg, const char *tool_use_id)
{
    struct conversation *c = arg;

    return rules_on_tool_use(c->rules, tool_use_id);
}

/* ---- life ---------------------------------------------------------------- */

struct conversation *
conversation_new(const struct conversation_config *config,
                 const struct conversation_ops *ops, void *arg)
{
    struct conversation *c = calloc(1, sizeof(*c));
    struct turns_config turns = {config->script, NULL, on_tool_use, on_turn,
                                 NULL};

    if (c == NULL)
        return NULL;
    c->config = *config;
    c->ops = *ops;
    c->arg = arg;
    c->family = prompt_family(config->model_id);
    c->config.model_id = NULL;
    c->opened_ms = c->last_input_ms = config->now_ms;
    c->last_sign_ms = c->quiet_since_ms = config->now_ms;
    emit_init(&c->emit, on_emit, c);
    turns.emit = &c->emit;
    turns.arg = c;
    turns_init(&c->turns, &turns);
    c->rules = rules_new(c->family, on_violation, c);
    if (c->rules == NULL ||
        (config->ear == EAR_REAL && config->script->ears == NULL))
        conversation_free(&c);
    return c;
}

void
conversation_free(struct conversation **conversation)
{
    struct conversation *c = *conversation;

    if (c == NULL)
        return;
    c->over = true;
    listener_close(&c->listener);
    turns_fini(&c->turns);
    prompt_fini(&c->prompt);
    emit_fini(&c->emit);
    rules_free(&c->rules);
    free(c);
    *conversation = NULL;
}

/* ---- utterances ---------------------------------------------------------- */

/* Speech that listeners have heard becomes tokens as it is told. */
static void
count_voice(struct conversation *c)
{
    uint64_t tokens = listener_speech_ms(&c->listener) / MS_PER_TOKEN;

    c->emit.tokens.speech_in += tokens - c->speech_tokens;
    c->speech_tokens = tokens;
}

static void
tell_transcript(struct conversation *c, const struct script_line *line,
                const char *heard)
{
    const cJSON *item;

    if (line->transcript == NULL) {
        if (heard[0] != '\0')
            emit_text(&c->emit, "USER", "FINAL", heard, "PARTIAL_TURN");
        return;
    }
    cJSON_ArrayForEach(item, line->transcript)
    {
        emit_text(&c->emit, "USER", "FINAL", item->valuestring, "PARTIAL_TURN");
    }
}

static void
answer(struct conversation *c, const struct script_line *line,
       const char *heard)
{
    count_voice(c);
    emit_usage(&c->emit);
    c->quiet_since_ms = c->now_ms;
    turns_add(&c->turns, line, heard, c->now_ms);
}

/* What the ear makes of an utterance, NULL: nothing that is answered. `heard`
 * becomes what the transcript says. */
static const struct script_line *
understand(struct conversation *c, const char **heard)
{
    const struct script *script = c->config.script;
    const struct script_line *line;

    switch (c->config.ear) {
    case EAR_NONE:
        return NULL;
    case EAR_SCRIPT:
        line = c->fresh ? script_trigger(script) : NULL;
        if (line == NULL)
            line = script_next(script, &c->cursor);
        if (line != NULL)
            *heard = script_phrase(line);
        return line;
    case EAR_REAL:
        break;
    }
    return script_match(script, *heard,
                        SCRIPT_ON_SPEECH | (c->fresh ? SCRIPT_ON_TRIGGER : 0));
}

static void
on_utterance(void *arg, const char *heard)
{
    struct conversation *c = arg;
    const struct script_line *line = understand(c, &heard);

    note(c, "endpoint",
         line != NULL && (line->on & SCRIPT_ON_TRIGGER) != 0 && c->fresh
             ? "trigger"
             : "turn");
    c->fresh = false;
    if (line != NULL) {
        note(c, "heard", heard);
        emit_completion_start(&c->emit);
        tell_transcript(c, line, heard);
    }
    turns_hold(&c->turns, false);
    if (line != NULL)
        answer(c, line, heard);
    else
        turns_tick(&c->turns, c->now_ms);
}

/* v1 tells nothing about speech, and a script may leave it out when the user
 * interrupts. */
static bool
may_tell_speech(const struct conversation *c)
{
    unsigned barge_in = c->config.script->barge_in;

    if (c->family == FAMILY_V1)
        return false;
    return (barge_in & BARGE_SPEECH_START) != 0 ||
           !turns_is_heard(&c->turns, c->now_ms);
}

static void
on_speech(void *arg, uint64_t offset_ms)
{
    struct conversation *c = arg;

    c->silence_lines_done = 0;
    c->tells_speech = may_tell_speech(c);
    note(c, "endpoint", "speech");
    if (c->tells_speech)
        emit_speech_start(&c->emit, offset_ms);
    turns_interrupt(&c->turns, c->now_ms);
    turns_hold(&c->turns, true);
    emit_completion_start(&c->emit);
}

static void
on_resume(void *arg, uint64_t offset_ms)
{
    struct conversation *c = arg;

    if (c->tells_speech)
        emit_speech_start(&c->emit, offset_ms);
}

static void
on_pause(void *arg, uint64_t offset_ms, uint64_t noticed_ms)
{
    struct conversation *c = arg;

    if (c->tells_speech)
        emit_speech_end(&c->emit, offset_ms, noticed_ms);
}

static void
on_hurry(void *arg)
{
    note(arg, "violation",
         "audioInput: more than 3 s ahead of real time; send audio at the "
         "pace it was spoken, or what has waited at twice that");
}

static void
on_deaf(void *arg)
{
    note(arg, "heard", "nothing: no decoder could be made");
}

static const struct listener_ops listening = {on_speech,    on_pause, on_resume,
                                              on_utterance, on_hurry, on_deaf};

static int32_t
turn_pause_ms(const struct conversation *c)
{
    const struct script_numbers *n = &c->config.script->numbers;

    switch (c->sensitivity) {
    case SENSITIVITY_HIGH:
        return n->endpoint_high_ms;
    case SENSITIVITY_LOW:
        return n->endpoint_low_ms;
    case SENSITIVITY_DEFAULT:
    case SENSITIVITY_MEDIUM:
        break;
    }
    return n->endpoint_medium_ms;
}

static void
on_audio_start(struct conversation *c, long rate_hz)
{
    const struct script_numbers *n = &c->config.script->numbers;
    struct endpoint_config config = {
        rate_hz, n->threshold_dbfs, (uint32_t)n->speech_end_ms,
        (uint32_t)turn_pause_ms(c), (uint32_t)n->utterance_max_ms};

    c->listener.ops = listening;
    c->listener.arg = c;
    c->listener.time_scale = c->config.time_scale;
    if (c->config.ear == EAR_REAL)
        c->listener.ears = c->config.script->ears;
    c->speech_tokens = 0;
    if (!listener_open(&c->listener, &config, c->now_ms))
        c->emit.failed = true;
}

static void
on_audio(struct conversation *c, const struct input *input)
{
    c->had_audio = true;
    if (c->deaf)
        return;
    listener_feed(&c->listener, input->samples, input->frames, c->now_ms);
    if (c->listener.speaking)
        c->last_sign_ms = c->quiet_since_ms = c->now_ms;
}

/* ---- events -------------------------------------------------------------- */

static void
on_prompt(struct conversation *c, struct prompt *prompt)
{
    prompt_fini(&c->prompt);
    c->prompt = *prompt;
    memset(prompt, 0, sizeof(*prompt));
    emit_prompt(&c->emit, c->prompt.name);
    turns_set_prompt(&c->turns, &c->prompt, c->family);
    c->prompt_open = true;
    c->had_audio = false;
    c->fresh = true;
}

static void
on_text(struct conversation *c, const struct input *input)
{
    const struct script_line *line =
        script_match(c->config.script, input->text, SCRIPT_ON_TEXT);

    if (c->deaf || c->family == FAMILY_V1)
        return;
    c->emit.tokens.text_in += input->text_bytes / BYTES_PER_TOKEN + 1;
    c->last_sign_ms = c->now_ms;
    note(c, "heard", input->text);
    answer(c, line, input->text);
}

static void
on_prompt_end(struct conversation *c)
{
    turns_stop(&c->turns);
    count_voice(c);
    emit_usage(&c->emit);
    emit_completion_end(&c->emit);
    c->prompt_open = false;
}

static void
act(struct conversation *c, const struct input *input)
{
    if (c->ops.hear != NULL)
        c->ops.hear(c->arg, input);
    switch (input->kind) {
    case INPUT_NONE:
        break;
    case INPUT_SESSION:
        c->sensitivity = input->sensitivity;
        break;
    case INPUT_PROMPT:
        on_prompt(c, input->prompt);
        break;
    case INPUT_CONTEXT:
        if (input->role >= ROLE_USER)
            c->fresh = false;
        c->emit.tokens.text_in += input->text_bytes / BYTES_PER_TOKEN + 1;
        break;
    case INPUT_AUDIO_START:
        on_audio_start(c, input->rate_hz);
        break;
    case INPUT_AUDIO:
        on_audio(c, input);
        break;
    case INPUT_AUDIO_END:
        listener_finish(&c->listener);
        count_voice(c);
        break;
    case INPUT_TEXT:
        on_text(c, input);
        break;
    case INPUT_TOOL_RESULT:
        c->last_sign_ms = c->now_ms;
        turns_on_result(&c->turns, input->tool_use_id, input->text, c->now_ms);
        break;
    case INPUT_PROMPT_END:
        on_prompt_end(c);
        break;
    case INPUT_SESSION_END:
        end(c);
        break;
    }
}

void
conversation_on_event(struct conversation *conversation, const char *json,
                      size_t json_bytes, uint64_t now_ms)
{
    struct conversation *c = conversation;
    struct input input;

    /* What time has brought comes before what the client brings now; that it
     * brings something is true already. */
    if (!c->over)
        c->last_input_ms = now_ms;
    conversation_tick(c, now_ms);
    if (c->over)
        return;
    if (!rules_on_event(c->rules, json, json_bytes, &input)) {
        fail(c, "validationException", rules_message(c->rules));
        return;
    }
    act(c, &input);
    check_broken(c);
}

void
conversation_on_end(struct conversation *conversation, uint64_t now_ms)
{
    struct conversation *c = conversation;

    (void)now_ms;
    if (c->over)
        return;
    note(c, "violation", "the stream ended before sessionEnd");
    end(c);
}

/* ---- time ---------------------------------------------------------------- */

static uint64_t
scaled_ms(const struct conversation *c, int32_t ms)
{
    double scale = c->config.time_scale > 0 ? c->config.time_scale : 1;
    double scaled = ms / scale;

    return scaled < 1 ? 1 : (uint64_t)scaled;
}

static uint64_t
silence_deadline_ms(const struct conversation *c)
{
    int32_t limit_ms = c->config.script->numbers.silence_timeout_ms;

    return limit_ms == 0 ? UINT64_MAX
                         : c->last_sign_ms + scaled_ms(c, limit_ms);
}

/* The next line that a silence brings, NULL: none is left. */
static const struct script_line *
silence_line(const struct conversation *c)
{
    const struct script *script = c->config.script;
    const struct script_line *best = NULL;
    unsigned seen = 0;

    for (size_t i = 0; i < script->line_count; i++) {
        const struct script_line *line = &script->lines[i];

        if ((line->on & SCRIPT_ON_SILENCE) == 0)
            continue;
        if (seen++ == c->silence_lines_done)
            best = line;
    }
    return best;
}

static uint64_t
silence_line_ms(const struct conversation *c)
{
    const struct script_line *line = silence_line(c);

    if (line == NULL || !c->listener.open || c->listener.speaking)
        return UINT64_MAX;
    return c->quiet_since_ms + line->after_ms;
}

static void
break_silence(struct conversation *c, uint64_t now_ms)
{
    const struct script_line *line;

    if (turns_busy(&c->turns, now_ms)) {
        c->last_sign_ms = c->quiet_since_ms = now_ms;
        return;
    }
    if (now_ms < silence_line_ms(c))
        return;
    line = silence_line(c);
    c->silence_lines_done++;
    answer(c, line, "");
}

static void
check_timeouts(struct conversation *c, uint64_t now_ms)
{
    const struct script_numbers *n = &c->config.script->numbers;

    if (now_ms >= c->opened_ms + scaled_ms(c, n->connection_timeout_ms))
        fail(c, "modelTimeoutException", MESSAGE_WALL);
    else if (now_ms >= c->last_input_ms + scaled_ms(c, n->input_timeout_ms))
        fail(c, "validationException", MESSAGE_NO_INPUT);
    else if (now_ms >= silence_deadline_ms(c))
        fail(c, "validationException", MESSAGE_SILENCE);
}

void
conversation_tick(struct conversation *conversation, uint64_t now_ms)
{
    struct conversation *c = conversation;

    if (c->over)
        return;
    c->now_ms = now_ms;
    if (c->prompt_open) {
        turns_tick(&c->turns, now_ms);
        break_silence(c, now_ms);
    }
    check_broken(c);
    check_timeouts(c, now_ms);
}

/* ---- for faults ---------------------------------------------------------- */

unsigned
conversation_phases(struct conversation *conversation)
{
    struct conversation *c = conversation;
    bool active = speech_active(&c->turns.speech);
    unsigned phases = 0;

    if (!c->prompt_open || !c->had_audio)
        phases |= CONVERSATION_SETUP;
    c->speaking = active && (c->speaking || c->emit.audio_id[0] != '\0');
    if (c->listener.speaking)
        phases |= CONVERSATION_USER_SPEAKING;
    if (turns_open_calls(&c->turns) > 0)
        phases |= CONVERSATION_TOOL;
    if (c->speaking)
        phases |= CONVERSATION_SPEAKING;
    if (phases == 0 && turns_due(&c->turns))
        phases |= CONVERSATION_THINKING;
    return phases == 0 ? CONVERSATION_LISTENING : phases;
}

void
conversation_deafen(struct conversation *conversation)
{
    conversation->deaf = true;
}

bool
conversation_repeat_tool_use(struct conversation *conversation)
{
    return turns_repeat_call(&conversation->turns);
}

/* ---- deadlines ----------------------------------------------------------- */

static uint64_t
earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t
conversation_deadline_ms(const struct conversation *conversation)
{
    const struct conversation *c = conversation;
    const struct script_numbers *n = &c->config.script->numbers;
    uint64_t at_ms = c->opened_ms + scaled_ms(c, n->connection_timeout_ms);

    if (c->over)
        return UINT64_MAX;
    at_ms =
        earlier(at_ms, c->last_input_ms + scaled_ms(c, n->input_timeout_ms));
    at_ms = earlier(at_ms, silence_deadline_ms(c));
    if (!c->prompt_open)
        return at_ms;
    at_ms = earlier(at_ms, silence_line_ms(c));
    return earlier(at_ms, turns_deadline_ms(&c->turns));
}

#include "gateway/local/conversation.h"

#include "gateway/local/ear.h"
#include "gateway/local/endpoint.h"
#include "gateway/local/resample.h"
#include "gateway/local/rules.h"
#include "gateway/local/script.h"
#include "gateway/local/turns.h"

#include <stdio.h>
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

#define BURST_MS 3000.0
/* Kept from before an utterance was noticed, for the ear. */
#define PREROLL_MS 400
#define MS_PER_TOKEN 40
#define BYTES_PER_TOKEN 4
#define PHRASE_BYTES 1024

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

    /* input audio */
    bool audio_open;
    long rate_hz;
    uint64_t frames;
    struct endpoint endpoint;
    struct resample to_ear;
    int16_t *preroll; /* ring at the input's rate */
    size_t preroll_room, preroll_at, preroll_used;
    struct ear *ear;
    bool listening;    /* an utterance is under way */
    bool told_start;   /* userSpeechStart is due its userSpeechEnd */
    bool tells_speech; /* of this utterance */
    uint64_t audio_since_ms;
    uint64_t voice_ms; /* input speech, for the usage */
    uint64_t voice_ms_told;
    bool too_fast;
    size_t cursor; /* into the script, for EAR_SCRIPT */

    /* clocks */
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

/* The phrases that can be spoken, normalised; malloc'ed in one piece each. */
static size_t
spoken_phrases(const struct script *script, char **phrases, size_t room)
{
    size_t count = 0;

    for (size_t i = 0; i < script->line_count; i++) {
        const struct script_line *line = &script->lines[i];
        const cJSON *item;

        if ((line->on & SCRIPT_ON_SPEECH) == 0)
            continue;
        cJSON_ArrayForEach(item, line->hear)
        {
            char phrase[PHRASE_BYTES];

            script_normalise(item->valuestring, phrase, sizeof(phrase));
            if (phrase[0] == '\0' || strchr(phrase, '*') != NULL)
                continue;
            if (count < room)
                phrases[count] = strdup(phrase);
            count += count >= room || phrases[count] != NULL;
        }
    }
    return count;
}

bool
script_prepare_ear(struct script *script, char *problem, size_t problem_size)
{
    size_t count = spoken_phrases(script, NULL, 0);
    char **phrases = calloc(count + 1, sizeof(*phrases));

    problem[0] = '\0';
    if (script->ears != NULL || phrases == NULL) {
        free(phrases);
        return script->ears != NULL;
    }
    count = spoken_phrases(script, phrases, count);
    script->ears = ear_pool_new((const char *const *)phrases, count, problem,
                                problem_size);
    for (size_t i = 0; i < count; i++)
        free(phrases[i]);
    free(phrases);
    return script->ears != NULL;
}

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

static void
close_audio(struct conversation *c)
{
    char heard[PHRASE_BYTES];

    ear_close(&c->ear, heard, sizeof(heard));
    resample_fini(&c->to_ear);
    free(c->preroll);
    c->preroll = NULL;
    c->audio_open = false;
    c->listening = false;
    c->told_start = false;
}

void
conversation_free(struct conversation **conversation)
{
    struct conversation *c = *conversation;

    if (c == NULL)
        return;
    c->over = true;
    close_audio(c);
    turns_fini(&c->turns);
    prompt_fini(&c->prompt);
    emit_fini(&c->emit);
    rules_free(&c->rules);
    free(c);
    *conversation = NULL;
}

/* ---- input audio --------------------------------------------------------- */

static uint32_t
turn_pause_ms(const struct conversation *c)
{
    const struct script_numbers *n = &c->config.script->numbers;

    switch (c->sensitivity) {
    case SENSITIVITY_HIGH:
        return (uint32_t)n->endpoint_high_ms;
    case SENSITIVITY_LOW:
        return (uint32_t)n->endpoint_low_ms;
    case SENSITIVITY_DEFAULT:
    case SENSITIVITY_MEDIUM:
        break;
    }
    return (uint32_t)n->endpoint_medium_ms;
}

static void
open_audio(struct conversation *c, long rate_hz, uint64_t now_ms)
{
    const struct script_numbers *n = &c->config.script->numbers;
    uint32_t turn_ms = turn_pause_ms(c);
    struct endpoint_config config = {rate_hz, n->threshold_dbfs,
                                     (uint32_t)n->speech_end_ms, turn_ms,
                                     (uint32_t)n->utterance_max_ms};

    if (config.pause_ms > turn_ms)
        config.pause_ms = turn_ms;
    close_audio(c);
    endpoint_init(&c->endpoint, &config);
    c->rate_hz = rate_hz;
    c->frames = 0;
    c->audio_since_ms = now_ms;
    c->preroll_room = (size_t)rate_hz * PREROLL_MS / 1000;
    c->preroll_at = c->preroll_used = 0;
    c->preroll = calloc(c->preroll_room, sizeof(int16_t));
    if (c->preroll == NULL || !resample_init(&c->to_ear, rate_hz, EAR_RATE_HZ))
        c->emit.failed = true;
    c->audio_open = true;
}

static void
feed_ear(struct conversation *c, const int16_t *samples, size_t frames)
{
    int16_t out[2048];

    while (c->ear != NULL && frames > 0) {
        size_t count = frames < 512 ? frames : 512;

        ear_feed(c->ear, out, resample_push(&c->to_ear, samples, count, out));
        samples += count;
        frames -= count;
    }
}

static void
keep_preroll(struct conversation *c, const int16_t *samples, size_t frames)
{
    for (size_t i = 0; i < frames; i++) {
        c->preroll[c->preroll_at] = samples[i];
        c->preroll_at = (c->preroll_at + 1) % c->preroll_room;
    }
    c->preroll_used += frames;
    if (c->preroll_used > c->preroll_room)
        c->preroll_used = c->preroll_room;
}

static void
open_ear(struct conversation *c)
{
    size_t first;

    if (c->config.ear != EAR_REAL)
        return;
    c->ear = ear_open(c->config.script->ears);
    if (c->ear == NULL) {
        note(c, "heard", "no decoder could be made: this utterance is lost");
        return;
    }
    resample_reset(&c->to_ear);
    first =
        (c->preroll_at + c->preroll_room - c->preroll_used) % c->preroll_room;
    if (first + c->preroll_used > c->preroll_room) {
        size_t tail = c->preroll_room - first;

        feed_ear(c, c->preroll + first, tail);
        feed_ear(c, c->preroll, c->preroll_used - tail);
    } else {
        feed_ear(c, c->preroll + first, c->preroll_used);
    }
}

/* ---- utterances ---------------------------------------------------------- */

static void
count_voice(struct conversation *c)
{
    uint64_t tokens = c->voice_ms / MS_PER_TOKEN;

    c->emit.tokens.speech_in += tokens - c->voice_ms_told;
    c->voice_ms_told = tokens;
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
       const char *heard, uint64_t now_ms)
{
    count_voice(c);
    emit_usage(&c->emit);
    c->quiet_since_ms = now_ms;
    turns_add(&c->turns, line, heard, now_ms);
}

static void
on_utterance(struct conversation *c, uint64_t now_ms)
{
    const struct script *script = c->config.script;
    const struct script_line *line = NULL;
    char heard[PHRASE_BYTES];

    c->listening = false;
    ear_close(&c->ear, heard, sizeof(heard));
    note(c, "endpoint", "turn");
    if (c->config.ear == EAR_NONE)
        return;
    if (c->config.ear == EAR_SCRIPT) {
        line = script_next(script, &c->cursor);
        snprintf(heard, sizeof(heard), "%s",
                 line == NULL ? "" : script_phrase(line));
    } else {
        line = script_match(script, heard, SCRIPT_ON_SPEECH);
    }
    if (line == NULL)
        return;
    note(c, "heard", heard);
    emit_completion_start(&c->emit);
    tell_transcript(c, line, heard);
    answer(c, line, heard, now_ms);
}

/* v1 tells nothing about speech, and a script may leave it out when the user
 * interrupts. */
static bool
may_tell_speech(const struct conversation *c, uint64_t now_ms)
{
    unsigned barge_in = c->config.script->barge_in;

    if (c->family == FAMILY_V1)
        return false;
    return (barge_in & BARGE_SPEECH_START) != 0 ||
           !turns_busy(&c->turns, now_ms);
}

static void
tell_speech_start(struct conversation *c, uint64_t offset_ms)
{
    if (!c->tells_speech || c->told_start)
        return;
    c->told_start = true;
    emit_speech_start(&c->emit, offset_ms);
}

static void
tell_speech_end(struct conversation *c)
{
    if (!c->told_start)
        return;
    c->told_start = false;
    emit_speech_end(&c->emit, c->endpoint.loud_ms, c->endpoint.now_ms);
}

static void
on_speech(struct conversation *c, uint64_t now_ms)
{
    c->listening = true;
    c->silence_lines_done = 0;
    c->tells_speech = may_tell_speech(c, now_ms);
    note(c, "endpoint", "speech");
    tell_speech_start(c, c->endpoint.start_ms);
    turns_interrupt(&c->turns, now_ms);
    emit_completion_start(&c->emit);
    open_ear(c);
}

static void
on_endpoint(struct conversation *c, enum endpoint_event event, uint64_t now_ms)
{
    switch (event) {
    case ENDPOINT_NOTHING:
        break;
    case ENDPOINT_START:
        on_speech(c, now_ms);
        break;
    case ENDPOINT_RESUME:
        tell_speech_start(c, c->endpoint.loud_ms);
        break;
    case ENDPOINT_PAUSE:
        tell_speech_end(c);
        break;
    case ENDPOINT_TURN:
        tell_speech_end(c);
        on_utterance(c, now_ms);
        break;
    }
}

static void
check_pace(struct conversation *c, uint64_t now_ms)
{
    double sent_ms = (double)c->frames * 1000 / (double)c->rate_hz;
    double wall_ms =
        (double)(now_ms - c->audio_since_ms) * c->config.time_scale;
    bool fast = sent_ms > wall_ms + BURST_MS;

    if (fast && !c->too_fast)
        note(c, "violation",
             "audioInput: more than 3 s ahead of real time; send audio at "
             "the pace it was spoken");
    c->too_fast = fast;
}

static void
on_audio(struct conversation *c, const struct input *input, uint64_t now_ms)
{
    const int16_t *samples = input->samples;
    size_t frames = input->frames;

    c->frames += frames;
    check_pace(c, now_ms);
    while (frames > 0 && !c->over && !c->emit.failed) {
        const int16_t *from = samples;
        enum endpoint_event event =
            endpoint_feed(&c->endpoint, &samples, &frames);
        size_t used = (size_t)(samples - from);

        if (c->listening) {
            feed_ear(c, from, used);
            c->voice_ms += used * 1000 / (size_t)c->rate_hz;
            c->last_sign_ms = c->quiet_since_ms = now_ms;
        }
        keep_preroll(c, from, used);
        on_endpoint(c, event, now_ms);
    }
}

static void
on_audio_end(struct conversation *c, uint64_t now_ms)
{
    if (endpoint_finish(&c->endpoint)) {
        tell_speech_end(c);
        on_utterance(c, now_ms);
    }
    close_audio(c);
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
}

static void
on_text(struct conversation *c, const struct input *input, uint64_t now_ms)
{
    const struct script_line *line =
        script_match(c->config.script, input->text, SCRIPT_ON_TEXT);

    c->emit.tokens.text_in += input->text_bytes / BYTES_PER_TOKEN + 1;
    c->last_sign_ms = now_ms;
    note(c, "heard", input->text);
    answer(c, line, input->text, now_ms);
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
act(struct conversation *c, const struct input *input, uint64_t now_ms)
{
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
        c->emit.tokens.text_in += input->text_bytes / BYTES_PER_TOKEN + 1;
        break;
    case INPUT_AUDIO_START:
        open_audio(c, input->rate_hz, now_ms);
        break;
    case INPUT_AUDIO:
        on_audio(c, input, now_ms);
        break;
    case INPUT_AUDIO_END:
        on_audio_end(c, now_ms);
        break;
    case INPUT_TEXT:
        on_text(c, input, now_ms);
        break;
    case INPUT_TOOL_RESULT:
        c->last_sign_ms = now_ms;
        turns_on_result(&c->turns, input->tool_use_id, input->text, now_ms);
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

    /* What time has brought comes before what the client brings now. */
    conversation_tick(c, now_ms);
    if (c->over)
        return;
    c->last_input_ms = now_ms;
    if (!rules_on_event(c->rules, json, json_bytes, &input)) {
        fail(c, "validationException", rules_message(c->rules));
        return;
    }
    act(c, &input, now_ms);
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

    if (line == NULL || !c->audio_open || c->listening)
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
    answer(c, line, "", now_ms);
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
    if (c->prompt_open) {
        turns_tick(&c->turns, now_ms);
        break_silence(c, now_ms);
    }
    check_broken(c);
    check_timeouts(c, now_ms);
}

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

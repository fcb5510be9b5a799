#include "gateway/local/speech.h"

#include <stdlib.h>
#include <string.h>

/* Longer ones are parted at a space, so that no sentence takes long to make. */
#define SENTENCE_BYTES_MAX 400
/* Assumed: nothing says what a speech token is. */
#define MS_PER_TOKEN 40
#define BYTES_PER_TOKEN 4

void
speech_init(struct speech *s, struct emit *emit, struct voice *voice,
            const struct script_numbers *numbers)
{
    memset(s, 0, sizeof(*s));
    s->emit = emit;
    s->voice = voice;
    s->numbers = numbers;
    s->voice_id = "";
    s->rate_hz = 24000;
    s->seed = 1;
    s->said = cJSON_CreateArray();
}

static void
forget_text(struct speech *s)
{
    voice_release(&s->pcm);
    free(s->sentence);
    free(s->text);
    s->sentence = NULL;
    s->text = NULL;
    s->rest = NULL;
}

void
speech_fini(struct speech *s)
{
    forget_text(s);
    cJSON_Delete(s->said);
    memset(s, 0, sizeof(*s));
}

void
speech_set_voice(struct speech *s, const char *voice_id, long rate_hz)
{
    s->voice_id = voice_id;
    s->rate_hz = rate_hz;
}

bool
speech_active(const struct speech *s)
{
    return s->text != NULL;
}

static const char *
skip_blanks(const char *p)
{
    return p + strspn(p, " \t\r\n");
}

void
speech_begin(struct speech *s, const char *text, bool last, uint64_t now_ms)
{
    text = skip_blanks(text);
    if (*text == '\0')
        return;
    s->text = strdup(text);
    s->emit->failed |= s->text == NULL;
    s->rest = s->text;
    s->last = last;
    s->next_us = now_ms * 1000;
}

/* Bytes of the sentence at p: to a full stop, a line's end, or a space where
 * it grows too long. */
static size_t
sentence_bytes(const char *p)
{
    size_t space = 0;
    size_t i;

    for (i = 0; p[i] != '\0'; i++) {
        if (p[i] == '\n')
            return i;
        if (strchr(".!?", p[i]) != NULL &&
            (p[i + 1] == ' ' || p[i + 1] == '\n' || p[i + 1] == '\0'))
            return i + 1;
        if (p[i] == ' ')
            space = i;
        if (i >= SENTENCE_BYTES_MAX && space > 0)
            return space;
    }
    return i;
}

/* False when the text is over. */
static bool
next_sentence(struct speech *s)
{
    size_t bytes = sentence_bytes(s->rest);

    if (bytes == 0)
        return false;
    s->sentence = strndup(s->rest, bytes);
    s->rest = skip_blanks(s->rest + bytes);
    if (s->sentence != NULL)
        s->pcm = voice_say(s->voice, s->sentence, s->voice_id, s->rate_hz);
    if (s->pcm == NULL) {
        s->emit->failed = true;
        return false;
    }
    s->at_frame = 0;
    emit_text(s->emit, "ASSISTANT", "SPECULATIVE", s->sentence, "PARTIAL_TURN");
    s->emit->tokens.text_out += strlen(s->sentence) / BYTES_PER_TOKEN + 1;
    emit_audio_start(s->emit, s->rate_hz);
    return true;
}

static void
remember_said(struct speech *s, const char *text)
{
    cJSON *item = cJSON_CreateString(text);

    if (item == NULL || !cJSON_AddItemToArray(s->said, item))
        s->emit->failed = true;
}

static void
end_sentence(struct speech *s)
{
    bool over = *s->rest == '\0';

    emit_audio_end(s->emit, over && s->last ? "END_TURN" : "PARTIAL_TURN");
    emit_usage(s->emit);
    remember_said(s, s->sentence);
    voice_release(&s->pcm);
    free(s->sentence);
    s->sentence = NULL;
}

/* Chunks vary in length, as they do in life. */
static size_t
chunk_frames(struct speech *s)
{
    uint32_t low = (uint32_t)s->numbers->chunk_min_ms;
    uint32_t high = (uint32_t)s->numbers->chunk_max_ms;
    uint32_t ms;

    s->seed = s->seed * 1664525u + 1013904223u;
    ms = low + (s->seed >> 8) % (high - low + 1);
    return (size_t)s->rate_hz * ms / 1000;
}

static void
send_chunk(struct speech *s, uint64_t now_us)
{
    size_t left = s->pcm->frames - s->at_frame;
    size_t frames = chunk_frames(s);
    uint64_t chunk_us;

    if (frames > left)
        frames = left;
    emit_audio(s->emit, s->pcm->samples + s->at_frame, frames);
    s->at_frame += frames;
    chunk_us = (uint64_t)frames * 1000000 / (uint64_t)s->rate_hz;
    s->next_us += chunk_us * 100 / (uint64_t)s->numbers->audio_speed_percent;
    if (s->play_end_us < now_us)
        s->play_end_us = now_us;
    s->play_end_us += chunk_us;
    s->out_ms_rest += chunk_us / 1000;
    s->emit->tokens.speech_out += s->out_ms_rest / MS_PER_TOKEN;
    s->out_ms_rest %= MS_PER_TOKEN;
}

void
speech_tick(struct speech *s, uint64_t now_ms)
{
    while (s->text != NULL && !s->emit->failed) {
        if (s->sentence == NULL && !next_sentence(s)) {
            forget_text(s);
            return;
        }
        if (s->next_us > now_ms * 1000)
            return;
        if (s->at_frame < s->pcm->frames)
            send_chunk(s, now_ms * 1000);
        if (s->at_frame == s->pcm->frames)
            end_sentence(s);
    }
}

uint64_t
speech_deadline_ms(const struct speech *s)
{
    return s->text == NULL ? UINT64_MAX : (s->next_us + 999) / 1000;
}

bool
speech_finals(struct speech *s, const char *stop_reason)
{
    const cJSON *item;

    if (s->said->child == NULL)
        return false;
    cJSON_ArrayForEach(item, s->said)
    {
        emit_text(s->emit, "ASSISTANT", "FINAL", item->valuestring,
                  item->next == NULL ? stop_reason : "PARTIAL_TURN");
    }
    while (s->said->child != NULL)
        cJSON_DeleteItemFromArray(s->said, 0);
    return true;
}

bool
speech_is_heard(const struct speech *s, uint64_t now_ms)
{
    return s->text != NULL || now_ms * 1000 < s->play_end_us;
}

void
speech_forget(struct speech *s)
{
    s->play_end_us = 0;
}

/* Keeps as many words as the share of the audio that was sent. */
static void
cut_words(char *sentence, size_t sent, size_t frames)
{
    size_t keep = strlen(sentence) * sent / (frames == 0 ? 1 : frames);

    while (sentence[keep] != '\0' && sentence[keep] != ' ')
        keep++;
    sentence[keep] = '\0';
}

void
speech_cut(struct speech *s)
{
    if (s->sentence != NULL) {
        emit_audio_end(s->emit, "END_TURN");
        cut_words(s->sentence, s->at_frame, s->pcm->frames);
        remember_said(s, s->sentence);
    }
    forget_text(s);
    speech_forget(s);
}

#include "gateway/local/voice.h"

#include "gateway/local/resample.h"
#include "gateway/local/synth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_BYTES_MAX (8u * 1024 * 1024)

struct entry {
    char *key;
    struct pcm *pcm;
    struct entry *next; /* most lately used first */
};

struct voice {
    int words_per_minute;
    long synth_rate_hz;
    struct entry *entries;
    size_t cached_bytes;
};

static const struct synth_voice voices[] = {
#define VOICE(id, v1, nova2, espeak, pitch) {id, espeak, pitch},
#include "gateway/local/voices.tbl.h"
#undef VOICE
};

struct voice *
voice_new(int words_per_minute)
{
    struct voice *v = calloc(1, sizeof(*v));

    if (v == NULL)
        return NULL;
    v->words_per_minute = words_per_minute;
    v->synth_rate_hz = synth_start();
    if (v->synth_rate_hz == 0) {
        free(v);
        return NULL;
    }
    return v;
}

void
voice_release(struct pcm **pcm)
{
    struct pcm *p = *pcm;

    *pcm = NULL;
    if (p == NULL || --p->references > 0)
        return;
    free(p->samples);
    free(p);
}

static void
entry_free(struct voice *voice, struct entry *entry)
{
    voice->cached_bytes -= entry->pcm->frames * sizeof(int16_t);
    voice_release(&entry->pcm);
    free(entry->key);
    free(entry);
}

void
voice_free(struct voice **voice)
{
    struct voice *v = *voice;

    if (v == NULL)
        return;
    while (v->entries != NULL) {
        struct entry *entry = v->entries;

        v->entries = entry->next;
        entry_free(v, entry);
    }
    free(v);
    *voice = NULL;
}

static struct pcm *
find(struct voice *voice, const char *key)
{
    for (struct entry **at = &voice->entries; *at != NULL; at = &(*at)->next) {
        struct entry *entry = *at;

        if (strcmp(entry->key, key) != 0)
            continue;
        *at = entry->next;
        entry->next = voice->entries;
        voice->entries = entry;
        entry->pcm->references++;
        return entry->pcm;
    }
    return NULL;
}

static void
drop_oldest(struct voice *voice)
{
    struct entry **last = &voice->entries;

    while ((*last)->next != NULL)
        last = &(*last)->next;
    entry_free(voice, *last);
    *last = NULL;
}

/* Takes the key. Without memory the speech is simply not cached. */
static void
remember(struct voice *voice, char *key, struct pcm *pcm)
{
    struct entry *entry = calloc(1, sizeof(*entry));

    if (entry == NULL) {
        free(key);
        return;
    }
    pcm->references++;
    entry->key = key;
    entry->pcm = pcm;
    entry->next = voice->entries;
    voice->entries = entry;
    voice->cached_bytes += pcm->frames * sizeof(int16_t);
    while (voice->cached_bytes > CACHE_BYTES_MAX && voice->entries->next)
        drop_oldest(voice);
}

static const struct synth_voice *
voice_of(const char *voice_id)
{
    for (size_t i = 0; i < sizeof(voices) / sizeof(voices[0]); i++) {
        if (strcmp(voices[i].id, voice_id) == 0)
            return &voices[i];
    }
    return &voices[0];
}

static struct pcm *
convert(const struct synth_audio *audio, long from_hz, long to_hz)
{
    struct pcm *pcm = calloc(1, sizeof(*pcm));
    struct resample r;

    if (!resample_init(&r, from_hz, to_hz) || pcm == NULL) {
        resample_fini(&r);
        free(pcm);
        return NULL;
    }
    pcm->samples =
        malloc(resample_bound(&r, audio->frames + RESAMPLE_TAPS + 2) *
               sizeof(int16_t));
    if (pcm->samples != NULL) {
        pcm->frames =
            resample_push(&r, audio->samples, audio->frames, pcm->samples);
        pcm->frames += resample_drain(&r, pcm->samples + pcm->frames);
        pcm->rate_hz = to_hz;
        pcm->references = 1;
    } else {
        free(pcm);
        pcm = NULL;
    }
    resample_fini(&r);
    return pcm;
}

static struct pcm *
make(struct voice *voice, const char *text, const char *voice_id, long rate_hz)
{
    static const int16_t hush[160];
    struct synth_audio audio = {NULL, 0, 0, false};
    struct pcm *pcm;

    synth_say(&audio, text, voice_of(voice_id), voice->words_per_minute);
    if (audio.frames == 0)
        synth_append(&audio, hush, sizeof(hush) / sizeof(hush[0]));
    pcm = audio.samples == NULL
              ? NULL
              : convert(&audio, voice->synth_rate_hz, rate_hz);
    free(audio.samples);
    return pcm;
}

struct pcm *
voice_say(struct voice *voice, const char *text, const char *voice_id,
          long rate_hz)
{
    size_t key_bytes = strlen(text) + strlen(voice_id) + 24;
    char *key = malloc(key_bytes);
    struct pcm *pcm;

    if (key == NULL)
        return NULL;
    snprintf(key, key_bytes, "%ld %s %s", rate_hz, voice_id, text);
    pcm = find(voice, key);
    if (pcm != NULL) {
        free(key);
        return pcm;
    }
    pcm = make(voice, text, voice_id, rate_hz);
    if (pcm == NULL)
        free(key);
    else
        remember(voice, key, pcm);
    return pcm;
}

#include "gateway/local/synth.h"

#include <stdlib.h>
#include <string.h>

#define FRAMES_MAX ((size_t)22050 * 300)

bool
synth_append(struct synth_audio *audio, const int16_t *samples, size_t frames)
{
    size_t needed = audio->frames + frames;

    if (audio->failed || needed > FRAMES_MAX) {
        audio->failed = true;
        return false;
    }
    if (needed > audio->room_frames) {
        size_t room = needed * 2;
        int16_t *grown = realloc(audio->samples, room * sizeof(*grown));

        if (grown == NULL) {
            audio->failed = true;
            return false;
        }
        audio->samples = grown;
        audio->room_frames = room;
    }
    memcpy(audio->samples + audio->frames, samples, frames * sizeof(*samples));
    audio->frames = needed;
    return true;
}

#if VR_HAVE_ESPEAK

#include <espeak-ng/speak_lib.h>

static int
on_speech(short *samples, int frames, espeak_EVENT *events)
{
    struct synth_audio *audio = events->user_data;

    if (samples == NULL || frames <= 0 || audio == NULL)
        return 0;
    return synth_append(audio, samples, (size_t)frames) ? 0 : 1;
}

long
synth_start(void)
{
    static long rate_hz;

    if (rate_hz > 0)
        return rate_hz;
    rate_hz = espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, 0, NULL,
                                espeakINITIALIZE_DONT_EXIT);
    if (rate_hz > 0)
        espeak_SetSynthCallback(on_speech);
    return rate_hz > 0 ? rate_hz : 0;
}

void
synth_say(struct synth_audio *audio, const char *text,
          const struct synth_voice *voice, int words_per_minute)
{
    if (espeak_SetVoiceByName(voice->espeak) != EE_OK)
        espeak_SetVoiceByName("en-us");
    espeak_SetParameter(espeakRATE, words_per_minute, 0);
    espeak_SetParameter(espeakPITCH, voice->pitch, 0);
    espeak_Synth(text, strlen(text) + 1, 0, POS_CHARACTER, 0,
                 espeakCHARS_UTF8 | espeakENDPAUSE, NULL, audio);
    espeak_Synchronize();
}

#else

#include <math.h>

#define TONE_RATE_HZ 16000

long
synth_start(void)
{
    return TONE_RATE_HZ;
}

/* A note with soft edges, so that nothing clicks. */
static void
append_note(struct synth_audio *audio, double hz, size_t frames)
{
    for (size_t i = 0; i < frames; i++) {
        double edge =
            fmin(1.0, fmin((double)i, (double)(frames - 1 - i)) / 160);
        double t = (double)i / TONE_RATE_HZ;
        int16_t sample =
            (int16_t)(8000 * edge * sin(2 * 3.14159265358979 * hz * t));

        synth_append(audio, &sample, 1);
    }
}

void
synth_say(struct synth_audio *audio, const char *text,
          const struct synth_voice *voice, int words_per_minute)
{
    size_t word_frames = (size_t)(TONE_RATE_HZ * 60 / words_per_minute);

    while (*text != '\0') {
        size_t length = strcspn(text, " ");

        if (length > 0) {
            double hz = 120 + 3 * voice->pitch + 11 * (double)(length % 7);

            append_note(audio, hz, word_frames * 3 / 4);
            append_note(audio, 0, word_frames / 4);
        }
        text += length;
        text += strspn(text, " ");
    }
}

#endif

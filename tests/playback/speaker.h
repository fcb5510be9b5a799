/* A loudspeaker for tests: a real output ring, a playback on it, if wanted a
 * real player in the same process, and a clock that the test moves. */
#ifndef TESTS_PLAYBACK_SPEAKER_H
#define TESTS_PLAYBACK_SPEAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/playback/playback.h"
#include "ipc/ring_host.h"
#include "ipc/voxring.h"

#define MS(n) ((uint64_t)(n)*1000000u)
#define NOTES_MAX 256

struct note {
    char kind; /* 's'tarted, 'f'inished, 'x' flushed, 'o'verflow, 'l'ost */
    struct playback_notice notice;
};

struct speaker {
    char dir[64];
    struct vr_format format;
    struct ring_host *ring;
    struct vr_reader *player;
    struct playback *playback;
    uint64_t now_ns;
    struct note notes[NOTES_MAX];
    size_t note_count;
    uint64_t sent;        /* samples given to the playback */
    uint64_t lost_frames; /* told */
};

/* The configuration's ring is filled in; the ring holds at least `seconds`. */
void speaker_open(struct speaker *speaker, struct vr_format format,
                  struct playback_config config, unsigned seconds);
void speaker_close(struct speaker *speaker);

/* Attaches a player that begins with the next frame. */
void speaker_plug(struct speaker *speaker);
void speaker_unplug(struct speaker *speaker);

/* Audio of a response: sample n of all that was ever sent is speaker_sample(n).
 */
void speaker_say(struct speaker *speaker, uint64_t response, size_t samples);
int16_t speaker_sample(uint64_t sample);

/* Somebody removes the ring's name, and that is noticed; it is made anew. */
void speaker_damage(struct speaker *speaker);
void speaker_mend(struct speaker *speaker);

/* The player reads up to `frames` frames to `samples` and says that it played
 * them; returns how many. Flushes are obeyed. */
size_t speaker_play(struct speaker *speaker, int16_t *samples, size_t frames);

/* Lets time pass. */
void speaker_wait(struct speaker *speaker, unsigned ms);

/* The account, which balances. */
struct playback_account speaker_account(struct speaker *speaker);

/* "s1 f1 s2": kinds and responses since the last call. */
const char *speaker_notes(struct speaker *speaker);

#endif

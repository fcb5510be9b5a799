/* A microphone for tests: a real input ring with a real producer in the same
 * process, a capture on it, and a clock that the test moves. */
#ifndef TESTS_CAPTURE_MIC_H
#define TESTS_CAPTURE_MIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/capture/capture.h"
#include "ipc/ring_host.h"
#include "ipc/voxring.h"

#define MS(n) ((uint64_t)(n)*1000000u)

struct mic {
    char dir[64];
    struct vr_format format;
    struct ring_host *ring;
    struct vr_writer *writer;
    struct capture *capture;
    uint64_t now_ns;
    uint64_t written; /* frames */
    /* What capture told. */
    int starved, resumed;
    uint64_t starved_ns, lost[CAPTURE_LOSS_COUNT];
    uint64_t speech_from[8], speech_to[8]; /* the first ones */
    size_t speeches, speech_ends;
};

/* The configuration's ring is filled in. `min_frames` 0: ten seconds. */
void mic_open(struct mic *mic, struct vr_format format,
              struct capture_config config, uint64_t min_frames);
/* Accepts one that is closed or was never opened (zeroed). */
void mic_close(struct mic *mic);

/* Writes frames whose first channel counts on from the last write: frame n is
 * mic_sample(n), in every channel. */
void mic_write(struct mic *mic, size_t frames);
int16_t mic_sample(uint64_t frame);

/* Writes a tone of 300 Hz, in every channel; amplitude 0 is silence. */
void mic_write_tone(struct mic *mic, size_t frames, double amplitude);

/* The account, which balances. */
struct capture_account mic_account(struct mic *mic);

/* Asserts that the account balances, and knows of all that was written. */
void mic_balance(struct mic *mic);

/* A chunk must be there, or must not. */
struct capture_chunk mic_poll(struct mic *mic);
void mic_poll_nothing(struct mic *mic);

#endif

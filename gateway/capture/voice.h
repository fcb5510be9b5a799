/* The user's voice by its energy, in windows of 10 ms.
 *
 * A window is loud at max(threshold, noise floor + 12 dB) and more; its mean is
 * taken off first, so a microphone with an offset is not always loud. The floor
 * falls within a tenth of a second and rises by 3 dB a second, so a noise that
 * stays is taken for speech no longer than it takes to rise (8 s for a steady
 * -20 dBFS at a threshold of -45), and speech, which has dips, does not
 * raise it. Speech begins when 70 of 120 ms are loud and ends after the
 * hangover without; a click or two in it do not prolong it.
 *
 * dBFS are of the RMS against 32768: a full sine is -3.
 *
 * Sans-IO and without memory of its own: a multiplication and two
 * additions a frame, half a nanosecond. */
#ifndef GATEWAY_CAPTURE_VOICE_H
#define GATEWAY_CAPTURE_VOICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest that speech may have lasted when its beginning is told. */
#define VOICE_NOTICE_MS 130

/* Speech began at `frame`, or ended there. Must not call back. */
typedef void voice_fn(void *arg, bool started, uint64_t frame);

struct voice_config {
    uint32_t rate_hz;
    double threshold_dbfs;
    uint32_t hangover_ms;
    voice_fn *on_edge;
    void *arg;
};

/* `speaking` and what follows may be read; the rest belongs to voice.c. */
struct voice {
    /* Constant. */
    size_t window_frames;
    uint32_t hangover_windows;
    uint64_t hangover_ns;
    double least_floor;
    voice_fn *on_edge;
    void *arg;

    /* The window in the making. */
    uint64_t position; /* of the next frame */
    size_t filled;
    bool deaf; /* has frames that do not count */
    int64_t sum, squares;

    double floor;       /* mean square of the noise */
    uint32_t recent;    /* the last windows, the newest in bit 0: loud? */
    uint32_t quiet;     /* windows since the last that counts as speech */
    uint64_t heard_end; /* its end */

    bool speaking;
    uint64_t start_frame; /* of the newest speech; 0 if none yet */
    uint64_t end_frame;   /* its end, when not speaking */
    uint64_t ended_ns;    /* when its end was noticed; 0 if speaking */
    uint64_t loud_ms;     /* how long of it was loud */
};

/* [any] */
void voice_init(struct voice *voice, const struct voice_config *config);

/* The mono frames from `position` on; NULL: frames that are not the user's,
 * which are quiet. Positions only grow; what is left out is quiet too. [rt] */
void voice_hear(struct voice *voice, uint64_t position, const int16_t *frames,
                size_t count, uint64_t now_ns);

/* No frame has come for so long: that is quiet as well. [rt] */
void voice_idle(struct voice *voice, uint64_t idle_ns, uint64_t now_ns);

#endif

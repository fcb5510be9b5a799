/* How loud a ring's newest frames are. */
#ifndef IPC_CLI_RING_LEVEL_H
#define IPC_CLI_RING_LEVEL_H

#include "ipc/ring_view.h"

#define RING_LEVEL_TEXT_BYTES 16

/* In parts of full scale, all channels together. */
struct ring_level {
    size_t frames; /* that it was measured on; 0: nothing is known */
    double peak;
    double rms;
};

/* Of the newest `frames` frames, at most one second, or as many as there are.
 * [any] */
void ring_level_read(const struct ring_view *view, uint64_t frames,
                     struct ring_level *level);

/* In dB of full scale; -INFINITY for silence. [any] */
double ring_level_db(double part);

/* As text: "-6.0", or "-inf". [any] */
void ring_level_text(double part, char text[RING_LEVEL_TEXT_BYTES]);

#endif

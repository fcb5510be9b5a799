/* s16 audio from one rate and number of channels to another. */
#ifndef IPC_CLI_CONVERT_H
#define IPC_CLI_CONVERT_H

#include <stddef.h>
#include <stdint.h>

#include "ipc/status.h"

/* Most frames that convert_push() takes at once. */
#define CONVERT_FRAMES 1024

struct convert;

/* `from` may have any number of channels, `to` 1 or 2. *convert is the
 * caller's until convert_free(). [any] */
enum vr_status convert_new(struct convert **convert, struct vr_format from,
                           struct vr_format to) VR_NODISCARD;

/* [any] */
void convert_free(struct convert **convert);

/* Converts at most CONVERT_FRAMES frames. *samples is what is ready, valid
 * until the next call; returns its frames. [any] */
size_t convert_push(struct convert *convert, const int16_t *samples_in,
                    size_t frames, const int16_t **samples);

/* At the end of the input: what is left, in pieces; 0 once that is all. Then as
 * many frames came out as the input was long. [any] */
size_t convert_finish(struct convert *convert, const int16_t **samples);

#endif

/* Keeps what one stream received, for tests to compare: its audio in
 * DIR/NNNN.s16, written as it comes so that it can be read while the stream
 * lives, and at the end DIR/NNNN.json with everything else. */
#ifndef GATEWAY_LOCAL_RECORD_H
#define GATEWAY_LOCAL_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/local/rules.h"

struct record;

/* Bytes of texts kept of one stream; beyond it texts are left out and "whole"
 * is false. */
#define RECORD_TEXT_BYTES_MAX (4 * 1024 * 1024)

/* Makes the files of the stream's number anew in the folder. NULL with errno
 * when they cannot be written. [loop] */
struct record *record_open(const char *dir, unsigned number,
                           const char *model_id);

/* Takes what the stream received. False: it could not be written, told once.
 * [loop] */
bool record_take(struct record *record, const struct input *input);

/* Writes the .json with how the stream ended. Accepts NULL; NULLs the caller's
 * pointer. [loop] */
void record_close(struct record **record, const char *ended);

#endif

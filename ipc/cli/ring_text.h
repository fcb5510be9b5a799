/* What is said of a ring, in the words that all its commands use. */
#ifndef IPC_CLI_RING_TEXT_H
#define IPC_CLI_RING_TEXT_H

#include "ipc/ring_view.h"

#define RING_TEXT_BYTES 160

/* The runtime folder as the header names it, printable; "" if it names none.
 * It is whatever somebody wrote there. [any] */
void ring_text_folder(const struct ring_view *view, char text[RING_DIR_BYTES]);

/* "in" or "out". Static storage. [any] */
const char *ring_text_side(enum vr_ring ring);

/* "living", "stopped" or "dead". Static storage. [any] */
const char *ring_text_gateway(const struct ring_view *view);

/* The one who may write `in` or play `out`. [any] */
const struct ring_view_holder *ring_text_leased(const struct ring_view *view);

/* What that one is called. Static storage. [any] */
const char *ring_text_lease(enum vr_ring ring);

/* "arecord (pid 12, stopped)". [any] */
void ring_text_holder(const struct ring_view_holder *holder,
                      char text[RING_TEXT_BYTES]);

/* Frames, a gap that may be negative, in milliseconds; 0 if the rate is not
 * known. [any] */
double ring_text_ms(const struct ring_view *view, int64_t frames);

/* How far `position` is behind what was written, signed. [any] */
int64_t ring_text_behind(const struct ring_view *view, uint64_t position);

/* Why a ring could not be opened, and whose it is. [any] */
void ring_text_closed(const struct ring_view *view,
                      const struct ring_view_name *name, char *text,
                      size_t text_bytes);

/* Told each thing that is wrong, as a part of a sentence. */
typedef void ring_text_wrong_fn(void *arg, const char *what);

/* Everything that is wrong with a ring, as far as can be seen. [any] */
void ring_text_wrong(const struct ring_view *view, ring_text_wrong_fn *fn,
                     void *arg);

#endif

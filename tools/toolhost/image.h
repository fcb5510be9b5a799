/* A private copy of a shared library's file, so that whoever writes into the
 * file while it runs (cp over it) does not write into the running process. */
#ifndef TOOLS_TOOLHOST_IMAGE_H
#define TOOLS_TOOLHOST_IMAGE_H

#include <stddef.h>

#include "ipc/status.h"

/* Copies the file into memory, sealed, and checks that it is a whole shared
 * library for this machine. `*fd` gets the copy, the caller's to close(), to be
 * loaded as /proc/self/fd/N; or -1 when the path itself must be loaded: the
 * file cannot be opened (the loader knows why), is found by $ORIGIN, is very
 * large, or there is no such memory here. VR_INVALID: the file is no good, and
 * `why` holds the rest of a sentence that begins with its name. [any] */
enum vr_status image_copy(const char *path, int *fd, char *why,
                          size_t why_size) VR_NODISCARD;

/* The check by itself, of a file's bytes. [any] */
enum vr_status image_check(const unsigned char *bytes, size_t count, char *why,
                           size_t why_size) VR_NODISCARD;

#endif

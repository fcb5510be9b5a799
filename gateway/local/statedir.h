/* The folder that keeps the certificate: given, or under the user's runtime
 * folder, or a temporary one that is removed at the end. */
#ifndef GATEWAY_LOCAL_STATEDIR_H
#define GATEWAY_LOCAL_STATEDIR_H

#include <stdbool.h>
#include <stddef.h>

#define STATEDIR_PATH_BYTES 1024

struct statedir {
    char path[STATEDIR_PATH_BYTES]; /* absolute, so that others can use it */
    bool temporary;
};

/* Makes the folder (0700) where it is missing, its parents too. `path` NULL:
 * $XDG_RUNTIME_DIR/voxring-local, or a fresh folder below $TMPDIR. A folder
 * that is another's, or that others can write to, is refused. False with the
 * reason in `problem`. [any] */
bool statedir_open(struct statedir *dir, const char *path, char *problem,
                   size_t problem_size);

/* Removes a temporary folder with the files in it. [any] */
void statedir_close(struct statedir *dir);

#endif

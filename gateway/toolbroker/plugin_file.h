/* One file that is to be loaded as a plugin: which version of it is there, who
 * may write to it, and whether it is whole.
 *
 * A file that everybody may write to is not used: whoever can write there
 * could run code in the gateway's name. */
#ifndef GATEWAY_TOOLBROKER_PLUGIN_FILE_H
#define GATEWAY_TOOLBROKER_PLUGIN_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/status.h"

/* What stat() says of it; a link's target, not the link. */
struct plugin_file {
    uint64_t dev;
    uint64_t ino;
    uint64_t size_bytes;
    uint64_t mtime_ns; /* wall clock */
    uint32_t mode;
};

/* Looks at the file: VR_OK if it may be loaded as far as its kind and its
 * permissions go. Otherwise a sentence with the remedy in `why`, and *file
 * zeroed if nothing is there (VR_NOT_FOUND). [loop] */
enum vr_status plugin_file_look(const char *path, struct plugin_file *file,
                                char *why, size_t why_size) VR_NODISCARD;

/* Whether both are one version of one file, whatever its permissions. [any] */
bool plugin_file_same(const struct plugin_file *a, const struct plugin_file *b);

/* Whether its content is a whole shared library for this machine, by its
 * headers alone: VR_OK; VR_AGAIN when some of it is missing, as while it is
 * being copied; VR_INVALID when more of it would not help. `why` then holds a
 * sentence. [loop] */
enum vr_status plugin_file_check(const char *path, char *why,
                                 size_t why_size) VR_NODISCARD;

#endif

/* A small file that is replaced whole, locked by one owner, set aside when it
 * is damaged. Knows nothing of what is in it.
 *
 * Files beside FILE: FILE.lock while it is open, FILE.tmp while it is written,
 * FILE.damaged-TIME, of which the newest HISTORY_DISK_DAMAGED_KEPT stay. */
#ifndef GATEWAY_SESSION_HISTORY_DISK_H
#define GATEWAY_SESSION_HISTORY_DISK_H

#include <stddef.h>

#include "ipc/status.h"

#define HISTORY_DISK_DAMAGED_KEPT 5

struct history_disk {
    char *path;
    char *folder;
    const char *name; /* in `path` */
    int lock_fd;
};

/* Locks the file, which need not be there. VR_NOT_FOUND (no such folder),
 * VR_BUSY, VR_DENIED, VR_INVALID (no such name can be), VR_NO_MEMORY,
 * VR_SYSTEM, with a sentence in `why`; nothing is to be closed then. [any] */
enum vr_status history_disk_open(struct history_disk *disk, const char *path,
                                 char *why, size_t why_size) VR_NODISCARD;

/* Takes the lock off and frees. [any] */
void history_disk_close(struct history_disk *disk);

/* The contents and a NUL, to be freed by the caller. NULL on failure:
 * VR_NOT_FOUND (there is no file), VR_LIMIT (too large), VR_INVALID (no regular
 * file, or a symbolic link), VR_DENIED, VR_NO_MEMORY, VR_SYSTEM, with a
 * sentence. Waits for the disk. [any] */
char *history_disk_read(const struct history_disk *disk, size_t limit_bytes,
                        size_t *bytes, enum vr_status *status, char *why,
                        size_t why_size);

/* Renames the file to one that says when it was found damaged, whose name goes
 * to `aside`, and removes the oldest of these. VR_DENIED, VR_SYSTEM. [any] */
enum vr_status history_disk_set_aside(const struct history_disk *disk,
                                      char *aside, size_t aside_size, char *why,
                                      size_t why_size) VR_NODISCARD;

/* Replaces the file, or leaves it as it was and says why. Waits for the disk.
 * [worker] */
enum vr_status history_disk_write(const struct history_disk *disk,
                                  const char *text, size_t bytes, char *why,
                                  size_t why_size) VR_NODISCARD;

#endif

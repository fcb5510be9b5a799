/* A history that outlives the program: one JSON file, written off the loop.
 *
 * The file is written whole to a temporary one beside it (FILE.tmp), which is
 * synced and renamed, and so is its folder: after a crash at any moment there is
 * the old state or the new one. One write is under way at most; changes
 * meanwhile make one more, and at least HISTORY_FILE_PAUSE_MS lie between
 * two, so that the newest state always wins. It is read by its owner only
 * (0600).
 *
 * A file that cannot be read as a history (no JSON, cut off, another version,
 * too large) is renamed to FILE.damaged-TIME and told; the newest
 * HISTORY_DISK_DAMAGED_KEPT are kept. What is no regular file, a symbolic link
 * too, is refused and left alone: it is most likely a mistake.
 *
 * FILE.lock is locked as long as the file is open, so that two sessions or
 * gateways never write the same one; the kernel frees the lock of one that
 * died.
 */
#ifndef GATEWAY_SESSION_HISTORY_FILE_H
#define GATEWAY_SESSION_HISTORY_FILE_H

#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "gateway/session/history_document.h"
#include "ipc/status.h"

#define HISTORY_FILE_PAUSE_MS 250

struct history_file;

struct history_file_ops {
    /* Asked for just before a write, on the loop, and in history_file_close().
     * `*state` is zeroed before. */
    void (*on_state)(void *arg, struct history_state *state);
    /* This revision is on the disk; may be NULL. */
    void (*on_saved)(void *arg, uint64_t revision, size_t messages,
                     size_t file_bytes);
    /* It could not be written: told once until it works again. It is tried
     * again at the next change and at the close. May be NULL. */
    void (*on_failed)(void *arg, const char *sentence);
};

/* Locks and reads the file, which need not be there yet; reading waits for the
 * disk. `ops` must outlive the file. VR_OK also when a damaged one was set
 * aside. On failure there is no file, `loaded` is empty, and `why` is a sentence:
 * VR_NOT_FOUND (no such folder), VR_BUSY (somebody else has it), VR_DENIED,
 * VR_INVALID (no regular file), VR_NO_MEMORY, VR_SYSTEM. [loop] */
enum vr_status history_file_open(uv_loop_t *loop, const char *path,
                                 const struct history_file_ops *ops, void *arg,
                                 struct history_file **file,
                                 struct history_loaded *loaded, char *why,
                                 size_t why_size) VR_NODISCARD;

/* Something changed: it will be written. Costs nothing; calls nothing.
 * [loop] */
void history_file_changed(struct history_file *file);

/* Asks for the state a last time if anything changed since the last write, and
 * from then on calls nobody but `on_done`, from the loop, after the last write
 * and when the lock is free again. `on_done` may be NULL; its `why` is NULL, or
 * says why the newest state could not be written. The loop must run until
 * then. Accepts NULL inside: `on_done` is then not called. [loop] */
void history_file_close(struct history_file **file,
                        void (*on_done)(void *arg, const char *why), void *arg);

#endif

/* The gateway's side of a ring: it makes the object, holds the kernel's lock
 * on it for life, reads `in` and writes `out`. Part of libvoxring.a, not
 * exported from the shared library.
 *
 * Whatever comes out of shared memory here was read once and bounded.
 * Impossible values are ignored, counted and reported (see struct
 * ring_host_faults); when ring_host_damaged() turns true, the owner calls
 * ring_host_recreate() and goes on, with the same positions. Geometry, the
 * out ring's head and the in ring's read position are private: a peer cannot
 * change them.
 *
 * A peer may truncate the object, so touching it may raise SIGBUS. A process
 * that hosts rings calls vr_guard_install() once, before the first ring: then
 * such a ring's pages turn into private zeros, the ring is damaged, and the
 * code that touched it runs on.
 *
 * Positions are frames since the ring began; all times are CLOCK_MONOTONIC.
 * One thread uses a ring. */
#ifndef IPC_RING_HOST_H
#define IPC_RING_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ipc/status.h"

struct ring_host;

/* What a peer did to the ring. Each kind is counted apart. */
enum ring_fault {
    RING_FAULT_HEAD,     /* the producer's head or intent cannot be */
    RING_FAULT_PLAYED,   /* the player's position cannot be */
    RING_FAULT_HEADER,   /* somebody wrote into the gateway's own words */
    RING_FAULT_TRUNCATE, /* the object has another size */
    RING_FAULT_MODE,     /* the object's permissions are others */
    RING_FAULT_NAME,     /* the object's name is gone or another's */
    RING_FAULT_BELL,     /* the doorbell's name is gone or another's */
    RING_FAULT_RINGING,  /* the doorbell is rung on and on without audio */
    RING_FAULT_COUNT
};

/* Told when a kind of fault is seen, and again a minute later if it goes on.
 * `sentence` names the ring and says what was done about it, and how often it
 * was seen by then; valid during the call. */
typedef void ring_host_fault_fn(void *arg, enum ring_fault fault,
                                const char *sentence);

struct ring_host_config {
    const char *runtime_dir; /* where the doorbell goes; must exist */
    const char *instance;    /* NULL: from the runtime folder's path */
    const char *session;     /* see VR_SESSION_MAX */
    enum vr_ring ring;       /* which of the session's two */
    struct vr_format format; /* both members set */
    uint64_t min_frames;     /* see ring_host_min_frames() */
    bool shared_with_group;  /* mode 0660 and `group`, else 0600 */
    gid_t group;
    ring_host_fault_fn *on_fault; /* may be NULL */
    void *fault_arg;
};

/* The capacity rule: in >= max(10 s, outage buffer + 5 s), out >= 120 s.
 * [any] */
uint64_t ring_host_min_frames(enum vr_ring ring, uint32_t rate_hz,
                              uint32_t outage_buffer_ms);

/* The runtime folder for a gateway that was told none: $VOXRING_RUNTIME_DIR,
 * $XDG_RUNTIME_DIR/voxring, /run/voxring for root, /tmp/voxring-UID. Does not
 * make it. VR_LIMIT if `path` is too small. [any] */
enum vr_status ring_host_runtime_dir(char *path,
                                     size_t path_bytes) VR_NODISCARD;

/* Makes the ring; strings in *config need to live only during the call. What a
 * dead gateway left under the name is taken away first; what a live one holds
 * is VR_BUSY. VR_NO_SPACE names the bytes needed; VR_INVALID, VR_DENIED,
 * VR_SYSTEM otherwise, with the whole story in `why` (may be NULL; give it
 * VR_ERROR_BYTES). After a failure *ring is NULL and nothing is left behind.
 * [loop] */
enum vr_status ring_host_open(struct ring_host **ring,
                              const struct ring_host_config *config, char *why,
                              size_t why_bytes) VR_NODISCARD;

/* Removes the ring's name and doorbell, lets go of it, wakes those who wait,
 * NULLs *ring. NULL is fine. [loop] */
void ring_host_close(struct ring_host **ring);

/* Replaces a damaged ring by a new object of the same name, format and size
 * that goes on at the same positions (flushed audio stays flushed). Audio in
 * the old one is lost: on `in` what was unread is told by the next peek. The
 * bell's descriptor changes. After a failure the ring stays damaged and may be
 * tried again. [loop] */
enum vr_status ring_host_recreate(struct ring_host *ring, char *why,
                                  size_t why_bytes) VR_NODISCARD;

/* Looks at the object's size, name and permissions, which it puts right, and at
 * the gateway's own words in it, with a few system calls; for a timer of about
 * a second. True if the ring is damaged. [loop] */
bool ring_host_check(struct ring_host *ring);

/* True when a peer has made the ring useless. [rt] */
bool ring_host_damaged(const struct ring_host *ring);

struct ring_host_faults {
    uint64_t count[RING_FAULT_COUNT];
    uint64_t recreated;
};

/* Since ring_host_open(). [loop] */
void ring_host_faults(const struct ring_host *ring,
                      struct ring_host_faults *faults);

/* A word for each kind, such as "truncated". Static storage. [any] */
const char *ring_host_fault_name(enum ring_fault fault);

/* What a person should do about it, a sentence without a full stop. Static
 * storage. [any] */
const char *ring_host_fault_remedy(enum ring_fault fault);

/* Counts, and tells of, what the owner saw a peer do: RING_FAULT_RINGING. The
 * ring is not damaged by it. `what` follows the ring's name. [loop] */
void ring_host_report(struct ring_host *ring, enum ring_fault fault,
                      const char *what);

/* "/voxring-INSTANCE.SESSION.in"; lives as long as the ring. [rt] */
const char *ring_host_name(const struct ring_host *ring);

/* [rt] */
struct vr_format ring_host_format(const struct ring_host *ring);

/* Changes at each re-creation. [rt] */
uint64_t ring_host_epoch(const struct ring_host *ring);

/* [rt] */
uint64_t ring_host_capacity_frames(const struct ring_host *ring);

/* Where the writer is: frames ever written. On `in` as the producer says,
 * bounded: never smaller than before; on `out` the private word. [rt] */
uint64_t ring_host_head(struct ring_host *ring);

/* ---- who is there ------------------------------------------------------ */

enum ring_peer_state {
    RING_PEER_NONE,
    RING_PEER_PRESENT,
    RING_PEER_STOPPED /* holds its lease but is stopped, as by SIGSTOP */
};

/* name and pid are the peer's own words: for display only. The name is
 * printable ASCII, '?' in place of anything else. */
struct ring_peer {
    enum ring_peer_state state;
    uint32_t pid;
    char name[40];
};

/* `in`: the producer. A few system calls. [loop] */
void ring_host_producer(struct ring_host *ring, struct ring_peer *peer);

/* `out`: the player. A few system calls. [loop] */
void ring_host_player(struct ring_host *ring, struct ring_peer *peer);

/* Just whether the lease is held: one system call. [loop] */
bool ring_host_has_producer(struct ring_host *ring);

/* As ring_host_has_producer(), for the player. [loop] */
bool ring_host_has_player(struct ring_host *ring);

/* Readers with a slot, the player included; a system call for each slot that
 * was ever used. [loop] */
unsigned ring_host_reader_count(struct ring_host *ring);

/* ---- in: from the producer --------------------------------------------- */

/* Where the gateway's next read begins. [rt] */
uint64_t ring_host_position(const struct ring_host *ring);

/* Frames between the position and head; more than the capacity after a lap,
 * when ring_host_peek() will tell a loss. [rt] */
uint64_t ring_host_readable(struct ring_host *ring);

/* What ring_host_peek() found. */
struct ring_host_span {
    uint64_t position;    /* of the first frame copied */
    uint64_t frames;      /* copied */
    uint64_t lost_frames; /* overwritten unread, right before `position` */
};

/* Copies up to `frames` frames from the position to `samples` without moving,
 * but passes over frames that were overwritten: those are in span->lost_frames
 * once, and the position is behind them from now on. Returns span->frames; all
 * of them are whole, as they were after the loss. [rt] */
size_t ring_host_peek(struct ring_host *ring, void *samples, size_t frames,
                      struct ring_host_span *span);

/* As ring_host_peek(), but from `position`, and moves nothing: what was
 * overwritten is told each time. From beyond head there is nothing. [rt] */
size_t ring_host_peek_at(struct ring_host *ring, uint64_t position,
                         void *samples, size_t frames,
                         struct ring_host_span *span);

/* Moves the position over `frames` frames (at most up to head) and tells the
 * producer, waking it if it waits for the room. [rt] */
void ring_host_advance(struct ring_host *ring, uint64_t frames);

/* Moves the position to `position`, or to the nearest that can still be read
 * ([oldest whole frame, head]), and returns where it stands then. Gone back, it
 * takes that room from a producer that waits for it (vr_space()); one that does
 * not wait may overwrite those frames at any time, as the next peek tells.
 * [rt] */
uint64_t ring_host_seek(struct ring_host *ring, uint64_t position);

/* When the producer last wrote, 0 if it never did. The producer's word where
 * that fits what was seen: not before the last call that saw nothing new, and
 * not after now_ns. [rt] */
uint64_t ring_host_last_commit_ns(struct ring_host *ring, uint64_t now_ns);

/* When the frame before *position was captured, as the producer said with its
 * newest commit. False if it gave no time, one after now_ns, or one more than
 * a minute old. [rt] */
bool ring_host_captured(struct ring_host *ring, uint64_t now_ns,
                        uint64_t *position, uint64_t *captured_ns);

/* Readable when the producer has rung. Owned by the ring; changes with
 * ring_host_recreate(). -1 on `out`. [rt] */
int ring_host_bell_fd(const struct ring_host *ring);

/* Asks the producer to ring once when `frames` frames can be read. True if
 * they are there already: then nobody rings, and the caller reads. The
 * descriptor may be readable without reason; that is for the caller to see by
 * ring_host_readable(). [rt] */
bool ring_host_arm(struct ring_host *ring, uint64_t frames);

/* Takes the question back. [rt] */
void ring_host_disarm(struct ring_host *ring);

/* Empties the bell, one bounded read: call it when the descriptor is readable,
 * before reading frames. [rt] */
void ring_host_drain(struct ring_host *ring);

/* ---- out: to the readers ----------------------------------------------- */

/* Writes all frames, waking readers; never waits, laps whoever is slow.
 * Returns the position of the first. [rt] */
uint64_t ring_host_write(struct ring_host *ring, const void *samples,
                         size_t frames);

/* Makes all before `to` void for `turn`; tells every reader once and wakes
 * them. `to` beyond head is cut to head. False, and nothing happens, unless it
 * is beyond the last flush. [rt] */
bool ring_host_flush(struct ring_host *ring, uint64_t to, uint64_t turn);

/* The newest flush, 0 if there was none. [rt] */
uint64_t ring_host_flush_to(const struct ring_host *ring);

/* Up to where the player says that it has played: in [0, head], never going
 * back, kept when the player leaves. [rt] */
uint64_t ring_host_played(struct ring_host *ring);

/* How many frames can be written before those from `unplayed` on would be
 * overwritten: pass ring_host_played(), or an estimate where there is no
 * player. [rt] */
uint64_t ring_host_lap_frames(const struct ring_host *ring, uint64_t unplayed);

/* ---- for the process --------------------------------------------------- */

/* Told what ring_host_sweep() removed, or could not: a sentence, valid during
 * the call. */
typedef void ring_host_sweep_fn(void *arg, const char *sentence);

/* Takes away what dead gateways of this instance left: objects whose gateway's
 * lock is free, and doorbells in the runtime folder that belong to no ring of a
 * living gateway. For a start, before the first ring. `told` may be NULL.
 * Returns how many it removed. [loop] */
unsigned ring_host_sweep(const char *runtime_dir, const char *instance,
                         ring_host_sweep_fn *told, void *arg);

/* Writes RUNTIME_DIR/rings.json, for people and other languages: layout
 * version, pid, and for each of the `count` rings (NULL ones are passed over)
 * session, direction, name, format, capacity, epoch, doorbell. Whoever reads
 * it sees the old or the new one whole. [loop] */
enum vr_status ring_host_publish_index(const char *runtime_dir,
                                       struct ring_host *const *rings,
                                       size_t count, char *why,
                                       size_t why_bytes) VR_NODISCARD;

/* Takes rings.json away, if it is there. [loop] */
void ring_host_remove_index(const char *runtime_dir);

#endif

/* voxring: audio rings between the processes of a machine and a voice
 * gateway.
 *
 * A session of the gateway has two rings in shared memory. A producer writes
 * the microphone's frames into the session's `in` ring; a player reads the
 * model's voice from the `out` ring, and any number of other readers may
 * listen to either. The writer never waits for anybody.
 *
 *     struct vr_writer *mic;
 *     char why[VR_ERROR_BYTES];
 *     if (vr_writer_open(&mic, "robot", NULL, why, sizeof why) != VR_OK)
 *         return fail(why);
 *     while (record(frames, 160))
 *         vr_write(mic, frames, 160, 0);
 *     vr_writer_close(&mic);
 *
 * Audio is signed 16 bit, little endian, channels interleaved. A frame is one
 * sample of each channel. Positions are counts of frames since the ring began;
 * they never wrap.
 *
 * The library is a guest: it changes no signal disposition (but in
 * vr_guard_install()), raises no signal, starts no thread, prints nothing, and
 * its descriptors are closed on exec and in forked children. A handle is used
 * by one thread at a time; different handles are independent. After fork() the
 * child's calls on an inherited handle return VR_STATE; only vr_writer_close()
 * and vr_reader_close() are of use there. A child made by a raw clone() that
 * runs no fork handlers keeps the parent's lease until it execs, ends, or calls
 * into this library with the handle.
 *
 * When the gateway ends, handles stay: they find its successor by themselves,
 * looking every 75 ms, or every 20 ms where one may be about to start. Nothing
 * here asks the gateway to take part.
 *
 * Thread tags: [rt] no lock, no allocation, and a system call only to wake
 * somebody who sleeps or for the look at the gateway; [any] may block. */
#ifndef VOXRING_H
#define VOXRING_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define VR_NODISCARD __attribute__((warn_unused_result))
#define VR_API __attribute__((visibility("default")))
#else
#define VR_NODISCARD
#define VR_API
#endif

/* ---- statuses ---------------------------------------------------------- */

/* One row per status: code, class, sentence. The class says what the caller
 * should do: GOOD nothing, RETRY the same call later, CLOSED the thing is
 * gone, PEER the other side is wrong, CONFIG a person must change something,
 * BUG report it. */
#define VR_STATUS_TABLE(ROW)                                         \
    ROW(VR_OK, GOOD, "Success")                                      \
    ROW(VR_FLUSHED, GOOD, "The audio before this point was flushed") \
    ROW(VR_LAPPED, GOOD, "The reader was overtaken and lost frames") \
    ROW(VR_AGAIN, RETRY, "Nothing is ready now")                     \
    ROW(VR_TIMEOUT, RETRY, "The time given has passed")              \
    ROW(VR_BUSY, RETRY, "Somebody else holds it")                    \
    ROW(VR_LIMIT, RETRY, "A limit is reached")                       \
    ROW(VR_STATE, RETRY, "Not possible in the present state")        \
    ROW(VR_CANCELLED, CLOSED, "The call was cancelled")              \
    ROW(VR_CLOSED, CLOSED, "The other side has closed")              \
    ROW(VR_NOT_FOUND, CONFIG, "There is no such thing")              \
    ROW(VR_DENIED, CONFIG, "Permission denied")                      \
    ROW(VR_INVALID, CONFIG, "A value is not valid")                  \
    ROW(VR_UNSUPPORTED, CONFIG, "Not supported here")                \
    ROW(VR_NO_SPACE, CONFIG, "No space left")                        \
    ROW(VR_NO_MEMORY, CONFIG, "Out of memory")                       \
    ROW(VR_AUTH, CONFIG, "Credentials are missing or refused")       \
    ROW(VR_VERSION, PEER, "The other side speaks another version")   \
    ROW(VR_CORRUPT, PEER, "The data is damaged")                     \
    ROW(VR_PROTOCOL, PEER, "The other side broke the protocol")      \
    ROW(VR_NETWORK, PEER, "The network failed")                      \
    ROW(VR_SYSTEM, CONFIG, "A system call failed, see errno")        \
    ROW(VR_BUG, BUG, "An internal contract was broken")

enum vr_status {
#define VR_STATUS_CODE(code, class_, sentence) code,
    VR_STATUS_TABLE(VR_STATUS_CODE)
#undef VR_STATUS_CODE
        VR_STATUS_COUNT
};

/* What a caller should do about a status: see VR_STATUS_TABLE. */
enum vr_status_class {
    VR_CLASS_GOOD,
    VR_CLASS_RETRY,
    VR_CLASS_CLOSED,
    VR_CLASS_PEER,
    VR_CLASS_CONFIG,
    VR_CLASS_BUG
};

/* One sentence, capitalised, no final period. Static storage. [any] */
VR_API const char *vr_status_text(enum vr_status status);

/* The status' own name, such as "VR_BUSY". Static storage. [any] */
VR_API const char *vr_status_name(enum vr_status status);

/* What to do about it. [any] */
VR_API enum vr_status_class vr_status_class(enum vr_status status);

/* ---- what both sides use ----------------------------------------------- */

/* Room for every sentence that this library writes about an error. */
#define VR_ERROR_BYTES 512

/* Longest name of a session, without the NUL: a-z, 0-9, '-' and '_',
 * beginning with a letter or digit. */
#define VR_SESSION_MAX 32

/* rate_hz is 8000, 16000, 24000 or 48000; channels is 1 or 2. Zero in a
 * member means that any value will do. */
struct vr_format {
    uint32_t rate_hz;
    uint32_t channels;
};

/* Which of a session's two rings. */
enum vr_ring {
    VR_RING_OUT, /* gateway to players: the model's voice */
    VR_RING_IN   /* producer to gateway: the microphone */
};

enum vr_role {
    VR_OTHER, /* a recorder, a lip-sync, a level meter */
    VR_PLAYER /* the one that people hear; one at a time, `out` ring only */
};

/* Where a reader begins. A reader that is not marks_only never begins before
 * the newest flush. */
enum vr_start {
    VR_START_NOW,   /* with the next frame written */
    VR_START_PAST,  /* past_frames before now, or the oldest there is */
    VR_START_OLDEST /* with the oldest frame that is still whole */
};

/* One line for a person, without a newline. Called from inside the call that
 * caused it, on its thread. */
typedef void vr_log_fn(void *log_arg, const char *line);

/* How to open. All zero is complete; pointers need to live only during the
 * call (log_arg as long as the handle). */
struct vr_options {
    /* sizeof(struct vr_options), or 0, which means the members below. */
    uint32_t struct_bytes;
    /* Reserved: 0. */
    uint32_t flags;
    /* The gateway's runtime folder. NULL: see vr_runtime_dir(). */
    const char *runtime_dir;
    /* The gateway's instance, part of the rings' names. NULL: the variable
     * VOXRING_INSTANCE, or what follows from the runtime folder's path. */
    const char *instance;
    /* Shown to people, as in "held by arecord". NULL: the program's name. */
    const char *name;
    /* What the caller's audio is. A member other than 0 that differs from the
     * ring's makes the open fail with VR_INVALID. */
    struct vr_format format;
    /* May be NULL. Told what happens on its own: gateway gone, found again,
     * frames lost. */
    vr_log_fn *log;
    void *log_arg;

    /* Readers only. */
    enum vr_ring ring;
    enum vr_role role;
    enum vr_start start;
    /* Not 0: flushes are told but no frame is skipped (for recorders). */
    uint32_t marks_only;
    uint64_t past_frames;
};

/* The folder of the gateway's sockets: $VOXRING_RUNTIME_DIR if set; else the
 * first of $XDG_RUNTIME_DIR/voxring, /run/voxring and /tmp/voxring-UID that
 * exists; else the first of them that could. VR_LIMIT if `path` is too
 * small. [any] */
VR_API enum vr_status vr_runtime_dir(char *path,
                                     size_t path_bytes) VR_NODISCARD;

/* Now on the clock of all time stamps here, CLOCK_MONOTONIC, in ns. [rt] */
VR_API uint64_t vr_now_ns(void);

/* The one signal that another process can raise in this one: whoever may write
 * to a ring can truncate its object, and touching what is gone is SIGBUS. This
 * takes over SIGBUS for the process, once for all handles: a ring cut short
 * turns into zeros, which nobody is given, the call says VR_CLOSED and its
 * vr_..._error() why, and the handle goes on to the ring that the gateway makes
 * anew. What is not about a ring goes to the handler that was there before. Not
 * calling it leaves the process' signals alone, and such a ring ends it.
 * VR_SYSTEM if the kernel refuses. Best before threads. [any] */
VR_API enum vr_status vr_guard_install(void) VR_NODISCARD;

/* Gives SIGBUS back to the handler before; does nothing if somebody else has
 * taken it over since. [any] */
VR_API void vr_guard_remove(void);

/* ---- producer ---------------------------------------------------------- */

struct vr_writer;

/* Becomes the one producer of `session`'s in ring. *writer is the caller's
 * until vr_writer_close(); NULL after a failure, and `why` (may be NULL) then
 * says what was wrong, where, and what to do. VR_BUSY: another producer, named
 * in `why`, holds the ring; VR_NOT_FOUND: no gateway runs with that folder, or
 * it has no such session; VR_INVALID: a name or the format; VR_DENIED: not
 * ours to open; VR_VERSION: an incompatible gateway. [any] */
VR_API enum vr_status vr_writer_open(struct vr_writer **writer,
                                     const char *session,
                                     const struct vr_options *options,
                                     char *why, size_t why_bytes) VR_NODISCARD;

/* Gives the ring back, frees and NULLs *writer. NULL is fine. What was written
 * stays for the gateway. [any] */
VR_API void vr_writer_close(struct vr_writer **writer);

/* Writes `frames` frames at once, whatever their number; never waits and never
 * takes less. captured_ns is when the last of them was captured (vr_now_ns()'s
 * clock), 0 if unknown. VR_CLOSED, VR_BUSY or VR_INVALID: there is no gateway
 * now, somebody else was first at its successor, or the successor's format is
 * another (or what else vr_writer_open() returns); these frames are lost and
 * counted, and a later call tries again.
 * VR_STATE: in a forked child, or between reserve and commit. [rt] */
VR_API enum vr_status vr_write(struct vr_writer *writer, const void *samples,
                               size_t frames, uint64_t captured_ns);

/* Room to write in place: returns how many frames fit at *samples in one
 * piece, at most `frames`, and 0 if there is no gateway (vr_write() would then
 * count them as lost). The room is the caller's until vr_commit(). What was at
 * that place is gone for readers, even if less is committed. [rt] */
VR_API size_t vr_reserve(struct vr_writer *writer, size_t frames,
                         void **samples);

/* Publishes the first `frames` frames of the room (0 takes it back). Returns
 * as vr_write(); VR_INVALID also if there was less room. [rt] */
VR_API enum vr_status vr_commit(struct vr_writer *writer, size_t frames,
                                uint64_t captured_ns);

/* How many frames can be written before the gateway loses some that it has
 * not read. 0 if there is no gateway. [rt] */
VR_API size_t vr_space(struct vr_writer *writer);

/* Waits until vr_space() is at least `frames`: for files, which have no clock
 * of their own. The ring's whole capacity waits until all is read. timeout_ms
 * below 0 is for ever. VR_OK; VR_TIMEOUT (also while there is no gateway);
 * VR_AGAIN if a signal handler ran; VR_INVALID if that is more than the ring
 * holds; VR_STATE as vr_write(). [any] */
VR_API enum vr_status vr_wait_space(struct vr_writer *writer, size_t frames,
                                    int timeout_ms);

struct vr_writer_stats {
    struct vr_format format;
    uint64_t capacity_frames;
    uint64_t epoch;          /* of the ring; a new one after a restart */
    uint64_t position;       /* where the next frame goes */
    uint64_t read_position;  /* up to where the gateway has read */
    uint64_t written_frames; /* given to vr_write() and vr_commit() */
    uint64_t lost_frames;    /* of these, written to nobody */
    uint32_t attached;       /* 1 while there is a gateway */
    uint32_t attach_count;   /* gateways seen, the first included */
};

/* Fills *stats as far as stats_bytes (its sizeof) goes; members that this
 * library does not know are 0. [any] */
VR_API void vr_writer_stats(const struct vr_writer *writer,
                            struct vr_writer_stats *stats, size_t stats_bytes);

/* Why the last call that failed did: what, where, what to do. Valid until the
 * next call on the handle; "" if nothing ever failed. [any] */
VR_API const char *vr_writer_error(const struct vr_writer *writer);

/* ---- reader ------------------------------------------------------------ */

struct vr_reader;

/* What a read brought. */
struct vr_block {
    uint64_t position;       /* of the first frame returned, or of the next */
    uint64_t frames;         /* returned */
    uint64_t lost_frames;    /* VR_LAPPED: overwritten before they were read */
    uint64_t flush_to;       /* VR_FLUSHED: audio before this is void */
    uint64_t flush_turn;     /* VR_FLUSHED: the turn that it belonged to */
    uint64_t skipped_frames; /* VR_FLUSHED: unread frames passed over */
    uint64_t epoch;          /* of the ring; positions restart with it */
};

/* Opens options->ring of `session` for reading. As vr_writer_open(); VR_BUSY
 * is for VR_PLAYER, when there is one. [any] */
VR_API enum vr_status vr_reader_open(struct vr_reader **reader,
                                     const char *session,
                                     const struct vr_options *options,
                                     char *why, size_t why_bytes) VR_NODISCARD;

/* Frees and NULLs *reader. NULL is fine. [any] */
VR_API void vr_reader_close(struct vr_reader **reader);

/* Copies up to `frames` frames to `samples` and goes on behind them; fills
 * *block (may be NULL). Frames returned are whole: they were checked after
 * the copy. Never waits.
 *  VR_OK: block->frames frames, at least one.
 *  VR_AGAIN: nothing new.
 *  VR_LAPPED: no frames; lost_frames were overwritten, the next call goes on
 *   at `position`.
 *  VR_FLUSHED: no frames; once for each flush, wherever the reader stands (the
 *   newest once more on a ring that the gateway made anew). A player also drops
 *   what it gave to the sound card below flush_to. Unless marks_only, the reader
 *   now stands at flush_to or later.
 *  VR_CLOSED: no frames; told once when the gateway is gone and all it wrote
 *   has been read. The handle goes on looking for its successor, whose ring
 *   is read from its oldest frame, under a new epoch.
 *  VR_BUSY, VR_INVALID, VR_VERSION: told once: somebody else was first at the
 *   successor's player lease, its format is another, or it is incompatible; the
 *   handle goes on trying.
 *  VR_STATE: in a forked child. [rt] */
VR_API enum vr_status vr_read(struct vr_reader *reader, void *samples,
                              size_t frames, struct vr_block *block);

/* Waits until vr_read() has something to say other than VR_AGAIN. timeout_ms
 * below 0 is for ever. VR_OK, VR_TIMEOUT, VR_AGAIN if a signal handler ran, or
 * VR_STATE. [any] */
VR_API enum vr_status vr_wait(struct vr_reader *reader, int timeout_ms);

/* The player's word that all before `position` has left the loudspeaker; what
 * a person heard is counted by it. At most what was read; smaller than before
 * is ignored. VR_STATE if not VR_PLAYER. [rt] */
VR_API enum vr_status vr_played(struct vr_reader *reader, uint64_t position);

struct vr_reader_stats {
    struct vr_format format;
    uint64_t capacity_frames;
    uint64_t epoch;
    uint64_t position;       /* of the next frame to read */
    uint64_t head;           /* where the writer is */
    uint64_t oldest;         /* the oldest frame that is still whole */
    uint64_t flush_to;       /* newest flush seen by vr_read() */
    uint64_t read_frames;    /* returned by vr_read() */
    uint64_t lost_frames;    /* overwritten before they were read */
    uint64_t skipped_frames; /* passed over by flushes */
    uint32_t attached;       /* 1 while there is a gateway */
    uint32_t attach_count;   /* gateways seen, the first included */
};

/* As vr_writer_stats(). [any] */
VR_API void vr_reader_stats(const struct vr_reader *reader,
                            struct vr_reader_stats *stats, size_t stats_bytes);

/* As vr_writer_error(). [any] */
VR_API const char *vr_reader_error(const struct vr_reader *reader);

#ifdef __cplusplus
}
#endif
#endif

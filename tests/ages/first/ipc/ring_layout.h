/* What stands where in a ring's shared memory object: the only place with
 * offsets. ipc/README.md has the same as a table, with the orderings.
 *
 * An object is this header, padded to RING_HEADER_BYTES, and then the frames:
 * position p is at RING_HEADER_BYTES + (p & (capacity_frames - 1)) *
 * frame_bytes. All integers are in the machine's order; both ends are on one
 * machine.
 *
 * Every word has one writer (save `sleepers`), words of one writer share a
 * cache line, and lines are grouped by writer. A peer may write anything
 * anywhere: whoever reads a word reads it once, bounds it, and uses the copy;
 * geometry is read once, at attach. */
#ifndef IPC_RING_LAYOUT_H
#define IPC_RING_LAYOUT_H

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define RING_MAGIC UINT64_C(0x31676e6972786f76) /* "voxring1" */
#define RING_ABI UINT32_C(1)
#define RING_HEADER_BYTES 4096u
#define RING_LINE_BYTES 64u
#define RING_NAME_BYTES 40u
#define RING_SLOTS 32u
#define RING_SLOT_PLAYER 0u

/* Capacity is a power of two of frames within these. */
#define RING_MIN_FRAMES (UINT64_C(1) << 10)
#define RING_MAX_FRAMES (UINT64_C(1) << 30)

/* No honest position gets here: 3 million years at 48 kHz. */
#define RING_MAX_POSITION (UINT64_C(1) << 62)

/* `bell_at` and `space_at` when nobody asks. */
#define RING_NEVER UINT64_MAX

/* `stamp_head` while the stamps behind it change. */
#define RING_NO_STAMP UINT64_MAX

/* Bytes of the object that its users lock (F_OFD_SETLK, F_WRLCK) for as long
 * as they live. Nothing is stored there; locks have a space of their own. */
#define RING_LOCK_GATEWAY 0
#define RING_LOCK_WRITER 1
#define RING_LOCK_SLOT 2 /* and up: one per slot */

/* Who a lease holder says it is: for display only. */
struct ring_holder {
    _Atomic uint32_t pid;
    _Atomic uint32_t lease_count; /* producers so far, this one included */
    _Atomic uint64_t name[RING_NAME_BYTES / 8];
    uint64_t reserved[2];
};

struct ring_slot {
    _Atomic uint64_t position;
    _Atomic uint64_t lost_frames;
    _Atomic uint32_t pid;
    _Atomic uint32_t role; /* enum vr_role */
    _Atomic uint64_t name[RING_NAME_BYTES / 8];
};

struct ring_layout {
    /* The gateway, once, before `magic`; constant from then on. */
    _Atomic uint64_t magic; /* stored last */
    uint32_t abi;
    uint32_t header_bytes;
    uint64_t first_position; /* where this object began; 0 but after repair */
    uint64_t epoch;          /* random, another one for each object */
    uint64_t capacity_frames;
    uint32_t rate_hz;
    uint32_t channels;
    uint32_t frame_bytes;
    uint32_t direction; /* enum vr_ring */
    uint32_t gateway_pid;
    uint32_t slot_count;

    /* The writer: the producer on `in`, the gateway on `out`. */
    _Alignas(RING_LINE_BYTES) _Atomic uint64_t intent;
    _Atomic uint64_t head;
    _Atomic uint64_t stamp_head; /* the position that the stamps belong to */
    _Atomic uint64_t commit_ns;
    _Atomic uint64_t captured_ns; /* 0: not given */
    _Atomic uint64_t space_at;    /* wake me when read_position gets here */
    _Atomic uint32_t wake_word;   /* futex of waiting readers */

    /* The gateway, on `out`: a seqlock over the newest flush. */
    _Alignas(RING_LINE_BYTES) _Atomic uint64_t flush_seq;
    _Atomic uint64_t flush_to;
    _Atomic uint64_t flush_turn;

    /* The gateway, on `in`. */
    _Alignas(RING_LINE_BYTES) _Atomic uint64_t read_position;
    _Atomic uint64_t bell_at;    /* ring the bell when head gets here */
    _Atomic uint32_t space_word; /* futex of a waiting producer */

    /* Readers set it before they sleep, the writer clears it before it
     * wakes. */
    _Alignas(RING_LINE_BYTES) _Atomic uint32_t sleepers;

    /* The producer, on `in`. */
    _Alignas(RING_LINE_BYTES) struct ring_holder holder;

    /* The player, on `out`. */
    _Alignas(RING_LINE_BYTES) _Atomic uint64_t played;

    /* Each reader its own; slot RING_SLOT_PLAYER is the player's. */
    _Alignas(2048) struct ring_slot slots[RING_SLOTS];
};

static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "64-bit atomics need no lock");
static_assert(ATOMIC_INT_LOCK_FREE == 2, "32-bit atomics need no lock");
static_assert(sizeof(_Atomic uint64_t) == 8, "a word is a word");
static_assert(sizeof(_Atomic uint32_t) == 4, "a half word is a half word");

#define RING_AT(member, offset)                                     \
    static_assert(offsetof(struct ring_layout, member) == (offset), \
                  #member " has moved")
RING_AT(magic, 0);
RING_AT(abi, 8);
RING_AT(header_bytes, 12);
RING_AT(first_position, 16);
RING_AT(epoch, 24);
RING_AT(capacity_frames, 32);
RING_AT(rate_hz, 40);
RING_AT(channels, 44);
RING_AT(frame_bytes, 48);
RING_AT(direction, 52);
RING_AT(gateway_pid, 56);
RING_AT(slot_count, 60);
RING_AT(intent, 64);
RING_AT(head, 72);
RING_AT(stamp_head, 80);
RING_AT(commit_ns, 88);
RING_AT(captured_ns, 96);
RING_AT(space_at, 104);
RING_AT(wake_word, 112);
RING_AT(flush_seq, 128);
RING_AT(flush_to, 136);
RING_AT(flush_turn, 144);
RING_AT(read_position, 192);
RING_AT(bell_at, 200);
RING_AT(space_word, 208);
RING_AT(sleepers, 256);
RING_AT(holder, 320);
RING_AT(holder.lease_count, 324);
RING_AT(holder.name, 328);
RING_AT(played, 384);
RING_AT(slots, 2048);
RING_AT(slots[1].position, 2112);
RING_AT(slots[1].lost_frames, 2120);
RING_AT(slots[1].pid, 2128);
RING_AT(slots[1].role, 2132);
RING_AT(slots[1].name, 2136);
#undef RING_AT
static_assert(sizeof(struct ring_holder) == RING_LINE_BYTES, "one line");
static_assert(sizeof(struct ring_slot) == RING_LINE_BYTES, "one line");
static_assert(sizeof(struct ring_layout) == RING_HEADER_BYTES, "the header");

#endif

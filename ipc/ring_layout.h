/* What stands where in a ring's shared memory object: the only place with
 * offsets. ipc/README.md has the same as a table, with the orderings.
 *
 * An object is this header, padded to `header_bytes`, and then the frames:
 * position p is at header_bytes + (p & (capacity_frames - 1)) * frame_bytes.
 * All integers are in the machine's order; both ends are on one machine.
 *
 * Every word has one writer (save `sleepers`, and the futex words, which who
 * ends a ring or sweeps it adds to), words of one writer share a cache line,
 * and lines are grouped by writer. A peer may write anything
 * anywhere: whoever reads a word reads it once, bounds it, and uses the copy;
 * geometry is read once, at attach.
 *
 * Versions: `abi` is the object's, `abi_oldest` the oldest whose clients may
 * use it; a client of version RING_ABI knows objects from RING_ABI_OLDEST on.
 * They fit if abi >= RING_ABI_OLDEST and abi_oldest <= RING_ABI. A version
 * that only adds keeps abi_oldest: words may follow where zeros are now,
 * header_bytes, slot_bytes, slot_count and slots_at may grow, and a client uses
 * of them what it knows; a word that came after RING_ABI_OLDEST only where the
 * object's `abi`, or in a slot its slot_bytes, says that it is there. `magic`
 * and `abi` stand where they stand in every version, abi_oldest where it stands
 * in all from version 2 on. */
#ifndef IPC_RING_LAYOUT_H
#define IPC_RING_LAYOUT_H

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define RING_MAGIC UINT64_C(0x31676e6972786f76) /* "voxring1" */
#define RING_ABI UINT32_C(2)
#define RING_ABI_OLDEST UINT32_C(2)
#define RING_HEADER_BYTES 4096u
#define RING_LINE_BYTES 64u
#define RING_NAME_BYTES 40u
#define RING_SLOTS 32u
#define RING_SLOT_PLAYER 0u
#define RING_DIR_BYTES 960u

/* What an object may say of its own sizes. The least is what the version
 * RING_ABI_OLDEST had: this one may have more. */
#define RING_MIN_HEADER_BYTES UINT32_C(4096)
#define RING_MIN_SLOTS_AT UINT32_C(2048)
#define RING_MIN_SLOT_BYTES UINT32_C(64)
#define RING_MAX_HEADER_BYTES (UINT32_C(1) << 20)
#define RING_MAX_SLOTS UINT32_C(1024)

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
#define RING_LOCK_SWEEP (RING_LOCK_SLOT + (long)RING_MAX_SLOTS)

/* Who a lease holder says it is: for display only. */
struct ring_holder {
    _Atomic uint32_t pid;
    _Atomic uint32_t lease_count; /* producers so far, this one included */
    _Atomic uint64_t name[RING_NAME_BYTES / 8];
    _Atomic uint64_t lost_frames; /* by it: written to nobody */
    uint64_t reserved;
};

struct ring_flush {
    _Atomic uint64_t to;
    _Atomic uint64_t turn;
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
    uint32_t abi_oldest;
    uint32_t slot_bytes;
    uint32_t slots_at;  /* offset of slots[0] */
    uint32_t recreated; /* how often this ring was made anew after damage */
    uint32_t rights;    /* the object's mode, as the gateway set it */

    /* The writer: the producer on `in`, the gateway on `out`. */
    _Alignas(RING_LINE_BYTES) _Atomic uint64_t intent;
    _Atomic uint64_t head;
    _Atomic uint64_t stamp_head; /* the position that the stamps belong to */
    _Atomic uint64_t commit_ns;
    _Atomic uint64_t captured_ns; /* 0: not given */
    _Atomic uint64_t space_at;    /* wake me when read_position gets here */
    _Atomic uint32_t wake_word;   /* futex of waiting readers */

    /* The gateway, on `out`: flush number n is in flushes[n & 1], complete
     * before flush_count says n, and whole until n + 1 was counted: who dies
     * between has flushed nothing, and nobody finds it half done. */
    _Alignas(RING_LINE_BYTES) _Atomic uint64_t flush_count;
    struct ring_flush flushes[2];

    /* The gateway, on `in`. */
    _Alignas(RING_LINE_BYTES) _Atomic uint64_t read_position;
    _Atomic uint64_t bell_at;     /* ring the bell when head gets here */
    _Atomic uint32_t space_word;  /* futex of a waiting producer */
    _Atomic uint64_t lost_frames; /* overwritten before the gateway read */

    /* Readers set it before they sleep, the writer clears it before it
     * wakes. */
    _Alignas(RING_LINE_BYTES) _Atomic uint32_t sleepers;

    /* The producer, on `in`. */
    _Alignas(RING_LINE_BYTES) struct ring_holder holder;

    /* The player, on `out`. */
    _Alignas(RING_LINE_BYTES) _Atomic uint64_t played;

    /* The gateway, once: its runtime folder; "" if it is too long. */
    _Alignas(1024) char runtime_dir[RING_DIR_BYTES];

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
RING_AT(abi_oldest, 64);
RING_AT(slot_bytes, 68);
RING_AT(slots_at, 72);
RING_AT(recreated, 76);
RING_AT(rights, 80);
RING_AT(intent, 128);
RING_AT(head, 136);
RING_AT(stamp_head, 144);
RING_AT(commit_ns, 152);
RING_AT(captured_ns, 160);
RING_AT(space_at, 168);
RING_AT(wake_word, 176);
RING_AT(flush_count, 192);
RING_AT(flushes[0].to, 200);
RING_AT(flushes[0].turn, 208);
RING_AT(flushes[1].to, 216);
RING_AT(flushes[1].turn, 224);
RING_AT(read_position, 256);
RING_AT(bell_at, 264);
RING_AT(space_word, 272);
RING_AT(lost_frames, 280);
RING_AT(sleepers, 320);
RING_AT(holder, 384);
RING_AT(holder.lease_count, 388);
RING_AT(holder.name, 392);
RING_AT(holder.lost_frames, 432);
RING_AT(played, 448);
RING_AT(runtime_dir, 1024);
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
static_assert(RING_HEADER_BYTES >= RING_MIN_HEADER_BYTES, "it only grows");
static_assert(offsetof(struct ring_layout, slots) >= RING_MIN_SLOTS_AT,
              "words of the oldest version stay before the slots");
static_assert(sizeof(struct ring_slot) >= RING_MIN_SLOT_BYTES, "it only grows");

#endif

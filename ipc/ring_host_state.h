/* What ring_host's files share. For them only. */
#ifndef IPC_RING_HOST_STATE_H
#define IPC_RING_HOST_STATE_H

#include <stdatomic.h>

#include "ipc/ring_host.h"
#include "ipc/ring_map.h"
#include "ipc/ring_name.h"
#include "ipc/ring_pen.h"

struct ring_host {
    struct ring_map map;
    bool damaged;
    uint64_t opened_ns;

    /* out */
    struct ring_pen pen;
    uint64_t flush_count, flush_to, flush_turn;
    uint64_t played;

    /* in */
    uint64_t head;     /* the producer's, as far as it can be */
    uint64_t position; /* of the next read */
    uint64_t commit_head, commit_ns, polled_ns;

    uint64_t lost_frames;

    struct ring_host_faults faults;
    uint64_t told_ns[RING_FAULT_COUNT]; /* 0: never */
    ring_host_fault_fn *on_fault;
    void *fault_arg;

    enum vr_ring ring;
    struct vr_format format;
    uint64_t capacity_frames;
    bool shared_with_group;
    gid_t group;
    char session[VR_SESSION_MAX + 1];
    char instance[RING_INSTANCE_BYTES];
    char object[RING_OBJECT_BYTES];
    char bell[RING_PATH_BYTES];
    char runtime_dir[RING_PATH_BYTES];
};

/* Counts a fault; tells of it, and what was `done` about it, unless that was
 * done within a minute. [rt] */
void ring_host_note(struct ring_host *ring, enum ring_fault fault,
                    const char *what, const char *done);

/* The same, of one that is ignored or, if `fatal`, makes the ring damaged. [rt]
 */
void ring_host_fault(struct ring_host *ring, enum ring_fault fault, bool fatal,
                     const char *what);

/* Stores the newest flush where its number says; not the number. [rt] */
void ring_host_put_flush(const struct ring_host *ring);

/* False if the ring is damaged, also when SIGBUS has just said so: what was
 * read before this call was zeros then. [rt] */
bool ring_host_usable(struct ring_host *ring);

/* Makes the object and the bell, beginning at first_position. Needs all of
 * the lower half of the struct. After a failure nothing is left. [loop] */
enum vr_status ring_host_make(struct ring_host *ring, uint64_t first_position,
                              char *why, size_t why_bytes) VR_NODISCARD;

/* Takes away names that are still ours, and lets go. [loop] */
void ring_host_unmake(struct ring_host *ring);

#endif

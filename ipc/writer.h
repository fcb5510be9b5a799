/* What writer.c and writer_write.c share. For them only. */
#ifndef IPC_WRITER_H
#define IPC_WRITER_H

#include "ipc/ring_client.h"
#include "ipc/ring_pen.h"

struct vr_writer {
    struct ring_client client; /* first: the lease is taken through it */
    struct ring_pen pen;
    uint64_t attach_position; /* head when the ring became ours */
    uint64_t read_seen;       /* read_position at the last look */
    size_t reserved_frames;
    size_t unchecked_frames; /* since somebody looked at the clock */
    uint64_t stamp_ns;       /* the caller's stamp then */
    uint64_t written_frames;
    uint64_t lost_frames;
};

/* Up to where the gateway says that it has read, as far as the frames from
 * there on are still in the ring. [rt] */
uint64_t writer_read_position(const struct vr_writer *writer);

/* Wakes the gateway: one byte, which nobody waits for. [rt] */
void writer_ring_bell(const struct vr_writer *writer);

/* Looks whether the gateway is there, leaves the ring of one that is not, and
 * tries once to attach to the next one's. VR_OK: there is a ring. [any] */
enum vr_status writer_check_gateway(struct vr_writer *writer, uint64_t now_ns);

#define writer_fail(writer, status, ...)                                   \
    ring_why((writer)->client.error, sizeof(writer)->client.error, status, \
             __VA_ARGS__)

#endif

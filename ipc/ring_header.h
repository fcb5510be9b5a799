/* An object's constants, in private memory: read once, by pread, so that no
 * page is touched before it was judged. */
#ifndef IPC_RING_HEADER_H
#define IPC_RING_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/ring_layout.h"
#include "ipc/status.h"

struct ring_header {
    uint64_t capacity_frames;
    uint64_t first_position;
    uint64_t epoch;
    uint32_t abi;
    uint32_t abi_oldest;
    uint32_t header_bytes;
    uint32_t frame_bytes;
    uint32_t slot_count; /* that we can use: at most RING_SLOTS */
    uint32_t slot_bytes;
    uint32_t slots_at;
    uint32_t gateway_pid; /* for display, like `recreated` */
    uint32_t recreated;
    enum vr_ring ring;
    struct vr_format format;
};

/* Headers are compared as bytes. */
static_assert(sizeof(struct ring_header) == 72, "no padding");

/* Whether the format is one that rings have. [any] */
bool ring_header_format_ok(const struct vr_format *format);

/* The bytes of a whole object. [any] */
uint64_t ring_header_object_bytes(const struct ring_header *header);

/* Reads and judges the constants of the object `fd`, called `object` in
 * sentences, which is `bytes` long. VR_AGAIN: it is being made; VR_VERSION: of
 * a version that does not fit; VR_CORRUPT: no ring, or a damaged one;
 * VR_SYSTEM. [any] */
enum vr_status ring_header_read(struct ring_header *header, int fd,
                                const char *object, uint64_t bytes, char *why,
                                size_t why_bytes) VR_NODISCARD;

/* Whether the object `fd` is still the one of that header: its length, magic
 * and epoch. Two system calls. [any] */
bool ring_header_intact(const struct ring_header *header, int fd);

#endif

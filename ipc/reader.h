/* What reader.c and reader_read.c share. For them only. */
#ifndef IPC_READER_H
#define IPC_READER_H

#include "ipc/ring_client.h"

struct vr_reader {
    struct ring_client client; /* first: the slot is taken through it */
    struct ring_slot *slot;    /* NULL: all were taken, or no ring */
    uint64_t position;
    uint64_t played;
    uint64_t flush_count; /* the last one told */
    uint64_t flush_to;
    uint64_t read_frames;
    uint64_t lost_frames;
    uint64_t skipped_frames;
    uint64_t unchecked_frames; /* since somebody looked at the clock */
    uint64_t end; /* where a ring without a gateway ends; else UINT64_MAX */
    enum vr_status told; /* the last word on the gateway's absence */
    enum vr_role role;
    enum vr_start start;
    uint64_t past_frames;
    bool marks_only;
};

struct reader_flush {
    uint64_t count, to, turn;
};

/* The writer's head, bounded. A head below our position cannot be: we were
 * there. If somebody wrote nonsense and the writer has put it right, we were
 * led astray, and go back. [rt] */
uint64_t reader_head(struct vr_reader *reader);

/* Whether there is a flush that was not told yet. [rt] */
bool reader_flush_is_new(const struct vr_reader *reader);

/* Reads the newest flush; false if it is changing. [rt] */
bool reader_read_flush(const struct vr_reader *reader,
                       struct reader_flush *flush);

/* Shows our position to whoever looks at the slots. [rt] */
void reader_publish_position(struct vr_reader *reader);

/* The ring_client_lease_fn of readers: slot, place, and what was flushed
 * before. [any] */
enum vr_status reader_take_lease(struct ring_client *client);

#define reader_fail(reader, status, ...)                                   \
    ring_why((reader)->client.error, sizeof(reader)->client.error, status, \
             __VA_ARGS__)

#endif

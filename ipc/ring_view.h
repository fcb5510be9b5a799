/* A ring as people see it, living or dead: read through a descriptor that may
 * only read. Nothing is mapped, locked, leased or woken, so a look changes
 * nothing for anybody, and needs no gateway.
 *
 * What is seen is a copy in private memory. Its geometry was judged; every
 * other word is as somebody left it and may hold anything. */
#ifndef IPC_RING_VIEW_H
#define IPC_RING_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ipc/ring_header.h"
#include "ipc/ring_holder.h"
#include "ipc/ring_layout.h"
#include "ipc/ring_name.h"
#include "ipc/status.h"

/* No list is longer. */
#define RING_VIEW_LIST_MAX 4096u

/* The name of a ring's object, taken apart. */
struct ring_view_name {
    char object[RING_OBJECT_BYTES]; /* "/voxring-INSTANCE.SESSION.in" */
    char instance[RING_INSTANCE_BYTES];
    char session[VR_SESSION_MAX + 1];
    enum vr_ring ring;
};

struct ring_view_list {
    struct ring_view_name *names;
    size_t count;
    size_t left_off; /* found beyond RING_VIEW_LIST_MAX */
};

/* Who holds, or last held, a lease or a slot. */
struct ring_view_holder {
    bool held;  /* now, as the kernel's lock says */
    bool known; /* somebody has signed it */
    struct ring_holder_card card;
    uint64_t position; /* slots only */
    uint64_t lost_frames;
    enum vr_role role; /* slots only */
};

struct ring_view {
    int fd;
    enum vr_ring ring; /* as its name says */

    /* The file. */
    uint64_t bytes;
    mode_t mode;
    uid_t owner;

    /* The gateway that made it. */
    bool living; /* also a stopped one */
    bool stopped;

    /* VR_OK: the header below is good. Else as ring_header_read() says, with
     * the sentence in `why`. */
    enum vr_status status;
    char why[VR_ERROR_BYTES];
    struct ring_header header;

    /* The words are of a layout that we know, though maybe damaged. */
    bool has_words;
    struct ring_layout words;
    uint64_t head;          /* read after all positions that follow it */
    uint64_t intent;        /* read after head: not below an honest one */
    uint64_t intent_before; /* read before head: not far beyond it */
    bool stamped; /* the time stamps of the newest commit belong together */
    bool flushed; /* there was a flush; these two are of the newest */
    uint64_t flush_to;
    uint64_t flush_turn;

    struct ring_view_holder producer;
    struct ring_view_holder slots[RING_SLOTS];
    unsigned slot_count;
};

/* Takes apart "voxring-INSTANCE.SESSION.in" or ".out", with or without a slash
 * before it. False unless it is exactly such a name. [any] */
bool ring_view_parse(struct ring_view_name *name, const char *text);

/* The names of all rings of this machine, sorted. VR_SYSTEM or VR_NO_MEMORY
 * with the reason; then the list is empty. It ends with ring_view_list_free().
 * [any] */
enum vr_status ring_view_list_read(struct ring_view_list *list, char *why,
                                   size_t why_bytes) VR_NODISCARD;

/* Fine for one that is all zero. [any] */
void ring_view_list_free(struct ring_view_list *list);

/* Opens a ring and looks at it once. VR_NOT_FOUND, VR_DENIED or VR_SYSTEM with
 * the reason in view->why, and nothing is open; VR_OK also for one that is
 * damaged. Ends with ring_view_close(). [any] */
enum vr_status ring_view_open(struct ring_view *view,
                              const struct ring_view_name *name) VR_NODISCARD;

/* The same of an open descriptor, which is the view's from now on; `object` is
 * what sentences call it. [any] */
void ring_view_attach(struct ring_view *view, int fd, const char *object,
                      enum vr_ring ring);

/* Copies the newest frames, at most `frames`, to `samples`, in one piece up to
 * *end; returns how many. All were whole, as far as the writer's word goes.
 * `samples` has room for `frames` frames of two channels. [any] */
size_t ring_view_frames(const struct ring_view *view, int16_t *samples,
                        size_t frames, uint64_t *end);

/* What is written and not yet taken: by the gateway on `in`, by the player on
 * `out`, where what was flushed is not waited for. Negative if a word lies.
 * False if it cannot be told: no words, or no player so far. [any] */
bool ring_view_lag(const struct ring_view *view, int64_t *frames);

/* Everything that was lost, by the counts in the ring, the readers that are
 * there included. Never overflows. [any] */
uint64_t ring_view_lost(const struct ring_view *view);

/* How many slots are held. [any] */
unsigned ring_view_readers(const struct ring_view *view);

/* Closes it; fine if nothing is open. [any] */
void ring_view_close(struct ring_view *view);

#endif

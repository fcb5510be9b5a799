/* What producers and readers have in common: finding the ring, noticing that
 * its gateway is gone, finding the next one, and saying so. */
#ifndef IPC_RING_CLIENT_H
#define IPC_RING_CLIENT_H

#include "ipc/ring_futex.h"
#include "ipc/ring_map.h"
#include "ipc/ring_name.h"

/* For so long after a gateway has gone its successor is looked for so often. */
#define RING_RETURN_NS UINT64_C(2000000000)
#define RING_RETRY_NS UINT64_C(20000000)

struct ring_client {
    struct ring_map map;
    uint64_t checked_ns; /* when the gateway was last looked for */
    uint64_t left_ns;    /* when the last ring was given up */
    uint64_t proved_ns;  /* when name, size and header were, too */
    enum vr_status away; /* as attaching said; see ring_client_away() */
    uint32_t attach_count;

    enum vr_ring ring;
    struct vr_format wanted; /* the first ring's, once there was one */
    vr_log_fn *log;
    void *log_arg;
    char session[VR_SESSION_MAX + 1];
    char name[RING_NAME_BYTES];
    char object[RING_OBJECT_BYTES];
    char runtime_dir[RING_PATH_BYTES];
    char error[VR_ERROR_BYTES];
};

/* Takes the lease that goes with the role on a ring just attached. Part of an
 * attach: a status other than VR_OK, with the reason in client->error, undoes
 * it. */
typedef enum vr_status ring_client_lease_fn(struct ring_client *client);

/* Copies the options, and attaches. [any] */
enum vr_status ring_client_open(struct ring_client *client, const char *session,
                                enum vr_ring ring,
                                const struct vr_options *options,
                                ring_client_lease_fn *lease) VR_NODISCARD;

/* Tries once to attach. [any] */
enum vr_status ring_client_attach(struct ring_client *client,
                                  ring_client_lease_fn *lease) VR_NODISCARD;

/* Gives the ring up, because its gateway is gone or somebody cut it short.
 * [any] */
void ring_client_detach(struct ring_client *client);

/* Whether the gateway behind the ring is gone: its lock is free, SIGBUS was
 * caught, or, looked at less often, the name leads elsewhere or the object is
 * no longer what it was. Some system calls; notes the time. [any] */
bool ring_client_gateway_gone(struct ring_client *client, uint64_t now_ns);

/* Why there is no ring, in a status for the caller; VR_OK while there is one.
 * [rt] */
static inline enum vr_status
ring_client_away(const struct ring_client *client)
{
    bool waits = client->away == VR_NOT_FOUND || client->away == VR_AGAIN;

    return waits ? VR_CLOSED : client->away;
}

/* How long not to look: less while a new gateway may be just starting. [rt] */
static inline uint64_t
ring_client_slice_ns(const struct ring_client *client)
{
    bool just_left = client->map.layout == NULL &&
                     client->checked_ns - client->left_ns < RING_RETURN_NS;

    return just_left ? RING_RETRY_NS : RING_SLICE_NS;
}

/* Whether it is time to look again. [rt] */
static inline bool
ring_client_due(const struct ring_client *client, uint64_t now_ns)
{
    return now_ns - client->checked_ns >= ring_client_slice_ns(client);
}

/* How long to sleep now: until it is time to look again, wherever in between
 * the caller came, or until the deadline (see ring_futex_deadline_ns()), and 0
 * behind that. Only then nobody who waits by short calls waits for twice the
 * time before a look. [rt] */
uint64_t ring_client_sleep_ns(const struct ring_client *client,
                              uint64_t deadline_ns);

/* Gives a caller of any age our statistics: the members that both know; those
 * that only the caller knows are 0. [any] */
void ring_client_copy_stats(void *stats, size_t stats_bytes, const void *ours,
                            size_t our_bytes);

/* A sleep ended without what it was for: it may be the gateway's good-bye, so
 * it is time to look. `count` is how often that was in this call, counted here:
 * who wakes us on and on for nothing shall not have us run. [any] */
void ring_client_false_wake(struct ring_client *client, unsigned *count);

/* Says a line to whoever gave a callback. [any] */
void ring_client_log(struct ring_client *client, const char *format, ...)
    VR_PRINTF(2, 3);

#endif

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/ring_client.h"
#include "ipc/ring_futex.h"
#include "ipc/ring_lock.h"
#include "ipc/ring_why.h"

/* A ring that is being made is there after some microseconds. */
#define OPEN_TRIES 20
#define OPEN_PAUSE_NS UINT64_C(5000000)
#define FALSE_WAKES 64u
#define FALSE_WAKE_NS UINT64_C(1000000)
#define PROVE_NS UINT64_C(250000000)

#define fail(client, status, ...) \
    ring_why((client)->error, sizeof(client)->error, status, __VA_ARGS__)

/* The options as this version knows them: what an older caller's struct lacks
 * is zero, what a newer one adds must be zero. */
static enum vr_status
read_options(struct ring_client *c, const struct vr_options *given,
             struct vr_options *options)
{
    size_t bytes = sizeof *options;

    memset(options, 0, sizeof *options);
    if (given == NULL)
        return VR_OK;
    if (given->struct_bytes != 0)
        bytes = given->struct_bytes;
    if (bytes < 2 * sizeof(uint32_t) || bytes > 4096)
        return fail(c, VR_INVALID,
                    "vr_options.struct_bytes is %zu; set it to "
                    "sizeof(struct vr_options), or 0",
                    bytes);
    for (size_t i = sizeof *options; i < bytes; i++)
        if (((const unsigned char *)given)[i] != 0)
            return fail(c, VR_VERSION,
                        "vr_options has members that this libvoxring does "
                        "not know; use a newer one");
    memcpy(options, given, bytes < sizeof *options ? bytes : sizeof *options);
    if (options->flags != 0)
        return fail(c, VR_INVALID, "vr_options.flags is reserved; set it to 0");
    return VR_OK;
}

static enum vr_status
find_names(struct ring_client *c, const char *session,
           const struct vr_options *options)
{
    char instance[RING_INSTANCE_BYTES];
    const char *given = options->instance;
    enum vr_status status = ring_name_check(session, c->error, sizeof c->error);

    if (status != VR_OK)
        return status;
    if (options->runtime_dir == NULL)
        status = vr_runtime_dir(c->runtime_dir, sizeof c->runtime_dir);
    else if (snprintf(c->runtime_dir, sizeof c->runtime_dir, "%s",
                      options->runtime_dir) >= (int)sizeof c->runtime_dir)
        status = VR_LIMIT;
    if (status != VR_OK)
        return fail(c, VR_INVALID, "The runtime folder's path is too long");
    if (given == NULL) {
        given = getenv("VOXRING_INSTANCE");
        if (given != NULL && *given == '\0')
            given = NULL;
    }
    status = ring_name_instance(instance, given, c->runtime_dir, c->error,
                                sizeof c->error);
    if (status != VR_OK)
        return status;
    snprintf(c->session, sizeof c->session, "%s", session);
    ring_name_object(c->object, instance, session, c->ring);
    return VR_OK;
}

static enum vr_status
check_format(struct ring_client *c)
{
    const struct vr_format *want = &c->wanted, *have = &c->map.header.format;

    if ((want->rate_hz == 0 || want->rate_hz == have->rate_hz) &&
        (want->channels == 0 || want->channels == have->channels))
        return VR_OK;
    return fail(c, VR_INVALID,
                "The %s ring of session \"%s\" has %u Hz and %u channel(s), "
                "not %u Hz and %u; convert the audio or change the session's "
                "%s in voxringd's config",
                c->ring == VR_RING_IN ? "in" : "out", c->session, have->rate_hz,
                have->channels,
                want->rate_hz != 0 ? want->rate_hz : have->rate_hz,
                want->channels != 0 ? want->channels : have->channels,
                c->ring == VR_RING_IN ? "input" : "output");
}

enum vr_status
ring_client_attach(struct ring_client *c, ring_client_lease_fn *lease)
{
    enum vr_status status;

    c->checked_ns = c->proved_ns = vr_now_ns();
    status = ring_map_attach(&c->map, c->object, c->ring, c->runtime_dir,
                             c->error, sizeof c->error);
    if (status == VR_OK) {
        status = check_format(c);
        if (status == VR_OK)
            status = lease(c);
        if (status != VR_OK)
            ring_map_detach(&c->map);
    }
    c->away = status;
    if (status != VR_OK)
        return status;
    c->wanted = c->map.header.format;
    c->attach_count++;
    if (c->attach_count > 1)
        ring_client_log(c, "%s: attached to a new gateway", c->object);
    return VR_OK;
}

enum vr_status
ring_client_open(struct ring_client *c, const char *session, enum vr_ring ring,
                 const struct vr_options *given, ring_client_lease_fn *lease)
{
    struct vr_options options;
    enum vr_status status = read_options(c, given, &options);

    if (status != VR_OK)
        return status;
    c->ring = ring;
    c->wanted = options.format;
    c->log = options.log;
    c->log_arg = options.log_arg;
    if (options.name != NULL)
        snprintf(c->name, sizeof c->name, "%s", options.name);
    status = find_names(c, session, &options);
    if (status != VR_OK)
        return status;
    status = ring_client_attach(c, lease);
    for (int i = 0; i < OPEN_TRIES && status == VR_AGAIN; i++) {
        ring_futex_sleep(OPEN_PAUSE_NS);
        status = ring_client_attach(c, lease);
    }
    return status == VR_CLOSED || status == VR_AGAIN ? VR_NOT_FOUND : status;
}

void
ring_client_detach(struct ring_client *c)
{
    bool cut = ring_map_lost(&c->map);

    c->left_ns = vr_now_ns();
    ring_map_detach(&c->map);
    c->away = fail(c, VR_CLOSED,
                   cut ? "Somebody truncated the ring %s; waiting for the "
                         "gateway to make it anew"
                       : "The gateway behind the ring %s is gone; waiting for "
                         "the next one",
                   c->object);
    ring_client_log(c, "%s", c->error);
}

bool
ring_client_gateway_gone(struct ring_client *c, uint64_t now_ns)
{
    int fd = c->map.fork.fd[RING_MAP_OBJECT_FD];

    c->checked_ns = now_ns;
    if (ring_map_lost(&c->map) || !ring_lock_held(fd, RING_LOCK_GATEWAY))
        return true;
    /* A gateway that lives lets go of a ring that somebody damaged: these
     * only tell a little earlier. */
    if (now_ns - c->proved_ns < PROVE_NS)
        return false;
    c->proved_ns = now_ns;
    return !ring_map_is_named(&c->map, c->object) ||
           !ring_header_intact(&c->map.header, fd);
}

void
ring_client_copy_stats(void *stats, size_t stats_bytes, const void *ours,
                       size_t our_bytes)
{
    size_t both = stats_bytes < our_bytes ? stats_bytes : our_bytes;

    memcpy(stats, ours, both);
    memset((unsigned char *)stats + both, 0, stats_bytes - both);
}

void
ring_client_false_wake(struct ring_client *c, unsigned *count)
{
    c->checked_ns = 0;
    if (++*count > FALSE_WAKES)
        ring_futex_sleep(FALSE_WAKE_NS);
}

uint64_t
ring_client_sleep_ns(const struct ring_client *c, uint64_t deadline_ns)
{
    uint64_t slice_ns = ring_client_slice_ns(c);
    uint64_t passed_ns = vr_now_ns() - c->checked_ns;

    if (passed_ns < slice_ns)
        slice_ns -= passed_ns;
    return ring_futex_slice_ns(deadline_ns, slice_ns);
}

void
ring_client_log(struct ring_client *c, const char *format, ...)
{
    char line[VR_ERROR_BYTES];
    va_list args;

    if (c->log == NULL)
        return;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    c->log(c->log_arg, line);
}

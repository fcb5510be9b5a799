/* The life of a ring on the gateway's side, and what both directions share. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/ring_host_state.h"
#include "ipc/ring_holder.h"
#include "ipc/ring_lock.h"
#include "ipc/ring_why.h"

#define IN_MIN_S 10u
#define IN_AFTER_OUTAGE_MS 5000u
#define OUT_MIN_S 120u
#define TELL_AGAIN_NS UINT64_C(60000000000)

uint64_t
ring_host_min_frames(enum vr_ring ring, uint32_t rate_hz,
                     uint32_t outage_buffer_ms)
{
    uint64_t outage_ms = (uint64_t)outage_buffer_ms + IN_AFTER_OUTAGE_MS;

    if (ring == VR_RING_OUT)
        return (uint64_t)OUT_MIN_S * rate_hz;
    if (outage_ms < IN_MIN_S * 1000u)
        outage_ms = IN_MIN_S * 1000u;
    return outage_ms * rate_hz / 1000;
}

/* As vr_runtime_dir() looks for them, but what decides is what we may make,
 * not what is there. */
enum vr_status
ring_host_runtime_dir(char *path, size_t path_bytes)
{
    if (path == NULL || path_bytes == 0)
        return VR_INVALID;
    for (unsigned index = 0;; index++) {
        int found = ring_name_dir(index, path, path_bytes);

        if (found <= 0)
            return VR_LIMIT;
        if (path[0] != '\0' &&
            (strcmp(path, "/run/voxring") != 0 || geteuid() == 0))
            return VR_OK;
    }
}

static enum vr_status
check_config(const struct ring_host_config *config, char *why, size_t why_bytes)
{
    struct stat st;

    if (!ring_header_format_ok(&config->format))
        return ring_why(why, why_bytes, VR_INVALID,
                        "A ring of %u Hz and %u channel(s): use 8000, 16000, "
                        "24000 or 48000 Hz and 1 or 2 channels",
                        config->format.rate_hz, config->format.channels);
    if (config->min_frames > RING_MAX_FRAMES)
        return ring_why(why, why_bytes, VR_INVALID,
                        "A ring of %llu frames: at most %llu are possible; "
                        "shorten outage_buffer",
                        (unsigned long long)config->min_frames,
                        (unsigned long long)RING_MAX_FRAMES);
    if (stat(config->runtime_dir, &st) != 0 || !S_ISDIR(st.st_mode))
        return ring_why(why, why_bytes, VR_NOT_FOUND,
                        "The runtime folder %s does not exist",
                        config->runtime_dir);
    return ring_name_check(config->session, why, why_bytes);
}

static enum vr_status
take_config(struct ring_host *r, const struct ring_host_config *config,
            char *why, size_t why_bytes)
{
    enum vr_status status;

    r->ring = config->ring;
    r->format = config->format;
    r->shared_with_group = config->shared_with_group;
    r->group = config->group;
    r->on_fault = config->on_fault;
    r->fault_arg = config->fault_arg;
    r->capacity_frames = RING_MIN_FRAMES;
    while (r->capacity_frames < config->min_frames)
        r->capacity_frames *= 2;
    status = ring_name_instance(r->instance, config->instance,
                                config->runtime_dir, why, why_bytes);
    if (status != VR_OK)
        return status;
    snprintf(r->session, sizeof r->session, "%s", config->session);
    if (realpath(config->runtime_dir, r->runtime_dir) == NULL)
        r->runtime_dir[0] = '\0';
    ring_name_object(r->object, r->instance, r->session, r->ring);
    if (ring_name_bell(r->bell, config->runtime_dir, r->session) != VR_OK)
        return ring_why(why, why_bytes, VR_INVALID,
                        "The runtime folder's path is too long: %s",
                        config->runtime_dir);
    return VR_OK;
}

enum vr_status
ring_host_open(struct ring_host **ring, const struct ring_host_config *config,
               char *why, size_t why_bytes)
{
    enum vr_status status = check_config(config, why, why_bytes);
    struct ring_host *r;

    *ring = NULL;
    if (status != VR_OK)
        return status;
    r = calloc(1, sizeof *r);
    if (r == NULL)
        return ring_why(why, why_bytes, VR_NO_MEMORY, "Out of memory");
    r->opened_ns = vr_now_ns();
    status = take_config(r, config, why, why_bytes);
    if (status == VR_OK)
        status = ring_host_make(r, 0, why, why_bytes);
    if (status != VR_OK) {
        free(r);
        return status;
    }
    *ring = r;
    return VR_OK;
}

void
ring_host_close(struct ring_host **ring)
{
    if (*ring == NULL)
        return;
    ring_host_unmake(*ring);
    free(*ring);
    *ring = NULL;
}

enum vr_status
ring_host_recreate(struct ring_host *r, char *why, size_t why_bytes)
{
    uint64_t first = r->ring == VR_RING_OUT ? r->pen.head : r->head;
    enum vr_status status;

    /* What SIGBUS alone has said until now is counted and told. */
    ring_host_usable(r);
    r->faults.recreated++;
    ring_host_unmake(r);
    status = ring_host_make(r, first, why, why_bytes);
    r->damaged = status != VR_OK;
    if (status != VR_OK) {
        r->faults.recreated--;
        return status;
    }
    r->pen.intent = r->pen.head;
    return VR_OK;
}

/* ---- faults ------------------------------------------------------------ */

void
ring_host_note(struct ring_host *r, enum ring_fault fault, const char *what,
               const char *done)
{
    uint64_t now_ns = vr_now_ns(), count = ++r->faults.count[fault];
    char sentence[VR_ERROR_BYTES], often[48] = "";

    if (r->on_fault == NULL ||
        (r->told_ns[fault] != 0 && now_ns - r->told_ns[fault] < TELL_AGAIN_NS))
        return;
    r->told_ns[fault] = now_ns;
    if (count > 1)
        snprintf(often, sizeof often, " (seen %llu times by now)",
                 (unsigned long long)count);
    snprintf(sentence, sizeof sentence, "The ring %s: %s; %s%s", r->object,
             what, done, often);
    r->on_fault(r->fault_arg, fault, sentence);
}

void
ring_host_fault(struct ring_host *r, enum ring_fault fault, bool fatal,
                const char *what)
{
    if (fatal)
        r->damaged = true;
    ring_host_note(r, fault, what, fatal ? "it will be made anew" : "ignored");
}

void
ring_host_report(struct ring_host *r, enum ring_fault fault, const char *what)
{
    ring_host_note(r, fault, what, "it is looked at by the clock instead");
}

bool
ring_host_usable(struct ring_host *r)
{
    if (ring_map_lost(&r->map) && !r->damaged)
        ring_host_fault(r, RING_FAULT_TRUNCATE, true, "somebody truncated it");
    return !r->damaged;
}

bool
ring_host_damaged(const struct ring_host *r)
{
    return r->damaged || ring_map_lost(&r->map);
}

void
ring_host_faults(const struct ring_host *r, struct ring_host_faults *faults)
{
    *faults = r->faults;
}

struct fault_text {
    const char *name, *remedy;
};

static const struct fault_text fault_texts[RING_FAULT_COUNT] = {
#define USERS "voxring ring stat SESSION names the ring's users"
    [RING_FAULT_HEAD] = {"head", "End or repair the producer: a write of it "
                                 "or of somebody else went astray; " USERS},
    [RING_FAULT_PLAYED] = {"played", "Repair the player: it reports more than "
                                     "it was given; " USERS},
    [RING_FAULT_HEADER] = {"header", "Find the process that wrote there, "
                                     "which is none of libvoxring's; " USERS},
    [RING_FAULT_TRUNCATE] = {"truncated", "Find what truncates files in "
                                          "/dev/shm; " USERS},
    [RING_FAULT_MODE] = {"mode", "Find what changes permissions in /dev/shm; "
                                 "who may use rings is set by ring.group"},
    [RING_FAULT_NAME] = {"unlinked", "Find what removes files in /dev/shm, "
                                     "such as a clean-up job, or RemoveIPC= of "
                                     "systemd-logind for a user's gateway"},
    [RING_FAULT_BELL] = {"bell", "Find what removes files in the runtime "
                                 "folder, such as a clean-up job"},
    [RING_FAULT_RINGING] = {"ringing", "End the process that writes to the "
                                       "doorbell without audio; " USERS},
#undef USERS
};

const char *
ring_host_fault_name(enum ring_fault fault)
{
    return (unsigned)fault < RING_FAULT_COUNT ? fault_texts[fault].name
                                              : "unknown";
}

const char *
ring_host_fault_remedy(enum ring_fault fault)
{
    return (unsigned)fault < RING_FAULT_COUNT ? fault_texts[fault].remedy : "";
}

const char *
ring_host_name(const struct ring_host *r)
{
    return r->object;
}

struct vr_format
ring_host_format(const struct ring_host *r)
{
    return r->format;
}

uint64_t
ring_host_epoch(const struct ring_host *r)
{
    return r->map.header.epoch;
}

uint64_t
ring_host_capacity_frames(const struct ring_host *r)
{
    return r->capacity_frames;
}

/* ---- who is there ------------------------------------------------------ */

static bool
held(const struct ring_host *r, long at)
{
    return r->map.layout != NULL &&
           ring_lock_held(r->map.fork.fd[RING_MAP_OBJECT_FD], at);
}

bool
ring_host_has_producer(struct ring_host *r)
{
    return held(r, RING_LOCK_WRITER);
}

bool
ring_host_has_player(struct ring_host *r)
{
    return held(r, RING_LOCK_SLOT + RING_SLOT_PLAYER);
}

static void
describe(struct ring_peer *peer, bool present, _Atomic uint32_t *pid,
         _Atomic uint64_t *name)
{
    struct ring_holder_card card;

    memset(peer, 0, sizeof *peer);
    if (!present)
        return;
    ring_holder_read(&card, pid, name);
    peer->state = card.stopped ? RING_PEER_STOPPED : RING_PEER_PRESENT;
    peer->pid = card.pid;
    memcpy(peer->name, card.name, sizeof peer->name);
}

void
ring_host_producer(struct ring_host *r, struct ring_peer *peer)
{
    struct ring_layout *l = r->map.layout;
    bool present = ring_host_has_producer(r);

    describe(peer, present, present ? &l->holder.pid : NULL,
             present ? l->holder.name : NULL);
}

void
ring_host_player(struct ring_host *r, struct ring_peer *peer)
{
    bool present = ring_host_has_player(r);
    struct ring_slot *slot =
        present ? ring_map_slot(&r->map, RING_SLOT_PLAYER) : NULL;

    describe(peer, present, present ? &slot->pid : NULL,
             present ? slot->name : NULL);
}

unsigned
ring_host_reader_count(struct ring_host *r)
{
    if (r->map.layout == NULL)
        return 0;
    return ring_lock_count(r->map.fork.fd[RING_MAP_OBJECT_FD], RING_LOCK_SLOT,
                           RING_SLOTS);
}

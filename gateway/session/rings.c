#include "gateway/session/rings.h"

#include <stdio.h>

#include "gateway/clock.h"
#include "gateway/jsonx.h"
#include "gateway/log.h"
#include "gateway/session/bell.h"
#include "gateway/session/self.h"

#define CHECK_NS CLOCK_NS_PER_S
/* What goes on is told so often. */
#define TELL_AGAIN_NS (60 * CLOCK_NS_PER_S)

static struct ring_host *
ring_of(const struct ring_care *care)
{
    return care->which == VR_RING_IN ? care->session->in_ring
                                     : care->session->out_ring;
}

void
rings_init(struct session *s)
{
    s->rings.in = (struct ring_care){.session = s, .which = VR_RING_IN};
    s->rings.out = (struct ring_care){.session = s, .which = VR_RING_OUT};
}

void
rings_on_fault(void *arg, enum ring_fault kind, const char *sentence)
{
    const struct ring_care *care = arg;
    struct session_fault fault = {.class_ = "retry",
                                  .code = ring_host_fault_name(kind),
                                  .message = sentence,
                                  .remedy = ring_host_fault_remedy(kind),
                                  .component = "ring",
                                  .ring = ring_host_name(ring_of(care)),
                                  .recoverable = true};
    report_fault(care->session, &fault);
}

/* ---- made anew --------------------------------------------------------- */

static const char *
remedy_of(enum vr_status status)
{
    switch (status) {
    case VR_NO_SPACE:
        return "Make room in /dev/shm, or enlarge it";
    case VR_BUSY:
        return "Look for another voxringd, or whatever has taken the ring's "
               "name, and end it";
    default:
        return "Look at /dev/shm and the runtime folder: both must be there, "
               "and the gateway allowed to write there";
    }
}

static void
tell_failure(struct ring_care *care, enum vr_status status, const char *why,
             uint64_t now_ns)
{
    if (care->failing && now_ns - care->failed_ns < TELL_AGAIN_NS)
        return;
    care->failing = true;
    care->failed_ns = now_ns;
    struct session_fault fault = {
        .class_ = "retry",
        .code = "not_made_anew",
        .message = why,
        .remedy = remedy_of(status),
        .component = "ring",
        .ring = ring_host_name(ring_of(care)),
        .recoverable = true,
        .retries = true,
        .retry_in_ms = (int64_t)((care->due_ns - now_ns) / CLOCK_NS_PER_MS)};
    report_fault(care->session, &fault);
}

/* Once when it comes back after a failure, else once a minute. */
static void
tell_success(struct ring_care *care, uint64_t now_ns)
{
    struct session *s = care->session;
    const char *name = ring_host_name(ring_of(care));
    bool often = care->anew_ns && now_ns - care->anew_ns < TELL_AGAIN_NS;
    if (often && !care->failing) {
        log_debug(ring, s->context, "%s was made anew", name);
        return;
    }
    care->failing = false;
    care->anew_ns = now_ns;
    log_warn(ring, s->context, "%s was made anew; what was in it is lost",
             name);
}

static void
make_anew(struct ring_care *care, uint64_t now_ns)
{
    struct session *s = care->session;
    char why[VR_ERROR_BYTES];
    enum vr_status status = ring_host_recreate(ring_of(care), why, sizeof why);
    backoff_did(&care->backoff, now_ns);
    if (status != VR_OK) {
        care->due_ns = backoff_due_ns(&care->backoff, now_ns);
        tell_failure(care, status, why, now_ns);
        return;
    }
    care->known = false;
    tell_success(care, now_ns);
    if (care->which == VR_RING_IN)
        bell_watch(s);
    if (s->ops->on_rings)
        s->ops->on_rings(s->arg, s);
}

/* What was in the out ring is playback's to tell. */
static void
mend(struct ring_care *care, uint64_t now_ns)
{
    struct session *s = care->session;
    if (!ring_host_damaged(ring_of(care)))
        return;
    if (!care->known) {
        care->known = true;
        care->due_ns = backoff_due_ns(&care->backoff, now_ns);
        if (care->which == VR_RING_IN) {
            bell_unwatch(s);
            capture_ring_lost(s->capture);
        }
    }
    if (now_ns >= care->due_ns)
        make_anew(care, now_ns);
}

/* ---- who holds it ------------------------------------------------------ */

static void
tell_stopped(struct ring_care *care, const struct ring_peer *peer,
             uint64_t now_ns)
{
    bool in = care->which == VR_RING_IN;
    const char *name = ring_host_name(ring_of(care));
    char message[256], remedy[160];
    care->stopped_told =
        !care->stopped_ns || now_ns - care->stopped_ns >= TELL_AGAIN_NS;
    if (!care->stopped_told)
        return;
    care->stopped_ns = now_ns;
    snprintf(message, sizeof message,
             "The %s of the ring %s, \"%s\", pid %u by its own words, is "
             "stopped and keeps its place",
             in ? "producer" : "player", name, peer->name, peer->pid);
    snprintf(remedy, sizeof remedy,
             "Let it go on (kill -CONT %u) or end it: until then no other can "
             "be the %s",
             peer->pid, in ? "producer" : "player");
    struct session_fault fault = {.class_ = "retry",
                                  .code = "stopped",
                                  .message = message,
                                  .remedy = remedy,
                                  .component = "ring",
                                  .ring = name,
                                  .recoverable = true};
    report_fault(care->session, &fault);
}

/* A holder whose position moves is not stopped: the kernel is not asked. */
static void
look_at_holder(struct ring_care *care, uint64_t now_ns)
{
    struct ring_host *ring = ring_of(care);
    bool in = care->which == VR_RING_IN;
    uint64_t at = in ? ring_host_head(ring) : ring_host_played(ring);
    struct ring_peer peer = {.state = RING_PEER_PRESENT};
    if (at == care->at && in)
        ring_host_producer(ring, &peer);
    else if (at == care->at)
        ring_host_player(ring, &peer);
    care->at = at;
    bool stopped = peer.state == RING_PEER_STOPPED;
    if (stopped && !care->stopped)
        tell_stopped(care, &peer, now_ns);
    else if (!stopped && care->stopped && care->stopped_told)
        report_continued(care->session, care->which,
                         peer.state == RING_PEER_PRESENT);
    care->stopped = stopped;
}

static void
check(struct session *s, uint64_t now_ns)
{
    struct rings *r = &s->rings;
    if (now_ns < r->next_check_ns)
        return;
    r->next_check_ns = now_ns + CHECK_NS;
    ring_host_check(s->in_ring);
    ring_host_check(s->out_ring);
    bool producer = ring_host_has_producer(s->in_ring);
    if (producer != r->producer_seen)
        report_producer(s, producer);
    r->producer_seen = producer;
    look_at_holder(&r->in, now_ns);
    look_at_holder(&r->out, now_ns);
    report_losses(s, now_ns);
}

void
rings_tick(struct session *s, uint64_t now_ns)
{
    check(s, now_ns);
    mend(&s->rings.in, now_ns);
    mend(&s->rings.out, now_ns);
    bell_tick(s, now_ns);
}

static uint64_t
care_due_ns(const struct ring_care *care)
{
    if (!ring_host_damaged(ring_of(care)))
        return UINT64_MAX;
    return care->known ? care->due_ns : 0;
}

uint64_t
rings_deadline_ns(const struct session *s)
{
    uint64_t due_ns = s->rings.next_check_ns;
    uint64_t others[] = {care_due_ns(&s->rings.in), care_due_ns(&s->rings.out),
                         bell_deadline_ns(s)};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (others[i] < due_ns)
            due_ns = others[i];
    return due_ns;
}

/* ---- figures ----------------------------------------------------------- */

static cJSON *
ring_stats(const struct ring_host *ring)
{
    struct ring_host_faults f;
    cJSON *o = cJSON_CreateObject();
    ring_host_faults(ring, &f);
    cJSON_AddNumberToObject(o, "recreated", (double)f.recreated);
    cJSON *faults = cJSON_AddObjectToObject(o, "faults");
    for (int kind = 0; kind < RING_FAULT_COUNT; kind++)
        cJSON_AddNumberToObject(faults,
                                ring_host_fault_name((enum ring_fault)kind),
                                (double)f.count[kind]);
    return o;
}

cJSON *
rings_stats(const struct session *s)
{
    cJSON *o = cJSON_CreateObject();
    jsonx_put(o, "in", ring_stats(s->in_ring));
    jsonx_put(o, "out", ring_stats(s->out_ring));
    return o;
}

static uint64_t
faults_of(const struct ring_host *ring)
{
    struct ring_host_faults f;
    uint64_t sum = 0;
    ring_host_faults(ring, &f);
    for (int kind = 0; kind < RING_FAULT_COUNT; kind++)
        sum += f.count[kind];
    return sum;
}

static uint64_t
recreated(const struct ring_host *ring)
{
    struct ring_host_faults f;
    ring_host_faults(ring, &f);
    return f.recreated;
}

uint64_t
rings_faults(const struct session *s)
{
    return faults_of(s->in_ring) + faults_of(s->out_ring);
}

uint64_t
rings_recreated(const struct session *s)
{
    return recreated(s->in_ring) + recreated(s->out_ring);
}

#include "gateway/local/faults.h"

#include <string.h>

unsigned
faults_add(struct faults *faults, const struct fault *fault)
{
    struct fault *place;
    if (faults->count == FAULTS_MAX)
        return 0;
    place = &faults->list[faults->count++];
    *place = *fault;
    place->id = ++faults->last_id;
    place->struck = 0;
    return place->id;
}

bool
faults_remove(struct faults *faults, unsigned id)
{
    for (size_t i = 0; i < faults->count; i++) {
        if (faults->list[i].id != id)
            continue;
        memmove(&faults->list[i], &faults->list[i + 1],
                (faults->count - i - 1) * sizeof(faults->list[0]));
        faults->count--;
        return true;
    }
    return false;
}

void
faults_clear(struct faults *faults)
{
    faults->count = 0;
}

/* ---- matching ---- */

void
faults_site_init(struct fault_site *site, unsigned stream, const char *model_id)
{
    memset(site, 0, sizeof(*site));
    site->stream = stream;
    site->model_id = model_id;
    for (int i = 0; i < PHASE_COUNT; i++)
        site->since_ms[i] = UINT64_MAX;
}

void
faults_site_set(struct fault_site *site, enum fault_phase phase, bool in,
                uint64_t now_ms)
{
    if (!in) {
        site->since_ms[phase] = UINT64_MAX;
    } else if (site->since_ms[phase] == UINT64_MAX) {
        site->since_ms[phase] = now_ms;
        site->entry[phase] = ++site->entries;
    }
}

static bool
was_struck(const struct fault_site *site, unsigned id)
{
    for (unsigned i = 0; i < site->struck_count && i < FAULT_STRUCK_MAX; i++) {
        if (site->struck_ids[i] == id)
            return true;
    }
    return false;
}

/* One throw for each fault, stream and entry into the phase: asked again, the
 * answer stays, and a run can be repeated. */
static bool
luck(const struct fault *fault, const struct fault_site *site)
{
    uint32_t hash = fault->id * 2654435761u;
    hash = (hash ^ site->stream) * 2246822519u;
    hash = (hash ^ site->entry[fault->phase]) * 3266489917u;
    hash ^= hash >> 15;
    hash *= 2246822519u;
    hash ^= hash >> 13;
    return hash % 100 < fault->probability_percent;
}

/* Whether the fault is for this stream at all, its time apart. */
static bool
matches(const struct fault *fault, const struct fault_site *site)
{
    return fault_fits(fault, site->answered) &&
           (fault->count == 0 || fault->struck < fault->count) &&
           (fault->stream == 0 || fault->stream == site->stream) &&
           (fault->model[0] == '\0' ||
            strcmp(fault->model, site->model_id) == 0) &&
           (fault->kind != FAULT_throttle ||
            site->open_count >= (uint64_t)fault->streams) &&
           site->since_ms[fault->phase] != UINT64_MAX &&
           !was_struck(site, fault->id) && luck(fault, site);
}

static uint64_t
due_ms(const struct faults *faults, const struct fault *fault,
       const struct fault_site *site)
{
    double scale = faults->time_scale > 0 ? faults->time_scale : 1;
    return site->since_ms[fault->phase] + (uint64_t)(fault->after_ms / scale);
}

static void
take(struct faults *faults, size_t index, struct fault_site *site,
     struct fault *fault)
{
    faults->list[index].struck++;
    faults->struck++;
    site->struck_ids[site->struck_count++ % FAULT_STRUCK_MAX] =
        faults->list[index].id;
    *fault = faults->list[index];
}

bool
faults_strike(struct faults *faults, struct fault_site *site, uint64_t now_ms,
              struct fault *fault)
{
    for (size_t i = 0; i < faults->count; i++) {
        const struct fault *f = &faults->list[i];
        if (f->kind != FAULT_clock_skew && matches(f, site) &&
            due_ms(faults, f, site) <= now_ms) {
            take(faults, i, site, fault);
            return true;
        }
    }
    return false;
}

bool
faults_strike_clock(struct faults *faults, struct fault_site *site,
                    struct fault *fault)
{
    for (size_t i = 0; i < faults->count; i++) {
        if (faults->list[i].kind == FAULT_clock_skew &&
            matches(&faults->list[i], site)) {
            take(faults, i, site, fault);
            return true;
        }
    }
    return false;
}

/* Whether the stream lives on after it. */
static bool
spares_stream(const struct fault *fault)
{
    return fault->kind == FAULT_clock_skew ||
           fault->kind == FAULT_refuse_connections ||
           (fault->kind == FAULT_goaway &&
            strcmp(fault->last_stream, "zero") != 0);
}

bool
faults_wait(const struct faults *faults, const struct fault_site *site,
            enum fault_phase phase)
{
    for (size_t i = 0; i < faults->count; i++) {
        const struct fault *f = &faults->list[i];
        if (f->phase == phase && !spares_stream(f) && matches(f, site))
            return true;
    }
    return false;
}

uint64_t
faults_deadline_ms(const struct faults *faults, const struct fault_site *site)
{
    uint64_t soonest_ms = UINT64_MAX;
    for (size_t i = 0; i < faults->count; i++) {
        const struct fault *f = &faults->list[i];
        if (f->kind == FAULT_clock_skew || !matches(f, site))
            continue;
        uint64_t at_ms = due_ms(faults, f, site);
        if (at_ms < soonest_ms)
            soonest_ms = at_ms;
    }
    return soonest_ms;
}

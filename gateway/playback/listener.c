#include <string.h>

#include "gateway/clock.h"
#include "gateway/playback/listener.h"

/* A player that says nothing for so long, while there is something to play, is
 * taken not to play: longer than any sound card's buffer. */
#define PLAYER_SILENT_NS (3 * CLOCK_NS_PER_S)
/* How often to ask the kernel whether there is a player. */
#define PRESENCE_NS (100 * CLOCK_NS_PER_MS)
/* How soon to look again for a player that is late. */
#define PLAYER_LOOK_NS (10 * CLOCK_NS_PER_MS)
#define CLOCK_LOOK_NS CLOCK_NS_PER_MS

void
listener_init(struct listener *l, struct ring_host *ring)
{
    memset(l, 0, sizeof *l);
    l->ring = ring;
    l->rate_hz = ring_host_format(ring).rate_hz;
    l->position = l->unplayed = l->clock_frame = ring_host_head(ring);
    l->estimated = true;
}

static uint64_t
frames_in(const struct listener *l, uint64_t ns)
{
    return ns / CLOCK_NS_PER_S * l->rate_hz +
           ns % CLOCK_NS_PER_S * l->rate_hz / CLOCK_NS_PER_S;
}

static void
set_clock(struct listener *l, uint64_t frame, uint64_t now_ns)
{
    l->clock_frame = frame;
    l->clock_ns = now_ns;
}

/* Where a player that never stops would be. */
static uint64_t
estimate(struct listener *l, uint64_t head, uint64_t now_ns)
{
    uint64_t ns = now_ns > l->clock_ns ? now_ns - l->clock_ns : 0;
    uint64_t frame = l->clock_frame + frames_in(l, ns);
    if (frame < head)
        return frame;
    set_clock(l, head, now_ns);
    return head;
}

/* One system call, but not at every look. */
static void
look_for_player(struct listener *l, uint64_t now_ns)
{
    if (l->looked && now_ns - l->looked_ns < PRESENCE_NS)
        return;
    bool present = ring_host_has_player(l->ring);
    if (present && !l->present) {
        l->spoke = l->dumb = false;
        l->said_ns = now_ns;
        l->arrived = l->position;
    }
    l->present = present;
    l->looked = true;
    l->looked_ns = now_ns;
}

void
listener_look_again(struct listener *l)
{
    l->looked = false;
}

/* Whether the player's word is to be taken. */
static bool
player_speaks(struct listener *l, uint64_t said, uint64_t head, uint64_t now_ns)
{
    if (said > l->said) {
        l->spoke = true;
        l->dumb = false;
        l->said = said;
        l->said_ns = now_ns;
    }
    if (l->position >= head || said >= head)
        l->said_ns = now_ns;
    bool silent =
        now_ns > l->said_ns && now_ns - l->said_ns >= PLAYER_SILENT_NS;
    if (silent && !l->spoke)
        l->dumb = true;
    return l->present && !l->dumb && !silent;
}

/* A player that spoke once is trusted to come back to what it has not played;
 * one that never speaks is not waited for. */
static uint64_t
unplayed(const struct listener *l)
{
    if (!l->present || l->dumb)
        return l->position;
    uint64_t flushed = ring_host_flush_to(l->ring);
    uint64_t from = l->said > l->arrived ? l->said : l->arrived;
    if (from < l->begin)
        from = l->begin;
    return from > flushed ? from : flushed;
}

static void
hear_to(struct listener *l, uint64_t frame)
{
    if (frame <= l->position)
        return;
    l->heard_frames += frame - l->position;
    l->position = frame;
}

void
listener_update(struct listener *l, uint64_t now_ns)
{
    uint64_t head = ring_host_head(l->ring);
    uint64_t said = ring_host_played(l->ring);
    look_for_player(l, now_ns);
    bool by_player = player_speaks(l, said, head, now_ns);
    uint64_t frame = by_player ? said : estimate(l, head, now_ns);
    if (frame < said)
        frame = said;
    hear_to(l, frame);
    if (by_player)
        set_clock(l, l->position, now_ns);
    l->estimated = !by_player;
    l->unplayed = unplayed(l);
}

void
listener_flush(struct listener *l, uint64_t to, uint64_t now_ns)
{
    if (to <= l->position)
        return;
    l->flushed_frames += to - l->position;
    l->position = to;
    if (l->unplayed < to)
        l->unplayed = to;
    set_clock(l, to, now_ns);
}

void
listener_pass_time(struct listener *l, uint64_t now_ns)
{
    if (l->estimated)
        hear_to(l, estimate(l, ring_host_head(l->ring), now_ns));
}

void
listener_lose(struct listener *l, uint64_t now_ns)
{
    uint64_t head = ring_host_head(l->ring);
    l->lost_frames += head - l->position;
    l->position = l->begin = head;
    if (l->unplayed < head)
        l->unplayed = head;
    set_clock(l, head, now_ns);
}

uint64_t
listener_eta_ns(const struct listener *l, uint64_t frame, uint64_t now_ns)
{
    uint64_t left = frame > l->position ? frame - l->position : 0;
    uint64_t ns = left / l->rate_hz * CLOCK_NS_PER_S +
                  left % l->rate_hz * CLOCK_NS_PER_S / l->rate_hz;
    uint64_t soonest = l->estimated ? CLOCK_LOOK_NS : PLAYER_LOOK_NS;
    return now_ns + (ns > soonest ? ns : soonest);
}

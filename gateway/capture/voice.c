#include <math.h>
#include <string.h>

#include "gateway/capture/voice.h"
#include "gateway/clock.h"

#define WINDOW_MS 10
#define FULL_SCALE 32768.0
#define OVER_FLOOR 15.8489 /* 12 dB */
#define RISE 1.006932      /* 3 dB a second, a window's share */
#define FALL 0.1           /* of the distance, each window */
#define RECENT 12          /* windows looked back at */
#define BEGIN 7            /* of these, loud: speech begins */
#define GO_ON 3            /* of these, loud: it goes on */

void
voice_init(struct voice *v, const struct voice_config *config)
{
    memset(v, 0, sizeof *v);
    v->window_frames = config->rate_hz * WINDOW_MS / 1000;
    v->hangover_windows = (config->hangover_ms + WINDOW_MS - 1) / WINDOW_MS;
    v->hangover_ns = config->hangover_ms * CLOCK_NS_PER_MS;
    v->least_floor = FULL_SCALE * FULL_SCALE *
                     pow(10, config->threshold_dbfs / 10) / OVER_FLOOR;
    v->floor = v->least_floor;
    v->on_edge = config->on_edge;
    v->arg = config->arg;
}

static void
begin(struct voice *v)
{
    unsigned oldest = 31u - (unsigned)__builtin_clz(v->recent);
    v->speaking = true;
    v->start_frame = v->position - (oldest + 1) * v->window_frames;
    v->end_frame = 0;
    v->ended_ns = 0;
    v->loud_ms = WINDOW_MS * (uint64_t)__builtin_popcount(v->recent);
    v->quiet = 0;
    v->heard_end = v->position;
    v->on_edge(v->arg, true, v->start_frame);
}

static void
end(struct voice *v, uint64_t now_ns)
{
    v->speaking = false;
    v->end_frame = v->heard_end;
    v->ended_ns = now_ns;
    v->recent = 0;
    v->on_edge(v->arg, false, v->end_frame);
}

static void
count_window(struct voice *v, bool loud, uint64_t now_ns)
{
    v->recent = (v->recent << 1 | loud) & ((1u << RECENT) - 1);
    int lately = __builtin_popcount(v->recent);
    if (!v->speaking) {
        if (lately >= BEGIN)
            begin(v);
        return;
    }
    v->loud_ms += loud ? WINDOW_MS : 0;
    v->quiet++;
    if (loud && lately >= GO_ON) {
        v->quiet = 0;
        v->heard_end = v->position;
    } else if (v->quiet >= v->hangover_windows) {
        end(v, now_ns);
    }
}

static bool
is_loud(struct voice *v)
{
    double n = (double)v->filled, mean = (double)v->sum / n;
    double power = (double)v->squares / n - mean * mean;
    bool loud = power >= v->floor * OVER_FLOOR;
    if (power > v->floor)
        v->floor *= RISE;
    else
        v->floor += (power - v->floor) * FALL;
    if (v->floor < v->least_floor)
        v->floor = v->least_floor;
    return loud;
}

static void
clear_window(struct voice *v)
{
    v->filled = 0;
    v->deaf = false;
    v->sum = v->squares = 0;
}

static void
add(struct voice *v, const int16_t *frames, size_t count)
{
    int64_t sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        int32_t x = frames[i];
        sum += x;
        squares += x * x;
    }
    v->sum += sum;
    v->squares += squares;
}

/* What was left out counts as windows of quiet, as many as make a
 * difference. */
static void
jump(struct voice *v, uint64_t position, uint64_t now_ns)
{
    uint64_t windows = (position - v->position) / v->window_frames + 1;
    uint64_t most = (uint64_t)v->hangover_windows + RECENT;
    for (uint64_t i = 0; i < windows && i < most; i++)
        count_window(v, false, now_ns);
    /* Places are told by counting windows back: none before the jump. */
    v->recent = 0;
    v->position = position;
    clear_window(v);
}

void
voice_hear(struct voice *v, uint64_t position, const int16_t *frames,
           size_t count, uint64_t now_ns)
{
    if (position != v->position)
        jump(v, position, now_ns);
    while (count > 0) {
        size_t n = v->window_frames - v->filled;
        if (n > count)
            n = count;
        if (frames) {
            add(v, frames, n);
            frames += n;
        } else {
            v->deaf = true;
        }
        v->filled += n;
        v->position += n;
        count -= n;
        if (v->filled < v->window_frames)
            return;
        count_window(v, !v->deaf && is_loud(v), now_ns);
        clear_window(v);
    }
}

void
voice_idle(struct voice *v, uint64_t idle_ns, uint64_t now_ns)
{
    if (v->speaking && idle_ns >= v->hangover_ns)
        end(v, now_ns);
}

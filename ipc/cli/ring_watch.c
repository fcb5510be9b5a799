/* voxring ring watch: rates and levels, once an interval. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ipc/cli/ring_level.h"
#include "ipc/cli/ring_pick.h"
#include "ipc/cli/ring_text.h"
#include "ipc/cli/say.h"
#include "ipc/cli/stop.h"

#define RINGS_MAX 64
#define NEWS_MAX 8
#define NEWS_BYTES 256
#define INTERVAL_MS 1000
#define INTERVAL_MIN_MS 10
#define METER_CELLS 20
#define METER_DB 60
#define CLEAR "\033[H\033[2J"

/* What a ring's last look found. */
enum state { UNSEEN, GONE, CLOSED, DAMAGED, DEAD, LIVING, STOPPED };

struct watched {
    struct ring_view_name name;
    char label[VR_SESSION_MAX + RING_INSTANCE_BYTES + 4];
    enum state state;
    uint64_t epoch;
    uint32_t gateway_pid;
    uint64_t head;
    uint64_t seen_ns;
    /* losses: the gateway's, the producer's, then those of the slots */
    uint64_t lost[2 + RING_SLOTS];
};

struct watch {
    struct cli *cli;
    struct ring_pick pick;
    struct watched rings[RINGS_MAX];
    size_t count;
    bool full; /* that there are more was said */
    bool table;
    char news[NEWS_MAX][NEWS_BYTES]; /* the newest last; for the table */
};

/* ---- news ---- */

static void
put_clock(char text[16])
{
    time_t now = time(NULL);
    struct tm parts;
    localtime_r(&now, &parts);
    strftime(text, 16, "%H:%M:%S", &parts);
}

static void tell(struct watch *w, const struct watched *r, const char *format,
                 ...) VR_PRINTF(3, 4);

static void
tell(struct watch *w, const struct watched *r, const char *format, ...)
{
    char clock[16], what[NEWS_BYTES - 128], line[NEWS_BYTES];
    va_list list;
    va_start(list, format);
    vsnprintf(what, sizeof what, format, list);
    va_end(list);
    put_clock(clock);
    snprintf(line, sizeof line, "%s %-12s %-4s %s", clock, r->label,
             ring_text_side(r->name.ring), what);
    if (!w->table) {
        say_line("%s", line);
        return;
    }
    memmove(w->news[0], w->news[1], (NEWS_MAX - 1) * NEWS_BYTES);
    memcpy(w->news[NEWS_MAX - 1], line, sizeof line);
}

static enum state
state_of(const struct ring_view *view, enum vr_status status)
{
    if (status != VR_OK)
        return status == VR_NOT_FOUND ? GONE : CLOSED;
    if (view->status != VR_OK || !view->has_words)
        return DAMAGED;
    if (!view->living)
        return DEAD;
    return view->stopped ? STOPPED : LIVING;
}

static void
tell_state(struct watch *w, struct watched *r, const struct ring_view *view,
           enum state state)
{
    unsigned long pid = view->words.gateway_pid;
    if (state == GONE)
        tell(w, r, "the ring is gone");
    else if (state == CLOSED || state == DAMAGED)
        tell(w, r, "%s", view->why);
    else if (state == DEAD)
        tell(w, r, "its gateway, pid %lu, is dead", pid);
    else if (state == STOPPED)
        tell(w, r, "its gateway, pid %lu, is stopped", pid);
    else if (r->state == STOPPED)
        tell(w, r, "its gateway, pid %lu, goes on", pid);
    else if (r->state != UNSEEN && view->header.epoch == r->epoch)
        tell(w, r, "the ring can be read again");
}

/* A new object: by another gateway, or made anew by the same. */
static bool
tell_epoch(struct watch *w, struct watched *r, const struct ring_view *view)
{
    unsigned long pid = view->words.gateway_pid;
    if (view->header.epoch == r->epoch)
        return false;
    if (r->epoch != 0 && view->header.recreated > 0 &&
        view->words.gateway_pid == r->gateway_pid)
        tell(w, r, "the ring was made anew (%lu times so far)",
             (unsigned long)view->header.recreated);
    else if (r->epoch != 0 || r->state != UNSEEN)
        tell(w, r, "a gateway is there, pid %lu, with a new ring", pid);
    return true;
}

/* ---- one look ---- */

static void
take_losses(const struct ring_view *view, uint64_t lost[2 + RING_SLOTS])
{
    memset(lost, 0, (2 + RING_SLOTS) * sizeof lost[0]);
    if (view->ring == VR_RING_IN) {
        lost[0] = view->words.lost_frames;
        lost[1] = view->producer.lost_frames;
    }
    for (unsigned i = 0; i < view->slot_count; i++)
        lost[2 + i] = view->slots[i].held ? view->slots[i].lost_frames : 0;
}

/* A count that is smaller than before is another's. */
static uint64_t
new_losses(struct watched *r, const struct ring_view *view)
{
    uint64_t lost[2 + RING_SLOTS], sum = 0;
    take_losses(view, lost);
    for (size_t i = 0; i < 2 + RING_SLOTS; i++)
        sum += lost[i] - (lost[i] >= r->lost[i] ? r->lost[i] : 0);
    memcpy(r->lost, lost, sizeof lost);
    return sum;
}

/* Takes what there is as the past, so that only what follows is counted. */
static void
begin(struct watched *r, const struct ring_view *view, bool again)
{
    bool goes_on = again && view->header.recreated > 0 &&
                   view->words.gateway_pid == r->gateway_pid;
    if (!goes_on)
        r->head = again ? view->header.first_position : view->head;
    if (!again)
        take_losses(view, r->lost);
    if (!again || r->seen_ns == 0)
        r->seen_ns = vr_now_ns();
    r->epoch = view->header.epoch;
    r->gateway_pid = view->words.gateway_pid;
}

static void
put_meter(const struct ring_level *level, char *text)
{
    double db = level->frames ? ring_level_db(level->rms) : -METER_DB;
    int cells = db <= -METER_DB
                    ? 0
                    : (int)((db + METER_DB) * METER_CELLS / METER_DB + 0.5);
    memset(text, '.', METER_CELLS);
    memset(text, '#', (size_t)cells);
    text[METER_CELLS] = '\0';
}

static void
print_rates(struct watched *r, const struct ring_view *view)
{
    char clock[16], lag[32] = "-", peak[RING_LEVEL_TEXT_BYTES] = "-",
                    rms[RING_LEVEL_TEXT_BYTES] = "-", meter[METER_CELLS + 1];
    uint64_t now_ns = vr_now_ns();
    uint64_t frames = view->head > r->head ? view->head - r->head : 0;
    double seconds = (double)(now_ns - r->seen_ns) / 1e9;
    struct ring_level level;
    int64_t behind;
    ring_level_read(view, frames, &level);
    if (level.frames) {
        ring_level_text(level.peak, peak);
        ring_level_text(level.rms, rms);
    }
    if (ring_view_lag(view, &behind))
        snprintf(lag, sizeof lag, "%.1f", ring_text_ms(view, behind));
    put_clock(clock);
    put_meter(&level, meter);
    say_line("%s %-12s %-4s %10.1f frames/s  peak %6s RMS %6s dBFS |%s|  lag "
             "%s ms  lost %llu",
             clock, r->label, ring_text_side(r->name.ring),
             seconds > 0 ? (double)frames / seconds : 0, peak, rms, meter, lag,
             (unsigned long long)new_losses(r, view));
    r->head = view->head;
    r->seen_ns = now_ns;
}

static void
look(struct watch *w, struct watched *r, bool print)
{
    struct ring_view view;
    bool first = r->state == UNSEEN && r->epoch == 0;
    enum state state = state_of(&view, ring_view_open(&view, &r->name));
    if (state != r->state)
        tell_state(w, r, &view, state);
    if (state >= DEAD && tell_epoch(w, r, &view))
        begin(r, &view, !first);
    r->state = state;
    if (state >= DEAD && print)
        print_rates(r, &view);
    ring_view_close(&view);
}

/* ---- all of them ---- */

static bool
is_known(const struct watch *w, const struct ring_view_name *name)
{
    for (size_t i = 0; i < w->count; i++) {
        if (strcmp(w->rings[i].name.object, name->object) == 0)
            return true;
    }
    return false;
}

/* Of several gateways' rings it is said which. */
static void
put_labels(struct watch *w)
{
    bool several = false;
    for (size_t i = 1; i < w->count; i++)
        several |=
            strcmp(w->rings[i].name.instance, w->rings[0].name.instance) != 0;
    for (size_t i = 0; i < w->count; i++) {
        const struct ring_view_name *name = &w->rings[i].name;
        snprintf(w->rings[i].label, sizeof w->rings[i].label, "%s%s%s%s",
                 name->session, several ? " (" : "",
                 several ? name->instance : "", several ? ")" : "");
    }
}

static void
add_rings(struct watch *w, const struct ring_view_list *list, enum state state)
{
    for (size_t i = 0; i < list->count; i++) {
        if (is_known(w, &list->names[i]))
            continue;
        if (w->count < RINGS_MAX) {
            w->rings[w->count++] =
                (struct watched){.name = list->names[i], .state = state};
            continue;
        }
        if (!w->full)
            say_note(w->cli, "only the first %d rings are watched", RINGS_MAX);
        w->full = true;
    }
    put_labels(w);
}

/* Those that have come since. */
static int
find_more(struct watch *w)
{
    struct ring_view_list list;
    int code = ring_pick_read(&w->pick, w->cli, &list);
    if (code != CLI_DONE)
        return code;
    add_rings(w, &list, GONE);
    ring_view_list_free(&list);
    return CLI_DONE;
}

static int
find_first(struct watch *w)
{
    struct ring_view_list list;
    int code = ring_pick_read(&w->pick, w->cli, &list);
    if (code != CLI_DONE)
        return code;
    code = ring_pick_check(&w->pick, w->cli, &list);
    if (code == CLI_DONE)
        add_rings(w, &list, UNSEEN);
    ring_view_list_free(&list);
    for (size_t i = 0; i < w->count; i++)
        look(w, &w->rings[i], false);
    return code;
}

static int
repaint(struct watch *w)
{
    int code = find_more(w);
    if (w->table)
        fputs(CLEAR, stdout);
    for (size_t i = 0; i < w->count; i++)
        look(w, &w->rings[i], true);
    if (w->table) {
        putchar('\n');
        for (size_t i = 0; i < NEWS_MAX; i++) {
            if (w->news[i][0])
                say_line("%s", w->news[i]);
        }
    }
    if (fflush(stdout) != 0)
        return say_fail(w->cli, CLI_FAILED, "standard output: %m");
    return code;
}

static int
run(struct watch *w, uint64_t interval_ns)
{
    int64_t wanted = w->cli->options.count;
    uint64_t next_ns = vr_now_ns();
    int code = find_first(w);
    for (int64_t n = 0; code == CLI_DONE && (wanted < 0 || n < wanted); n++) {
        uint64_t now_ns = vr_now_ns();
        next_ns += interval_ns;
        if (next_ns < now_ns)
            next_ns = now_ns + interval_ns;
        stop_sleep_until(next_ns);
        if (stop_wanted())
            return wanted < 0 ? CLI_DONE : CLI_INTERRUPTED;
        code = repaint(w);
    }
    return code;
}

int
ring_watch_run(struct cli *cli)
{
    static struct watch watch;
    int64_t interval_ms = cli->options.interval_ms;
    int code = ring_pick_init(&watch.pick, cli, cli->arguments, 1);
    if (code != CLI_DONE)
        return code;
    if (interval_ms < 0)
        interval_ms = INTERVAL_MS;
    if (interval_ms < INTERVAL_MIN_MS)
        return say_fail(cli, CLI_USAGE,
                        "--interval %lld is too short; give %d or more",
                        (long long)interval_ms, INTERVAL_MIN_MS);
    watch.cli = cli;
    watch.table = isatty(STDOUT_FILENO);
    return run(&watch, (uint64_t)interval_ms * 1000000);
}

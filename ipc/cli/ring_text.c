#include "ipc/cli/ring_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define RIGHTS 07777u

void
ring_text_folder(const struct ring_view *view, char text[RING_DIR_BYTES])
{
    text[0] = '\0';
    if (!view->has_words)
        return;
    memcpy(text, view->words.runtime_dir, RING_DIR_BYTES);
    text[RING_DIR_BYTES - 1] = '\0';
    for (char *c = text; *c; c++) {
        if (*c < ' ' || *c > '~')
            *c = '?';
    }
}

const char *
ring_text_side(enum vr_ring ring)
{
    return ring == VR_RING_IN ? "in" : "out";
}

const char *
ring_text_gateway(const struct ring_view *view)
{
    if (!view->living)
        return "dead";
    return view->stopped ? "stopped" : "living";
}

const struct ring_view_holder *
ring_text_leased(const struct ring_view *view)
{
    return view->ring == VR_RING_IN ? &view->producer
                                    : &view->slots[RING_SLOT_PLAYER];
}

const char *
ring_text_lease(enum vr_ring ring)
{
    return ring == VR_RING_IN ? "producer" : "player";
}

void
ring_text_holder(const struct ring_view_holder *holder,
                 char text[RING_TEXT_BYTES])
{
    snprintf(text, RING_TEXT_BYTES, "%s (pid %lu%s)", holder->card.name,
             (unsigned long)holder->card.pid,
             holder->held && holder->card.stopped ? ", stopped" : "");
}

double
ring_text_ms(const struct ring_view *view, int64_t frames)
{
    if (view->status != VR_OK)
        return 0;
    return (double)frames * 1000 / view->header.format.rate_hz;
}

int64_t
ring_text_behind(const struct ring_view *view, uint64_t position)
{
    return (int64_t)(view->head - position);
}

void
ring_text_closed(const struct ring_view *view,
                 const struct ring_view_name *name, char *text,
                 size_t text_bytes)
{
    char path[RING_FILE_BYTES];
    struct stat st;
    ring_name_file(path, name->object);
    if (lstat(path, &st) != 0)
        snprintf(text, text_bytes, "%s", view->why);
    else
        snprintf(text, text_bytes, "%s (of user %lu, mode %04o)", view->why,
                 (unsigned long)st.st_uid, (unsigned)st.st_mode & RIGHTS);
}

/* ---- what is wrong ---- */

struct wrong {
    ring_text_wrong_fn *fn;
    void *arg;
};

static void tell(const struct wrong *w, const char *format, ...)
    VR_PRINTF(2, 3);

static void
tell(const struct wrong *w, const char *format, ...)
{
    char text[VR_ERROR_BYTES];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    w->fn(w->arg, text);
}

/* A position that is beyond what was written. */
static void
check_position(const struct wrong *w, const struct ring_view *view,
               const char *what, uint64_t position)
{
    if (ring_text_behind(view, position) < 0)
        tell(w, "%s %llu is beyond its head", what,
             (unsigned long long)position);
}

static void
check_words(const struct wrong *w, const struct ring_view *view)
{
    const struct ring_layout *words = &view->words;
    if (view->head > RING_MAX_POSITION || view->head < words->first_position)
        tell(w, "its head %llu cannot be", (unsigned long long)view->head);
    if ((int64_t)(view->intent - view->head) < 0 ||
        (int64_t)(view->intent_before - view->head) >
            (int64_t)words->capacity_frames)
        tell(w, "the writer's intent %llu cannot be",
             (unsigned long long)view->intent);
    if (view->ring == VR_RING_IN)
        check_position(w, view, "the gateway's position", words->read_position);
    else
        check_position(w, view, "the played position", words->played);
    if (view->flushed)
        check_position(w, view, "the newest flush to", view->flush_to);
    if ((view->mode & RIGHTS) != words->rights)
        tell(w, "its mode is %04o, but its gateway says %04o",
             (unsigned)view->mode & RIGHTS, (unsigned)words->rights);
}

void
ring_text_wrong(const struct ring_view *view, ring_text_wrong_fn *fn, void *arg)
{
    struct wrong w = {.fn = fn, .arg = arg};
    if (view->status != VR_OK)
        tell(&w, "%s", view->why);
    else if (view->header.ring != view->ring)
        tell(&w, "it says that it is the %s ring",
             ring_text_side(view->header.ring));
    if (view->has_words)
        check_words(&w, view);
}

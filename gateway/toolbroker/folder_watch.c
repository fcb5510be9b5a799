#include "gateway/toolbroker/folder_watch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "gateway/log.h"

/* A copy makes hundreds of changes: all of this time are one. */
#define GATHER_MS 30

struct folder {
    struct folder_watch *watch;
    char *path;
    uv_fs_event_t event;
    dev_t dev; /* the folder that is watched under this path */
    ino_t ino;
    bool watched;
    bool told;
};

struct folder_watch {
    struct folder *folders;
    size_t count;
    uv_timer_t rescan;
    uv_timer_t gather;
    size_t handles;
    uint32_t rescan_ms;
    void (*on_look)(void *arg);
    void (*on_closed)(void *arg);
    void *arg;
};

static void
on_gathered(uv_timer_t *timer)
{
    struct folder_watch *w = timer->data;

    w->on_look(w->arg);
}

static void
on_event(uv_fs_event_t *event, const char *file, int events, int status)
{
    struct folder *f = event->data;

    (void)file;
    (void)events;
    (void)status;
    if (!uv_is_active((uv_handle_t *)&f->watch->gather))
        uv_timer_start(&f->watch->gather, on_gathered, GATHER_MS, 0);
}

static void
watch_folder(struct folder *f)
{
    struct stat st;
    int error;

    if (stat(f->path, &st) != 0) {
        if (f->watched)
            uv_fs_event_stop(&f->event);
        f->watched = false;
        return;
    }
    if (f->watched && f->dev == st.st_dev && f->ino == st.st_ino)
        return;
    if (f->watched)
        uv_fs_event_stop(&f->event);
    error = uv_fs_event_start(&f->event, on_event, f->path, 0);
    f->watched = error == 0;
    f->dev = st.st_dev;
    f->ino = st.st_ino;
    if (error != 0 && !f->told)
        log_warn(tools, NULL,
                 "the folder %s is looked at each %u ms only, the kernel does "
                 "not watch it: %s",
                 f->path, f->watch->rescan_ms, uv_strerror(error));
    f->told = error != 0;
}

static void
on_rescan(uv_timer_t *timer)
{
    struct folder_watch *w = timer->data;

    for (size_t i = 0; i < w->count; i++)
        watch_folder(&w->folders[i]);
    w->on_look(w->arg);
}

static void
free_watch(struct folder_watch *w)
{
    for (size_t i = 0; i < w->count; i++)
        free(w->folders[i].path);
    free(w->folders);
    free(w);
}

static bool
copy_folders(struct folder_watch *w, const char *const *folders, size_t count)
{
    w->folders = calloc(count + 1, sizeof *w->folders);
    for (size_t i = 0; w->folders && i < count; i++) {
        w->folders[i].watch = w;
        w->folders[i].path = strdup(folders[i]);
        if (!w->folders[i].path)
            return false;
        w->count++;
    }
    return w->folders != NULL;
}

enum vr_status
folder_watch_open(struct folder_watch **watch, uv_loop_t *loop,
                  const char *const *folders, size_t count, uint32_t rescan_ms,
                  void (*on_look)(void *arg), void (*on_closed)(void *arg),
                  void *arg)
{
    struct folder_watch *w = calloc(1, sizeof *w);

    *watch = NULL;
    if (!w || !copy_folders(w, folders, count)) {
        if (w)
            free_watch(w);
        return VR_NO_MEMORY;
    }
    w->rescan_ms = rescan_ms;
    w->on_look = on_look;
    w->on_closed = on_closed;
    w->arg = arg;
    uv_timer_init(loop, &w->rescan);
    uv_timer_init(loop, &w->gather);
    w->rescan.data = w->gather.data = w;
    for (size_t i = 0; i < count; i++) {
        uv_fs_event_init(loop, &w->folders[i].event);
        w->folders[i].event.data = &w->folders[i];
        watch_folder(&w->folders[i]);
    }
    w->handles = count + 2;
    uv_timer_start(&w->rescan, on_rescan, rescan_ms, rescan_ms);
    *watch = w;
    return VR_OK;
}

static void
on_handle_closed(uv_handle_t *handle)
{
    struct folder_watch *w = handle->type == UV_TIMER
                                 ? handle->data
                                 : ((struct folder *)handle->data)->watch;
    void (*on_closed)(void *arg) = w->on_closed;
    void *arg = w->arg;

    if (--w->handles > 0)
        return;
    free_watch(w);
    on_closed(arg);
}

void
folder_watch_close(struct folder_watch **watch)
{
    struct folder_watch *w = *watch;

    *watch = NULL;
    if (!w)
        return;
    uv_close((uv_handle_t *)&w->rescan, on_handle_closed);
    uv_close((uv_handle_t *)&w->gather, on_handle_closed);
    for (size_t i = 0; i < w->count; i++)
        uv_close((uv_handle_t *)&w->folders[i].event, on_handle_closed);
}

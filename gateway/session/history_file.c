#include "gateway/session/history_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/log.h"
#include "gateway/session/history_disk.h"

/* One write, from the asking to its end. While it is under way, only the
 * worker touches it. */
struct write_job {
    cJSON *json;
    uint64_t revision;
    size_t messages, file_bytes;
    enum vr_status status;
    char why[HISTORY_WHY_BYTES];
};

struct history_file {
    uv_loop_t *loop;
    const struct history_file_ops *ops;
    void *arg;
    struct history_disk disk;
    uv_timer_t pause;
    uv_work_t work;
    struct write_job job;  /* being written */
    struct write_job last; /* for after it, when closing */
    uint64_t ended_ms;     /* of the last write */
    bool dirty;            /* changed since the state was asked for */
    bool unsaved;          /* the last write failed */
    bool told;             /* that it failed */
    bool writing, closing, finished;
    void (*on_done)(void *arg, const char *why);
    void *done_arg;
};

static void go_on(struct history_file *f);

/* ---- writing ---- */

static void
write_down(uv_work_t *work)
{
    struct history_file *f = work->data;
    struct write_job *job = &f->job;
    char *text = cJSON_PrintUnformatted(job->json);
    job->file_bytes = text ? strlen(text) : 0;
    if (!text) {
        job->status = VR_NO_MEMORY;
        snprintf(job->why, sizeof job->why, "out of memory for %s",
                 f->disk.path);
    } else if (job->file_bytes > HISTORY_DOCUMENT_BYTES_MAX) {
        job->status = VR_LIMIT;
        snprintf(job->why, sizeof job->why,
                 "%s would have %zu bytes, more than %u", f->disk.path,
                 job->file_bytes, HISTORY_DOCUMENT_BYTES_MAX);
    } else {
        job->status = history_disk_write(&f->disk, text, job->file_bytes,
                                         job->why, sizeof job->why);
    }
    cJSON_free(text);
}

static void
tell_end(struct history_file *f)
{
    const struct history_file_ops *ops = f->ops;
    bool bad = f->job.status != VR_OK;
    bool news = bad && !f->told;
    f->unsaved = f->told = bad;
    if (f->closing)
        return;
    if (!bad && ops->on_saved)
        ops->on_saved(f->arg, f->job.revision, f->job.messages,
                      f->job.file_bytes);
    else if (news && ops->on_failed)
        ops->on_failed(f->arg, f->job.why);
}

static void
on_written(uv_work_t *work, int status)
{
    struct history_file *f = work->data;
    (void)status;
    cJSON_Delete(f->job.json);
    f->job.json = NULL;
    f->writing = false;
    f->ended_ms = uv_now(f->loop);
    tell_end(f);
    go_on(f);
}

/* Asks for the state; the job then has a document, or says why it has none. */
static void
prepare(struct history_file *f, struct write_job *job)
{
    struct history_state state = {0};
    memset(job, 0, sizeof *job);
    f->dirty = false;
    f->ops->on_state(f->arg, &state);
    job->revision = history_revision(state.history);
    job->messages = history_totals(state.history)->messages;
    job->json = history_document_make(&state);
    if (job->json)
        return;
    job->status = VR_NO_MEMORY;
    snprintf(job->why, sizeof job->why, "out of memory for %s", f->disk.path);
}

static void
start(struct history_file *f)
{
    f->work.data = f;
    f->writing = true;
    if (f->job.json &&
        uv_queue_work(f->loop, &f->work, write_down, on_written) == 0)
        return;
    if (f->job.json) {
        f->job.status = VR_SYSTEM;
        snprintf(f->job.why, sizeof f->job.why, "no thread to write %s",
                 f->disk.path);
    }
    on_written(&f->work, 0);
}

static void
on_pause_over(uv_timer_t *timer)
{
    struct history_file *f = timer->data;
    f->writing = true; /* whatever the session does while it is asked */
    prepare(f, &f->job);
    start(f);
}

/* ---- its end ---- */

static void
on_closed(uv_handle_t *handle)
{
    struct history_file *f = handle->data;
    const char *why = f->unsaved ? f->job.why : NULL;
    if (f->on_done)
        f->on_done(f->done_arg, why);
    else if (why)
        log_warn(session, NULL, "the history is not saved: %s", why);
    free(f);
}

/* Comes twice if the file is closed from within a callback. */
static void
finish(struct history_file *f)
{
    if (f->finished)
        return;
    f->finished = true;
    history_disk_close(&f->disk);
    uv_close((uv_handle_t *)&f->pause, on_closed);
}

/* What comes next, when nothing is being written. */
static void
go_on(struct history_file *f)
{
    if (f->closing && (f->last.json || f->last.status != VR_OK)) {
        f->job = f->last;
        memset(&f->last, 0, sizeof f->last);
        start(f);
    } else if (f->closing) {
        finish(f);
    } else if (f->dirty && !uv_is_active((uv_handle_t *)&f->pause)) {
        uint64_t now_ms = uv_now(f->loop);
        uint64_t due_ms = f->ended_ms + HISTORY_FILE_PAUSE_MS;
        bool at_once = !f->ended_ms || now_ms >= due_ms;
        uv_timer_start(&f->pause, on_pause_over, at_once ? 0 : due_ms - now_ms,
                       0);
    }
}

void
history_file_changed(struct history_file *f)
{
    f->dirty = true;
    if (!f->writing)
        go_on(f);
}

void
history_file_close(struct history_file **file,
                   void (*on_done)(void *arg, const char *why), void *arg)
{
    struct history_file *f = *file;
    *file = NULL;
    if (!f)
        return;
    uv_timer_stop(&f->pause);
    if (f->dirty || f->unsaved)
        prepare(f, &f->last);
    f->closing = true;
    f->on_done = on_done;
    f->done_arg = arg;
    if (!f->writing)
        go_on(f);
}

/* ---- its beginning ---- */

/* What cannot be a history goes aside. */
static enum vr_status
set_aside(const struct history_disk *disk, struct history_loaded *loaded,
          const char *flaw, char *why, size_t why_size)
{
    char aside[HISTORY_WHY_BYTES / 2];
    enum vr_status status =
        history_disk_set_aside(disk, aside, sizeof aside, why, why_size);
    if (status != VR_OK)
        return status;
    snprintf(loaded->damaged, sizeof loaded->damaged,
             "the history in %.*s is damaged, and the conversation begins "
             "anew: %.*s; the file is now %s",
             HISTORY_WHY_BYTES / 8, disk->path, HISTORY_WHY_BYTES / 4, flaw,
             aside);
    return VR_OK;
}

static enum vr_status
load(const struct history_disk *disk, struct history_loaded *loaded, char *why,
     size_t why_size)
{
    char flaw[HISTORY_WHY_BYTES] = "";
    size_t bytes;
    enum vr_status status;
    char *text = history_disk_read(disk, HISTORY_DOCUMENT_BYTES_MAX, &bytes,
                                   &status, flaw, sizeof flaw);
    if (status == VR_NOT_FOUND)
        return VR_OK;
    if (text)
        status = history_document_parse(text, bytes, loaded, flaw, sizeof flaw);
    free(text);
    if (status == VR_CORRUPT || status == VR_VERSION || status == VR_LIMIT)
        return set_aside(disk, loaded, flaw, why, why_size);
    if (status != VR_OK)
        snprintf(why, why_size, "%s", flaw);
    return status;
}

enum vr_status
history_file_open(uv_loop_t *loop, const char *path,
                  const struct history_file_ops *ops, void *arg,
                  struct history_file **file, struct history_loaded *loaded,
                  char *why, size_t why_size)
{
    memset(loaded, 0, sizeof *loaded);
    *file = NULL;
    struct history_file *f = calloc(1, sizeof *f);
    if (!f) {
        snprintf(why, why_size, "out of memory");
        return VR_NO_MEMORY;
    }
    enum vr_status status = history_disk_open(&f->disk, path, why, why_size);
    if (status == VR_OK) {
        status = load(&f->disk, loaded, why, why_size);
        if (status != VR_OK)
            history_disk_close(&f->disk);
    }
    if (status != VR_OK) {
        free(f);
        return status;
    }
    f->loop = loop;
    f->ops = ops;
    f->arg = arg;
    f->pause.data = f;
    uv_timer_init(loop, &f->pause);
    *file = f;
    return VR_OK;
}

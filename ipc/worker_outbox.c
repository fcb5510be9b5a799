#include "ipc/worker_outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

void
worker_outbox_wake(const struct vr_worker *w)
{
    const uint64_t one = 1;
    int kept = errno;

    (void)!write(w->wake_fd, &one, sizeof one);
    errno = kept;
}

void
worker_outbox_put(struct vr_worker *w, char *text)
{
    struct worker_text *item = text ? malloc(sizeof *item) : NULL;

    if (!item) {
        free(text);
        return;
    }
    item->next = NULL;
    item->text = text;
    *w->last = item;
    w->last = &item->next;
    w->waiting++;
    worker_outbox_wake(w);
}

void
worker_outbox_try(struct vr_worker *w, char *text)
{
    if (w->waiting < WORKER_OUTBOX_LOSSY && w->ready)
        worker_outbox_put(w, text);
    else
        free(text);
}

char *
worker_outbox_take(struct vr_worker *w)
{
    struct worker_text *item = w->first;
    char *text;

    if (!item)
        return NULL;
    text = item->text;
    w->first = item->next;
    if (!w->first)
        w->last = &w->first;
    w->waiting--;
    free(item);
    return text;
}

void
worker_outbox_return(struct vr_worker *w, char *text)
{
    struct worker_text *item = malloc(sizeof *item);

    if (!item) {
        free(text);
        return;
    }
    item->text = text;
    item->next = w->first;
    if (!w->first)
        w->last = &item->next;
    w->first = item;
    w->waiting++;
}

void
worker_outbox_clear(struct vr_worker *w)
{
    char *text;

    while ((text = worker_outbox_take(w)))
        free(text);
}

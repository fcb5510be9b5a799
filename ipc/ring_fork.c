#include <pthread.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ipc/ring_fork.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct ring_fork list = {.next = &list, .prev = &list};

/* 1 here, wiped to 0 in a child; without the kernel's help, 1 everywhere. */
static volatile unsigned char no_mark = 1;
static volatile unsigned char *mark = &no_mark;

static void
close_all(struct ring_fork *entry)
{
    for (int i = 0; i < RING_FORK_FDS; i++) {
        if (entry->fd[i] >= 0)
            close(entry->fd[i]);
        entry->fd[i] = -1;
    }
}

/* What was registered up to now is a parent's. */
static void
disown(void)
{
    for (struct ring_fork *e = list.next; e != &list; e = e->next) {
        close_all(e);
        e->forked = true;
    }
    *mark = 1;
}

static void
on_prepare(void)
{
    pthread_mutex_lock(&mutex);
}

static void
on_parent(void)
{
    pthread_mutex_unlock(&mutex);
}

static void
on_child(void)
{
    disown();
    pthread_mutex_unlock(&mutex);
}

static void
make_mark(void)
{
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char *page = mmap(NULL, page_bytes, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return;
    if (madvise(page, page_bytes, MADV_WIPEONFORK) != 0) {
        munmap(page, page_bytes);
        return;
    }
    *page = 1;
    mark = page;
}

static void
set_up(void)
{
    make_mark();
    pthread_atfork(on_prepare, on_parent, on_child);
}

void
ring_fork_begin(void)
{
    pthread_once(&once, set_up);
    pthread_mutex_lock(&mutex);
    if (*mark == 0)
        disown();
}

void
ring_fork_end(void)
{
    pthread_mutex_unlock(&mutex);
}

void
ring_fork_add(struct ring_fork *entry)
{
    entry->open = true;
    entry->forked = false;
    entry->prev = list.prev;
    entry->next = &list;
    list.prev->next = entry;
    list.prev = entry;
}

void
ring_fork_remove(struct ring_fork *entry)
{
    ring_fork_begin();
    close_all(entry);
    entry->prev->next = entry->next;
    entry->next->prev = entry->prev;
    entry->open = false;
    ring_fork_end();
}

bool
ring_fork_is_child(const struct ring_fork *entry)
{
    if (__builtin_expect(!entry->forked && *mark != 0, 1))
        return false;
    if (!entry->forked) {
        ring_fork_begin();
        ring_fork_end();
    }
    return true;
}

#include <pthread.h>
#include <stdatomic.h>
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

/* 1 here, wiped to 0 in a child. Without the kernel's help (before Linux 4.14,
 * under some emulators) 0 everywhere, and the pid is asked. */
static volatile unsigned char no_mark;
static volatile unsigned char *mark = &no_mark;
static _Atomic pid_t owner; /* 0: nothing was opened yet */

static void
close_all(struct ring_fork *entry)
{
    for (int i = 0; i < RING_FORK_FDS; i++) {
        if (entry->fd[i] >= 0)
            close(entry->fd[i]);
        entry->fd[i] = -1;
    }
}

static bool
in_child(void)
{
    pid_t pid;

    if (*mark != 0)
        return false;
    if (mark != &no_mark)
        return true;
    /* Relaxed: no child has seen anything opened before its owner was set. */
    pid = atomic_load_explicit(&owner, memory_order_relaxed);
    return pid != 0 && pid != getpid();
}

/* What was registered up to now is a parent's. */
static void
disown(void)
{
    for (struct ring_fork *e = list.next; e != &list; e = e->next) {
        close_all(e);
        e->forked = true;
    }
    if (mark != &no_mark)
        *mark = 1;
    atomic_store_explicit(&owner, getpid(), memory_order_relaxed);
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

/* Whether the kernel knows advice from no advice: who calls all of it good may
 * wipe nothing, as qemu's user emulation does (BoringSSL's fork_detect asks in
 * the same way). */
static bool
judges_advice(void *page, size_t page_bytes)
{
    return madvise(page, page_bytes, -1) != 0;
}

static void
make_mark(void)
{
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char *page = mmap(NULL, page_bytes, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return;
    if (!judges_advice(page, page_bytes) ||
        madvise(page, page_bytes, MADV_WIPEONFORK) != 0) {
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
    atomic_store_explicit(&owner, getpid(), memory_order_relaxed);
    pthread_atfork(on_prepare, on_parent, on_child);
}

void
ring_fork_begin(void)
{
    pthread_once(&once, set_up);
    pthread_mutex_lock(&mutex);
    if (in_child())
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
    if (entry->forked)
        return true;
    if (!in_child())
        return false;
    ring_fork_begin();
    ring_fork_end();
    return true;
}

/* SIGBUS: what a mapping raises where its object has become shorter, or a page
 * of it was taken away and there is no memory for another.
 *
 * The handler puts private zero pages over the whole mapping and returns, and
 * the instruction that faulted runs again, on them: no jump out of a copy, no
 * cost where nothing happens. mmap is not on POSIX' list for signal handlers;
 * on Linux it is a bare system call. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "ipc/ring_guard.h"
#include "ipc/ring_order.h"
#include "ipc/status.h"

/* Some 4000 sessions; the table is touched as far as it is used. */
#define GUARDS 8192

struct guard {
    _Atomic uintptr_t pages; /* 0: free; stored last */
    _Atomic size_t bytes;
    atomic_bool *_Atomic bus_error;
};

static struct guard guards[GUARDS];
static _Atomic size_t guards_used;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction before;
static bool installed;

/* The row's mapping, if `address` is in it. */
static bool
find_mapping(struct guard *row, uintptr_t address, uintptr_t *pages,
             size_t *bytes, atomic_bool **bus_error)
{
    *pages = atomic_load_explicit(&row->pages, memory_order_acquire);
    *bytes = atomic_load_explicit(&row->bytes, memory_order_relaxed);
    *bus_error = atomic_load_explicit(&row->bus_error, memory_order_relaxed);
    /* Acquire, with the release fence in ring_guard_add(): where another
     * thread gave the row away meanwhile, its key has changed. */
    ring_fence_acquire();
    return *pages != 0 && address >= *pages && address - *pages < *bytes &&
           atomic_load_explicit(&row->pages, memory_order_relaxed) == *pages;
}

static bool
replace_pages(uintptr_t address)
{
    size_t used = atomic_load_explicit(&guards_used, memory_order_acquire);

    for (size_t i = 0; i < used; i++) {
        atomic_bool *bus_error;
        uintptr_t pages;
        size_t bytes;

        if (!find_mapping(&guards[i], address, &pages, &bytes, &bus_error))
            continue;
        /* Before the pages change: no other thread may take the zeros for
         * audio. Relaxed: the change is a system call. */
        atomic_store_explicit(bus_error, true, memory_order_relaxed);
        return mmap((void *)pages, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                    0) != MAP_FAILED;
    }
    return false;
}

/* What is due where no handler was before: a fault comes again when the
 * instruction does, what a process sent does not. */
static void
default_action(bool sent)
{
    if (sent && before.sa_handler == SIG_IGN)
        return;
    sigaction(SIGBUS, &before, NULL);
    if (sent)
        raise(SIGBUS);
}

static void
on_sigbus(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    /* Then there is no address, but who sent it in its place. */
    bool sent = info->si_code <= 0;

    if (!sent && replace_pages((uintptr_t)info->si_addr))
        ;
    else if ((before.sa_flags & SA_SIGINFO) != 0)
        before.sa_sigaction(number, info, context);
    else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN)
        before.sa_handler(number);
    else
        default_action(sent);
    errno = saved;
}

static bool
is_ours(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) != 0 &&
           action->sa_sigaction == on_sigbus;
}

/* By whoever came after us, who may pass on to us: to pass on to them, too,
 * would be a circle. */
static bool
is_handled(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) != 0 ||
           (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN);
}

enum vr_status
vr_guard_install(void)
{
    struct sigaction action = {.sa_sigaction = on_sigbus,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK};
    enum vr_status status = VR_OK;
    struct sigaction now;

    pthread_mutex_lock(&mutex);
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGBUS, NULL, &now) != 0) {
        status = VR_SYSTEM;
    } else if (!is_ours(&now) && (!installed || !is_handled(&now))) {
        before = now;
        installed = sigaction(SIGBUS, &action, NULL) == 0;
        status = installed ? VR_OK : VR_SYSTEM;
    }
    pthread_mutex_unlock(&mutex);
    return status;
}

void
vr_guard_remove(void)
{
    struct sigaction now;

    pthread_mutex_lock(&mutex);
    /* Who came after us passes on to us, and keeps the signal. */
    if (installed && sigaction(SIGBUS, NULL, &now) == 0 && is_ours(&now)) {
        sigaction(SIGBUS, &before, NULL);
        installed = false;
    }
    pthread_mutex_unlock(&mutex);
}

bool
ring_guard_add(void *pages, size_t bytes, atomic_bool *bus_error)
{
    size_t used, i;

    pthread_mutex_lock(&mutex);
    used = atomic_load_explicit(&guards_used, memory_order_relaxed);
    for (i = 0; i < used; i++)
        if (atomic_load_explicit(&guards[i].pages, memory_order_relaxed) == 0)
            break;
    if (i < GUARDS) {
        /* The row was free before it is another's. */
        ring_fence_release();
        atomic_store_explicit(&guards[i].bytes, bytes, memory_order_relaxed);
        atomic_store_explicit(&guards[i].bus_error, bus_error,
                              memory_order_relaxed);
        /* Release, with the acquire in the handler: the row before its key. */
        atomic_store_explicit(&guards[i].pages, (uintptr_t)pages,
                              memory_order_release);
        if (i == used)
            atomic_store_explicit(&guards_used, used + 1, memory_order_release);
    }
    pthread_mutex_unlock(&mutex);
    return i < GUARDS;
}

void
ring_guard_drop(const void *pages)
{
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < GUARDS; i++)
        if (atomic_load_explicit(&guards[i].pages, memory_order_relaxed) ==
            (uintptr_t)pages) {
            atomic_store_explicit(&guards[i].pages, 0, memory_order_release);
            break;
        }
    pthread_mutex_unlock(&mutex);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/session/starve.h"

#define HIGH_FD 200

static long left = -1; /* allocations until the one that fails; -1: none */
static bool reached;
static unsigned paused;
static long live;

long
starve_live(void)
{
    return live;
}

void
starve_at(long number)
{
    reached = false;
    left = number;
}

bool
starve_end(void)
{
    left = -1;
    return reached;
}

void
starve_pause(void)
{
    paused++;
}

void
starve_resume(void)
{
    paused--;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    !defined(__GLIBC__)

bool
starve_works(void)
{
    return false;
}

#else

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);
void __libc_free(void *block);

bool
starve_works(void)
{
    return true;
}

static bool
fails(void)
{
    if (left < 0 || paused)
        return false;
    reached = reached || left == 0;
    return left-- == 0;
}

static void *
counted(void *block)
{
    __atomic_add_fetch(&live, block != NULL, __ATOMIC_RELAXED);
    return block;
}

__attribute__((visibility("default"))) void *
malloc(size_t bytes)
{
    return fails() ? NULL : counted(__libc_malloc(bytes));
}

__attribute__((visibility("default"))) void *
calloc(size_t count, size_t bytes)
{
    return fails() ? NULL : counted(__libc_calloc(count, bytes));
}

__attribute__((visibility("default"))) void *
realloc(void *old, size_t bytes)
{
    if (fails())
        return NULL;
    void *block = __libc_realloc(old, bytes);
    return old ? block : counted(block);
}

__attribute__((visibility("default"))) void
free(void *block)
{
    __atomic_sub_fetch(&live, block != NULL, __ATOMIC_RELAXED);
    __libc_free(block);
}

#endif

static void
on_poll(uv_poll_t *poll, int status, int events)
{
    (void)poll;
    (void)status;
    (void)events;
}

void
starve_warm_up(uv_loop_t *loop)
{
    static uv_poll_t poll;
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(dup2(pipes[0], HIGH_FD), HIGH_FD);
    assert_int_equal(uv_poll_init(loop, &poll, HIGH_FD), 0);
    uv_poll_start(&poll, UV_READABLE, on_poll);
    uv_close((uv_handle_t *)&poll, NULL);
    uv_run(loop, UV_RUN_NOWAIT);
    close(HIGH_FD);
    close(pipes[0]);
    close(pipes[1]);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/shared/starve.h"

#define HIGH_FD 200

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#define REAL(name) __interceptor_##name
#else
#define SANITIZED 0
#define REAL(name) __libc_##name
#endif

/* Volatile, as compilers take for granted that malloc() looks at none. */
static volatile long left = -1; /* allocations until one fails; -1: none does */
static volatile bool ours_only;
static volatile bool reached;
static volatile unsigned paused;
static volatile long live;
static volatile unsigned long count;

/* What a sanitizer stands in for, such as realpath(), allocates unseen. */
long
starve_live(void)
{
    return SANITIZED ? 0 : live;
}

unsigned long
starve_count(void)
{
    return count;
}

void
starve_at(long number)
{
    ours_only = false;
    reached = false;
    left = number;
}

void
starve_ours_at(long number)
{
    starve_at(number);
    ours_only = true;
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

void *
starve_spare(void *old, size_t bytes)
{
    starve_pause();
    void *block = realloc(old, bytes ? bytes : 1);
    starve_resume();
    if (!block)
        abort();
    return block;
}

#if !defined(__GLIBC__)

bool
starve_works(void)
{
    return false;
}

#else

void *REAL(malloc)(size_t bytes);
void *REAL(calloc)(size_t items, size_t bytes);
void *REAL(realloc)(void *old, size_t bytes);
void REAL(free)(void *block);

/* Of the program, from the linker. */
extern const char __executable_start[];
extern const char etext[];

bool
starve_works(void)
{
    return true;
}

static bool
is_ours(const void *caller)
{
    uintptr_t at = (uintptr_t)caller;
    return at >= (uintptr_t)__executable_start && at < (uintptr_t)etext;
}

static bool
fails(const void *caller)
{
    if (left < 0 || paused || (ours_only && !is_ours(caller)))
        return false;
    reached = reached || left == 0;
    return left-- == 0;
}

static void *
counted(void *block)
{
    __atomic_add_fetch(&live, block != NULL, __ATOMIC_RELAXED);
    __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);
    return block;
}

#define PUBLIC __attribute__((visibility("default")))
#define CALLER __builtin_return_address(0)

PUBLIC void *
malloc(size_t bytes)
{
    return fails(CALLER) ? NULL : counted(REAL(malloc)(bytes));
}

PUBLIC void *
calloc(size_t items, size_t bytes)
{
    return fails(CALLER) ? NULL : counted(REAL(calloc)(items, bytes));
}

PUBLIC void *
realloc(void *old, size_t bytes)
{
    if (fails(CALLER))
        return NULL;
    void *block = REAL(realloc)(old, bytes);
    __atomic_add_fetch(&live, block && !old, __ATOMIC_RELAXED);
    __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);
    return block;
}

static char *
duplicate(const char *text, size_t chars)
{
    char *copy = counted(REAL(malloc)(chars + 1));
    if (copy) {
        memcpy(copy, text, chars);
        copy[chars] = '\0';
    }
    return copy;
}

/* The library's own would hide who asks, and a sanitizer's calls no malloc()
 * that can be defined here. */
PUBLIC char *
strdup(const char *text)
{
    return fails(CALLER) ? NULL : duplicate(text, strlen(text));
}

PUBLIC char *
strndup(const char *text, size_t chars_max)
{
    return fails(CALLER) ? NULL : duplicate(text, strnlen(text, chars_max));
}

PUBLIC void
free(void *block)
{
    __atomic_sub_fetch(&live, block != NULL, __ATOMIC_RELAXED);
    REAL(free)(block);
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

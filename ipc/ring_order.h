/* Fences, and the copy of frames into and out of a ring.
 *
 * The payload is copied while another process may write to it, and the copy is
 * judged afterwards (Boehm, "Can seqlocks get along with programming language
 * memory models?", MSPC 2012): in the standard's words that is a race unless
 * each access is atomic. memcpy is what runs; under ThreadSanitizer, which
 * knows no fences either, each word is a relaxed atomic. */
#ifndef IPC_RING_ORDER_H
#define IPC_RING_ORDER_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ipc/ring_step.h"

#ifdef VR_TSAN

/* A thread's own word: a read-modify-write is as strong as a fence on x86 and
 * tells the sanitizer of no order between threads that the code lacks. */
static inline void
ring_fence(void)
{
    static _Thread_local _Atomic uint32_t own;
    atomic_fetch_add_explicit(&own, 1, memory_order_seq_cst);
}

#define ring_fence_release() ring_fence()
#define ring_fence_acquire() ring_fence()
#define ring_fence_full() ring_fence()

static inline void
ring_store(void *ring, const void *own, size_t bytes)
{
    unsigned char *to = ring;
    const unsigned char *from = own;

    while (bytes > 0) {
        if (((uintptr_t)to & 7) == 0 && bytes >= 8) {
            uint64_t word;
            memcpy(&word, from, 8);
            __atomic_store_n((uint64_t *)(void *)to, word, __ATOMIC_RELAXED);
            to += 8, from += 8, bytes -= 8;
        } else {
            uint16_t half;
            memcpy(&half, from, 2);
            __atomic_store_n((uint16_t *)(void *)to, half, __ATOMIC_RELAXED);
            to += 2, from += 2, bytes -= 2;
        }
    }
}

static inline void
ring_load(void *own, const void *ring, size_t bytes)
{
    unsigned char *to = own;
    const unsigned char *from = ring;

    while (bytes > 0) {
        if (((uintptr_t)from & 7) == 0 && bytes >= 8) {
            uint64_t word = __atomic_load_n(
                (const uint64_t *)(const void *)from, __ATOMIC_RELAXED);
            memcpy(to, &word, 8);
            to += 8, from += 8, bytes -= 8;
        } else {
            uint16_t half = __atomic_load_n(
                (const uint16_t *)(const void *)from, __ATOMIC_RELAXED);
            memcpy(to, &half, 2);
            to += 2, from += 2, bytes -= 2;
        }
    }
}

#else

#define ring_fence_release() atomic_thread_fence(memory_order_release)
#define ring_fence_acquire() atomic_thread_fence(memory_order_acquire)
#define ring_fence_full() atomic_thread_fence(memory_order_seq_cst)

#ifdef VR_STEPS
/* A writer that dies in the middle of its copy. */
static inline void
ring_store(void *ring, const void *own, size_t bytes)
{
    memcpy(ring, own, bytes / 2);
    RING_STEP("pen: half copied");
    memcpy((unsigned char *)ring + bytes / 2,
           (const unsigned char *)own + bytes / 2, bytes - bytes / 2);
}
#else
/* Copies `bytes`, a whole number of frames, into the ring. [rt] */
static inline void
ring_store(void *ring, const void *own, size_t bytes)
{
    memcpy(ring, own, bytes);
}
#endif

/* Copies `bytes`, a whole number of frames, out of the ring. [rt] */
static inline void
ring_load(void *own, const void *ring, size_t bytes)
{
    memcpy(own, ring, bytes);
}

#endif
#endif

/* Sleeping on a word in shared memory, with no state in the kernel that a
 * killed process could leave behind. */
#ifndef IPC_RING_FUTEX_H
#define IPC_RING_FUTEX_H

#include <stdatomic.h>
#include <stdint.h>

#include "ipc/status.h"

/* No sleep is longer than this, so that the gateway's death is noticed within
 * 100 ms; shorter ones would cost those who only wait. */
#define RING_SLICE_NS UINT64_C(75000000)

/* Sleeps while *word is `seen`, at most timeout_ns. VR_OK: woken, or *word had
 * changed, or no reason; VR_TIMEOUT; VR_AGAIN: a signal handler ran. [any] */
enum vr_status ring_futex_wait(_Atomic uint32_t *word, uint32_t seen,
                               uint64_t timeout_ns);

/* Changes *word and wakes those who sleep on it, 256 at most. [rt] */
void ring_futex_wake(_Atomic uint32_t *word);

/* Wakes up to 256 of those who sleep on *word, which is not touched. [rt] */
void ring_futex_notify(_Atomic uint32_t *word);

/* Sleeps where there is no word to sleep on. VR_TIMEOUT, or VR_AGAIN: a signal
 * handler ran. [any] */
enum vr_status ring_futex_sleep(uint64_t timeout_ns);

/* The end of a wait that begins now: UINT64_MAX if timeout_ms is below 0.
 * [rt] */
uint64_t ring_futex_deadline_ns(int timeout_ms);

/* What to sleep next: the rest up to the deadline, at most slice_ns; 0 when the
 * deadline has passed. [rt] */
uint64_t ring_futex_slice_ns(uint64_t deadline_ns, uint64_t slice_ns);

#endif

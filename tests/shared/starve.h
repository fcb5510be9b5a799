/* Memory that runs out at a chosen allocation: malloc(3) and its kin are
 * defined here, in front of the C library's or the sanitizer's. */
#ifndef TESTS_SHARED_STARVE_H
#define TESTS_SHARED_STARVE_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

/* False where memory cannot be made to run out. */
bool starve_works(void);

/* Allocation number `number` from now on (counted from 0) fails, that one
 * only. Those of every library count. */
void starve_at(long number);

/* The same where only those count that the program's own code asks for:
 * libraries are shared objects, so the address of the caller tells. */
void starve_ours_at(long number);

/* No more; true if the allocation was reached. */
bool starve_end(void);

/* Blocks that are allocated now, pauses or not; 0 under a sanitizer, which
 * looks for leaks itself. */
long starve_live(void);

/* Allocations so far, those of every library. */
unsigned long starve_count(void);

/* libuv aborts where its table of descriptors cannot grow: lets it grow now. */
void starve_warm_up(uv_loop_t *loop);

/* What the test itself allocates meanwhile does not count. Nests. */
void starve_pause(void);
void starve_resume(void);

/* realloc() for the test itself: does not count, never NULL. */
void *starve_spare(void *old, size_t bytes);

#endif

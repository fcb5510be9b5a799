/* Memory that runs out at a chosen allocation, in every library: malloc(3) and
 * its kin are defined here, except under a sanitizer, which has its own. */
#ifndef TESTS_SESSION_STARVE_H
#define TESTS_SESSION_STARVE_H

#include <stdbool.h>
#include <uv.h>

/* False where memory cannot be made to run out. */
bool starve_works(void);

/* Allocation number `number` from now on (counted from 0) fails, that one
 * only. */
void starve_at(long number);

/* No more; true if the allocation was reached. */
bool starve_end(void);

/* Blocks that are allocated now, pauses or not. */
long starve_live(void);

/* libuv aborts where its table of descriptors cannot grow: lets it grow now. */
void starve_warm_up(uv_loop_t *loop);

/* What the test itself allocates meanwhile does not count. Nests. */
void starve_pause(void);
void starve_resume(void);

#endif

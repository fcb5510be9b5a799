/* Points between two steps of the ring, where a test kills the process
 * (tests/death). Nothing in any other build. */
#ifndef IPC_RING_STEP_H
#define IPC_RING_STEP_H

#ifdef VR_STEPS
/* Defined by the program that wants to know; may not return. [rt] */
void ring_step(const char *name);
#define RING_STEP(name) ring_step(name)
#else
#define RING_STEP(name) ((void)0)
#endif

#endif

/* Where the ring's fuzzers play: a runtime folder, a session, the smallest
 * ring, and the SIGBUS guard over the fuzzer's own handlers. */
#ifndef TESTS_FUZZ_RING_GROUND_H
#define TESTS_FUZZ_RING_GROUND_H

#include "ipc/voxring.h"

#define GROUND_PATH_BYTES 192
#define GROUND_CAPACITY 1024u /* frames: the smallest ring there is */
#define GROUND_RATE_HZ 8000u
#define GROUND_SESSION "s"
#define GROUND_NS_PER_MS UINT64_C(1000000)

/* Ends the run, with the place, unless `what` holds. */
#define must(what)                                  \
    do {                                            \
        if (!(what))                                \
            ground_fail(__FILE__, __LINE__, #what); \
    } while (0)

_Noreturn void ground_fail(const char *file, int line, const char *what);

/* Makes this process' runtime folder (removed at exit) and installs the SIGBUS
 * guard over the fuzzer's own handlers, at the first call; takes away what the
 * last input left. Returns the folder. */
const char *ground_up(void);

/* The folder, and its instance. */
const char *ground_dir(void);
const char *ground_instance(void);

/* The session's objects in /dev/shm, and its doorbell. */
void ground_object(char path[GROUND_PATH_BYTES], enum vr_ring ring);
void ground_bell(char path[GROUND_PATH_BYTES]);

/* Takes a file or an empty folder away, if it is there. */
void ground_clear(const char *path);

#endif

/* Every RING_STEP in ipc/, and whose operations pass it: W the producer's, R a
 * reader's, G the gateway's. test_steps holds it to the source; each of the
 * other programs fails unless it has killed at every step of its letter. */
#ifndef TESTS_DEATH_STEPS_TBL_H
#define TESTS_DEATH_STEPS_TBL_H

#define STEP_TABLE(ROW)            \
    ROW("attach: opened", "WR")    \
    ROW("attach: looked", "WR")    \
    ROW("attach: judged", "WR")    \
    ROW("attach: mapped", "WR")    \
    ROW("lease: locked", "WR")     \
    ROW("lease: bell", "W")        \
    ROW("lease: signed", "W")      \
    ROW("lease: pen", "W")         \
    ROW("lease: rung", "W")        \
    ROW("lease: slot", "R")        \
    ROW("lease: flush", "R")       \
    ROW("lease: place", "R")       \
    ROW("pen: stamps void", "WG")  \
    ROW("pen: intent", "WG")       \
    ROW("pen: half copied", "WG")  \
    ROW("pen: copied", "WG")       \
    ROW("pen: stamps", "W")        \
    ROW("pen: stamped", "W")       \
    ROW("pen: head", "WG")         \
    ROW("wake: cleared", "WG")     \
    ROW("wake: done", "WG")        \
    ROW("write: published", "W")   \
    ROW("write: rung", "W")        \
    ROW("reserve: announced", "W") \
    ROW("commit: published", "W")  \
    ROW("wait_space: marked", "W") \
    ROW("wait_space: asleep", "W") \
    ROW("read: flushed", "R")      \
    ROW("read: lapped", "R")       \
    ROW("read: copied", "R")       \
    ROW("read: validated", "R")    \
    ROW("read: position", "R")     \
    ROW("played: said", "R")       \
    ROW("wait: word", "R")         \
    ROW("wait: flag", "R")         \
    ROW("wait: asleep", "R")       \
    ROW("detach: begin", "WRG")    \
    ROW("detach: unmapped", "WRG") \
    ROW("detach: unlocked", "WRG") \
    ROW("sweep: locked", "G")      \
    ROW("sweep: removed", "G")     \
    ROW("sweep: bell", "G")        \
    ROW("make: created", "G")      \
    ROW("make: locked", "G")       \
    ROW("make: shared", "G")       \
    ROW("make: reserved", "G")     \
    ROW("make: mapped", "G")       \
    ROW("make: old bell", "G")     \
    ROW("make: bell", "G")         \
    ROW("make: header", "G")       \
    ROW("make: magic", "G")        \
    ROW("index: written", "G")     \
    ROW("arm: asked", "G")         \
    ROW("peek: copied", "G")       \
    ROW("advance: position", "G")  \
    ROW("flush: begin", "G")       \
    ROW("flush: words", "G")       \
    ROW("flush: counted", "G")     \
    ROW("unmake: begin", "G")      \
    ROW("unmake: bell", "G")       \
    ROW("unmake: unlinked", "G")   \
    ROW("unmake: unlocked", "G")   \
    ROW("unmake: woken", "G")

#endif

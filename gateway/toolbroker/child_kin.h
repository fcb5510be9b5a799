/* Everything that one child has started, and what that has started in turn,
 * however far it has moved away: into another process group, another session,
 * or from under its parent.
 *
 * Each child has a mark of its own in its environment, which whatever it forks
 * inherits. What has replaced its environment is not found. */
#ifndef GATEWAY_TOOLBROKER_CHILD_KIN_H
#define GATEWAY_TOOLBROKER_CHILD_KIN_H

#include <stdint.h>

/* The variable that holds the mark. */
#define CHILD_KIN_VARIABLE "VOXRING_CHILD"

struct child_kin {
    uint32_t count; /* processes, without the child itself */
    uint64_t bytes; /* that they and the child take; what several share is
                     * divided among them */
};

/* Counts the processes of this user whose environment has this mark; the child
 * itself is `pid`. Reads all of /proc: some milliseconds. [any] */
void child_kin_measure(const char *mark, int pid, struct child_kin *kin);

/* Kills every process of this user whose environment has this mark. Reads all
 * of /proc: some milliseconds. [any] */
void child_kin_kill(const char *mark);

#endif

/* The one movement that the robot can be making, on a thread of its own.
 *
 * It goes on only while somebody wants it to: it ends when its call is
 * cancelled, when motion_stop() is called, when the base falls silent, and, as
 * the base hears from this thread four times a second, when this process dies.
 */
#ifndef TOOLS_PLUGINS_ROBOT_MOTION_H
#define TOOLS_PLUGINS_ROBOT_MOTION_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "tools/voxring_tool.h"

/* Begins to move: sends `command`, which it takes, and completes the call when
 * the movement has ended. Completes it at once, as failed, if the robot is
 * moving already. [any] */
void motion_begin(const struct voxring_host *host, uint64_t token,
                  cJSON *command);

/* No movement that was begun before this goes on after it, whatever the base
 * has heard by other ways. [any] */
void motion_stop(void);

/* Waits for the end of the last movement's thread. [worker] */
void motion_fini(void);

#endif

/* Opens a session's ring, waiting for a gateway that is just starting. */
#ifndef IPC_CLI_RING_H
#define IPC_CLI_RING_H

#include "ipc/cli/command.h"
#include "ipc/voxring.h"

/* Becomes the producer of `session`. CLI_DONE: *writer is the caller's.
 * Otherwise a line was printed, but for CLI_INTERRUPTED. [any] */
int ring_open_writer(struct cli *cli, const char *session,
                     struct vr_writer **writer);

/* Opens a ring for reading, as *options says (its runtime_dir and name are
 * filled in here). As ring_open_writer(). [any] */
int ring_open_reader(struct cli *cli, const char *session,
                     struct vr_options *options, struct vr_reader **reader);

#endif

/* Which rings a command is about. */
#ifndef IPC_CLI_RING_PICK_H
#define IPC_CLI_RING_PICK_H

#include "ipc/cli/command.h"
#include "ipc/ring_view.h"

/* What is looked for, read from the command line. */
struct ring_pick {
    char instance[RING_INSTANCE_BYTES]; /* "": every one */
    char *const *words; /* sessions or rings' names; each finds some */
    int word_count;     /* 0: all rings */
};

/* The words are checked; --runtime-dir means that folder's instance, or the one
 * that VOXRING_INSTANCE names. CLI_DONE, or another after a line was printed.
 * [any] */
int ring_pick_init(struct ring_pick *pick, struct cli *cli, char *const *words,
                   int word_count);

/* The rings there are now of those looked for, to be freed with
 * ring_view_list_free(). CLI_DONE also if there are none. [any] */
int ring_pick_read(const struct ring_pick *pick, const struct cli *cli,
                   struct ring_view_list *list);

/* Insists that each word has found a ring: CLI_ABSENT after a line. [any] */
int ring_pick_check(const struct ring_pick *pick, const struct cli *cli,
                    const struct ring_view_list *list);

#endif

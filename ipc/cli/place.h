/* Where this program is, and what comes with it. */
#ifndef IPC_CLI_PLACE_H
#define IPC_CLI_PLACE_H

#include <stdbool.h>
#include <stddef.h>

/* The path of `name`, relative to the folder of this program, if it can be
 * read. [any] */
bool place_find(const char *name, char *path, size_t path_bytes);

/* The folder of voxring_tool.h: installed with this program, or the source tree
 * that it was built in. [any] */
bool place_find_header(char *folder, size_t folder_bytes);

#endif

/* A ring as JSON: README.md lists the members. */
#ifndef IPC_CLI_RING_JSON_H
#define IPC_CLI_RING_JSON_H

#include <cjson/cJSON.h>

#include "ipc/ring_view.h"

/* With `whole` all that `ring stat` tells, else what `ring ls` does. The
 * caller's, by cJSON_Delete(); NULL: no memory. [any] */
cJSON *ring_json(const struct ring_view *view,
                 const struct ring_view_name *name, bool whole);

/* A ring that could not be opened. As ring_json(). [any] */
cJSON *ring_json_closed(const struct ring_view *view,
                        const struct ring_view_name *name);

#endif

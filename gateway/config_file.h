/* Reading a whole small file, with a limit and a sentence for what went
 * wrong. */
#ifndef GATEWAY_CONFIG_FILE_H
#define GATEWAY_CONFIG_FILE_H

#include <stddef.h>

#include "ipc/status.h"

/* The contents and a NUL behind them, to be freed by the caller. NULL on
 * failure (VR_NOT_FOUND, VR_DENIED, VR_LIMIT, VR_INVALID for what is no file,
 * VR_NO_MEMORY, VR_SYSTEM), with the sentence in `why`. Devices and pipes are
 * refused, as reading one could wait for ever. [loop] */
char *config_file_read(const char *path, size_t limit_bytes, size_t *bytes,
                       enum vr_status *status, char *why, size_t why_size);

#endif

/* The lines of the control socket: one JSON object asks, one answers. Sans-IO;
 * lines come from outside and may be anything. */
#ifndef GATEWAY_LOCAL_COMMAND_H
#define GATEWAY_LOCAL_COMMAND_H

#include <stddef.h>
#include <stdint.h>

#include "gateway/local/faults.h"
#include "gateway/local/ledger.h"

/* Longest line without its newline. */
#define COMMAND_BYTES_MAX 16384

struct command_target {
    struct faults *faults;
    struct ledger *ledger;
};

/* Carries out one line (without its newline) and gives the answer's JSON text
 * without a newline; NULL without memory. The caller frees it with
 * cJSON_free(). [loop] */
char *command_run(const struct command_target *target, const char *line,
                  size_t bytes, uint64_t now_ms);

/* The answer that refuses, with this reason. [any] */
char *command_refuse(const char *reason);

#endif

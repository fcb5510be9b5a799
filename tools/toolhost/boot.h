/* What the gateway tells a toolhost at birth: one line of JSON in an inherited
 * pipe, descriptor 3, so that the token is in no argument and no environment.
 * The pipe stays open as long as the gateway wants this process to live. */
#ifndef TOOLS_TOOLHOST_BOOT_H
#define TOOLS_TOOLHOST_BOOT_H

#include <stddef.h>
#include <stdint.h>

#include "ipc/status.h"

struct cJSON;

#define BOOT_FD 3
#define BOOT_CALLS_MAX 64u

struct boot {
    char *endpoint;
    char *token;
    char *name;
    char *config_json; /* an object's text */
    size_t result_max_bytes;
    uint64_t memory_bytes;     /* 0: no limit */
    unsigned concurrent_calls; /* 1 to BOOT_CALLS_MAX */
    struct cJSON *mcp;         /* the object `mcp`, or NULL */
};

/* Closes every descriptor above BOOT_FD: nothing the gateway has open is a
 * plugin's business. [any] */
void boot_close_others(void);

/* Reads the line from `fd`. On failure `why` holds a sentence and the boot is
 * empty. The boot is the caller's to boot_fini(). [any] */
enum vr_status boot_read(struct boot *boot, int fd, char *why,
                         size_t why_size) VR_NODISCARD;

/* Frees what is in it. [any] */
void boot_fini(struct boot *boot);

#endif

/* What the bridge was told to do: by the gateway's start message or by a
 * person's command line. */
#ifndef TOOLS_MCP_SETUP_H
#define TOOLS_MCP_SETUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "ipc/status.h"

enum setup_mode {
    SETUP_CHILD, /* the gateway's; ends with the pipe of the start message */
    SETUP_HAND,  /* a worker that somebody started */
    SETUP_CHECK, /* prints the tools */
};

struct setup {
    enum setup_mode mode;
    char *name;     /* the provider's */
    char *endpoint; /* the gateway's socket; NULL in SETUP_CHECK */
    char *token;    /* NULL: none */
    size_t result_max_bytes;
    uint64_t memory_bytes; /* of the server and its children; 0: no limit */
    /* the server: a program or a URL */
    char *command;
    char **args; /* for exec: the command itself first, NULL at the end */
    char **env;  /* NAME=VALUE, NULL at the end: all that it gets */
    char *cwd;   /* NULL: ours */
    char *url;
    char *headers_file; /* NULL: none */
    char *prefix;       /* NULL: none */
    cJSON *allow;       /* array of names, NULL: all */
};

/* Reads the start message on descriptor 3. Fails only where nobody could be
 * told by socket; then `why` is a sentence. [any] */
enum vr_status setup_read_boot(struct setup *setup, char *why,
                               size_t why_size) VR_NODISCARD;

/* Reads the arguments behind the program's name. VR_INVALID: `why` says what
 * is wrong. [any] */
enum vr_status setup_read_arguments(struct setup *setup, int argc, char **argv,
                                    char *why, size_t why_size) VR_NODISCARD;

/* True if the server can be started as it was set up: program, folder, URL,
 * files. If not, `why` names what is wrong and what to change. [any] */
bool setup_usable(const struct setup *setup, char *why, size_t why_size);

/* Frees what is in it. [any] */
void setup_fini(struct setup *setup);

#endif

/* The toolhost's door: the socket to the gateway, on the main thread, which
 * therefore answers whatever the plugin does. */
#ifndef TOOLS_TOOLHOST_GATE_H
#define TOOLS_TOOLHOST_GATE_H

#include "tools/toolhost/boot.h"
#include "tools/toolhost/library.h"

/* Says hello and serves until the gateway closes the boot pipe or SIGTERM
 * comes. `refusal` not NULL: the plugin is not usable; says only that. Returns
 * the exit status. [any] once per process, on the main thread */
int gate_serve(const struct boot *boot, const struct library *library,
               const char *refusal);

#endif

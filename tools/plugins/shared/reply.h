/* How the plugins that come with voxring end a call and tell others.
 *
 * Each answer is an object whose member "text" is a sentence fit to be spoken;
 * the other members are the figures behind it. An error is {"error": sentence}.
 */
#ifndef TOOLS_PLUGINS_SHARED_REPLY_H
#define TOOLS_PLUGINS_SHARED_REPLY_H

#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "tools/voxring_tool.h"

/* Completes the call with `object`, which it takes; NULL (out of memory) is an
 * error that says so. [any] */
void reply_object(const struct voxring_host *host, uint64_t token,
                  cJSON *object);

/* Completes the call with {"text": sentence}. [any] */
void reply_text(const struct voxring_host *host, uint64_t token,
                const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Completes the call as failed with {"error": sentence}; more than 500 bytes
 * are cut. [any] */
void reply_error(const struct voxring_host *host, uint64_t token,
                 const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Tells the bus by a tool.event. `data` is an object, which it takes, or NULL.
 * Returns 0, or -1 if it was not told: the host is older than ABI 1.1, or
 * config does not grant "publish". [any] */
int reply_publish(const struct voxring_host *host, uint64_t token,
                  const char *name, cJSON *data);

/* Copies as much of a text as fits, never half a UTF-8 character; `size` is
 * that of `out` and not 0. [any] */
void reply_cut(char *out, size_t size, const char *text);

#endif

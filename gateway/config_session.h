/* One session's settings, read from JSON. Used by config.c; others call
 * config_session_parse(). */
#ifndef GATEWAY_CONFIG_SESSION_H
#define GATEWAY_CONFIG_SESSION_H

#include <cjson/cJSON.h>

#include "gateway/config.h"
#include "gateway/config_table.h"

/* Reads and completes a session; the model it has if it names none is
 * `config`'s. Problems go to `reader`; if that has no file, the files named must
 * be those of a session of `config`. NULL if there is no memory. Caller frees.
 * [loop] */
struct config_session *config_session_read(const struct config *config,
                                           const char *name, const cJSON *json,
                                           const char *path,
                                           struct config_reader *reader);

#endif

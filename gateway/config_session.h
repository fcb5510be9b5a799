/* One session's settings, read from JSON. Used by config.c; others call
 * config_session_parse(). */
#ifndef GATEWAY_CONFIG_SESSION_H
#define GATEWAY_CONFIG_SESSION_H

#include <cjson/cJSON.h>

#include "gateway/config.h"
#include "gateway/config_table.h"

/* Reads and completes a session; `model` is what it has if it names none.
 * Problems go to `reader`; NULL if there is no memory for it. Caller frees.
 * [any] */
struct config_session *config_session_read(const char *name, const char *model,
                                           const cJSON *json, const char *path,
                                           struct config_reader *reader);

#endif

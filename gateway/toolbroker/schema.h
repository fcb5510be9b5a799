/* Checks a tool's input against its JSON Schema before a plugin sees it.
 *
 * Of JSON Schema, what tool schemas use and a model can get wrong: type (one
 * or several), required, enum, and these again inside properties and items.
 * Other keywords are not looked at; a tool checks those itself. */
#ifndef GATEWAY_TOOLBROKER_SCHEMA_H
#define GATEWAY_TOOLBROKER_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

/* True if `value` passes. If not, `why` holds a sentence naming the member,
 * what it is and what it must be. Both trees are borrowed. [any] */
bool schema_check(const cJSON *schema, const cJSON *value, char *why,
                  size_t why_size);

#endif

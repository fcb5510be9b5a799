/* URLs: which are allowed, which belong together, where a card is. */
#ifndef TOOLS_PLUGINS_AGENT_SEARCH_ADDRESS_H
#define TOOLS_PLUGINS_AGENT_SEARCH_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#define ADDRESS_BYTES 1024

/* Whether it is an absolute http or https URL without a user or a password,
 * shorter than ADDRESS_BYTES; otherwise `why` gets what it is not. [any] */
bool address_is_good(const char *url, char *why, size_t why_bytes);

/* Whether two good URLs have the same scheme, host and port. [any] */
bool address_same_origin(const char *url, const char *other);

/* The URL of a well-known file of the agent at a good URL `base`, as
 * "https://host/base/.well-known/NAME"; query and fragment are dropped. False
 * if it does not fit. [any] */
bool address_well_known(const char *base, const char *name, char *url,
                        size_t url_bytes);

#endif

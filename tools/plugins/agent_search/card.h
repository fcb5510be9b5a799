/* An agent's card: where it is and how it wants to be spoken to. */
#ifndef TOOLS_PLUGINS_AGENT_SEARCH_CARD_H
#define TOOLS_PLUGINS_AGENT_SEARCH_CARD_H

#include <stdbool.h>
#include <stddef.h>

#include "tools/plugins/agent_search/address.h"
#include "tools/plugins/agent_search/rpc.h"

struct card {
    char url[ADDRESS_BYTES]; /* of its JSON-RPC interface; a good address */
    char tenant[128];        /* 1.0: goes into each request; "" for none */
    enum dialect dialect;
    bool streaming;
};

/* Reads a card of A2A 0.2, 0.3 or 1.x and picks the JSON-RPC interface of the
 * newest version that this plugin speaks; a card that is only reached otherwise
 * (gRPC, HTTP+JSON) is refused. On false `why` says what is wrong, as the end
 * of a sentence that begins with "its card". [any] */
bool card_read(struct card *card, const char *json, size_t bytes, char *why,
               size_t why_bytes);

#endif

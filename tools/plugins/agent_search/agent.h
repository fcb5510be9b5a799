/* An agent as this plugin knows it: its settings and, once it was asked for,
 * its card. */
#ifndef TOOLS_PLUGINS_AGENT_SEARCH_AGENT_H
#define TOOLS_PLUGINS_AGENT_SEARCH_AGENT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/plugins/agent_search/card.h"
#include "tools/plugins/agent_search/exchange.h"
#include "tools/plugins/agent_search/settings.h"

struct agent {
    const struct agent_settings *settings;
    unsigned number;
    pthread_mutex_t lock; /* of what follows */
    struct card card;
    uint64_t card_ns; /* when it was fetched; 0: never */
};

/* An agent whose card is not known yet. The settings must outlive it. [any] */
void agent_init(struct agent *agent, const struct agent_settings *settings,
                unsigned number);

/* Gives back what it holds. [any] */
void agent_fini(struct agent *agent);

/* Copies the agent's card, which is fetched when it is older than ten minutes.
 * `request` has the headers, the deadline and the stop; its URL is not looked
 * at. On another end than EXCHANGE_DONE there is no card, and `why` is the end
 * of a sentence that begins with "The agent NAME cannot be asked:". [any] */
enum exchange_end agent_card(struct agent *agent, struct exchange *exchange,
                             const struct exchange_request *request,
                             struct card *card, char *why, size_t why_bytes);

/* Forgets the card: what it says is not so. [any] */
void agent_forget_card(struct agent *agent);

#endif

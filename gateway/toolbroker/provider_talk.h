/* What a provider's workers say: hello, their tools, answers, log lines. */
#ifndef GATEWAY_TOOLBROKER_PROVIDER_TALK_H
#define GATEWAY_TOOLBROKER_PROVIDER_TALK_H

#include "gateway/toolbroker/provider.h"

/* The worker of this connection, or the one that waits for this token; NULL if
 * there is none. [loop] */
struct worker *provider_talk_find_peer(const struct provider *provider,
                                       const struct router_peer *peer);
struct worker *provider_talk_find_token(const struct provider *provider,
                                        const char *token);

/* A hello with the right token arrived from `peer`. [loop] */
void provider_talk_hello(struct worker *worker, const struct router_peer *peer,
                         const struct worker_message *message);

/* Says hello to a worker that is known already. [loop] */
void provider_talk_hello_again(struct worker *worker,
                               const struct worker_message *message);

/* Asks for lists of tools that have changed; returns when to come again,
 * UINT64_MAX for never. [loop] */
uint64_t provider_talk_tick(struct provider *provider, uint64_t now_ns);

/* Any other message of a known worker. [loop] */
void provider_talk_message(struct worker *worker,
                           const struct worker_message *message);

/* Sends a malloc'ed text, which it takes; what cannot be sent is counted.
 * [loop] */
void provider_talk_send(struct worker *worker, char *text);

#endif

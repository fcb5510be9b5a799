/* What the workers of one name offer, each and together. */
#ifndef GATEWAY_TOOLBROKER_REMOTE_TOOLS_H
#define GATEWAY_TOOLBROKER_REMOTE_TOOLS_H

#include "gateway/toolbroker/provider.h"

/* Takes the tools of an answer to tools/list that config lets the worker
 * offer. VR_PROTOCOL or VR_NO_MEMORY with a sentence in `why`: it offers what
 * it offered before. [loop] */
enum vr_status remote_tools_take(struct worker *worker, const cJSON *result,
                                 char *why, size_t why_size) VR_NODISCARD;

/* It offers nothing any more. [loop] */
void remote_tools_drop(struct worker *worker);

/* Whether it can be asked for this one. [loop] */
bool remote_tools_offers(const struct worker *worker, const char *tool);

/* Makes the provider offer what its workers offer; of tools that differ, that
 * of the first one that lives. [loop] */
void remote_tools_unite(struct provider *provider);

#endif

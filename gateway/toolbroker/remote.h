/* A provider whose workers are processes of somebody's own: they connect, say
 * hello and leave as they like. Those that say one name are one provider and
 * share its calls.
 *
 * It is made by the first hello and leaves when its last worker has said bye,
 * or is dead for worker_grace_ms. In that time its tools stay, and calls wait
 * for a successor. A worker is dead when nothing was heard of it for
 * worker_expires_ms: nobody can see its connection end. */
#ifndef GATEWAY_TOOLBROKER_REMOTE_H
#define GATEWAY_TOOLBROKER_REMOTE_H

#include "gateway/toolbroker/provider.h"

#define REMOTE_PROVIDERS_MAX 32 /* names */
#define REMOTE_SHARERS_MAX 16   /* workers of one name */
#define REMOTE_WORKERS_MAX 64   /* of all names, dead ones in their grace too */

/* A provider without workers, ready to be joined. NULL when memory is out.
 * [loop] */
struct provider *remote_new(const struct provider_context *context,
                            const char *name);

/* A worker that may offer tools has said this hello, and gets its answer.
 * VR_NO_MEMORY. [loop] */
enum vr_status remote_join(struct provider *provider,
                           const struct router_peer *peer,
                           const struct worker_message *hello) VR_NODISCARD;

/* Something arrived from it: it lives. [loop] */
void remote_heard(struct worker *worker, uint64_t now_ns);

/* It has said bye, or hello under another name. Its calls fail. [loop] */
void remote_bye(struct worker *worker);

/* Somebody else has the right to its name: its workers are told `reason`, and
 * it leaves. [loop] */
void remote_evict(struct provider *provider, const char *reason);

/* Frees its worker that has been dead for longest; without any it leaves.
 * False if there is none. [loop] */
bool remote_forget_dead(struct provider *provider);

/* Its workers that live. [loop] */
size_t remote_living(const struct provider *provider);

/* Whether calls of names that nobody offers may go to it. [loop] */
bool remote_catches_all(const struct provider *provider);

#endif

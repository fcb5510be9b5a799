/* What every session of a daemon shares. Filled by the gateway before the
 * first session and constant afterwards. */
#ifndef GATEWAY_SESSION_SERVICES_H
#define GATEWAY_SESSION_SERVICES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "gateway/bedrock/credentials.h"
#include "gateway/bedrock/stream.h"
#include "gateway/config.h"
#include "gateway/events/bus.h"
#include "gateway/session/slots.h"
#include "gateway/toolbroker/broker.h"

struct services {
    uv_loop_t *loop;
    struct bedrock_client *client;
    struct bus *bus;
    struct broker *broker;
    const struct config *config;
    const char *runtime_dir;
    const char *instance;
    /* The local endpoint's, NULL: looked for at each open. */
    const struct credentials *credentials;
    const char *endpoint; /* overrides the configuration's, may be NULL */
    const char *ca_file;
    struct slots *slots;      /* room for streams */
    int64_t *clock_offset_ms; /* the endpoint's clock less ours; 0: believed */
    const char *ready_clip;   /* the WAV file spoken to a model that takes no
                                 text, so that it speaks first; may be NULL */
    bool ring_shared;         /* with the members of ring_group */
    gid_t ring_group;
};

#endif

/* Whether a request may open a stream: route, signature, scope, date, model.
 * Every refusal carries AWS's own error and words that say what was wrong. */
#ifndef GATEWAY_LOCAL_VERIFY_H
#define GATEWAY_LOCAL_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/local/chain.h"
#include "gateway/local/refusal.h"
#include "gateway/local/request.h"

/* How far a date may be from ours, in ms; AWS's own figure. */
#define VERIFY_SKEW_MS (5 * 60 * 1000)

/* Who may come in. */
struct verify_keys {
    const char *access_key_id;
    const char *secret_access_key;
    const char *session_token; /* "" for long-lived keys */
    const char *region;        /* NULL: any well-formed region */
};

#define VERIFY_MODEL_BYTES 256

/* Checks method and path and gives the decoded model id, which need not be a
 * known one. [any] */
bool verify_route(const struct request *request,
                  char model_id[VERIFY_MODEL_BYTES], struct refusal *refusal);

/* Checks the request's SigV4 signature at wall clock `now_ms` and starts the
 * chain of chunk signatures from it. [any] */
bool verify_signature(const struct verify_keys *keys,
                      const struct request *request, int64_t now_ms,
                      struct chain *chain, struct refusal *refusal);

/* Checks that the model is a Nova Sonic one; an ARN of a foundation model is
 * cut down to its id in place. [any] */
bool verify_model(char model_id[VERIFY_MODEL_BYTES], struct refusal *refusal);

#endif

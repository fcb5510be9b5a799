/* AWS credentials: where they come from, and what was tried.
 *
 * Sources here, in this order: the environment (AWS_ACCESS_KEY_ID,
 * AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN), then a profile of the shared
 * credentials and config files. */
#ifndef GATEWAY_BEDROCK_CREDENTIALS_H
#define GATEWAY_BEDROCK_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/status.h"

struct credentials {
    char access_key_id[132];
    char secret_access_key[132];
    char session_token[4096]; /* "" for long-lived keys */
    char source[160];         /* "environment", "profile robot in FILE" */
    int64_t expires_ms;       /* wall clock, 0 = unknown or never */
};

/* Looks for credentials. `profile` NULL means AWS_PROFILE, else "default"; a
 * named profile is taken before the environment, as AWS's SDKs do. On failure
 * (VR_AUTH) `tried` holds one sentence that names each source tried, what was
 * wrong with it (missing, or half: which variable lacks) and what to do. Reads
 * files, so it may block for a local file system's time. [loop] */
enum vr_status credentials_load(const char *profile, struct credentials *out,
                                char *tried, size_t tried_size) VR_NODISCARD;

/* Overwrites every secret byte, in a way the compiler keeps. [any] */
void credentials_wipe(struct credentials *credentials);

#endif

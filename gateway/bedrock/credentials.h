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
    bool from_file;           /* credentials_may_change() */
};

/* Looks for credentials. A `profile` given (not NULL or "") is the only source
 * asked, as with AWS's SDKs; else the environment is, then the profile that
 * AWS_PROFILE names, then "default". Files are AWS_SHARED_CREDENTIALS_FILE and
 * AWS_CONFIG_FILE, or credentials and config in ~/.aws; the keys of the former
 * go before those of the latter. Half a pair of keys, a malformed file or a
 * profile that asks for what is not built in (a role, single sign-on, a
 * process) ends the search, so that no other identity is used by surprise. On
 * failure `out` is empty and `tried` holds sentences that name each source
 * tried, what was wrong with it and what to do, and no secret; on success
 * `tried` is "". 1 KiB is enough but for long paths. VR_AUTH, or VR_NO_MEMORY,
 * after which the same search may find some. Reads files, so it may block for
 * a local file system's time.
 *
 * When they expire is told beside the keys, and only there: by
 * AWS_CREDENTIAL_EXPIRATION in the environment ('aws configure
 * export-credentials' writes it), or in the profile by the first of
 * aws_credential_expiration, aws_expiration, x_security_token_expires (saml2aws
 * and many others) and expiration that is there, in the file that holds the
 * keys. Each is a time as in RFC 3339. One that is malformed, or has no zone,
 * counts as unknown and is logged: it never costs the keys. Credentials that
 * have expired are given out all the same: `expires_ms` tells. [loop] */
enum vr_status credentials_load(const char *profile, struct credentials *out,
                                char *tried, size_t tried_size) VR_NODISCARD;

/* Whether both are the same identity: access key, secret and token. Source and
 * expiry do not count. Takes the same time whatever the values are. [any] */
bool credentials_same(const struct credentials *a, const struct credentials *b);

/* Whether looking again can find other ones: files change, the environment of
 * a running process does not. [any] */
bool credentials_may_change(const struct credentials *credentials);

/* Overwrites every secret byte, in a way the compiler keeps. [any] */
void credentials_wipe(struct credentials *credentials);

#endif

/* The format of AWS's shared config and credentials files, as AWS's SDKs read
 * it: text in, profiles and properties out. */
#ifndef GATEWAY_BEDROCK_PROFILE_H
#define GATEWAY_BEDROCK_PROFILE_H

#include <stddef.h>

#include "ipc/status.h"

/* The config file names profiles "[profile NAME]" (and "[default]"), the
 * credentials file "[NAME]". */
enum profile_file { PROFILE_CONFIG, PROFILE_CREDENTIALS };

/* Called in the file's order; strings live until the call returns. */
struct profile_sink {
    void (*on_profile)(void *arg, const char *profile);
    /* `key` is in lower case. A later property of the same profile and key
     * replaces an earlier one. Sub-properties stand in `value` as lines. */
    void (*on_property)(void *arg, const char *profile, const char *key,
                        const char *value);
};

/* Reads a whole file's text. Sections that are no profile and properties with
 * an impossible name are skipped; where "[profile default]" exists,
 * "[default]" is. VR_INVALID: the text is malformed, and `problem` says in
 * which line and why without quoting the line, as it may hold a secret; some
 * properties may have been passed on by then. VR_NO_MEMORY. [any] */
enum vr_status profile_parse(enum profile_file file, const char *text,
                             size_t bytes, const struct profile_sink *sink,
                             void *arg, char *problem,
                             size_t problem_size) VR_NODISCARD;

#endif

/* The parser of AWS's config and credentials files, and that of the times in
 * them.
 *
 * fuzz-module: gateway/bedrock/profile.c gateway/bedrock/date.c
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/bedrock/date.h"
#include "gateway/bedrock/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Nothing passed on may be longer than the text. */
struct bound {
    size_t bytes;
    unsigned profiles;
};

static void
on_profile(void *arg, const char *profile)
{
    struct bound *bound = arg;

    bound->profiles++;
    if (strlen(profile) > bound->bytes || !*profile)
        abort();
}

static void
on_property(void *arg, const char *profile, const char *key, const char *value)
{
    struct bound *bound = arg;

    if (!bound->profiles || !*profile || !*key || strlen(key) > bound->bytes ||
        strlen(value) > bound->bytes)
        abort();
    /* From 1970, less a zone, to the end of 9999 and a zone. */
    int64_t ms = date_iso_ms(value);
    if (ms < -86400000 || ms > 253402300800000 + 86400000)
        abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct profile_sink sink = {on_profile, on_property};
    char *text = malloc(size ? size : 1);

    memcpy(text, data, size);
    for (int file = PROFILE_CONFIG; file <= PROFILE_CREDENTIALS; file++) {
        struct bound bound = {.bytes = size};
        char problem[128] = "";

        if (profile_parse((enum profile_file)file, text, size, &sink, &bound,
                          problem, sizeof problem) &&
            !*problem)
            abort();
    }
    free(text);
    return 0;
}

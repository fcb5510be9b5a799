#include "tools/plugins/agent_search/address.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

/* A parsed URL, or NULL. The caller's to curl_url_cleanup(). */
static CURLU *
parse(const char *url)
{
    CURLU *parsed = curl_url();

    if (parsed && curl_url_set(parsed, CURLUPART_URL, url,
                               CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK) {
        curl_url_cleanup(parsed);
        parsed = NULL;
    }
    return parsed;
}

/* A part of it, or NULL. The caller's to curl_free(). */
static char *
part_of(CURLU *parsed, CURLUPart what)
{
    char *part = NULL;

    curl_url_get(parsed, what, &part, CURLU_DEFAULT_PORT);
    return part;
}

bool
address_is_good(const char *url, char *why, size_t why_bytes)
{
    CURLU *parsed = strlen(url) < ADDRESS_BYTES ? parse(url) : NULL;
    char *scheme = parsed ? part_of(parsed, CURLUPART_SCHEME) : NULL;
    char *user = parsed ? part_of(parsed, CURLUPART_USER) : NULL;
    bool good = false;

    if (!parsed || !scheme)
        snprintf(why, why_bytes, "is no URL of less than %d bytes",
                 ADDRESS_BYTES);
    else if (strcasecmp(scheme, "http") != 0 &&
             strcasecmp(scheme, "https") != 0)
        snprintf(why, why_bytes, "is neither http nor https");
    else if (user)
        snprintf(why, why_bytes,
                 "has a user in it; put credentials into "
                 "headers_file");
    else
        good = true;
    curl_free(user);
    curl_free(scheme);
    curl_url_cleanup(parsed);
    return good;
}

static bool
same_part(CURLU *one, CURLU *other, CURLUPart what)
{
    char *a = part_of(one, what);
    char *b = part_of(other, what);
    bool same = a && b && strcasecmp(a, b) == 0;

    curl_free(a);
    curl_free(b);
    return same;
}

bool
address_same_origin(const char *url, const char *other)
{
    CURLU *a = parse(url);
    CURLU *b = parse(other);
    bool same = a && b && same_part(a, b, CURLUPART_SCHEME) &&
                same_part(a, b, CURLUPART_HOST) &&
                same_part(a, b, CURLUPART_PORT);

    curl_url_cleanup(a);
    curl_url_cleanup(b);
    return same;
}

bool
address_well_known(const char *base, const char *name, char *url,
                   size_t url_bytes)
{
    size_t n = strcspn(base, "?#");
    int written;

    while (n > 0 && base[n - 1] == '/')
        n--;
    written =
        snprintf(url, url_bytes, "%.*s/.well-known/%s", (int)n, base, name);
    return written > 0 && (size_t)written < url_bytes;
}

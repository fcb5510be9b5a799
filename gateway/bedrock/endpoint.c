#include "gateway/bedrock/endpoint.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char scheme[] = "https://";

static bool
one_of(char c, const char *more)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           (c && strchr(more, c));
}

static bool
all_of(const char *text, const char *more)
{
    while (one_of(*text, more))
        text++;
    return !*text;
}

/* Where the host ends: at ':', '/' or the end, in brackets only behind them. */
static const char *
host_end(const char *host)
{
    if (*host == '[') {
        const char *bracket = strchr(host, ']');
        return bracket ? bracket + 1 : host;
    }
    return host + strcspn(host, ":/?#");
}

static bool
host_take(struct endpoint *endpoint, const char *host, size_t bytes)
{
    if (!bytes || bytes >= sizeof(endpoint->host))
        return false;
    for (size_t i = 0; i < bytes; i++) {
        char c = host[i];
        endpoint->host[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    endpoint->host[bytes] = '\0';
    if (*host != '[')
        return all_of(endpoint->host, ".-_");
    char address[ENDPOINT_HOST_BYTES];
    snprintf(address, sizeof(address), "%.*s", (int)bytes - 2,
             endpoint->host + 1);
    return bytes > 2 && all_of(address, ":.");
}

/* ":PORT" or nothing, then "/" or nothing. */
static bool
port_take(struct endpoint *endpoint, const char *rest)
{
    unsigned port = 443;

    if (*rest == ':') {
        const char *digit = rest + 1;
        for (port = 0; *digit >= '0' && *digit <= '9' && port < 65536; digit++)
            port = port * 10 + (unsigned)(*digit - '0');
        if (digit == rest + 1)
            return false;
        rest = digit;
    }
    endpoint->port = (uint16_t)port;
    return port > 0 && port < 65536 &&
           (!strcmp(rest, "") || !strcmp(rest, "/"));
}

static void
authority_make(struct endpoint *endpoint)
{
    if (endpoint->port == 443)
        snprintf(endpoint->authority, sizeof(endpoint->authority), "%s",
                 endpoint->host);
    else
        snprintf(endpoint->authority, sizeof(endpoint->authority), "%s:%u",
                 endpoint->host, endpoint->port);
}

static enum vr_status
of_region(struct endpoint *endpoint, const char *region)
{
    bool china = !strncmp(region, "cn-", 3);

    snprintf(endpoint->host, sizeof(endpoint->host),
             "bedrock-runtime.%s.amazonaws.com%s", region, china ? ".cn" : "");
    endpoint->port = 443;
    authority_make(endpoint);
    return VR_OK;
}

enum vr_status
endpoint_parse(struct endpoint *endpoint, const char *text, const char *region,
               char *problem, size_t problem_size)
{
    *endpoint = (struct endpoint){0};
    if (!region || !*region || strlen(region) > 32 || !all_of(region, "-")) {
        snprintf(problem, problem_size,
                 "region \"%.40s\" is not the name of an AWS region; it looks "
                 "like us-east-1",
                 region ? region : "");
        return VR_INVALID;
    }
    if (!text)
        return of_region(endpoint, region);
    if (strncasecmp(text, scheme, strlen(scheme))) {
        snprintf(problem, problem_size,
                 "endpoint \"%.200s\" does not begin with https://; only TLS "
                 "endpoints are supported",
                 text);
        return VR_INVALID;
    }
    const char *host = text + strlen(scheme);
    const char *end = host_end(host);
    if (!host_take(endpoint, host, (size_t)(end - host)) ||
        !port_take(endpoint, end)) {
        snprintf(problem, problem_size,
                 "endpoint \"%.200s\" is not of the form https://host or "
                 "https://host:port (no user, path or query)",
                 text);
        return VR_INVALID;
    }
    authority_make(endpoint);
    return VR_OK;
}

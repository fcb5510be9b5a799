#include "gateway/bedrock/failure.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum bedrock_end_cause
cause_of_connect(const struct failure *failure)
{
    if (failure->os_error == ECONNREFUSED)
        return BEDROCK_END_refused;
    if (failure->os_error == ETIMEDOUT)
        return BEDROCK_END_connect_timeout;
    return BEDROCK_END_network;
}

static enum bedrock_end_cause
cause_of(const struct failure *failure)
{
    if (strstr(failure->detail, FAILURE_PROXY_MARK) ||
        (failure->proxy_status && failure->proxy_status / 100 != 2))
        return BEDROCK_END_proxy;
    if (failure->no_alpn)
        return BEDROCK_END_no_h2;
    switch (failure->result) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return BEDROCK_END_dns;
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_PROXY:
        return BEDROCK_END_proxy;
    case CURLE_COULDNT_CONNECT:
        return cause_of_connect(failure);
    case CURLE_OPERATION_TIMEDOUT:
        return BEDROCK_END_connect_timeout;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_ENGINE_INITFAILED:
        return BEDROCK_END_tls;
    default:
        return BEDROCK_END_network;
    }
}

static void
remedy_of_tls(const struct failure *failure, char *out, size_t size)
{
    if (failure->result == CURLE_SSL_CACERT_BADFILE)
        snprintf(out, size,
                 "; check that ca_file \"%s\" exists, can be read and holds "
                 "PEM certificates",
                 failure->ca_file ? failure->ca_file : "(the system's)");
    else if (failure->result == CURLE_PEER_FAILED_VERIFICATION)
        snprintf(out, size,
                 "; if the endpoint or a TLS-inspecting proxy has a "
                 "certificate of its own, set ca_file to the PEM file of the "
                 "authority that signed it; check the clock too");
}

/* libcurl's message names the host it failed at, not that it is a proxy. */
#define PROXY_HINT                                                        \
    "; if that is not the endpoint, it is the proxy that HTTPS_PROXY or " \
    "ALL_PROXY names"

static bool
proxy_is_set(void)
{
    static const char *const names[] = {"HTTPS_PROXY", "https_proxy",
                                        "ALL_PROXY", "all_proxy"};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        const char *value = getenv(names[i]);

        if (value && *value)
            return true;
    }
    return false;
}

static void
remedy_of(const struct failure *failure, enum bedrock_end_cause cause,
          char *out, size_t size)
{
    *out = '\0';
    if (cause == BEDROCK_END_tls)
        remedy_of_tls(failure, out, size);
    else if (cause == BEDROCK_END_dns)
        snprintf(out, size,
                 "; check the endpoint or region, and this machine's DNS");
    else if (cause == BEDROCK_END_connect_timeout)
        snprintf(out, size,
                 "; DNS, connecting and the TLS handshake must be done in "
                 "time: check the network path and connect_timeout_ms");
    else if (cause == BEDROCK_END_refused)
        snprintf(out, size, "; nothing listens there, or a firewall refuses%s",
                 proxy_is_set() ? PROXY_HINT : "");
    else if (cause == BEDROCK_END_proxy)
        snprintf(out, size,
                 "; the proxy comes from HTTPS_PROXY or ALL_PROXY, NO_PROXY "
                 "names hosts that need none");
}

enum bedrock_end_cause
failure_explain(const struct failure *failure, char *message,
                size_t message_size)
{
    enum bedrock_end_cause cause = cause_of(failure);
    char remedy[400];
    const char *detail = *failure->detail ? failure->detail
                                          : curl_easy_strerror(failure->result);

    if (cause == BEDROCK_END_no_h2) {
        failure_explain_no_h2(failure->endpoint, message, message_size);
        return cause;
    }
    if (strstr(failure->detail, FAILURE_PROXY_MARK))
        detail = "the proxy is reached by https://, which is not supported; "
                 "use a proxy that is reached by http:// (what goes through "
                 "it stays encrypted)";
    remedy_of(failure, cause, remedy, sizeof(remedy));
    snprintf(message, message_size, "Connecting to %s: %s%s",
             failure->endpoint->authority, detail, remedy);
    return cause;
}

/* libcurl returns one code for every failure, but OpenSSL's errors carry
 * their library: 0x0A is TLS. */
enum bedrock_end_cause
failure_explain_session(const struct failure *failure, char *message,
                        size_t message_size)
{
    bool tls = strstr(failure->detail, "error:0A") ||
               strstr(failure->detail, "SSL routines");

    snprintf(message, message_size, "Connection to %s: %s",
             failure->endpoint->authority,
             *failure->detail ? failure->detail : "lost");
    return tls ? BEDROCK_END_tls : BEDROCK_END_network;
}

void
failure_explain_no_h2(const struct endpoint *endpoint, char *message,
                      size_t message_size)
{
    snprintf(message, message_size,
             "%s did not agree to HTTP/2 (h2 by ALPN), without which there is "
             "no two-way stream; check that the endpoint is a Bedrock runtime "
             "endpoint and that no TLS-inspecting proxy stands before it",
             endpoint->authority);
}

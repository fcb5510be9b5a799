/* What a failed connection means, and what to do about it. */
#ifndef GATEWAY_BEDROCK_FAILURE_H
#define GATEWAY_BEDROCK_FAILURE_H

#include <curl/curl.h>
#include <stdbool.h>

#include "gateway/bedrock/endpoint.h"
#include "gateway/bedrock/stream.h"

/* No file has this name, so that the handshake with an https:// proxy, and
 * nothing else, fails with an error that shows it. */
#define FAILURE_PROXY_MARK "/voxring-supports-no-https-proxy"

struct failure {
    CURLcode result;
    const char *detail; /* libcurl's error buffer */
    long os_error;      /* CURLINFO_OS_ERRNO */
    long proxy_status;  /* CURLINFO_HTTP_CONNECTCODE */
    bool no_alpn;       /* the peer's alert was no_application_protocol */
    const char *ca_file;
    const struct endpoint *endpoint;
};

/* Classifies; `message` gets the sentences for the log and the bus. [loop] */
enum bedrock_end_cause failure_explain(const struct failure *failure,
                                       char *message, size_t message_size);

/* The same for a connection that stood: only `detail` and `endpoint` count.
 * [loop] */
enum bedrock_end_cause failure_explain_session(const struct failure *failure,
                                               char *message,
                                               size_t message_size);

/* The message for a peer that did not agree to h2. [loop] */
void failure_explain_no_h2(const struct endpoint *endpoint, char *message,
                           size_t message_size);

#endif

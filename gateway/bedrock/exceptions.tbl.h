/* What errors mean and what to do about them (PROTOCOL 5): tables; the reader
 * defines the macro of the one it wants. */

/* Kinds of error: name, what it is. */
#ifdef CLASSIFY_KIND
CLASSIFY_KIND(unknown, "nothing is known about it")
CLASSIFY_KIND(auth, "AWS does not accept the credentials")
CLASSIFY_KIND(access, "the credentials do not allow it")
CLASSIFY_KIND(signature, "the signature is refused: key or clock are wrong")
CLASSIFY_KIND(clock, "the machine's clock is wrong")
CLASSIFY_KIND(model, "the model is not offered, or not here")
CLASSIFY_KIND(validation_config, "a setting is refused")
CLASSIFY_KIND(throttle, "too many requests in a short time")
CLASSIFY_KIND(quota, "the account's quota is used up")
CLASSIFY_KIND(limit_8min, "a stream lives at most 8 minutes")
CLASSIFY_KIND(idle, "the stream was quiet for too long")
CLASSIFY_KIND(transient, "the service failed, trying again may help")
CLASSIFY_KIND(content, "the service's content filter stopped it")
CLASSIFY_KIND(tool, "a tool's result is refused")
CLASSIFY_KIND(client_bug, "events came in an order the service refuses")
CLASSIFY_KIND(network, "the endpoint cannot be reached, or was lost")
CLASSIFY_KIND(endpoint, "what answers is no Bedrock endpoint")
#undef CLASSIFY_KIND
#endif

/* What to do: name, what that is. */
#ifdef CLASSIFY_ACTION
CLASSIFY_ACTION(give_up, "nothing helps before a person changes something")
CLASSIFY_ACTION(stay, "the stream goes on; if it is over, as reconnect")
CLASSIFY_ACTION(reconnect, "open a new stream with the history, at once")
CLASSIFY_ACTION(back_off, "open a new stream with the history, after a while")
CLASSIFY_ACTION(refresh, "look for credentials again, then open a new stream")
#undef CLASSIFY_ACTION
#endif

/* Errors that AWS names: code, part of the message, HTTP status, kind, action,
 * remedy. "" and 0 match anything. The first row that matches counts, so
 * messages come before the codes they come with, statuses come last. */
#ifdef CLASSIFY_ERROR
#define REMEDY_MODEL                                                           \
    "Set bedrock.model to amazon.nova-2-sonic-v1:0 or amazon.nova-2-5-sonic, " \
    "and bedrock.region to one that has it: us-east-1, us-west-2, "            \
    "ap-northeast-1 or eu-north-1"
#define REMEDY_SUCCESSOR                                                       \
    "The model is no longer offered: set bedrock.model to its successor, "     \
    "amazon.nova-2-sonic-v1:0 or amazon.nova-2-5-sonic"
#define REMEDY_KEYS                                                            \
    "Check the credentials: the access key must exist and be active, and the " \
    "secret must belong to it"
#define REMEDY_TOKEN                                                           \
    "The session token has run out: write new temporary credentials to the "   \
    "profile, where they are found by themselves; credentials in the "         \
    "environment need a restart"
#define REMEDY_POLICY                                                          \
    "Allow bedrock:InvokeModel and "                                           \
    "bedrock:InvokeModelWithBidirectionalStream on the model's ARN in the "    \
    "IAM policy of these credentials"
#define REMEDY_CLOCK                                                           \
    "Set the machine's clock, for example by NTP: AWS accepts five minutes "   \
    "of difference"
#define REMEDY_WAIT "Nothing is wrong on this side: wait a while"
#define REMEDY_AGAIN "Nothing is wrong on this side: a new stream is needed"
#define REMEDY_IDLE                                                            \
    "Send audio or silence all the time while a stream is open"
#define REMEDY_QUOTA                                                           \
    "Use fewer sessions at once, or raise the quota 'On-demand InvokeModel "   \
    "concurrent requests' for the model in Service Quotas"
#define REMEDY_SETTING "Change the setting that the message names"
#define REMEDY_ENDPOINT                                                        \
    "Set bedrock.endpoint to a Bedrock runtime endpoint, or leave it out for " \
    "the region's own"
#define REMEDY_REPORT                                                          \
    "This is a bug of voxring: report it with the log of the wire topic at "   \
    "level trace"

/* by message, whatever the code */
CLASSIFY_ERROR("", "Model has timed out in processing", 0, limit_8min,
               reconnect, REMEDY_AGAIN)
CLASSIFY_ERROR("", "Timed out waiting for input events", 0, idle, reconnect,
               REMEDY_IDLE)
CLASSIFY_ERROR("", "Timed out waiting for audio bytes", 0, idle, reconnect,
               REMEDY_IDLE)
CLASSIFY_ERROR("", "InternalErrorCode=531", 0, idle, reconnect, REMEDY_IDLE)
CLASSIFY_ERROR("", "InternalErrorCode=532", 0, idle, reconnect, REMEDY_IDLE)
CLASSIFY_ERROR("", "InternalErrorCode=", 0, transient, reconnect, REMEDY_AGAIN)
CLASSIFY_ERROR("", "System instability detected", 0, transient, reconnect,
               REMEDY_AGAIN)
CLASSIFY_ERROR("", "unexpected error during processing", 0, transient,
               reconnect, REMEDY_AGAIN)
CLASSIFY_ERROR("", "Tool Response parsing error", 0, tool, stay,
               "Let the tool answer with one JSON document; this result is "
               "lost, the conversation goes on")
CLASSIFY_ERROR("", "Chat history should be sent completely", 0, client_bug,
               reconnect, REMEDY_REPORT)
CLASSIFY_ERROR("", "First content must have SYSTEM role", 0, client_bug,
               give_up, REMEDY_REPORT)
CLASSIFY_ERROR("", "Invalid input request", 0, client_bug, reconnect,
               REMEDY_REPORT)
CLASSIFY_ERROR("", "No open content", 0, client_bug, reconnect, REMEDY_REPORT)
CLASSIFY_ERROR("", "No open prompt", 0, client_bug, reconnect, REMEDY_REPORT)
CLASSIFY_ERROR("", "Unable to parse input chunk", 0, client_bug, reconnect,
               "Check the JSON Schemas of the session's tools; if they are "
               "right, this is a bug of voxring: report it with the log of "
               "the wire topic at level trace")
CLASSIFY_ERROR("", "Input is too long", 0, validation_config, reconnect,
               "Shorten the system prompt, or lower "
               "history_limits.total_bytes")
CLASSIFY_ERROR("", "blocked by our content filters", 0, content, reconnect,
               "The service's content filter stopped the answer: change the "
               "system prompt or the history if this repeats")
CLASSIFY_ERROR("", "voiceId", 0, validation_config, give_up,
               "Set the session's voice to one that the model has, such as "
               "matthew or tiffany")
CLASSIFY_ERROR("", "model identifier is invalid", 0, model, give_up,
               REMEDY_MODEL)
CLASSIFY_ERROR("", "end of its life", 0, model, give_up, REMEDY_SUCCESSOR)
CLASSIFY_ERROR("", "end of life", 0, model, give_up, REMEDY_SUCCESSOR)
CLASSIFY_ERROR("", "end-of-life", 0, model, give_up, REMEDY_SUCCESSOR)
CLASSIFY_ERROR("", "by provider as Legacy", 0, model, give_up, REMEDY_SUCCESSOR)
CLASSIFY_ERROR("", "on-demand throughput", 0, model, give_up, REMEDY_MODEL)
CLASSIFY_ERROR("", "access to the model", 0, access, give_up,
               "Request access to the model in the Bedrock console, in the "
               "region that is configured")
CLASSIFY_ERROR("", "INVALID_PAYMENT_INSTRUMENT", 0, access, give_up,
               "Give the AWS account a valid means of payment")
CLASSIFY_ERROR("", "Operation not allowed", 0, access, give_up,
               "Bedrock is not enabled for this AWS account: ask AWS Support "
               "to enable it")
CLASSIFY_ERROR("", "scoped to a valid region", 0, validation_config, give_up,
               "Set bedrock.region to the region that bedrock.endpoint is in")
CLASSIFY_ERROR("", "scoped to correct service", 0, endpoint, give_up,
               REMEDY_ENDPOINT)
CLASSIFY_ERROR("", "Signature expired", 0, clock, back_off, REMEDY_CLOCK)
CLASSIFY_ERROR("", "Signature not yet current", 0, clock, back_off,
               REMEDY_CLOCK)
CLASSIFY_ERROR("", "request time and the current time", 0, clock, back_off,
               REMEDY_CLOCK)
CLASSIFY_ERROR("", "signature we calculated does not match", 0, signature,
               refresh, REMEDY_KEYS)
CLASSIFY_ERROR("", "token included in the request is expired", 0, auth, refresh,
               REMEDY_TOKEN)
CLASSIFY_ERROR("", "token included in the request is invalid", 0, auth, refresh,
               REMEDY_KEYS)
CLASSIFY_ERROR("", "token is expired", 0, auth, refresh, REMEDY_TOKEN)
CLASSIFY_ERROR("", "token has expired", 0, auth, refresh, REMEDY_TOKEN)
CLASSIFY_ERROR("", "credentials have expired", 0, auth, refresh, REMEDY_TOKEN)
CLASSIFY_ERROR("", "credentials are expired", 0, auth, refresh, REMEDY_TOKEN)

/* by code: the modeled ones */
CLASSIFY_ERROR("AccessDeniedException", "", 0, access, give_up, REMEDY_POLICY)
CLASSIFY_ERROR("ResourceNotFoundException", "", 0, model, give_up, REMEDY_MODEL)
CLASSIFY_ERROR("ThrottlingException", "", 0, throttle, back_off, REMEDY_WAIT)
CLASSIFY_ERROR("ModelTimeoutException", "", 0, limit_8min, reconnect,
               REMEDY_AGAIN)
CLASSIFY_ERROR("InternalServerException", "", 0, transient, reconnect,
               REMEDY_AGAIN)
CLASSIFY_ERROR("ServiceUnavailableException", "", 0, transient, back_off,
               REMEDY_WAIT)
CLASSIFY_ERROR("ModelStreamErrorException", "", 0, transient, reconnect,
               REMEDY_AGAIN)
CLASSIFY_ERROR("ValidationException", "", 0, validation_config, give_up,
               REMEDY_SETTING)
CLASSIFY_ERROR("ServiceQuotaExceededException", "", 0, quota, back_off,
               REMEDY_QUOTA)
CLASSIFY_ERROR("ModelNotReadyException", "", 0, transient, back_off,
               REMEDY_WAIT)
CLASSIFY_ERROR("ModelErrorException", "", 0, transient, reconnect, REMEDY_AGAIN)

/* by code: those that every AWS service may answer */
CLASSIFY_ERROR("TooManyRequestsException", "", 0, throttle, back_off,
               REMEDY_WAIT)
CLASSIFY_ERROR("Throttling", "", 0, throttle, back_off, REMEDY_WAIT)
CLASSIFY_ERROR("ThrottledException", "", 0, throttle, back_off, REMEDY_WAIT)
CLASSIFY_ERROR("RequestThrottled", "", 0, throttle, back_off, REMEDY_WAIT)
CLASSIFY_ERROR("RequestThrottledException", "", 0, throttle, back_off,
               REMEDY_WAIT)
CLASSIFY_ERROR("RequestLimitExceeded", "", 0, throttle, back_off, REMEDY_WAIT)
CLASSIFY_ERROR("LimitExceededException", "", 0, quota, back_off, REMEDY_QUOTA)
CLASSIFY_ERROR("SlowDown", "", 0, throttle, back_off, REMEDY_WAIT)
CLASSIFY_ERROR("InternalFailure", "", 0, transient, reconnect, REMEDY_AGAIN)
CLASSIFY_ERROR("InternalError", "", 0, transient, reconnect, REMEDY_AGAIN)
CLASSIFY_ERROR("InternalServerError", "", 0, transient, reconnect, REMEDY_AGAIN)
CLASSIFY_ERROR("ServiceUnavailable", "", 0, transient, back_off, REMEDY_WAIT)
CLASSIFY_ERROR("RequestTimeout", "", 0, transient, reconnect, REMEDY_AGAIN)
CLASSIFY_ERROR("RequestTimeoutException", "", 0, transient, reconnect,
               REMEDY_AGAIN)
CLASSIFY_ERROR("RequestAbortedException", "", 0, transient, reconnect,
               REMEDY_AGAIN)
CLASSIFY_ERROR("ValidationError", "", 0, validation_config, give_up,
               REMEDY_SETTING)
CLASSIFY_ERROR("SerializationException", "", 0, client_bug, reconnect,
               REMEDY_REPORT)
CLASSIFY_ERROR("MalformedHttpRequestException", "", 0, client_bug, reconnect,
               REMEDY_REPORT)
CLASSIFY_ERROR("RequestEntityTooLargeException", "", 0, client_bug, reconnect,
               REMEDY_REPORT)
CLASSIFY_ERROR("UnknownOperationException", "", 0, endpoint, give_up,
               REMEDY_ENDPOINT)

/* by code: those of signing and of the account */
CLASSIFY_ERROR("ExpiredTokenException", "", 0, auth, refresh, REMEDY_TOKEN)
CLASSIFY_ERROR("ExpiredToken", "", 0, auth, refresh, REMEDY_TOKEN)
CLASSIFY_ERROR("TokenRefreshRequired", "", 0, auth, refresh, REMEDY_TOKEN)
CLASSIFY_ERROR("UnrecognizedClientException", "", 0, auth, refresh, REMEDY_KEYS)
CLASSIFY_ERROR("InvalidAccessKeyId", "", 0, auth, refresh, REMEDY_KEYS)
CLASSIFY_ERROR("InvalidClientTokenId", "", 0, auth, refresh, REMEDY_KEYS)
CLASSIFY_ERROR("InvalidClientTokenIdException", "", 0, auth, refresh,
               REMEDY_KEYS)
CLASSIFY_ERROR("InvalidToken", "", 0, auth, refresh, REMEDY_KEYS)
CLASSIFY_ERROR("AuthFailure", "", 0, auth, refresh, REMEDY_KEYS)
CLASSIFY_ERROR("MissingAuthenticationTokenException", "", 0, auth, refresh,
               REMEDY_KEYS)
CLASSIFY_ERROR("MissingAuthenticationToken", "", 0, auth, refresh, REMEDY_KEYS)
CLASSIFY_ERROR("UnauthorizedException", "", 0, auth, refresh, REMEDY_KEYS)
CLASSIFY_ERROR("InvalidSignatureException", "", 0, signature, refresh,
               REMEDY_KEYS)
CLASSIFY_ERROR("SignatureDoesNotMatch", "", 0, signature, refresh, REMEDY_KEYS)
CLASSIFY_ERROR("IncompleteSignatureException", "", 0, signature, refresh,
               REMEDY_KEYS)
CLASSIFY_ERROR("IncompleteSignature", "", 0, signature, refresh, REMEDY_KEYS)
CLASSIFY_ERROR("RequestTimeTooSkewed", "", 0, clock, back_off, REMEDY_CLOCK)
CLASSIFY_ERROR("RequestExpired", "", 0, clock, back_off, REMEDY_CLOCK)
CLASSIFY_ERROR("RequestInTheFuture", "", 0, clock, back_off, REMEDY_CLOCK)
CLASSIFY_ERROR("NotAuthorized", "", 0, access, give_up, REMEDY_POLICY)
CLASSIFY_ERROR("AccessDenied", "", 0, access, give_up, REMEDY_POLICY)
CLASSIFY_ERROR("UnauthorizedOperation", "", 0, access, give_up, REMEDY_POLICY)
CLASSIFY_ERROR("OptInRequired", "", 0, access, give_up,
               "Enable Bedrock and the region for this AWS account")

/* by status, for answers without a known code */
CLASSIFY_ERROR("", "", 301, endpoint, give_up, REMEDY_ENDPOINT)
CLASSIFY_ERROR("", "", 302, endpoint, give_up, REMEDY_ENDPOINT)
CLASSIFY_ERROR("", "", 307, endpoint, give_up, REMEDY_ENDPOINT)
CLASSIFY_ERROR("", "", 308, endpoint, give_up, REMEDY_ENDPOINT)
CLASSIFY_ERROR("", "", 400, validation_config, give_up, REMEDY_SETTING)
CLASSIFY_ERROR("", "", 401, auth, refresh, REMEDY_KEYS)
CLASSIFY_ERROR("", "", 403, access, give_up, REMEDY_POLICY)
CLASSIFY_ERROR("", "", 404, endpoint, give_up,
               "Check bedrock.endpoint, bedrock.region and bedrock.model: "
               "there is no such model or path")
CLASSIFY_ERROR("", "", 405, endpoint, give_up, REMEDY_ENDPOINT)
CLASSIFY_ERROR("", "", 407, endpoint, give_up,
               "Give the proxy's user name and password in its URL")
CLASSIFY_ERROR("", "", 408, transient, reconnect, REMEDY_AGAIN)
CLASSIFY_ERROR("", "", 413, client_bug, reconnect, REMEDY_REPORT)
CLASSIFY_ERROR("", "", 421, transient, reconnect, REMEDY_AGAIN)
CLASSIFY_ERROR("", "", 424, transient, reconnect, REMEDY_AGAIN)
CLASSIFY_ERROR("", "", 426, endpoint, give_up, REMEDY_ENDPOINT)
CLASSIFY_ERROR("", "", 429, throttle, back_off, REMEDY_WAIT)
CLASSIFY_ERROR("", "", 431, client_bug, reconnect, REMEDY_REPORT)
CLASSIFY_ERROR("", "", 500, transient, reconnect, REMEDY_AGAIN)
CLASSIFY_ERROR("", "", 501, endpoint, give_up, REMEDY_ENDPOINT)
CLASSIFY_ERROR("", "", 502, transient, back_off, REMEDY_WAIT)
CLASSIFY_ERROR("", "", 503, transient, back_off, REMEDY_WAIT)
CLASSIFY_ERROR("", "", 504, transient, back_off, REMEDY_WAIT)
CLASSIFY_ERROR("", "", 505, endpoint, give_up, REMEDY_ENDPOINT)
CLASSIFY_ERROR("", "", 0, unknown, back_off,
               "See the message")
#undef REMEDY_MODEL
#undef REMEDY_SUCCESSOR
#undef REMEDY_KEYS
#undef REMEDY_TOKEN
#undef REMEDY_POLICY
#undef REMEDY_CLOCK
#undef REMEDY_WAIT
#undef REMEDY_AGAIN
#undef REMEDY_IDLE
#undef REMEDY_QUOTA
#undef REMEDY_SETTING
#undef REMEDY_ENDPOINT
#undef REMEDY_REPORT
#undef CLASSIFY_ERROR
#endif

/* Ends by RST_STREAM or GOAWAY: HTTP/2's error code, its name, kind, action,
 * remedy. Codes that are not here are looked up by their cause. */
#ifdef CLASSIFY_H2
#define REMEDY_AGAIN "Nothing is wrong on this side: a new stream is needed"
#define REMEDY_WAIT "Nothing is wrong on this side: wait a while"
#define REMEDY_REPORT                                                         \
    "Check bedrock.endpoint and the proxy; if they are right, this is a bug " \
    "of voxring: report it with the log of the wire topic at level trace"
CLASSIFY_H2(0, NO_ERROR, transient, reconnect, REMEDY_AGAIN)
CLASSIFY_H2(1, PROTOCOL_ERROR, client_bug, back_off, REMEDY_REPORT)
CLASSIFY_H2(2, INTERNAL_ERROR, transient, reconnect, REMEDY_AGAIN)
CLASSIFY_H2(3, FLOW_CONTROL_ERROR, client_bug, back_off, REMEDY_REPORT)
CLASSIFY_H2(4, SETTINGS_TIMEOUT, network, reconnect, REMEDY_AGAIN)
CLASSIFY_H2(5, STREAM_CLOSED, client_bug, reconnect, REMEDY_REPORT)
CLASSIFY_H2(6, FRAME_SIZE_ERROR, client_bug, back_off, REMEDY_REPORT)
CLASSIFY_H2(7, REFUSED_STREAM, throttle, back_off, REMEDY_WAIT)
CLASSIFY_H2(8, CANCEL, transient, reconnect, REMEDY_AGAIN)
CLASSIFY_H2(9, COMPRESSION_ERROR, client_bug, reconnect, REMEDY_REPORT)
CLASSIFY_H2(10, CONNECT_ERROR, network, back_off, REMEDY_WAIT)
CLASSIFY_H2(11, ENHANCE_YOUR_CALM, throttle, back_off, REMEDY_WAIT)
CLASSIFY_H2(12, INADEQUATE_SECURITY, endpoint, give_up,
            "Use an endpoint and a proxy that accept TLS 1.2 or later with "
            "modern ciphers")
CLASSIFY_H2(13, HTTP_1_1_REQUIRED, endpoint, give_up,
            "Use an endpoint and a proxy that pass HTTP/2 through: the stream "
            "needs it")
#undef REMEDY_AGAIN
#undef REMEDY_WAIT
#undef REMEDY_REPORT
#undef CLASSIFY_H2
#endif

/* Ends without an error of AWS's: cause (of end.tbl.h), kind, action, remedy.
 * `exception` and `http_status` are looked up above, `rst_stream` and `goaway`
 * by their code first. */
#ifdef CLASSIFY_CAUSE
CLASSIFY_CAUSE(end_stream, transient, reconnect,
               "Nothing is wrong on this side: a new stream is needed")
CLASSIFY_CAUSE(fin, network, reconnect,
               "Nothing is wrong on this side: a new stream is needed")
CLASSIFY_CAUSE(rst_stream, transient, back_off,
               "Nothing is wrong on this side: a new stream is needed")
CLASSIFY_CAUSE(goaway, transient, back_off,
               "Nothing is wrong on this side: a new stream is needed")
CLASSIFY_CAUSE(dns, network, back_off,
               "Check the network and the name in bedrock.endpoint or "
               "bedrock.region")
CLASSIFY_CAUSE(refused, network, back_off,
               "Check that bedrock.endpoint is right and something listens "
               "there")
CLASSIFY_CAUSE(connect_timeout, network, back_off,
               "Check the network, firewall and proxy")
CLASSIFY_CAUSE(tls, network, back_off,
               "Check bedrock.ca_file, the machine's clock and whether a proxy "
               "intercepts TLS")
CLASSIFY_CAUSE(no_h2, endpoint, give_up,
               "Use an endpoint and a proxy that pass HTTP/2 through: the "
               "stream needs it")
CLASSIFY_CAUSE(proxy, network, back_off,
               "Use an http:// or socks5:// proxy that allows CONNECT to the "
               "endpoint, or set no_proxy")
CLASSIFY_CAUSE(black_hole, network, reconnect,
               "Check the network if this repeats")
CLASSIFY_CAUSE(stalled, network, reconnect,
               "Check the network's upload rate if this repeats")
CLASSIFY_CAUSE(no_answer, transient, back_off,
               "Check bedrock.endpoint if this repeats: it takes the events "
               "and answers nothing")
CLASSIFY_CAUSE(network, network, back_off,
               "Check the network if this repeats")
CLASSIFY_CAUSE(bad_frame, transient, reconnect,
               "Check bedrock.endpoint if this repeats")
CLASSIFY_CAUSE(protocol, transient, reconnect,
               "Check bedrock.endpoint and the proxy if this repeats")
#undef CLASSIFY_CAUSE
#endif

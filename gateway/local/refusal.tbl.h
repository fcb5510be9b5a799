/* How AWS refuses a request before the stream begins: code, HTTP status,
 * x-amzn-errortype. */
REFUSAL(missing_token, 403, "MissingAuthenticationTokenException")
REFUSAL(unknown_client, 403, "UnrecognizedClientException")
REFUSAL(bad_signature, 403, "InvalidSignatureException")
REFUSAL(incomplete_signature, 403, "IncompleteSignatureException")
REFUSAL(access_denied, 403, "AccessDeniedException")
REFUSAL(not_found, 404, "ResourceNotFoundException")
REFUSAL(unknown_operation, 404, "UnknownOperationException")
REFUSAL(method, 405, "UnknownOperationException")
REFUSAL(media_type, 415, "UnsupportedMediaTypeException")
REFUSAL(validation, 400, "ValidationException")
REFUSAL(unavailable, 503, "ServiceUnavailableException")

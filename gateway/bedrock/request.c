#include "gateway/bedrock/request.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char path_head[] = "/model/";
static const char path_tail[] = "/invoke-with-bidirectional-stream";
static const char content_type[] = "application/vnd.amazon.eventstream";
static const char payload_hash[] = "STREAMING-AWS4-HMAC-SHA256-EVENTS";

static bool
is_unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c >= '0' && c <= '9') || (c && strchr("-._~", c));
}

/* The path as sent: whatever is not unreserved is escaped, ':' too. */
static char *
path_make(const char *model_id)
{
    size_t bytes = sizeof(path_head) + 3 * strlen(model_id) + sizeof(path_tail);
    char *path = malloc(bytes);
    if (!path)
        return NULL;
    char *at = path + snprintf(path, bytes, "%s", path_head);
    for (; *model_id; model_id++) {
        if (is_unreserved(*model_id))
            *at++ = *model_id;
        else
            at += snprintf(at, 4, "%%%02X", (unsigned char)*model_id);
    }
    memcpy(at, path_tail, sizeof(path_tail));
    return path;
}

enum vr_status
request_init(struct request *request, const struct endpoint *endpoint,
             const char *model_id, const struct credentials *credentials,
             char *problem, size_t problem_size)
{
    *request = (struct request){.endpoint = *endpoint};
    if (!model_id || !*model_id || strlen(model_id) > REQUEST_MODEL_BYTES) {
        snprintf(problem, problem_size,
                 "the model id must have 1 to %d characters, such as "
                 "amazon.nova-2-sonic-v1:0",
                 REQUEST_MODEL_BYTES);
        return VR_INVALID;
    }
    request->path = path_make(model_id);
    if (*credentials->session_token)
        request->token = strdup(credentials->session_token);
    if (request->path && (request->token || !*credentials->session_token))
        return VR_OK;
    request_fini(request);
    return VR_NO_MEMORY;
}

void
request_fini(struct request *request)
{
    if (request->token)
        OPENSSL_cleanse(request->token, strlen(request->token));
    free(request->token);
    free(request->path);
    *request = (struct request){0};
}

static void
header_add(struct request *request, const char *name, const char *value,
           bool secret)
{
    request->headers[request->header_count++] =
        (struct request_header){name, value, secret};
}

enum vr_status
request_sign(struct request *request, struct signer *signer, int64_t now_ms)
{
    struct signer_header to_sign[5] = {
        {"content-type", content_type},
        {"host", request->endpoint.authority},
        {"x-amz-content-sha256", payload_hash},
        {"x-amz-date", request->date},
        {"x-amz-security-token", request->token},
    };
    struct signer_request plain = {
        .method = "POST",
        .path = request->path,
        .query = "",
        .headers = to_sign,
        .header_count = request->token ? 5 : 4,
        .payload_hash = payload_hash,
    };

    signer_amz_date(now_ms, request->date);
    enum vr_status status =
        signer_request_sign(signer, &plain, now_ms, request->authorization,
                            sizeof(request->authorization));
    if (status != VR_OK)
        return status;
    request->header_count = 0;
    header_add(request, ":method", "POST", false);
    header_add(request, ":scheme", "https", false);
    header_add(request, ":authority", request->endpoint.authority, false);
    header_add(request, ":path", request->path, false);
    header_add(request, "content-type", content_type, false);
    header_add(request, "x-amz-content-sha256", payload_hash, false);
    header_add(request, "x-amz-date", request->date, false);
    if (request->token)
        header_add(request, "x-amz-security-token", request->token, true);
    header_add(request, "user-agent", "voxring/" VOXRING_VERSION, false);
    header_add(request, "authorization", request->authorization, true);
    return VR_OK;
}

#include "gateway/local/verify.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "gateway/local/authorization.h"
#include "gateway/local/bytes.h"
#include "gateway/local/canonical.h"
#include "gateway/local/sigv4.h"

#define SERVICE "bedrock"
#define CONTENT_TYPE "application/vnd.amazon.eventstream"
#define CANONICAL_BYTES_MAX (128 * 1024)

/* ---- route ---- */

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

/* False for a broken escape, a control character, or no room. */
static bool
percent_decode(const char *text, size_t count, char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        int c = (uint8_t)text[i];
        if (c == '%') {
            if (count - i < 3)
                return false;
            int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
            if (high < 0 || low < 0)
                return false;
            c = high << 4 | low;
            i += 2;
        }
        if (c < ' ' || c == 127 || used + 1 >= size)
            return false;
        out[used++] = (char)c;
    }
    out[used] = '\0';
    return used > 0;
}

bool
verify_route(const struct request *request, char model_id[VERIFY_MODEL_BYTES],
             struct refusal *refusal)
{
    static const char before[] = "/model/";
    static const char after[] = "/invoke-with-bidirectional-stream";
    const char *path = request_get(request, ":path");
    const char *method = request_get(request, ":method");
    path = path ? path : "";
    size_t bytes = strcspn(path, "?");
    size_t around = strlen(before) + strlen(after);
    if (bytes <= around || strncmp(path, before, strlen(before)) != 0 ||
        strncmp(path + bytes - strlen(after), after, strlen(after)) != 0)
        return refusal_set(refusal, REFUSAL_unknown_operation,
                           "No operation is at '%.*s'; voxring-local has only "
                           "POST /model/{modelId}%s",
                           200, path, after);
    if (method == NULL || strcmp(method, "POST") != 0)
        return refusal_set(refusal, REFUSAL_method,
                           "%.16s is not supported here, use POST",
                           method ? method : "nothing");
    const char *id = path + strlen(before);
    if (memchr(id, '/', bytes - around) != NULL ||
        !percent_decode(id, bytes - around, model_id, VERIFY_MODEL_BYTES))
        return refusal_set(refusal, REFUSAL_validation,
                           "The provided model identifier is invalid.");
    return true;
}

/* ---- signature ---- */

static bool
bad_signature(struct refusal *refusal, const char *message)
{
    return refusal_set(refusal, REFUSAL_bad_signature, "%s", message);
}

static bool
check_client(const struct verify_keys *keys, const struct request *request,
             const struct authorization *given, struct refusal *refusal)
{
    const char *token = request_get(request, "x-amz-security-token");
    if (!sigv4_same(given->access_key_id, keys->access_key_id) ||
        !sigv4_same(token ? token : "", keys->session_token))
        return refusal_set(
            refusal, REFUSAL_unknown_client,
            "The security token included in the request is invalid.");
    return true;
}

static bool
region_ok(const char *region, const char *wanted)
{
    if (wanted != NULL)
        return strcmp(region, wanted) == 0;
    size_t bytes = strlen(region);
    size_t letters = strspn(region, "abcdefghijklmnopqrstuvwxyz");
    return letters == 2 && region[letters] == '-' && bytes >= 6 &&
           region[bytes - 2] == '-' && region[bytes - 1] >= '1' &&
           region[bytes - 1] <= '9' &&
           strspn(region, "abcdefghijklmnopqrstuvwxyz-") == bytes - 1;
}

static bool
check_scope(const struct verify_keys *keys, const struct authorization *given,
            const char *date, struct refusal *refusal)
{
    if (!region_ok(given->region, keys->region))
        return refusal_set(refusal, REFUSAL_bad_signature,
                           "Credential should be scoped to a valid region%s%s, "
                           "not '%s'.",
                           keys->region ? ": " : "",
                           keys->region ? keys->region : "", given->region);
    if (strcmp(given->service, SERVICE) != 0)
        return refusal_set(refusal, REFUSAL_bad_signature,
                           "Credential should be scoped to correct service: "
                           "'" SERVICE "', not '%s'.",
                           given->service);
    if (strcmp(given->terminator, "aws4_request") != 0)
        return refusal_set(refusal, REFUSAL_bad_signature,
                           "Credential should be scoped with a valid "
                           "terminator: 'aws4_request', not '%s'.",
                           given->terminator);
    if (strlen(given->day) != 8 || strncmp(given->day, date, 8) != 0)
        return refusal_set(refusal, REFUSAL_bad_signature,
                           "Date in Credential scope does not match YYYYMMDD "
                           "from ISO-8601 version of date from HTTP: '%s' != "
                           "'%.8s', from '%s'.",
                           given->day, date, date);
    return true;
}

static bool
check_date(const char *date, int64_t now_ms, struct refusal *refusal)
{
    char now[SIGV4_TIME_BYTES] = "", edge[SIGV4_TIME_BYTES] = "";
    int64_t date_ms = date ? sigv4_time_ms(date) : -1;
    if (date_ms < 0)
        return refusal_set(refusal, REFUSAL_incomplete_signature,
                           "Date must be in ISO-8601 'basic format' in header "
                           "x-amz-date. Got '%.40s'. See "
                           "http://en.wikipedia.org/wiki/ISO_8601",
                           date ? date : "");
    sigv4_time(now_ms, now);
    if (date_ms < now_ms - VERIFY_SKEW_MS) {
        sigv4_time(now_ms - VERIFY_SKEW_MS, edge);
        return refusal_set(refusal, REFUSAL_bad_signature,
                           "Signature expired: %s is now earlier than %s "
                           "(%s - 5 min.)",
                           date, edge, now);
    }
    if (date_ms > now_ms + VERIFY_SKEW_MS) {
        sigv4_time(now_ms + VERIFY_SKEW_MS, edge);
        return refusal_set(refusal, REFUSAL_bad_signature,
                           "Signature not yet current: %s is still later than "
                           "%s (%s + 5 min.)",
                           date, edge, now);
    }
    return true;
}

static bool
check_signed_headers(const struct request *request,
                     const struct authorization *given, struct refusal *refusal)
{
    if (!authorization_list_ok(given))
        return bad_signature(refusal, "SignedHeaders must be lower case, "
                                      "sorted and without repeats.");
    if (!authorization_signs(given, "host") &&
        !authorization_signs(given, ":authority"))
        return bad_signature(refusal,
                             "'Host' or ':authority' must be a 'SignedHeader' "
                             "in the AWS Authorization.");
    for (size_t i = 0; i < request->header_count; i++) {
        const char *name = request->headers[i].name;
        if (strncmp(name, "x-amz-", 6) == 0 &&
            !authorization_signs(given, name))
            return refusal_set(refusal, REFUSAL_bad_signature,
                               "'%.64s' must be a 'SignedHeader' in the AWS "
                               "Authorization.",
                               name);
    }
    return true;
}

static bool
check_body_kind(const struct request *request, struct refusal *refusal)
{
    const char *type = request_get(request, "content-type");
    const char *hash = request_get(request, "x-amz-content-sha256");
    if (type == NULL || strcmp(type, CONTENT_TYPE) != 0)
        return refusal_set(refusal, REFUSAL_media_type,
                           "content-type must be " CONTENT_TYPE ", not '%.64s'",
                           type ? type : "");
    if (hash == NULL || strcmp(hash, SIGV4_STREAMING_HASH) != 0)
        return refusal_set(refusal, REFUSAL_bad_signature,
                           "x-amz-content-sha256 must be " SIGV4_STREAMING_HASH
                           " for this operation, not '%.64s'",
                           hash ? hash : "");
    return true;
}

/* Says what would have been right, as AWS does, the session token left out:
 * messages end up in logs. */
static bool
mismatch(struct bytes *canonical, const char *text, struct refusal *refusal)
{
    static const char token[] = "\nx-amz-security-token:";
    char *all = (char *)canonical->data;
    char *secret = strstr(all, token);
    const char *rest = "";
    if (secret != NULL) {
        secret += strlen(token);
        rest = secret + strcspn(secret, "\n");
    }
    int head = secret ? (int)(secret - all) : (int)canonical->count;
    return refusal_set(
        refusal, REFUSAL_bad_signature,
        "The request signature we calculated does not match the signature you "
        "provided. Check your AWS Secret Access Key and signing method. "
        "Consult the service documentation for details.\n\n"
        "The Canonical String for this request should have been\n"
        "'%.*s%s%.2000s'\n\nThe String-to-Sign should have been\n'%s'\n",
        head < 4000 ? head : 4000, all, secret ? "(session token)" : "", rest,
        text);
}

/* Computes the right signature and compares; `canonical` is room to work. */
static bool
check_match(const struct verify_keys *keys, const struct request *request,
            const struct authorization *given, const char *date,
            struct bytes *canonical, struct refusal *refusal)
{
    char hash[SIGV4_HEX_BYTES], right[SIGV4_HEX_BYTES], text[512];
    uint8_t key[SIGV4_DIGEST_BYTES], digest[SIGV4_DIGEST_BYTES];
    const char *missing;
    if (!canonical_request(request, given->signed_headers, SIGV4_STREAMING_HASH,
                           canonical, &missing)) {
        if (missing == NULL)
            return refusal_set(refusal, REFUSAL_unavailable,
                               "No memory to verify the signature");
        return refusal_set(refusal, REFUSAL_bad_signature,
                           "'%.*s' is a 'SignedHeader' but not in the request.",
                           (int)strcspn(missing, ";"), missing);
    }
    sigv4_hash(canonical->data, canonical->count, hash);
    int size = snprintf(text, sizeof(text),
                        "AWS4-HMAC-SHA256\n%s\n%s/%s/%s/aws4_request\n%s", date,
                        given->day, given->region, given->service, hash);
    sigv4_key(keys->secret_access_key, given->day, given->region,
              given->service, key);
    sigv4_hmac(key, sizeof(key), text, (size_t)size, digest);
    OPENSSL_cleanse(key, sizeof(key));
    sigv4_hex(digest, right);
    if (sigv4_same(right, given->signature))
        return true;
    return mismatch(canonical, text, refusal);
}

bool
verify_signature(const struct verify_keys *keys, const struct request *request,
                 int64_t now_ms, struct chain *chain, struct refusal *refusal)
{
    const char *header = request_get(request, "authorization");
    const char *date = request_get(request, "x-amz-date");
    struct authorization given;
    if (request->too_large)
        return refusal_set(refusal, REFUSAL_validation,
                           "The request has more than %d headers or %d bytes "
                           "of them",
                           REQUEST_HEADER_COUNT_MAX, REQUEST_BYTES_MAX);
    if (header == NULL || header[0] == '\0')
        return refusal_set(refusal, REFUSAL_missing_token,
                           "Missing Authentication Token");
    if (!authorization_parse(header, &given, refusal) ||
        !check_client(keys, request, &given, refusal) ||
        !check_date(date, now_ms, refusal) ||
        !check_scope(keys, &given, date, refusal) ||
        !check_signed_headers(request, &given, refusal) ||
        !check_body_kind(request, refusal))
        return false;
    struct bytes canonical;
    bytes_init(&canonical, CANONICAL_BYTES_MAX);
    bool ok = check_match(keys, request, &given, date, &canonical, refusal);
    bytes_fini(&canonical);
    if (ok)
        chain_init(chain, keys->secret_access_key, given.region, given.service,
                   given.signature);
    return ok;
}

/* ---- model ---- */

bool
verify_model(char model_id[VERIFY_MODEL_BYTES], struct refusal *refusal)
{
    static const char *const known[] = {"amazon.nova-sonic-v1:0",
                                        "amazon.nova-2-sonic-v1:0",
                                        "amazon.nova-2-5-sonic"};
    const char *id = model_id;
    const char *in_arn = strstr(model_id, ":foundation-model/");
    if (strncmp(model_id, "arn:aws:bedrock:", 16) == 0 && in_arn != NULL)
        id = in_arn + strlen(":foundation-model/");
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(id, known[i]) == 0) {
            memmove(model_id, id, strlen(id) + 1);
            return true;
        }
    }
    return refusal_set(refusal, REFUSAL_validation,
                       "The provided model identifier is invalid.");
}

#include "gateway/bedrock/signer.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "gateway/bedrock/digest.h"
#include "gateway/bedrock/sigv4.h"
#include "gateway/bedrock/text.h"

/* A canonical request: the longest token, path and host, and some more. */
#define CANONICAL_BYTES_MAX 65536

struct signer {
    char *region;
    char *service;
    char *scope; /* for the day of `key_day` */
    size_t scope_bytes;
    char *string; /* room for a string to sign */
    size_t string_bytes;
    char *access_key_id;
    char aws4_secret[4 + sizeof((struct credentials *)0)->secret_access_key];

    uint8_t key[DIGEST_BYTES];
    char key_day[9]; /* "" before the first key */
    char prior[DIGEST_HEX_CHARS + 1];
};

/* ---- life ---- */

/* The longest string to sign, for strings that do not change later. */
static bool
allocate_texts(struct signer *signer)
{
    size_t names = strlen(signer->region) + strlen(signer->service);

    signer->scope_bytes = names + sizeof "YYYYMMDD///aws4_request";
    signer->string_bytes = signer->scope_bytes +
                           sizeof "AWS4-HMAC-SHA256-PAYLOAD" +
                           SIGV4_DATE_BYTES + 3 * (DIGEST_HEX_CHARS + 1);
    signer->scope = malloc(signer->scope_bytes);
    signer->string = malloc(signer->string_bytes);
    return signer->scope && signer->string;
}

struct signer *
signer_new(const struct credentials *credentials, const char *region,
           const char *service)
{
    struct signer *signer = calloc(1, sizeof *signer);

    if (!signer)
        return NULL;
    signer->region = strdup(region);
    signer->service = strdup(service);
    signer->access_key_id = strdup(credentials->access_key_id);
    if (!signer->region || !signer->service || !signer->access_key_id ||
        !allocate_texts(signer)) {
        signer_free(&signer);
        return NULL;
    }
    memcpy(signer->aws4_secret, "AWS4", 4);
    memcpy(signer->aws4_secret + 4, credentials->secret_access_key,
           sizeof credentials->secret_access_key);
    signer->aws4_secret[sizeof signer->aws4_secret - 1] = '\0';
    return signer;
}

void
signer_free(struct signer **signer_at)
{
    struct signer *signer = *signer_at;

    if (!signer)
        return;
    free(signer->region);
    free(signer->service);
    free(signer->scope);
    free(signer->string);
    free(signer->access_key_id);
    OPENSSL_cleanse(signer, sizeof *signer);
    free(signer);
    *signer_at = NULL;
}

/* ---- the chain ---- */

/* Makes key and scope those of the date's day. */
static void
turn_to_day(struct signer *signer, const char date[SIGV4_DATE_BYTES])
{
    if (!memcmp(signer->key_day, date, 8))
        return;
    sigv4_key(signer->aws4_secret, date, signer->region, signer->service,
              signer->key);
    sigv4_scope(date, signer->region, signer->service, signer->scope,
                signer->scope_bytes);
    memcpy(signer->key_day, date, 8);
}

/* Signs the string to sign and makes the result the chain's last link. */
static void
sign_string(struct signer *signer, size_t string_chars,
            uint8_t signature[SIGNER_SIGNATURE_BYTES])
{
    digest_hmac(signer->key, DIGEST_BYTES, signer->string, string_chars,
                signature);
    digest_hex(signature, signer->prior);
    signer->prior[DIGEST_HEX_CHARS] = '\0';
}

enum vr_status
signer_seed(struct signer *signer, const char *signature)
{
    size_t chars = strlen(signature);

    if (strspn(signature, "0123456789abcdef") != chars ||
        (chars && chars != DIGEST_HEX_CHARS))
        return VR_INVALID;
    memcpy(signer->prior, signature, chars + 1);
    return VR_OK;
}

const char *
signer_last_signature(const struct signer *signer)
{
    return signer->prior;
}

/* ---- request ---- */

void
signer_amz_date(int64_t now_ms, char text[17])
{
    sigv4_date(now_ms, text);
}

static enum vr_status
put_authorization(const struct signer *signer, const char *canonical,
                  const struct sigv4_canonical *parts, char *out, size_t size)
{
    struct text text = {.at = out, .size = size};

    text_string(&text, "AWS4-HMAC-SHA256 Credential=");
    text_string(&text, signer->access_key_id);
    text_char(&text, '/');
    text_string(&text, signer->scope);
    text_string(&text, ", SignedHeaders=");
    text_bytes(&text, canonical + parts->signed_headers_at,
               parts->signed_headers_chars);
    text_string(&text, ", Signature=");
    text_string(&text, signer->prior);
    text_char(&text, '\0');
    return text.over ? VR_LIMIT : VR_OK;
}

enum vr_status
signer_request_sign(struct signer *signer, const struct signer_request *request,
                    int64_t now_ms, char *authorization,
                    size_t authorization_size)
{
    static const struct sigv4_path_rules rules = {.normalize = true,
                                                  .encode = true};
    char date[SIGV4_DATE_BYTES];
    uint8_t hash[DIGEST_BYTES];
    struct sigv4_canonical parts;
    char *canonical = malloc(CANONICAL_BYTES_MAX);
    enum vr_status status = VR_NO_MEMORY;

    if (!canonical)
        goto out;
    status = sigv4_canonical_request(request, rules, canonical,
                                     CANONICAL_BYTES_MAX, &parts);
    if (status)
        goto out;
    sigv4_date(now_ms, date);
    turn_to_day(signer, date);
    digest_sha256(canonical, parts.chars, hash);
    sign_string(signer,
                sigv4_request_string(date, signer->scope, hash, signer->string,
                                     signer->string_bytes),
                hash);
    status = put_authorization(signer, canonical, &parts, authorization,
                               authorization_size);
out:
    /* The session token stands in it. */
    if (canonical)
        OPENSSL_cleanse(canonical, CANONICAL_BYTES_MAX);
    free(canonical);
    return status;
}

/* ---- chunks ---- */

void
signer_chunk_sign_headers(struct signer *signer, int64_t date_ms,
                          const uint8_t *headers, size_t headers_bytes,
                          const uint8_t *payload, size_t payload_bytes,
                          uint8_t signature[SIGNER_SIGNATURE_BYTES])
{
    char date[SIGV4_DATE_BYTES];
    uint8_t headers_hash[DIGEST_BYTES], payload_hash[DIGEST_BYTES];
    size_t chars;

    sigv4_date(date_ms, date);
    turn_to_day(signer, date);
    digest_sha256(headers, headers_bytes, headers_hash);
    digest_sha256(payload, payload_bytes, payload_hash);
    chars = sigv4_chunk_string(
        date, signer->scope, signer->prior, strlen(signer->prior), headers_hash,
        payload_hash, signer->string, signer->string_bytes);
    sign_string(signer, chars, signature);
}

void
signer_chunk_sign(struct signer *signer, int64_t date_ms,
                  const uint8_t *payload, size_t payload_bytes,
                  uint8_t date_header[SIGNER_DATE_HEADER_BYTES],
                  uint8_t signature[SIGNER_SIGNATURE_BYTES])
{
    static const uint8_t head[] = {5, ':', 'd', 'a', 't', 'e', 8};
    uint64_t bits = (uint64_t)date_ms;

    memcpy(date_header, head, sizeof head);
    for (size_t i = 0; i < 8; i++)
        date_header[sizeof head + i] = (uint8_t)(bits >> (56 - 8 * i));
    signer_chunk_sign_headers(signer, date_ms, date_header,
                              SIGNER_DATE_HEADER_BYTES, payload, payload_bytes,
                              signature);
}

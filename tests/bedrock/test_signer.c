/* Request and chunk signatures: known answers of our own, AWS's suites, and
 * what the signer promises about memory and midnight. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "gateway/bedrock/sigv4.h"
#include "tests/bedrock/vectors.h"

#define KAT_KEY_ID "AKIDEXAMPLE"
#define KAT_SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define STREAMING "STREAMING-AWS4-HMAC-SHA256-EVENTS"
#define KAT_MS 1767225600000

static struct signer *
make_signer(const char *key_id, const char *secret, const char *region,
            const char *service)
{
    static struct credentials credentials;
    struct signer *signer;

    snprintf(credentials.access_key_id, sizeof credentials.access_key_id, "%s",
             key_id);
    snprintf(credentials.secret_access_key,
             sizeof credentials.secret_access_key, "%s", secret);
    signer = signer_new(&credentials, region, service);
    assert_non_null(signer);
    return signer;
}

static void
assert_hex(const uint8_t *bytes, size_t count, const char *hex)
{
    char text[2 * 512 + 1];

    assert_true(count <= 512);
    for (size_t i = 0; i < count; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    assert_string_equal(text, hex);
}

/* ---- known answers ---- */

static const struct signer_header kat_headers[] = {
    {"x-amz-date", "20260101T000000Z"},
    {"host", "bedrock-runtime.us-east-1.amazonaws.com"},
    {"content-type", "application/vnd.amazon.eventstream"},
    {"x-amz-content-sha256", STREAMING},
};

static const struct signer_request kat_request = {
    .method = "POST",
    .path = "/model/amazon.nova-2-sonic-v1%3A0/"
            "invoke-with-bidirectional-stream",
    .query = "",
    .headers = kat_headers,
    .header_count = 4,
    .payload_hash = STREAMING,
};

static const char kat_seed[] =
    "fb917d0ad2ea74ff7de4732e9749a4f799441741c08defa313ed75b11db9e9fe";

static void
test_request_known_answer(void **state)
{
    struct signer *signer =
        make_signer(KAT_KEY_ID, KAT_SECRET, "us-east-1", "bedrock");
    struct sigv4_path_rules rules = {.normalize = true, .encode = true};
    struct sigv4_canonical parts;
    char canonical[4096], authorization[512];
    uint8_t hash[32];

    (void)state;
    assert_int_equal(sigv4_canonical_request(&kat_request, rules, canonical,
                                             sizeof canonical, &parts),
                     VR_OK);
    digest_sha256(canonical, parts.chars, hash);
    assert_hex(hash, 32,
               "bc9e02c01cff7c6aba77836c123c5fa93cb678f70770153447c23e8280ce3"
               "161");
    assert_int_equal(signer_request_sign(signer, &kat_request, KAT_MS,
                                         authorization, sizeof authorization),
                     VR_OK);
    assert_string_equal(
        authorization,
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/bedrock/"
        "aws4_request, SignedHeaders=content-type;host;x-amz-content-sha256;"
        "x-amz-date, Signature="
        "fb917d0ad2ea74ff7de4732e9749a4f799441741c08defa313ed75b11db9e9fe");
    assert_string_equal(signer_last_signature(signer), kat_seed);
    signer_free(&signer);
    assert_null(signer);
}

static void
test_chunk_known_answer(void **state)
{
    struct signer *signer =
        make_signer(KAT_KEY_ID, KAT_SECRET, "us-east-1", "bedrock");
    uint8_t inner[139], date[SIGNER_DATE_HEADER_BYTES], signature[32];

    (void)state;
    assert_int_equal(
        vectors_hex(
            "0000008b0000004b421ac6f20d3a6d6573736167652d747970650700056576"
            "656e740b3a6576656e742d747970650700056368756e6b0d3a636f6e74656e"
            "742d747970650700106170706c69636174696f6e2f6a736f6e7b2262797465"
            "73223a2265794a6c646d56756443493665794a7a5a584e7a615739755257356b"
            "496a703766583139227d8f5d6513",
            inner, sizeof inner),
        139);
    assert_int_equal(signer_seed(signer, kat_seed), VR_OK);
    signer_chunk_sign(signer, KAT_MS, inner, sizeof inner, date, signature);
    assert_hex(date, sizeof date, "053a64617465080000019b76daa800");
    assert_hex(signature, 32,
               "80c6991a35db8ea0a1218a6509001f3f399428c0c3789aa4e3e16c516983d"
               "a7d");
    signer_chunk_sign(signer, KAT_MS, NULL, 0, date, signature);
    assert_hex(signature, 32,
               "58af5e7f3d6b50fbdeab4f4038dab3f817015a09d13efa860254083a48b4b"
               "592");
    signer_free(&signer);
}

static void
test_chunk_string_known_answer(void **state)
{
    uint8_t headers_hash[32], payload_hash[32];
    char date[SIGV4_DATE_BYTES], scope[64], text[512];
    size_t chars;

    (void)state;
    vectors_hex("0c0e3b3bf66b59b976181bd7d401927bbd624107303c713fd1e5f3d3c8dd"
                "1b1e",
                headers_hash, 32);
    vectors_hex("f2eba0f2e95967ee9fbc6db5e678d2fd599229c0d04b11e4fc8e0f2a02a8"
                "06c6",
                payload_hash, 32);
    sigv4_date(123456789000, date);
    assert_true(
        sigv4_scope(date, "us-east-1", "testservice", scope, sizeof scope) > 0);
    chars = sigv4_chunk_string(
        date, scope,
        "be1f8c7d79ef8e1abc5254a2c70e4da3bfaf4f07328f527444e1fc6ea67273e2", 64,
        headers_hash, payload_hash, text, sizeof text - 1);
    text[chars] = '\0';
    assert_string_equal(
        text,
        "AWS4-HMAC-SHA256-PAYLOAD\n19731129T213309Z\n"
        "19731129/us-east-1/testservice/aws4_request\n"
        "be1f8c7d79ef8e1abc5254a2c70e4da3bfaf4f07328f527444e1fc6ea67273e2\n"
        "0c0e3b3bf66b59b976181bd7d401927bbd624107303c713fd1e5f3d3c8dd1b1e\n"
        "f2eba0f2e95967ee9fbc6db5e678d2fd599229c0d04b11e4fc8e0f2a02a806c6");
}

static void
test_dates(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        {0, "19700101T000000Z"},
        {-5, "19700101T000000Z"},
        {951782399999, "20000228T235959Z"},
        {951782400000, "20000229T000000Z"},
        {1709251199000, "20240229T235959Z"},
        {1709251200000, "20240301T000000Z"},
        {4107542400000, "21000301T000000Z"},
        {4107542399999, "21000228T235959Z"},
        {253402300799999, "99991231T235959Z"},
        {INT64_MAX, "99991231T235959Z"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[17];

        signer_amz_date(cases[i].ms, text);
        assert_string_equal(text, cases[i].text);
    }
}

/* ---- contracts ---- */

/* The chain must come out the same when each day has a signer of its own. */
static void
test_key_turns_at_midnight(void **state)
{
    static const int64_t dates[] = {1772323199999, 1772323200000, 1772323199000,
                                    1772409600000};
    struct signer *one =
        make_signer(KAT_KEY_ID, KAT_SECRET, "us-east-1", "bedrock");
    char prior[65] = "";

    (void)state;
    for (size_t i = 0; i < sizeof dates / sizeof *dates; i++) {
        struct signer *fresh =
            make_signer(KAT_KEY_ID, KAT_SECRET, "us-east-1", "bedrock");
        uint8_t date[SIGNER_DATE_HEADER_BYTES], a[32], b[32];

        assert_int_equal(signer_seed(fresh, prior), VR_OK);
        signer_chunk_sign(one, dates[i], (const uint8_t *)"x", 1, date, a);
        signer_chunk_sign(fresh, dates[i], (const uint8_t *)"x", 1, date, b);
        assert_memory_equal(a, b, 32);
        memcpy(prior, signer_last_signature(one), sizeof prior);
        signer_free(&fresh);
    }
    signer_free(&one);
}

static void
test_too_small_or_too_much_is_refused(void **state)
{
    struct signer *signer =
        make_signer(KAT_KEY_ID, KAT_SECRET, "us-east-1", "bedrock");
    struct signer_header many[SIGV4_HEADERS_MAX + 1];
    struct signer_request request = kat_request;
    char authorization[512];
    static char path[70000];

    (void)state;
    assert_int_equal(
        signer_request_sign(signer, &request, KAT_MS, authorization, 100),
        VR_LIMIT);
    for (size_t i = 0; i < SIGV4_HEADERS_MAX + 1; i++)
        many[i] = kat_headers[0];
    request.headers = many;
    request.header_count = SIGV4_HEADERS_MAX + 1;
    assert_int_equal(signer_request_sign(signer, &request, KAT_MS,
                                         authorization, sizeof authorization),
                     VR_LIMIT);
    request = kat_request;
    memset(path, 'a', sizeof path - 1);
    path[0] = '/';
    request.path = path;
    assert_int_equal(signer_request_sign(signer, &request, KAT_MS,
                                         authorization, sizeof authorization),
                     VR_LIMIT);
    assert_int_equal(signer_seed(signer, "zz"), VR_INVALID);
    assert_int_equal(signer_seed(signer, "ab"), VR_INVALID);
    signer_free(&signer);
    signer_free(&signer);
}

/* ---- AWS's chunk vectors ---- */

/* Given in base64, or as "'a' x COUNT". */
static uint8_t *
chunk_payload(const cJSON *chunk, size_t *bytes)
{
    const char *text = vectors_string(chunk, "payload_b64");
    uint8_t *payload;

    if (text)
        return vectors_base64(text, bytes);
    text = vectors_string(chunk, "payload");
    assert_int_equal(sscanf(text, "'a' x %zu", bytes), 1);
    payload = malloc(*bytes + 1);
    assert_non_null(payload);
    memset(payload, 'a', *bytes);
    return payload;
}

static int64_t
date_ms(const char *date)
{
    struct tm tm = {0};

    assert_non_null(strptime(date, "%Y%m%dT%H%M%SZ", &tm));
    return (int64_t)timegm(&tm) * 1000;
}

static void
run_chunk(struct signer *signer, const cJSON *vector, const cJSON *chunk)
{
    uint8_t headers[256], signature[32];
    size_t headers_bytes, payload_bytes;
    uint8_t *payload = chunk_payload(chunk, &payload_bytes);
    const char *date = vectors_string(chunk, "x_amz_date");
    const char *headers_hex = vectors_string(chunk, "signed_headers_hex");

    if (!date)
        date = vectors_string(vector, "x_amz_date");
    headers_bytes =
        vectors_hex(headers_hex ? headers_hex : "", headers, sizeof headers);
    assert_string_equal(signer_last_signature(signer),
                        vectors_string(chunk, "prior_signature"));
    signer_chunk_sign_headers(signer, date_ms(date), headers, headers_bytes,
                              payload, payload_bytes, signature);
    assert_hex(signature, 32, vectors_string(chunk, "signature"));
    free(payload);
}

/* Headers as an object, or else as lines of the canonical request (changed). */
static size_t
seed_headers(const cJSON *seed, char *canonical, struct signer_header list[16])
{
    const cJSON *header;
    size_t count = 0;
    char *line = canonical, *value;

    cJSON_ArrayForEach(header, cJSON_GetObjectItem(seed, "headers"))
    {
        list[count++] =
            (struct signer_header){header->string, header->valuestring};
    }
    for (int skipped = 0; skipped < 3; skipped++)
        line = strchr(line, '\n') + 1;
    while (!cJSON_HasObjectItem(seed, "headers") && *line != '\n') {
        value = strchr(line, ':');
        *value++ = '\0';
        list[count++] = (struct signer_header){line, value};
        line = strchr(value, '\n');
        *line++ = '\0';
    }
    return count;
}

static void
run_seed_request(const cJSON *seed, struct signer *signer)
{
    char *canonical = strdup(vectors_string(seed, "canonical_request"));
    const char *path = vectors_string(seed, "path");
    struct signer_header list[16];
    struct signer_request request = {
        .method = vectors_string(seed, "method"),
        .path = path ? path : "/",
        .headers = list,
        .payload_hash = STREAMING,
    };
    char authorization[1024], date[17];

    assert_non_null(canonical);
    request.header_count = seed_headers(seed, canonical, list);
    assert_int_equal(sscanf(vectors_string(seed, "string_to_sign"),
                            "AWS4-HMAC-SHA256 %16s", date),
                     1);
    assert_int_equal(signer_request_sign(signer, &request, date_ms(date),
                                         authorization, sizeof authorization),
                     VR_OK);
    assert_string_equal(signer_last_signature(signer),
                        vectors_string(seed, "signature"));
    if (vectors_string(seed, "authorization"))
        assert_string_equal(authorization,
                            vectors_string(seed, "authorization"));
    free(canonical);
}

/* A vector without chunks gives a string to sign only. */
static void
run_string_to_sign(const cJSON *vector)
{
    uint8_t bytes[256], headers_hash[32], payload_hash[32];
    char date[SIGV4_DATE_BYTES], scope[64], text[512];
    const cJSON *when = cJSON_GetObjectItem(vector, "signing_epoch_seconds");
    size_t count;

    count = vectors_hex(vectors_string(vector, "signed_headers_hex"), bytes,
                        sizeof bytes);
    digest_sha256(bytes, count, headers_hash);
    if (vectors_string(vector, "inner_message_hex")) {
        count = vectors_hex(vectors_string(vector, "inner_message_hex"), bytes,
                            sizeof bytes);
        digest_sha256(bytes, count, payload_hash);
    } else {
        uint8_t *payload = chunk_payload(vector, &count);

        digest_sha256(payload, count, payload_hash);
        free(payload);
    }
    sigv4_date((int64_t)when->valuedouble * 1000, date);
    sigv4_scope(date, vectors_string(vector, "region"),
                vectors_string(vector, "service"), scope, sizeof scope);
    count = sigv4_chunk_string(date, scope,
                               vectors_string(vector, "prior_signature"), 64,
                               headers_hash, payload_hash, text, sizeof text);
    text[count] = '\0';
    assert_string_equal(text, vectors_string(vector, "string_to_sign"));
}

static void
test_chunk_vectors(void **state)
{
    cJSON *json;
    const cJSON *vector, *chunk;
    int vectors = 0, chunks = 0;

    (void)state;
    if (!vectors_present("eventstream-signing"))
        skip();
    json = vectors_json("eventstream-signing/chunk-signing.json");
    cJSON_ArrayForEach(vector, cJSON_GetObjectItem(json, "vectors"))
    {
        struct signer *signer;

        vectors++;
        if (!cJSON_HasObjectItem(vector, "chunks")) {
            run_string_to_sign(vector);
            continue;
        }
        signer = make_signer(vectors_string(vector, "access_key_id"),
                             vectors_string(vector, "secret_access_key"),
                             vectors_string(vector, "region"),
                             vectors_string(vector, "service"));
        if (cJSON_HasObjectItem(vector, "seed_request"))
            run_seed_request(cJSON_GetObjectItem(vector, "seed_request"),
                             signer);
        assert_int_equal(
            signer_seed(signer, vectors_string(vector, "seed_signature")),
            VR_OK);
        cJSON_ArrayForEach(chunk, cJSON_GetObjectItem(vector, "chunks"))
        {
            run_chunk(signer, vector, chunk);
            chunks++;
        }
        signer_free(&signer);
    }
    cJSON_Delete(json);
    print_message("%d vectors, %d chunks\n", vectors, chunks);
    assert_true(vectors >= 4);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_known_answer),
        cmocka_unit_test(test_chunk_known_answer),
        cmocka_unit_test(test_chunk_string_known_answer),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_key_turns_at_midnight),
        cmocka_unit_test(test_too_small_or_too_much_is_refused),
        cmocka_unit_test(test_chunk_vectors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

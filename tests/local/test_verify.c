/* The endpoint's SigV4 against AWS' vectors: canonical requests, requests
 * signed by the official SDK, chunk signatures, whole signed streams. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/local/authorization.h"
#include "gateway/local/canonical.h"
#include "gateway/local/chain.h"
#include "gateway/local/envelope.h"
#include "gateway/local/sigv4.h"
#include "gateway/local/verify.h"
#include "tests/local/vectors.h"

#define OFFICIAL "sigv4/official-bedrock-requests.json"
#define SUITE "sigv4/aws-signing-test-suite/v4"

static void
add(struct request *request, const char *name, const char *value)
{
    char lower[128];
    size_t count = 0;
    for (; name[count] != '\0' && count < sizeof(lower) - 1; count++)
        lower[count] = name[count] >= 'A' && name[count] <= 'Z'
                           ? (char)(name[count] + 32)
                           : name[count];
    request_add(request, lower, count, value, strlen(value));
}

/* ---- canonical requests ---- */

/* Reads an HTTP/1.1 request as the suite has it. */
static void
parse_request(char *text, struct request *request)
{
    char *rest, *line = strtok_r(text, "\n", &rest);
    char *method = line, *path = strchr(line, ' ');
    *path++ = '\0';
    char *version = strstr(path, " HTTP/");
    if (version != NULL)
        *version = '\0';
    add(request, ":method", method);
    add(request, ":path", path);
    while ((line = strtok_r(NULL, "\n", &rest)) != NULL) {
        char *colon = strchr(line, ':');
        if (colon == NULL)
            break;
        *colon = '\0';
        add(request, line, colon + 1);
    }
}

/* The last two lines of a canonical request are the list of headers and the
 * payload's hash. */
static void
check_canonical(const char *name, const char *request_file,
                const char *canonical_file)
{
    size_t bytes;
    char *text = (char *)vectors_read(request_file, &bytes);
    char *right = (char *)vectors_read(canonical_file, &bytes);
    assert_non_null(text);
    assert_non_null(right);
    struct request request = {0};
    struct bytes out;
    const char *missing;
    bytes_init(&out, 65536);
    parse_request(text, &request);
    char *copy = strdup(right);
    char *hash = strrchr(copy, '\n');
    *hash++ = '\0';
    const char *list = strrchr(copy, '\n') + 1;
    if (!canonical_request(&request, list, hash, &out, &missing))
        fail_msg("%s: %s", name, missing ? missing : "no room");
    if (strcmp((char *)out.data, right) != 0)
        fail_msg("%s:\n%s\nshould be\n%s", name, (char *)out.data, right);
    bytes_fini(&out);
    request_fini(&request);
    free(copy);
    free(text);
    free(right);
}

/* Left out: the "-normalized" cases. This endpoint's one route leaves no room
 * for "." and ".." in a path, so it does not normalise paths. */
static void
canonical_suite(void **state)
{
    static const char *const names[] = {"get-header-key-duplicate",
                                        "get-header-value-order",
                                        "get-header-value-trim",
                                        "get-relative-unnormalized",
                                        "get-slash-dot-slash-unnormalized",
                                        "get-slash-pointless-dot-unnormalized",
                                        "get-slash-unnormalized",
                                        "get-slashes-unnormalized",
                                        "get-unreserved",
                                        "get-vanilla",
                                        "get-vanilla-empty-query-key",
                                        "get-vanilla-query",
                                        "get-vanilla-query-order-key-case",
                                        "get-vanilla-utf8-query",
                                        "post-header-key-case",
                                        "post-header-value-case",
                                        "post-sts-header-after",
                                        "post-vanilla",
                                        "post-vanilla-empty-query-value",
                                        "post-vanilla-query",
                                        "post-x-www-form-urlencoded"};
    char request[256], canonical[256];
    (void)state;
    cJSON_Delete(vectors_json(SUITE "/get-vanilla/context.json"));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(request, sizeof(request),
                 SUITE "/%s/header-signed-request.txt", names[i]);
        snprintf(canonical, sizeof(canonical),
                 SUITE "/%s/header-canonical-request.txt", names[i]);
        check_canonical(names[i], request, canonical);
    }
    check_canonical(
        "double-url-encode",
        "sigv4/smithy-rs-extra/double-url-encode/header-signed-request.txt",
        "sigv4/smithy-rs-extra/double-url-encode/header-canonical-request.txt");
}

/* ---- requests signed by the official SDK ---- */

static void
load_request(const cJSON *item, struct request *request)
{
    const cJSON *header;
    const char *token = vectors_text(item, "session_token");
    add(request, ":method", vectors_text(item, "method"));
    add(request, ":path", vectors_text(item, "path_as_sent"));
    cJSON_ArrayForEach(header,
                       cJSON_GetObjectItem(item, "headers_before_signing"))
        add(request, header->string, header->valuestring);
    add(request, "x-amz-date", vectors_text(item, "x_amz_date"));
    if (token[0] != '\0')
        add(request, "x-amz-security-token", token);
    add(request, "authorization", vectors_text(item, "authorization"));
}

static struct verify_keys
keys_of(const cJSON *item)
{
    return (struct verify_keys){
        .access_key_id = vectors_text(item, "access_key_id"),
        .secret_access_key = vectors_text(item, "secret_access_key"),
        .session_token = vectors_text(item, "session_token")};
}

static void
official_requests(void **state)
{
    cJSON *file = vectors_json(OFFICIAL);
    const cJSON *item;
    size_t count = 0;
    (void)state;
    cJSON_ArrayForEach(item, cJSON_GetObjectItem(file, "requests"))
    {
        struct request request = {0};
        struct refusal refusal;
        struct chain chain;
        struct verify_keys keys = keys_of(item);
        char model[VERIFY_MODEL_BYTES];
        int64_t now_ms = sigv4_time_ms(vectors_text(item, "x_amz_date"));
        load_request(item, &request);
        assert_true(verify_route(&request, model, &refusal));
        assert_string_equal(model, vectors_text(item, "model_id"));
        if (!verify_signature(&keys, &request, now_ms, &chain, &refusal))
            fail_msg("%s: %s", vectors_text(item, "name"), refusal.message);
        assert_string_equal(chain.prior, vectors_text(item, "signature"));
        keys.secret_access_key = "wrong";
        assert_false(
            verify_signature(&keys, &request, now_ms, &chain, &refusal));
        assert_int_equal(refusal.code, REFUSAL_bad_signature);
        assert_non_null(strstr(refusal.message, "\n20"));
        assert_true(keys.session_token[0] == '\0' ||
                    strstr(refusal.message, keys.session_token) == NULL);
        request_fini(&request);
        count++;
    }
    cJSON_Delete(file);
    assert_true(count > 0);
}

/* ---- chunks ---- */

static int64_t
date_of(const char *signed_headers_hex)
{
    size_t bytes;
    uint8_t *header = vectors_hex(signed_headers_hex, &bytes);
    int64_t date_ms = -1;
    if (bytes == CHAIN_DATE_HEADER_BYTES &&
        memcmp(header, "\x05:date\x08", 7) == 0) {
        uint64_t bits = 0;
        for (int i = 7; i < 15; i++)
            bits = bits << 8 | header[i];
        date_ms = (int64_t)bits;
    }
    free(header);
    return date_ms;
}

/* Whether our chain can say anything about the chunk: it must cover a :date
 * header and be signed at that very date. */
static bool
applies(const cJSON *chunk)
{
    char time[SIGV4_TIME_BYTES] = "";
    int64_t date_ms = date_of(vectors_text(chunk, "signed_headers_hex"));
    return sigv4_time(date_ms, time) &&
           strcmp(time, vectors_text(chunk, "x_amz_date")) == 0;
}

static void
check_chunk(struct chain *chain, const cJSON *chunk)
{
    size_t payload_bytes, signature_bytes;
    int64_t date_ms = date_of(vectors_text(chunk, "signed_headers_hex"));
    uint8_t *payload =
        vectors_base64(vectors_text(chunk, "payload_b64"), &payload_bytes);
    uint8_t *signature =
        vectors_hex(vectors_text(chunk, "signature"), &signature_bytes);
    assert_int_equal(signature_bytes, SIGV4_DIGEST_BYTES);
    signature[5] ^= 1;
    assert_false(
        chain_verify(chain, date_ms, payload, payload_bytes, signature));
    assert_false(
        chain_verify(chain, date_ms + 1, payload, payload_bytes, signature));
    signature[5] ^= 1;
    assert_true(
        chain_verify(chain, date_ms, payload, payload_bytes, signature));
    assert_string_equal(chain->prior, vectors_text(chunk, "signature"));
    free(payload);
    free(signature);
}

static void
check_chunk_vector(const cJSON *vector, size_t *checked)
{
    struct chain chain;
    const cJSON *chunk;
    if (!cJSON_HasObjectItem(vector, "chunks"))
        print_message("left out: %s (gives a string to sign, no signature)\n",
                      vectors_text(vector, "name"));
    cJSON_ArrayForEach(chunk, cJSON_GetObjectItem(vector, "chunks"))
    {
        if (!applies(chunk)) {
            print_message("left out: %s (covers no :date header of its own "
                          "date, so no such frame exists)\n",
                          vectors_text(vector, "name"));
            return;
        }
        chain_init(&chain, vectors_text(vector, "secret_access_key"),
                   vectors_text(vector, "region"),
                   vectors_text(vector, "service"),
                   vectors_text(chunk, "prior_signature"));
        check_chunk(&chain, chunk);
        ++*checked;
    }
}

static void
chunk_vectors(void **state)
{
    cJSON *file = vectors_json("eventstream-signing/chunk-signing.json");
    const cJSON *vector;
    size_t checked = 0;
    (void)state;
    cJSON_ArrayForEach(vector, cJSON_GetObjectItem(file, "vectors"))
        check_chunk_vector(vector, &checked);
    cJSON_Delete(file);
    assert_true(checked >= 7);
}

/* ---- whole streams ---- */

struct playing {
    struct chain chain;
    struct bytes json;
    const cJSON *chunks;
    int count;
};

static bool
check_official_frame(void *arg, const struct framing_frame *frame)
{
    struct playing *p = arg;
    char problem[ENVELOPE_PROBLEM_BYTES] = "";
    const cJSON *chunk = cJSON_GetArrayItem(p->chunks, p->count++);
    const cJSON *event = cJSON_GetObjectItem(chunk, "event_json");
    int64_t date_ms =
        (int64_t)cJSON_GetObjectItem(chunk, "date_ms")->valuedouble;
    enum envelope_kind kind =
        envelope_open(&p->chain, frame, date_ms, &p->json, problem);
    if (cJSON_IsString(event)) {
        if (kind != ENVELOPE_EVENT)
            fail_msg("frame %d: %s", p->count, problem);
        assert_int_equal(p->json.count, strlen(event->valuestring));
        assert_memory_equal(p->json.data, event->valuestring, p->json.count);
    } else {
        assert_int_equal(kind, ENVELOPE_END);
    }
    return true;
}

static void
check_official_stream(const char *name)
{
    char path[128];
    size_t bytes;
    snprintf(path, sizeof(path), "eventstream-signing/official-streams/%s.json",
             name);
    cJSON *file = vectors_json(path);
    snprintf(path, sizeof(path), "eventstream-signing/official-streams/%s.bin",
             name);
    uint8_t *body = vectors_read(path, &bytes);
    assert_non_null(body);
    struct playing p = {.chunks = cJSON_GetObjectItem(file, "chunks")};
    struct framing_decoder decoder;
    bytes_init(&p.json, ENVELOPE_FRAME_BYTES_MAX);
    framing_decoder_init(&decoder, ENVELOPE_FRAME_BYTES_MAX);
    chain_init(&p.chain, vectors_text(file, "secret_access_key"),
               vectors_text(file, "region"), vectors_text(file, "service"),
               vectors_text(file, "seed_signature"));
    assert_true(framing_push(&decoder, body, bytes, check_official_frame, &p));
    assert_int_equal(p.count, cJSON_GetArraySize(p.chunks));
    framing_decoder_fini(&decoder);
    bytes_fini(&p.json);
    free(body);
    cJSON_Delete(file);
}

static void
official_streams(void **state)
{
    (void)state;
    check_official_stream("20ms-chunks");
    check_official_stream("odd-sizes");
    check_official_stream("over-leap-day");
    check_official_stream("session-token");
}

/* ---- small parts ---- */

static void
times(void **state)
{
    char text[SIGV4_TIME_BYTES];
    (void)state;
    assert_true(sigv4_time(1767225600000, text));
    assert_string_equal(text, "20260101T000000Z");
    assert_true(sigv4_time_ms("20260101T000000Z") == 1767225600000);
    assert_true(sigv4_time_ms("20280229T235959Z") > 0);
    static const char *const wrong[] = {"",
                                        "20260231T000000Z",
                                        "20260101T000000",
                                        "20260101 000000Z",
                                        "2026-01-01T00:00",
                                        "20260101T240000Z",
                                        "20261301T000000Z",
                                        "x0260101T000000Z"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_true(sigv4_time_ms(wrong[i]) == -1);
    assert_false(sigv4_time(-1, text));
    assert_false(sigv4_time(INT64_MAX, text));
}

static void
lists_of_headers(void **state)
{
    static const struct {
        const char *list;
        bool good;
    } cases[] = {{"host", true},       {":authority;host;x-amz-date", true},
                 {"", false},          {"x-amz-date;host", false},
                 {"host;host", false}, {"Host", false},
                 {"host;;x", false},   {"ho st", false}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct authorization a = {0};
        snprintf(a.signed_headers, sizeof(a.signed_headers), "%s",
                 cases[i].list);
        assert_int_equal(authorization_list_ok(&a), cases[i].good);
    }
}

static void
large_requests(void **state)
{
    struct request request = {0};
    struct refusal refusal;
    struct chain chain;
    struct verify_keys keys = {"a", "b", "", NULL};
    (void)state;
    for (int i = 0; i < 1000; i++)
        add(&request, "x-many", "value");
    assert_true(request.too_large);
    assert_int_equal(request.header_count, REQUEST_HEADER_COUNT_MAX);
    assert_false(verify_signature(&keys, &request, 0, &chain, &refusal));
    assert_int_equal(refusal.code, REFUSAL_validation);
    request_fini(&request);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canonical_suite), cmocka_unit_test(official_requests),
        cmocka_unit_test(chunk_vectors),   cmocka_unit_test(official_streams),
        cmocka_unit_test(times),           cmocka_unit_test(lists_of_headers),
        cmocka_unit_test(large_requests)};
    return cmocka_run_group_tests_name("local/verify", tests, NULL, NULL);
}

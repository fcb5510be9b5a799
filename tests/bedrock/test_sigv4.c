/* AWS's request signing suites, read in place: canonical request, string to
 * sign and signature of every case, in headers and presigned. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <cmocka.h>

#include "gateway/bedrock/sigv4.h"
#include "tests/bedrock/vectors.h"

#define SUITE_KEY_ID "AKIDEXAMPLE"
#define SUITE_SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

/* A request as the suites' text files hold it; `text` backs all pointers. */
struct parsed {
    char *text;
    struct signer_header headers[16];
    char more[4096]; /* what is added to the file's headers or query */
    char body_hash[65];
    struct signer_request request;
};

/* Who signs, when and where. */
struct signing {
    const char *key_id, *secret, *token, *region, *service;
    char date[SIGV4_DATE_BYTES];
    struct sigv4_path_rules rules;
};

static void
hash_hex(const void *data, size_t bytes, char hex[65])
{
    uint8_t hash[32];

    digest_sha256(data, bytes, hash);
    digest_hex(hash, hex);
    hex[64] = '\0';
}

static const char *
find_header(const struct signer_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (!strcasecmp(request->headers[i].name, name))
            return request->headers[i].value;
    }
    return NULL;
}

static void
add_header(struct parsed *parsed, const char *name, const char *value)
{
    assert_true(parsed->request.header_count < 16);
    parsed->headers[parsed->request.header_count++] =
        (struct signer_header){name, value};
}

/* "METHOD /path?query HTTP/1.1", headers, an empty line, the body. The target
 * may hold spaces. */
static void
parse_request(const char *path, struct parsed *parsed)
{
    char *line, *next, *target, *version, *query;

    *parsed = (struct parsed){.text = vectors_read(path, NULL)};
    parsed->request.headers = parsed->headers;
    line = parsed->text;
    next = line + strcspn(line, "\n");
    next += *next ? (*next = '\0', 1) : 0;
    target = strchr(line, ' ');
    assert_non_null(target);
    *target++ = '\0';
    version = strstr(target, " HTTP/1.1");
    if (version)
        *version = '\0';
    query = strchr(target, '?');
    if (query)
        *query++ = '\0';
    parsed->request.method = line;
    parsed->request.path = target;
    parsed->request.query = query ? query : "";
    for (line = next; *line && *line != '\n'; line = next) {
        char *value;

        next = line + strcspn(line, "\n");
        next += *next ? (*next = '\0', 1) : 0;
        value = strchr(line, ':');
        assert_non_null(value);
        *value++ = '\0';
        add_header(parsed, line, value);
    }
    line += *line == '\n';
    hash_hex(line, strlen(line), parsed->body_hash);
    parsed->request.payload_hash = parsed->body_hash;
}

static void
trim_end(char *text)
{
    size_t chars = strlen(text);

    while (chars && (text[chars - 1] == '\n' || text[chars - 1] == '\r'))
        text[--chars] = '\0';
}

static void
assert_file(const char *folder, const char *file, const char *text,
            size_t chars)
{
    char path[600];
    char *expected;

    snprintf(path, sizeof path, "%s/%s", folder, file);
    expected = vectors_read(path, NULL);
    trim_end(expected);
    if (strlen(expected) != chars || memcmp(expected, text, chars) != 0)
        fail_msg("%s\nexpected:\n%s\ngot:\n%.*s", path, expected, (int)chars,
                 text);
    free(expected);
}

/* Signs as a test author would, from the lower-level functions. */
static void
sign_texts(const struct signing *signing, const char *canonical, size_t chars,
           char string[512], char signature[65])
{
    char scope[128];
    uint8_t hash[32], key[32];
    size_t string_chars;

    assert_true(sigv4_scope(signing->date, signing->region, signing->service,
                            scope, sizeof scope) > 0);
    digest_sha256(canonical, chars, hash);
    string_chars =
        sigv4_request_string(signing->date, scope, hash, string, 511);
    string[string_chars] = '\0';
    sigv4_key(signing->secret, signing->date, signing->region, signing->service,
              key);
    digest_hmac(key, 32, string, string_chars, hash);
    digest_hex(hash, signature);
    signature[64] = '\0';
}

/* Files of one case by their part. */
struct files {
    const char *canonical, *string, *signature;
};

static void
check_case(const char *folder, const struct files *files,
           const struct parsed *parsed, const struct signing *signing)
{
    char canonical[8192], string[512], signature[65];
    struct sigv4_canonical parts;

    assert_int_equal(sigv4_canonical_request(&parsed->request, signing->rules,
                                             canonical, sizeof canonical,
                                             &parts),
                     VR_OK);
    assert_file(folder, files->canonical, canonical, parts.chars);
    sign_texts(signing, canonical, parts.chars, string, signature);
    assert_file(folder, files->string, string, strlen(string));
    if (files->signature)
        assert_file(folder, files->signature, signature, 64);
}

/* ---- the suite with context.json ---- */

/* Percent-encodes for a presigned query as its makers do. */
static void
append_encoded(char *out, size_t size, const char *text)
{
    size_t used = strlen(out);

    for (; *text && used + 4 < size; text++) {
        if (strchr("/;+=", *text))
            used += (size_t)snprintf(out + used, size - used, "%%%02X", *text);
        else
            out[used++] = *text;
    }
    out[used] = '\0';
}

static void
append(char *out, size_t size, const char *text)
{
    size_t used = strlen(out);

    snprintf(out + used, size - used, "%s", text);
}

/* Turns the request into the presigned one: its parameters join the query. */
static void
presign(struct parsed *parsed, const struct signing *signing,
        bool token_is_signed)
{
    struct signer_request *request = &parsed->request;
    char canonical[8192], scope[128], *query = parsed->more;
    size_t size = sizeof parsed->more;
    struct sigv4_canonical parts;

    assert_int_equal(sigv4_canonical_request(request, signing->rules, canonical,
                                             sizeof canonical, &parts),
                     VR_OK);
    canonical[parts.signed_headers_at + parts.signed_headers_chars] = '\0';
    sigv4_scope(signing->date, signing->region, signing->service, scope,
                sizeof scope);
    append(query, size, request->query);
    append(query, size, *request->query ? "&" : "");
    append(query, size, "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=");
    append(query, size, signing->key_id);
    append(query, size, "%2F");
    append_encoded(query, size, scope);
    append(query, size, "&X-Amz-Date=");
    append(query, size, signing->date);
    append(query, size, "&X-Amz-Expires=3600&X-Amz-SignedHeaders=");
    append_encoded(query, size, canonical + parts.signed_headers_at);
    if (signing->token && token_is_signed) {
        append(query, size, "&X-Amz-Security-Token=");
        append_encoded(query, size, signing->token);
    }
    request->query = query;
}

static void
add_signing_headers(struct parsed *parsed, const struct signing *signing,
                    bool token_is_signed, bool body_is_signed)
{
    add_header(parsed, "X-Amz-Date", signing->date);
    if (signing->token && token_is_signed)
        add_header(parsed, "X-Amz-Security-Token", signing->token);
    if (body_is_signed)
        add_header(parsed, "x-amz-content-sha256", parsed->body_hash);
}

static void
read_context(const cJSON *context, struct signing *signing, char secret[128])
{
    const cJSON *credentials = cJSON_GetObjectItem(context, "credentials");
    struct tm tm = {0};

    snprintf(secret, 128, "AWS4%s",
             vectors_string(credentials, "secret_access_key"));
    *signing = (struct signing){
        .key_id = vectors_string(credentials, "access_key_id"),
        .secret = secret,
        .token = vectors_string(credentials, "token"),
        .region = vectors_string(context, "region"),
        .service = vectors_string(context, "service"),
        .rules = {.normalize =
                      cJSON_IsTrue(cJSON_GetObjectItem(context, "normalize")),
                  .encode = true},
    };
    assert_non_null(strptime(vectors_string(context, "timestamp"),
                             "%Y-%m-%dT%H:%M:%SZ", &tm));
    sigv4_date((int64_t)timegm(&tm) * 1000, signing->date);
}

static void
run_context_case(const char *folder)
{
    static const struct files in_headers = {"header-canonical-request.txt",
                                            "header-string-to-sign.txt",
                                            "header-signature.txt"};
    static const struct files in_query = {"query-canonical-request.txt",
                                          "query-string-to-sign.txt",
                                          "query-signature.txt"};
    char path[600], secret[128];
    struct signing signing;
    struct parsed parsed;
    cJSON *context;
    bool with_token, with_body;

    snprintf(path, sizeof path, "%s/context.json", folder);
    context = vectors_json(path);
    read_context(context, &signing, secret);
    with_token =
        !cJSON_IsTrue(cJSON_GetObjectItem(context, "omit_session_token"));
    with_body = cJSON_IsTrue(cJSON_GetObjectItem(context, "sign_body"));
    snprintf(path, sizeof path, "%s/request.txt", folder);

    parse_request(path, &parsed);
    add_signing_headers(&parsed, &signing, with_token, with_body);
    check_case(folder, &in_headers, &parsed, &signing);
    free(parsed.text);

    parse_request(path, &parsed);
    presign(&parsed, &signing, with_token);
    check_case(folder, &in_query, &parsed, &signing);
    free(parsed.text);
    cJSON_Delete(context);
}

static void
test_signing_suite(void **state)
{
    static const char root[] = "sigv4/aws-signing-test-suite/v4";
    char folder[512], **names;
    int count = 0;

    (void)state;
    if (!vectors_present("sigv4"))
        skip();
    names = vectors_names(root);
    for (char **name = names; *name; name++) {
        snprintf(folder, sizeof folder, "%s/%s", root, *name);
        run_context_case(folder);
        count++;
    }
    vectors_names_free(names);
    print_message("%d cases, each in headers and presigned\n", count);
    assert_true(count > 0);
}

/* ---- the older suite ---- */

static const struct signing suite_signing = {
    .key_id = SUITE_KEY_ID,
    .secret = "AWS4" SUITE_SECRET,
    .region = "us-east-1",
    .service = "service",
    .date = "20150830T123600Z",
    .rules = {.normalize = true, .encode = true},
};

/* NAME.req beside NAME.creq, .sts and .authz; 0 if there is no such file. */
static int
run_older_case(const char *folder, const char *name)
{
    char path[600], canonical[128], string[128], *authorization;
    struct files files = {canonical, string, NULL};
    struct parsed parsed;
    char text[8192], sts[512], signature[65];
    struct sigv4_canonical parts;

    snprintf(path, sizeof path, "%s/%s.req", folder, name);
    authorization = vectors_read_optional(path, NULL);
    if (!authorization)
        return 0;
    free(authorization);
    parse_request(path, &parsed);
    snprintf(canonical, sizeof canonical, "%s.creq", name);
    snprintf(string, sizeof string, "%s.sts", name);
    check_case(folder, &files, &parsed, &suite_signing);
    assert_int_equal(sigv4_canonical_request(&parsed.request,
                                             suite_signing.rules, text,
                                             sizeof text, &parts),
                     VR_OK);
    sign_texts(&suite_signing, text, parts.chars, sts, signature);
    snprintf(path, sizeof path, "%s/%s.authz", folder, name);
    authorization = vectors_read(path, NULL);
    trim_end(authorization);
    assert_string_equal(strstr(authorization, "Signature=") + 10, signature);
    free(authorization);
    free(parsed.text);
    return 1;
}

/* Cases lie in folders of their name, some one level deeper. */
static int
run_older_folder(const char *folder, const char *name, int depth)
{
    int count = run_older_case(folder, name);
    char **names, inner[512];

    if (count || depth == 2)
        return count;
    names = vectors_names(folder);
    for (char **child = names; *child; child++) {
        if (strchr(*child, '.') || !strcmp(*child, "LICENSE") ||
            !strcmp(*child, "NOTICE"))
            continue;
        snprintf(inner, sizeof inner, "%s/%s", folder, *child);
        count += run_older_folder(inner, *child, depth + 1);
    }
    vectors_names_free(names);
    return count;
}

static void
test_older_suite(void **state)
{
    int count;

    (void)state;
    if (!vectors_present("sigv4"))
        skip();
    count = run_older_folder("sigv4/aws4_testsuite", "aws4_testsuite", 0);
    print_message("%d cases\n", count);
    assert_true(count > 0);
}

/* ---- single cases ---- */

static void
test_double_encoding(void **state)
{
    static const char folder[] = "sigv4/smithy-rs-extra/double-url-encode";
    static const struct files files = {"header-canonical-request.txt",
                                       "header-string-to-sign.txt", NULL};
    struct signing signing = suite_signing;
    struct parsed parsed;

    (void)state;
    if (!vectors_present("sigv4"))
        skip();
    signing.region = "us-east-2";
    signing.service = "lambda";
    parse_request("sigv4/smithy-rs-extra/double-url-encode/request.txt",
                  &parsed);
    snprintf(signing.date, sizeof signing.date, "%s",
             find_header(&parsed.request, "x-amz-date"));
    check_case(folder, &files, &parsed, &signing);
    free(parsed.text);
}

static void
test_path_as_sent(void **state)
{
    static const struct signer_header host = {"host", "h"};
    struct signer_request request = {
        .method = "GET",
        .path = "/a//b/../c%20d",
        .query = "b=2&a=%7e&a=1&&flag",
        .headers = &host,
        .header_count = 1,
        .payload_hash = "x",
    };
    char text[512];
    struct sigv4_canonical parts;

    (void)state;
    assert_int_equal(sigv4_canonical_request(&request,
                                             (struct sigv4_path_rules){0}, text,
                                             sizeof text - 1, &parts),
                     VR_OK);
    text[parts.chars] = '\0';
    assert_string_equal(text, "GET\n/a//b/../c%20d\na=1&a=~&b=2&flag=\nhost:"
                              "h\n\nhost\nx");
}

static void
test_header_values(void **state)
{
    static const struct signer_header headers[] = {
        {"B", " x \t\r\n  y "}, {"a", ""}, {"b", "z"}};
    struct signer_request request = {
        .method = "GET",
        .path = "",
        .headers = headers,
        .header_count = 3,
        .payload_hash = "x",
    };
    char text[512];
    struct sigv4_canonical parts;

    (void)state;
    assert_int_equal(sigv4_canonical_request(
                         &request, (struct sigv4_path_rules){.normalize = true},
                         text, sizeof text - 1, &parts),
                     VR_OK);
    text[parts.chars] = '\0';
    assert_string_equal(text, "GET\n/\n\na:\nb:x y,z\n\na;b\nx");
}

static void
test_documentation_example(void **state)
{
    struct signing signing = suite_signing;
    char string[512], signature[65], secret[128];
    uint8_t key[32], expected[32];
    const char *canonical;
    cJSON *json;

    (void)state;
    if (!vectors_present("sigv4"))
        skip();
    json = vectors_json("sigv4/single/iam-listusers-doc-example.json");
    canonical = vectors_string(json, "canonical_request");
    snprintf(secret, sizeof secret, "AWS4%s",
             vectors_string(json, "secret_access_key"));
    signing.secret = secret;
    signing.service = vectors_string(json, "service");
    sign_texts(&signing, canonical, strlen(canonical), string, signature);
    assert_string_equal(string, vectors_string(json, "string_to_sign"));
    assert_string_equal(signature, vectors_string(json, "signature"));
    sigv4_key(secret, signing.date, signing.region, signing.service, key);
    vectors_hex(vectors_string(json, "signing_key_hex"), expected, 32);
    assert_memory_equal(key, expected, 32);
    cJSON_Delete(json);
}

/* ---- requests signed by the official SDK ---- */

static void
run_official(const cJSON *vector)
{
    struct credentials credentials = {0};
    struct signer_header headers[16];
    struct signer_request request = {
        .method = vectors_string(vector, "method"),
        .path = vectors_string(vector, "path_as_sent"),
        .headers = headers,
        .payload_hash = "STREAMING-AWS4-HMAC-SHA256-EVENTS",
    };
    const char *token = vectors_string(vector, "session_token");
    const char *date = vectors_string(vector, "x_amz_date");
    const cJSON *header;
    char authorization[2048];
    struct signer *signer;
    struct tm tm = {0};

    snprintf(credentials.access_key_id, sizeof credentials.access_key_id, "%s",
             vectors_string(vector, "access_key_id"));
    snprintf(credentials.secret_access_key,
             sizeof credentials.secret_access_key, "%s",
             vectors_string(vector, "secret_access_key"));
    cJSON_ArrayForEach(header,
                       cJSON_GetObjectItem(vector, "headers_before_signing"))
        headers[request.header_count++] =
            (struct signer_header){header->string, header->valuestring};
    headers[request.header_count++] =
        (struct signer_header){"x-amz-date", date};
    if (token)
        headers[request.header_count++] =
            (struct signer_header){"x-amz-security-token", token};
    signer = signer_new(&credentials, vectors_string(vector, "region"),
                        vectors_string(vector, "service"));
    assert_non_null(signer);
    assert_non_null(strptime(date, "%Y%m%dT%H%M%SZ", &tm));
    assert_int_equal(signer_request_sign(signer, &request,
                                         (int64_t)timegm(&tm) * 1000,
                                         authorization, sizeof authorization),
                     VR_OK);
    assert_string_equal(authorization, vectors_string(vector, "authorization"));
    assert_string_equal(signer_last_signature(signer),
                        vectors_string(vector, "signature"));
    signer_free(&signer);
}

static void
test_official_requests(void **state)
{
    const cJSON *vector;
    cJSON *json;
    int count = 0;

    (void)state;
    if (!vectors_present("sigv4"))
        skip();
    json = vectors_json("sigv4/official-bedrock-requests.json");
    cJSON_ArrayForEach(vector, cJSON_GetObjectItem(json, "requests"))
    {
        run_official(vector);
        count++;
    }
    cJSON_Delete(json);
    print_message("%d requests\n", count);
    assert_true(count > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path_as_sent),
        cmocka_unit_test(test_header_values),
        cmocka_unit_test(test_signing_suite),
        cmocka_unit_test(test_older_suite),
        cmocka_unit_test(test_double_encoding),
        cmocka_unit_test(test_documentation_example),
        cmocka_unit_test(test_official_requests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

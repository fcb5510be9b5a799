/* Where credentials come from, which source goes first, and what is said when
 * there are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/bedrock/credentials.h"
#include "tests/bedrock/vectors.h"

static const char *const variables[] = {
    "AWS_ACCESS_KEY_ID",         "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",         "AWS_PROFILE",
    "AWS_CONFIG_FILE",           "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CREDENTIAL_EXPIRATION",
};

/* A home of its own for each test. */
struct home {
    char folder[64];
    char config[160], keys[160];
    struct credentials found;
    char tried[2048];
};

static void
forget_variables(void)
{
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        unsetenv(variables[i]);
}

static int
setup(void **state)
{
    struct home *home = calloc(1, sizeof *home);
    char folder[128];

    assert_non_null(home);
    forget_variables();
    snprintf(home->folder, sizeof home->folder,
             "/tmp/voxring-test-credentials-XXXXXX");
    assert_non_null(mkdtemp(home->folder));
    setenv("HOME", home->folder, 1);
    snprintf(folder, sizeof folder, "%s/.aws", home->folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    snprintf(home->config, sizeof home->config, "%s/config", folder);
    snprintf(home->keys, sizeof home->keys, "%s/credentials", folder);
    *state = home;
    return 0;
}

static int
teardown(void **state)
{
    struct home *home = *state;
    char folder[128];

    unlink(home->config);
    unlink(home->keys);
    rmdir(home->config);
    snprintf(folder, sizeof folder, "%s/.aws", home->folder);
    rmdir(folder);
    rmdir(home->folder);
    free(home);
    return 0;
}

static void
write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    fclose(file);
}

static void
expect_found(struct home *home, const char *profile, const char *key,
             const char *secret, const char *token)
{
    memset(home->tried, 'x', sizeof home->tried);
    if (credentials_load(profile, &home->found, home->tried,
                         sizeof home->tried))
        fail_msg("%s", home->tried);
    assert_string_equal(home->found.access_key_id, key);
    assert_string_equal(home->found.secret_access_key, secret);
    assert_string_equal(home->found.session_token, token);
    assert_string_equal(home->tried, "");
}

static void
expect_none(struct home *home, const char *profile, const char *says)
{
    static const struct credentials nothing;

    memset(&home->found, 'x', sizeof home->found);
    assert_int_equal(credentials_load(profile, &home->found, home->tried,
                                      sizeof home->tried),
                     VR_AUTH);
    if (!strstr(home->tried, says))
        fail_msg("'%s' is not in '%s'", says, home->tried);
    assert_null(strstr(home->tried, "HUSH"));
    assert_memory_equal(&home->found, &nothing, sizeof nothing);
}

/* ---- identity and expiry ---- */

static void
test_same(void **state)
{
    struct credentials a = {
        .access_key_id = "A", .secret_access_key = "S", .session_token = "T"};
    struct credentials b = a;

    (void)state;
    b.expires_ms = 5;
    snprintf(b.source, sizeof b.source, "elsewhere");
    /* What an earlier, longer value left behind. */
    b.secret_access_key[5] = 'x';
    assert_true(credentials_same(&a, &b));
    b.session_token[0] = '\0';
    assert_false(credentials_same(&a, &b));
    b = a;
    b.access_key_id[1] = 'B';
    assert_false(credentials_same(&a, &b));
    assert_false(credentials_same(&b, &a));
    b = a;
    memset(b.secret_access_key, 'S', sizeof b.secret_access_key);
    assert_false(credentials_same(&a, &b));
    assert_true(credentials_same(&b, &b));
}

static void
test_expiry_in_the_environment(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"2026-01-01T00:00:00Z", 1767225600000},
        {" 2026-01-01T00:00:00+00:00\r\n", 1767225600000},
        {"2026-01-01T01:30:00.2509+0130", 1767225600250},
        {"2025-12-31 18:00:00-06:00", 1767225600000},
        {"1999-01-01T00:00:00Z", 915148800000},
        {"", 0},
        {"2026-01-01T00:00:00", 0},
        {"2026-02-29T00:00:00Z", 0},
        {"2026-13-01T00:00:00Z", 0},
        {"2026-01-01T24:00:00Z", 0},
        {"2026-01-01T00:00:00.Z", 0},
        {"2026-01-01T00:00:00+24:00", 0},
        {"2026-01-01T00:00:00Zx", 0},
        {"2026-01-01T00:00", 0},
        {"soon", 0},
    };
    struct home *home = *state;

    setenv("AWS_ACCESS_KEY_ID", "AKIA", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "HUSH", 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setenv("AWS_CREDENTIAL_EXPIRATION", cases[i].text, 1);
        expect_found(home, NULL, "AKIA", "HUSH", "");
        assert_true(home->found.expires_ms == cases[i].ms);
        assert_false(credentials_may_change(&home->found));
    }
}

static void
test_expiry_in_a_profile(void **state)
{
    static const struct {
        const char *lines;
        int64_t ms;
    } cases[] = {
        {"", 0},
        {"x_security_token_expires = 2026-01-01T02:00:00+02:00\n",
         1767225600000},
        {"expiration=2026-01-01T00:00:01Z\n", 1767225601000},
        {"expiration=2027-01-01T00:00:00Z\n"
         "aws_expiration=2026-01-01T00:00:02Z\n",
         1767225602000},
        {"aws_credential_expiration=2026-01-01T00:00:03Z\n", 1767225603000},
        {"aws_expiration=tomorrow\n", 0},
    };
    struct home *home = *state;
    char text[512];

    /* It speaks of other keys. */
    setenv("AWS_CREDENTIAL_EXPIRATION", "2026-01-01T00:00:00Z", 1);
    write_file(home->config, "[profile robot]\n"
                             "expiration=2026-01-01T00:00:00Z\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(text, sizeof text,
                 "[robot]\naws_access_key_id=A\naws_secret_access_key=HUSH\n%s"
                 "[other]\nexpiration=2020-01-01T00:00:00Z\n",
                 cases[i].lines);
        write_file(home->keys, text);
        expect_found(home, "robot", "A", "HUSH", "");
        assert_true(home->found.expires_ms == cases[i].ms);
        assert_true(credentials_may_change(&home->found));
    }
}

/* ---- the environment ---- */

static void
test_environment(void **state)
{
    struct home *home = *state;

    setenv("AWS_ACCESS_KEY_ID", "AKIA", 1);
    setenv("AWS_SECRET_ACCESS_KEY", " HUSH\r\n", 1);
    expect_found(home, NULL, "AKIA", "HUSH", "");
    assert_string_equal(home->found.source, "environment");
    setenv("AWS_SESSION_TOKEN", "TOKEN", 1);
    expect_found(home, "", "AKIA", "HUSH", "TOKEN");
    setenv("AWS_PROFILE", "nobody", 1);
    expect_found(home, NULL, "AKIA", "HUSH", "TOKEN");
}

static void
test_half_an_environment(void **state)
{
    struct home *home = *state;

    write_file(home->keys, "[default]\naws_access_key_id=A\n"
                           "aws_secret_access_key=HUSH\n");
    setenv("AWS_ACCESS_KEY_ID", "AKIA", 1);
    expect_none(home, NULL,
                "environment: AWS_ACCESS_KEY_ID is set but "
                "AWS_SECRET_ACCESS_KEY is not");
    unsetenv("AWS_ACCESS_KEY_ID");
    setenv("AWS_SECRET_ACCESS_KEY", "HUSH", 1);
    setenv("AWS_SESSION_TOKEN", "TOKEN", 1);
    expect_none(home, NULL,
                "environment: AWS_SECRET_ACCESS_KEY is set but "
                "AWS_ACCESS_KEY_ID is not");
    setenv("AWS_SECRET_ACCESS_KEY", "", 1);
    expect_found(home, NULL, "A", "HUSH", "");
}

static void
test_bad_values(void **state)
{
    struct home *home = *state;
    char long_value[200];

    setenv("AWS_ACCESS_KEY_ID", "AKIA", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "HUSH in two", 1);
    expect_none(home, NULL, "AWS_SECRET_ACCESS_KEY holds a character");
    setenv("AWS_SECRET_ACCESS_KEY", "HUSH\xc3\x89T", 1);
    expect_none(home, NULL, "AWS_SECRET_ACCESS_KEY holds a character");
    memset(long_value, 'S', sizeof long_value - 1);
    long_value[sizeof long_value - 1] = '\0';
    setenv("AWS_SECRET_ACCESS_KEY", long_value, 1);
    expect_none(home, NULL, "AWS_SECRET_ACCESS_KEY is longer");
    long_value[131] = '\0';
    setenv("AWS_SECRET_ACCESS_KEY", long_value, 1);
    expect_found(home, NULL, "AKIA", long_value, "");
}

/* ---- profiles ---- */

static void
test_nothing_names_every_source(void **state)
{
    struct home *home = *state;

    write_file(home->config, "[profile other]\nregion = x\n");
    expect_none(home, NULL,
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are "
                "not set");
    assert_non_null(strstr(home->tried, home->keys));
    assert_non_null(strstr(home->tried, "does not exist"));
    assert_non_null(strstr(home->tried, "profile default: "));
    expect_none(home, "other", "has the profile, without keys");
    assert_null(strstr(home->tried, "environment"));
}

static void
test_profiles(void **state)
{
    struct home *home = *state;
    char source[200];

    write_file(home->keys,
               "[default]\naws_access_key_id=A\naws_secret_access_key=B\n"
               "[robot]\naws_access_key_id=C\naws_secret_access_key=D\n"
               "aws_session_token=E\n");
    write_file(home->config,
               "[default]\naws_access_key_id=W\naws_secret_access_key=X\n"
               "aws_session_token=T\n"
               "[profile arm]\naws_access_key_id=Y\naws_secret_access_key=Z\n");
    expect_found(home, NULL, "A", "B", "");
    expect_found(home, "robot", "C", "D", "E");
    expect_found(home, "arm", "Y", "Z", "");
    snprintf(source, sizeof source, "profile arm in %s", home->config);
    assert_string_equal(home->found.source, source);
    setenv("AWS_PROFILE", "robot", 1);
    expect_found(home, NULL, "C", "D", "E");
    setenv("AWS_ACCESS_KEY_ID", "AKIA", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "HUSH", 1);
    expect_found(home, NULL, "AKIA", "HUSH", "");
    expect_found(home, "robot", "C", "D", "E");
}

static void
test_paths_from_variables(void **state)
{
    struct home *home = *state;

    write_file(home->config, "[robot]\naws_access_key_id=A\n"
                             "aws_secret_access_key=B\n");
    setenv("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/config", 1);
    setenv("AWS_CONFIG_FILE", "/nonexistent/config", 1);
    expect_found(home, "robot", "A", "B", "");
    expect_none(home, NULL, "/nonexistent/config does not exist");
}

static void
test_half_a_profile(void **state)
{
    struct home *home = *state;

    write_file(home->keys, "[default]\naws_secret_access_key=HUSH\n");
    write_file(home->config, "[default]\naws_access_key_id=A\n");
    expect_none(home, NULL,
                "aws_secret_access_key is there but aws_access_key_id is not");
}

static void
test_what_is_not_supported(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"role_arn = arn:aws:iam::1:role/x\naws_access_key_id=A\n"
         "aws_secret_access_key=HUSH\n",
         "role_arn is not supported"},
        {"sso_session = x\n", "sso_session is not supported"},
        {"credential_process = /bin/echo HUSH\n",
         "credential_process is not supported"},
        {"web_identity_token_file = /x\n",
         "web_identity_token_file is not supported"},
    };
    struct home *home = *state;
    char text[512];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(text, sizeof text, "[default]\n%s", cases[i].text);
        write_file(home->config, text);
        expect_none(home, NULL, cases[i].says);
        assert_non_null(strstr(home->tried, home->config));
    }
    write_file(home->config, "[default]\ncredential_process = x\n"
                             "aws_access_key_id=A\naws_secret_access_key=B\n");
    expect_found(home, NULL, "A", "B", "");
}

static void
test_bad_files(void **state)
{
    struct home *home = *state;
    char says[256];

    write_file(home->keys, "[default]\naws_secret_access_key HUSH\n");
    snprintf(says, sizeof says, "%s: line 2: Expected an '='", home->keys);
    expect_none(home, NULL, says);
    write_file(home->keys, "[default]\naws_access_key_id=A\n"
                           "aws_secret_access_key=HUSH\n  # more\n");
    expect_none(home, NULL, "aws_secret_access_key holds a character");
    unlink(home->keys);
    assert_int_equal(mkdir(home->config, 0700), 0);
    expect_none(home, NULL, "is not a regular file");
}

static void
test_a_short_report_is_cut(void **state)
{
    struct home *home = *state;
    char tried[24];

    assert_int_equal(credentials_load(NULL, &home->found, tried, sizeof tried),
                     VR_AUTH);
    assert_string_equal(tried, "No AWS credentials. env");
    assert_int_equal(credentials_load(NULL, &home->found, NULL, 0), VR_AUTH);
}

static void
test_wipe(void **state)
{
    static const struct credentials nothing;
    struct home *home = *state;

    memset(&home->found, 'x', sizeof home->found);
    credentials_wipe(&home->found);
    assert_memory_equal(&home->found, &nothing, sizeof nothing);
}

/* ---- AWS's cases ---- */

static void
apply_environment(const cJSON *environment, const char *root)
{
    const cJSON *item;
    char path[1024];

    forget_variables();
    setenv("HOME", "/nonexistent", 1);
    cJSON_ArrayForEach(item, environment)
    {
        if (!strcmp(item->string, "HOME") && root)
            snprintf(path, sizeof path, "%s%s", root, item->valuestring);
        else
            snprintf(path, sizeof path, "%s", item->valuestring);
        setenv(item->string, path, 1);
    }
}

static void
run_locations(struct home *home, const char *file)
{
    cJSON *json = vectors_json(file);
    const cJSON *vector;
    int count = 0;

    cJSON_ArrayForEach(vector, cJSON_GetObjectItem(json, "tests"))
    {
        const char *profile = vectors_string(vector, "profile");
        const cJSON *environment = cJSON_GetObjectItem(vector, "environment");
        char says[256];

        if (strcmp(vectors_string(vector, "platform"), "linux") != 0 ||
            !cJSON_HasObjectItem(environment, "HOME")) {
            print_message("left out: %s (%s)\n", vectors_string(vector, "name"),
                          cJSON_HasObjectItem(environment, "HOME")
                              ? "no Windows here"
                              : "the home is the user's then, not the test's");
            continue;
        }
        apply_environment(environment, NULL);
        expect_none(home, NULL, vectors_string(vector, "configLocation"));
        assert_non_null(
            strstr(home->tried, vectors_string(vector, "credentialsLocation")));
        snprintf(says, sizeof says, "%s does not exist",
                 vectors_string(vector, "configLocation"));
        assert_non_null(strstr(home->tried, says));
        if (profile && strcmp(profile, "default") != 0)
            assert_non_null(strstr(home->tried, profile));
        count++;
    }
    cJSON_Delete(json);
    assert_true(count > 0);
}

static void
test_locations(void **state)
{
    if (!vectors_present("profile-files"))
        skip();
    run_locations(*state, "profile-files/file-location-tests.json");
    run_locations(*state, "profile-files/kotlin-loader-tests.json");
}

/* Cases of the provider chain that need no source but the two built in; of the
 * others only that they are refused, not answered wrongly. */
static bool
built_in(const char *name)
{
    return !strcmp(name, "environment_variables") ||
           !strcmp(name, "profile_static_keys") ||
           !strcmp(name, "profile_name") ||
           !strcmp(name, "profile_overrides_web_identity");
}

static void
run_chain_case(struct home *home, const char *folder, const char *name)
{
    const char *vectors = getenv("VECTORS");
    char path[700], root[1024];
    cJSON *environment, *test;
    const cJSON *good;

    snprintf(path, sizeof path, "%s/%s/env.json", folder, name);
    environment = vectors_json(path);
    snprintf(path, sizeof path, "%s/%s/test-case.json", folder, name);
    test = vectors_json(path);
    snprintf(root, sizeof root, "%s/%s/%s/fs",
             vectors && *vectors ? vectors : "../shared/vectors", folder, name);
    apply_environment(environment, root);
    good = cJSON_GetObjectItem(cJSON_GetObjectItem(test, "result"), "Ok");
    if (built_in(name) && good)
        expect_found(home, NULL, vectors_string(good, "access_key_id"),
                     vectors_string(good, "secret_access_key"), "");
    else
        expect_none(home, NULL, "No AWS credentials");
    cJSON_Delete(environment);
    cJSON_Delete(test);
}

static void
test_chains(void **state)
{
    static const char *const folders[] = {
        "credential-chain/smithy-rs/default-credential-provider-chain",
        "credential-chain/aws-sdk-kotlin/default-provider-chain",
    };
    int found = 0, refused = 0;

    if (!vectors_present("credential-chain"))
        skip();
    for (size_t i = 0; i < 2; i++) {
        char **names = vectors_names(folders[i]);

        for (char **name = names; *name; name++) {
            run_chain_case(*state, folders[i], *name);
            found += built_in(*name);
            refused += !built_in(*name);
        }
        vectors_names_free(names);
    }
    print_message("%d cases found; %d refused, because their source (role, "
                  "sign-on, container, instance, web identity) is not built "
                  "in\n",
                  found, refused);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_environment),
        TEST(test_half_an_environment),
        TEST(test_bad_values),
        TEST(test_nothing_names_every_source),
        TEST(test_profiles),
        TEST(test_paths_from_variables),
        TEST(test_half_a_profile),
        TEST(test_what_is_not_supported),
        TEST(test_bad_files),
        TEST(test_a_short_report_is_cut),
        TEST(test_wipe),
        TEST(test_locations),
        TEST(test_chains),
        TEST(test_same),
        TEST(test_expiry_in_the_environment),
        TEST(test_expiry_in_a_profile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

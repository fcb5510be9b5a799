#include "tests/base/given_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#define ALLOCATIONS_MAX 10000

struct config *config;
char *problems;

int
given_setup(void **state)
{
    (void)state;
    unsetenv("AWS_REGION");
    setenv("VOXRING_RUNTIME_DIR", "/tmp/voxring-test-nowhere", 1);
    problems = NULL;
    config = NULL;
    return 0;
}

int
given_teardown(void **state)
{
    (void)state;
    free(problems);
    problems = NULL;
    config_free(&config);
    return 0;
}

enum vr_status
given_config(const char *text)
{
    given_teardown(NULL);
    return config_parse(text, strlen(text), "t.jsonc", &config, &problems);
}

void
expect_valid(const char *text)
{
    if (given_config(text) != VR_OK)
        fail_msg("refused: %s\n%s", text, problems);
    assert_null(problems);
}

void
expect_problem(const char *text, const char *problem)
{
    char line[2048];
    assert_int_equal(given_config(text), VR_INVALID);
    assert_null(config);
    snprintf(line, sizeof line, "t.jsonc:%s\n", problem);
    assert_string_equal(problems, line);
}

static long allocations_left;

static void *
scarce(size_t bytes)
{
    return allocations_left-- > 0 ? malloc(bytes) : NULL;
}

void
expect_no_crash_without_memory(const char *text)
{
    cJSON_Hooks hooks = {scarce, free};
    enum vr_status status = VR_NO_MEMORY;
    for (long n = 0; status != VR_OK; n++) {
        allocations_left = n;
        cJSON_InitHooks(&hooks);
        status = given_config(text);
        cJSON_InitHooks(NULL);
        assert_true(status == VR_OK || (problems && !config));
        assert_true(n < ALLOCATIONS_MAX);
    }
    for (long n = 0; allocations_left <= 0 || n == 0; n++) {
        allocations_left = n;
        cJSON_InitHooks(&hooks);
        cJSON_Delete(config_to_json(config));
        cJSON_InitHooks(NULL);
        assert_true(n < ALLOCATIONS_MAX);
    }
}

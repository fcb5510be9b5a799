/* The table of steps is what the source has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/death/steps.tbl.h"

#define MARK "RING_STEP(\""

#define STEP_NAME(name, letters) name,
static const char *const names[] = {STEP_TABLE(STEP_NAME)};
#define NAMES (sizeof names / sizeof names[0])

static bool found[NAMES];

static void
check_step(const char *path, const char *name)
{
    size_t length = strcspn(name, "\"");
    bool known = false;

    for (size_t i = 0; i < NAMES; i++)
        if (strlen(names[i]) == length && strncmp(names[i], name, length) == 0)
            known = found[i] = true;
    if (!known)
        fail_msg("%s: the step \"%.*s\" is not in steps.tbl.h", path,
                 (int)length, name);
}

static void
check_file(const char *path)
{
    FILE *file = fopen(path, "r");
    char line[512];

    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL)
        for (const char *at = line; (at = strstr(at, MARK)) != NULL;) {
            at += strlen(MARK);
            check_step(path, at);
        }
    fclose(file);
}

/* The program is ROOT/build/steps/tests/death/test_steps. */
static void
find_sources(glob_t *sources)
{
    char path[1024];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 16);
    char *build;

    assert_true(n > 0);
    path[n] = '\0';
    build = strstr(path, "/build/");
    assert_non_null(build);
    snprintf(build, 16, "/ipc/*.[ch]");
    assert_int_equal(glob(path, 0, NULL, sources), 0);
}

static void
test_table_is_the_source(void **state)
{
    glob_t sources;

    (void)state;
    find_sources(&sources);
    for (size_t i = 0; i < sources.gl_pathc; i++)
        check_file(sources.gl_pathv[i]);
    globfree(&sources);
    for (size_t i = 0; i < NAMES; i++)
        if (!found[i])
            fail_msg("ipc/ has no step \"%s\"", names[i]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_is_the_source),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

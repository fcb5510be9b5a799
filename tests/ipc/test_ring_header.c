/* The public header stands alone, in C and in C++, and the shared library
 * exports what it says and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/status.h"

/* The exit status of a shell command. */
static int
run(const char *command)
{
    char *const arguments[] = {(char *)"sh", (char *)"-c", (char *)command,
                               NULL};
    int status = -1;
    pid_t child;

    assert_int_equal(
        posix_spawn(&child, "/bin/sh", NULL, NULL, arguments, environ), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void
need(const char *program)
{
    char command[256];

    snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", program);
    if (run(command) != 0 || access("ipc/voxring.h", R_OK) != 0) {
        print_message("skipped: no %s, or not run from the root\n", program);
        skip();
    }
}

/* Alone in an empty folder: nothing else of ours is in reach. */
static void
compile(const char *compiler, const char *language, const char *standard)
{
    char folder[] = "/tmp/voxring-header-XXXXXX", command[1024];
    int result;

    need(compiler);
    assert_non_null(mkdtemp(folder));
    snprintf(
        command, sizeof command,
        "cp ipc/voxring.h ipc/voxring_worker.h %s/ && cd %s && "
        "printf '#include \"voxring_worker.h\"\\n#include \"voxring.h\"\\n'"
        " >a && "
        "%s -x %s -std=%s -Wall -Wextra -Wundef -pedantic "
        "-Werror -fsyntax-only a",
        folder, folder, compiler, language, standard);
    result = run(command);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(run(command), 0);
    assert_int_equal(result, 0);
}

static void
test_c(void **state)
{
    (void)state;
    compile("gcc", "c", "c99");
    compile("gcc", "c", "c11");
}

static void
test_cxx(void **state)
{
    (void)state;
    compile("g++", "c++", "c++11");
    compile("g++", "c++", "c++17");
}

/* The folder that this program was built into: build, or build/VARIANT. */
static void
build_folder(char path[512])
{
    ssize_t n = readlink("/proc/self/exe", path, 400);

    assert_true(n > 0);
    path[n] = '\0';
    for (int up = 0; up < 3; up++)
        *strrchr(path, '/') = '\0';
}

static void
test_exports(void **state)
{
    char folder[512], command[2048];

    (void)state;
    need("nm");
    build_folder(folder);
    snprintf(command, sizeof command, "%s/libvoxring.so", folder);
    if (access(command, R_OK) != 0) {
        print_message("skipped: libvoxring.so is not built\n");
        skip();
    }
    /* Every function that the header names, and no other. */
    snprintf(
        command, sizeof command,
        "nm -D --defined-only %s/libvoxring.so | sed -n "
        "'s/.* T //p' | grep -v '^_' | sort >%s/exports.txt; "
        "gcc -E ipc/voxring_worker.h | tr '\\n' ' ' | grep -o "
        "'vr_[a-z_]* *([^;]*;' | sed 's/[ (].*//' | grep -v _fn$ | sort -u | "
        "diff - %s/exports.txt",
        folder, folder, folder);
    assert_int_equal(run(command), 0);
    snprintf(command, sizeof command, "%s/exports.txt", folder);
    unlink(command);
}

static void
test_statuses(void **state)
{
    (void)state;
    for (int i = 0; i < VR_STATUS_COUNT; i++) {
        enum vr_status status = (enum vr_status)i;
        assert_int_equal(strncmp(vr_status_name(status), "VR_", 3), 0);
        assert_true(strlen(vr_status_text(status)) > 0);
        assert_in_range(vr_status_class(status), VR_CLASS_GOOD, VR_CLASS_BUG);
    }
    assert_int_equal(VR_OK, 0);
    assert_string_equal(vr_status_name((enum vr_status)999), "VR_BUG");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_c),
        cmocka_unit_test(test_cxx),
        cmocka_unit_test(test_exports),
        cmocka_unit_test(test_statuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

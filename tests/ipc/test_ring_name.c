/* Where gateways are looked for, and what rings are called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/ring_name.h"
#include "tests/ipc/harness.h"

static void
expect_dir(const char *expected)
{
    char path[256];

    assert_int_equal(vr_runtime_dir(path, sizeof path), VR_OK);
    assert_string_equal(path, expected);
}

static void
test_runtime_dir(void **state)
{
    char path[256], mine[128];

    (void)state;
    snprintf(mine, sizeof mine, "%s/voxring", harness_dir);
    setenv("VOXRING_RUNTIME_DIR", "/told/so", 1);
    setenv("XDG_RUNTIME_DIR", harness_dir, 1);
    expect_dir("/told/so");
    assert_int_equal(vr_runtime_dir(path, 4), VR_LIMIT);
    assert_int_equal(vr_runtime_dir(NULL, 0), VR_INVALID);
    assert_int_equal(ring_host_runtime_dir(path, sizeof path), VR_OK);
    assert_string_equal(path, "/told/so");

    unsetenv("VOXRING_RUNTIME_DIR");
    assert_int_equal(mkdir(mine, 0700), 0);
    expect_dir(mine);
    assert_int_equal(rmdir(mine), 0);
    /* A gateway goes by what it may make, not by what is there. */
    assert_int_equal(ring_host_runtime_dir(path, sizeof path), VR_OK);
    assert_string_equal(path, mine);

    unsetenv("XDG_RUNTIME_DIR");
    assert_int_equal(ring_host_runtime_dir(path, sizeof path), VR_OK);
    if (geteuid() == 0)
        assert_string_equal(path, "/run/voxring");
    else
        assert_non_null(strstr(path, "/tmp/voxring-"));
}

static void
test_instance_follows_the_folder(void **state)
{
    char a[RING_INSTANCE_BYTES], b[RING_INSTANCE_BYTES], link[128];
    char object[RING_OBJECT_BYTES];

    (void)state;
    snprintf(link, sizeof link, "%s/link", harness_dir);
    assert_int_equal(symlink(harness_dir, link), 0);
    assert_int_equal(ring_name_instance(a, NULL, harness_dir, NULL, 0), VR_OK);
    assert_int_equal(ring_name_instance(b, NULL, link, NULL, 0), VR_OK);
    assert_string_equal(a, b);
    assert_int_equal(strlen(a), 16);
    assert_int_equal(ring_name_instance(b, NULL, "/", NULL, 0), VR_OK);
    assert_string_not_equal(a, b);
    assert_int_equal(ring_name_instance(b, "robot-7", NULL, NULL, 0), VR_OK);
    ring_name_object(object, b, "kitchen", VR_RING_OUT);
    assert_string_equal(object, "/voxring-robot-7.kitchen.out");
}

/* The same name by environment, where the folder's path differs. */
static void
test_instance_by_environment(void **state)
{
    char instance[32];
    struct ring_host_config config = {.runtime_dir = harness_dir,
                                      .instance = instance,
                                      .session = "env",
                                      .ring = VR_RING_IN,
                                      .format = {16000, 1}};
    struct vr_options options = harness_options();
    struct ring_host *host;
    struct vr_writer *w;

    (void)state;
    snprintf(instance, sizeof instance, "test-%ld", (long)getpid());
    assert_int_equal(ring_host_open(&host, &config, NULL, 0), VR_OK);
    assert_int_equal(vr_writer_open(&w, "env", &options, NULL, 0),
                     VR_NOT_FOUND);
    setenv("VOXRING_INSTANCE", instance, 1);
    assert_int_equal(vr_writer_open(&w, "env", &options, NULL, 0), VR_OK);
    unsetenv("VOXRING_INSTANCE");
    vr_writer_close(&w);
    ring_host_close(&host);
}

static void
test_session_names(void **state)
{
    static const char *const good[] = {"robot", "a", "0", "a-b_c",
                                       "abcdefghijklmnopqrstuvwxyz012345"};
    static const char *const bad[] = {"",
                                      "-a",
                                      "_a",
                                      "A",
                                      "a.b",
                                      "a/b",
                                      "a b",
                                      "..",
                                      "\xc3",
                                      "a\n",
                                      "abcdefghijklmnopqrstuvwxyz0123456"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(ring_name_check(good[i], NULL, 0), VR_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(ring_name_check(bad[i], NULL, 0), VR_INVALID);
}

static void
test_bell_names(void **state)
{
    static const char *const bad[] = {
        "",
        ".in.bell",
        "robot",
        "robot.in",
        "A.in.bell",
        "a.out.bell",
        "a.in.bell2",
        "a.b.in.bell",
        "abcdefghijklmnopqrstuvwxyz0123456.in.bell"};
    char path[RING_PATH_BYTES], session[VR_SESSION_MAX + 1];

    (void)state;
    assert_int_equal(ring_name_bell(path, "/folder", "robot-1"), VR_OK);
    assert_string_equal(path, "/folder/robot-1.in.bell");
    assert_true(ring_name_of_bell(session, strrchr(path, '/') + 1));
    assert_string_equal(session, "robot-1");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(ring_name_of_bell(session, bad[i]));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runtime_dir),
        cmocka_unit_test(test_instance_follows_the_folder),
        cmocka_unit_test(test_instance_by_environment),
        cmocka_unit_test(test_session_names),
        cmocka_unit_test(test_bell_names),
    };

    return cmocka_run_group_tests(tests, harness_up, harness_down);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/runtime.h"

static char top[64];
static char dir[96];
static char path[128];
static char endpoint[160];
static char problem[512];

static int
setup(void **state)
{
    (void)state;
    snprintf(top, sizeof top, "/tmp/voxring-test-runtime-XXXXXX");
    if (!mkdtemp(top))
        return -1;
    snprintf(dir, sizeof dir, "%s/run", top);
    snprintf(path, sizeof path, "%s/x.sock", dir);
    snprintf(endpoint, sizeof endpoint, "ipc://%s", path);
    problem[0] = '\0';
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    unlink(path);
    unlink(dir);
    rmdir(dir);
    rmdir(top);
    return 0;
}

static mode_t
mode_of(const char *name)
{
    struct stat st;
    return lstat(name, &st) == 0 ? st.st_mode & 07777 : 0;
}

static enum vr_status
prepare(const char *group)
{
    return runtime_prepare(dir, group, problem, sizeof problem);
}

static int
listener(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(address.sun_path, path, strlen(path) + 1);
    assert_int_equal(
        bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 4), 0);
    return fd;
}

static void
the_folder_is_private_or_the_groups(void **state)
{
    (void)state;
    struct group *own = getgrgid(getegid());
    assert_int_equal(prepare(NULL), VR_OK);
    assert_int_equal(mode_of(dir), 0700);
    assert_int_equal(prepare(NULL), VR_OK);
    assert_int_equal(prepare("no-such-group-here"), VR_NOT_FOUND);
    assert_non_null(strstr(problem, "no-such-group-here"));
    if (!own)
        skip();
    assert_int_equal(prepare(own->gr_name), VR_OK);
    assert_int_equal(mode_of(dir), 0750);
    assert_int_equal(prepare(NULL), VR_OK);
    assert_int_equal(mode_of(dir), 0700);
}

static void
folders_others_could_change_are_refused(void **state)
{
    (void)state;
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(chmod(dir, 0777), 0);
    assert_int_equal(prepare(NULL), VR_DENIED);
    assert_non_null(strstr(problem, "can be written by others"));
    rmdir(dir);
    assert_int_equal(symlink(top, dir), 0);
    assert_int_equal(prepare(NULL), VR_DENIED);
    assert_non_null(strstr(problem, "is no folder"));
    unlink(dir);
    rmdir(top);
    assert_int_equal(prepare(NULL), VR_NOT_FOUND);
    assert_non_null(strstr(problem, "make its parent"));
}

static void
sockets_are_private_or_the_groups(void **state)
{
    (void)state;
    struct group *own = getgrgid(getegid());
    assert_int_equal(prepare(NULL), VR_OK);
    int fd = listener();
    assert_int_equal(runtime_share(endpoint, NULL, problem, sizeof problem),
                     VR_OK);
    assert_int_equal(mode_of(path), 0600);
    if (own) {
        assert_int_equal(
            runtime_share(endpoint, own->gr_name, problem, sizeof problem),
            VR_OK);
        assert_int_equal(mode_of(path), 0660);
    }
    runtime_remove(endpoint);
    runtime_remove("tcp://x");
    assert_int_not_equal(access(path, F_OK), 0);
    close(fd);
    assert_int_equal(runtime_share("tcp://x", NULL, problem, sizeof problem),
                     VR_INVALID);
}

static void
only_dead_sockets_are_cleared(void **state)
{
    (void)state;
    assert_int_equal(prepare(NULL), VR_OK);
    assert_int_equal(runtime_clear(endpoint, problem, sizeof problem), VR_OK);
    int fd = listener();
    assert_int_equal(runtime_clear(endpoint, problem, sizeof problem), VR_BUSY);
    assert_non_null(strstr(problem, "another process listens on"));
    close(fd);
    assert_int_equal(runtime_clear(endpoint, problem, sizeof problem), VR_OK);
    assert_int_not_equal(access(path, F_OK), 0);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
    assert_int_equal(runtime_clear(endpoint, problem, sizeof problem),
                     VR_INVALID);
    assert_int_equal(access(path, F_OK), 0);
}

static void
descriptors_are_as_many_as_allowed(void **state)
{
    struct rlimit before, now;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    now = before;
    now.rlim_cur = 64;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
    runtime_raise_descriptors();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
    assert_true(now.rlim_max == before.rlim_max);
    assert_true(now.rlim_cur ==
                (before.rlim_max < 65536 ? before.rlim_max : 65536));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_folder_is_private_or_the_groups),
        TEST(folders_others_could_change_are_refused),
        TEST(sockets_are_private_or_the_groups),
        TEST(only_dead_sockets_are_cleared),
        TEST(descriptors_are_as_many_as_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

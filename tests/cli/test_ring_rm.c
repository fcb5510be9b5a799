/* voxring ring rm: what dead gateways left goes, and nothing else. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/cli/command.h"
#include "tests/cli/hosted.h"
#include "tests/cli/program.h"

#define HERE "--runtime-dir", program_dir

static struct ring_host *in;

static int
down(void **state)
{
    ring_host_close(&in);
    return hosted_end(state);
}

static bool
is_there(const char *session, enum vr_ring ring)
{
    char path[256];
    struct stat found;
    snprintf(path, sizeof path, "/dev/shm%s", hosted_name(session, ring));
    return lstat(path, &found) == 0;
}

static bool
has_bell(const char *session)
{
    char name[64];
    snprintf(name, sizeof name, "%s.in.bell", session);
    return access(program_path(name), F_OK) == 0;
}

static void
leave_dead(const char *session)
{
    hosted_kill(hosted_process(session), SIGKILL);
    assert_true(is_there(session, VR_RING_IN));
    assert_true(has_bell(session));
}

static void
expect(const char *text, const char *word)
{
    if (!strstr(text, word))
        fail_msg("no \"%s\" in: %s", word, text);
}

static void
test_the_dead_go_and_the_living_stay(void **state)
{
    (void)state;
    leave_dead("dead");
    pid_t stopped = hosted_process("stopped");
    hosted_kill(stopped, SIGSTOP);
    in = hosted_ring("living", VR_RING_IN, 4096);
    struct program *p = PROGRAM_RUN("ring", "rm", "--stale", "--dry-run", HERE);
    assert_int_equal(p->code, 0);
    expect(p->out, "would remove the ring ");
    expect(p->out, "would remove the doorbell ");
    assert_null(strstr(strstr(p->out, "doorbell") + 1, "doorbell"));
    assert_true(is_there("dead", VR_RING_IN) && has_bell("dead"));
    p = PROGRAM_RUN("ring", "rm", "--stale", HERE);
    assert_int_equal(p->code, 0);
    expect(p->out, hosted_name("dead", VR_RING_IN));
    expect(p->out, hosted_name("dead", VR_RING_OUT));
    expect(p->out, "dead.in.bell");
    assert_null(strstr(p->out, "stopped"));
    assert_null(strstr(p->out, "living"));
    assert_false(is_there("dead", VR_RING_IN) ||
                 is_there("dead", VR_RING_OUT) || has_bell("dead"));
    assert_true(is_there("stopped", VR_RING_IN) && has_bell("stopped"));
    assert_true(is_there("living", VR_RING_IN) && has_bell("living"));
    assert_false(ring_host_check(in));
    p = PROGRAM_RUN("ring", "rm", "--stale", HERE);
    assert_int_equal(p->code, 0);
    expect(p->err, "left nothing");
}

static void
test_a_living_ring_is_refused(void **state)
{
    char word[64];
    (void)state;
    pid_t pid = hosted_process("robot");
    snprintf(word, sizeof word, "is in use by voxringd pid %d", (int)pid);
    struct program *p = PROGRAM_RUN("ring", "rm", "--stale", "robot", HERE);
    assert_int_equal(p->code, CLI_BUSY);
    expect(p->err, word);
    hosted_kill(pid, SIGSTOP);
    p = PROGRAM_RUN("ring", "rm", hosted_name("robot", VR_RING_IN));
    assert_int_equal(p->code, CLI_BUSY);
    expect(p->err, word);
    expect(p->err, "stopped");
    hosted_kill(pid, SIGKILL);
    p = PROGRAM_RUN("ring", "rm", "robot", HERE);
    assert_int_equal(p->code, CLI_USAGE);
    expect(p->err, "--stale");
    assert_int_equal(PROGRAM_RUN("ring", "rm")->code, CLI_USAGE);
    assert_int_equal(PROGRAM_RUN("ring", "rm", "--stale", "nobody", HERE)->code,
                     CLI_ABSENT);
    assert_true(is_there("robot", VR_RING_IN) &&
                is_there("robot", VR_RING_OUT) && has_bell("robot"));
}

/* Without a folder given it is the header's that counts, if the ring's name
 * was made from it. */
static void
test_the_header_is_believed_only_if_it_can_be_true(void **state)
{
    char other[] = "/tmp/vr-cli-other-XXXXXX", bell[64];
    (void)state;
    leave_dead("robot");
    struct program *p =
        PROGRAM_RUN("ring", "rm", "--stale", hosted_name("robot", VR_RING_IN));
    assert_int_equal(p->code, 0);
    assert_false(is_there("robot", VR_RING_IN) || has_bell("robot"));
    assert_true(is_there("robot", VR_RING_OUT));
    leave_dead("liar");
    assert_non_null(mkdtemp(other));
    snprintf(bell, sizeof bell, "%s/liar.in.bell", other);
    assert_int_equal(mkfifo(bell, 0600), 0);
    struct ring_layout *l = hosted_map(hosted_name("liar", VR_RING_IN));
    memset(l->runtime_dir, 0, sizeof l->runtime_dir);
    memcpy(l->runtime_dir, other, strlen(other));
    hosted_unmap(l);
    p = PROGRAM_RUN("ring", "rm", "--stale", hosted_name("liar", VR_RING_IN));
    int found = access(bell, F_OK);
    unlink(bell);
    rmdir(other);
    assert_int_equal(found, 0);
    assert_int_equal(p->code, 0);
    assert_false(is_there("liar", VR_RING_IN));
    assert_true(has_bell("liar"));
    p = PROGRAM_RUN("ring", "rm", "--stale", HERE);
    assert_int_equal(p->code, 0);
    assert_false(has_bell("liar"));
}

static void
test_remains_of_any_kind(void **state)
{
    char path[256];
    struct ring_layout *l;
    (void)state;
    leave_dead("damaged");
    l = hosted_map(hosted_name("damaged", VR_RING_IN));
    memset(l, 0xff, sizeof *l);
    hosted_unmap(l);
    snprintf(path, sizeof path, "/dev/shm%s", hosted_name("link", VR_RING_IN));
    assert_int_equal(symlink("/nonexistent", path), 0);
    snprintf(path, sizeof path, "/dev/shm%s",
             hosted_name("empty", VR_RING_OUT));
    int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(mkfifo(program_path("alone.in.bell"), 0600), 0);
    program_file("file.in.bell", "", 0);
    struct program *p = PROGRAM_RUN("ring", "rm", "--stale", HERE);
    assert_int_equal(p->code, 0);
    assert_false(is_there("damaged", VR_RING_IN) || has_bell("damaged"));
    assert_false(is_there("link", VR_RING_IN));
    assert_false(is_there("empty", VR_RING_OUT));
    assert_false(has_bell("alone"));
    assert_true(has_bell("file"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_the_dead_go_and_the_living_stay, down),
        cmocka_unit_test_teardown(test_a_living_ring_is_refused, down),
        cmocka_unit_test_teardown(
            test_the_header_is_believed_only_if_it_can_be_true, down),
        cmocka_unit_test_teardown(test_remains_of_any_kind, down),
    };
    return cmocka_run_group_tests(tests, program_up, program_down);
}

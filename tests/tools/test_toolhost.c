/* voxring-toolhost by itself: the test is the gateway. Programs come from the
 * folder in the variable VOXRING_BUILD, "build" if it is not set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <zmq.h>

#include "tests/tools/shell.h"

#define WAIT_MS 20000

static struct {
    char dir[64];
    void *context;
    void *router;
    int boot_fd; /* our end */
    pid_t pid;
    unsigned char peer[256];
    size_t peer_bytes;
    char text[65536];
} host;

static const char *
build_dir(void)
{
    const char *dir = getenv("VOXRING_BUILD");

    return dir && dir[0] ? dir : "build";
}

static int
start(void **state)
{
    char command[400], endpoint[128];
    int wait_ms = WAIT_MS, linger = 0;

    (void)state;
    memset(&host, 0, sizeof host);
    host.boot_fd = -1;
    snprintf(host.dir, sizeof host.dir, "%.40s/toolhost-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(host.dir));
    snprintf(command, sizeof command,
             "cc -std=gnu11 -w -I. -shared -fPIC -pthread -o %s/odd.so "
             "tests/tools/plugins/odd.c",
             host.dir);
    assert_int_equal(shell(command), 0);
    host.context = zmq_ctx_new();
    host.router = zmq_socket(host.context, ZMQ_ROUTER);
    zmq_setsockopt(host.router, ZMQ_RCVTIMEO, &wait_ms, sizeof wait_ms);
    zmq_setsockopt(host.router, ZMQ_LINGER, &linger, sizeof linger);
    snprintf(endpoint, sizeof endpoint, "ipc://%s/s", host.dir);
    return zmq_bind(host.router, endpoint);
}

/* Starts the program with a boot pipe; `boot` is written to it. */
static void
launch(const char *plugin, const char *boot)
{
    char program[300], path[300];
    int fds[2];

    snprintf(program, sizeof program, "%s/voxring-toolhost", build_dir());
    snprintf(path, sizeof path, "%s/%s", host.dir, plugin);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    host.pid = fork();
    if (host.pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        if (!getenv("VERBOSE"))
            dup2(null, 2);
        dup2(fds[0], 3);
        fcntl(3, F_SETFD, 0);
        execl(program, program, path, (char *)NULL);
        _exit(99);
    }
    close(fds[0]);
    host.boot_fd = fds[1];
    assert_int_equal(write(fds[1], boot, strlen(boot)), strlen(boot));
}

static void
launch_odd(void)
{
    char boot[400];

    snprintf(boot, sizeof boot,
             "{\"protocol\":1,\"endpoint\":\"ipc://%s/s\",\"token\":\"T\","
             "\"name\":\"odd\",\"result_max_bytes\":1000,\"config\":{}}\n",
             host.dir);
    launch("odd.so", boot);
}

/* Waits for the program's end; its status. */
static int
await_exit(void)
{
    struct pollfd p = {(int)syscall(SYS_pidfd_open, host.pid, 0), POLLIN, 0};
    int status = 0;

    assert_true(p.fd >= 0);
    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
    close(p.fd);
    assert_int_equal(waitpid(host.pid, &status, 0), host.pid);
    host.pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int
stop(void **state)
{
    char command[100];

    (void)state;
    if (host.pid > 0) {
        kill(host.pid, SIGKILL);
        waitpid(host.pid, NULL, 0);
    }
    if (host.boot_fd >= 0)
        close(host.boot_fd);
    zmq_close(host.router);
    zmq_ctx_term(host.context);
    snprintf(command, sizeof command, "rm -rf %s", host.dir);
    return shell(command);
}

static void
hear(void)
{
    int n = zmq_recv(host.router, host.peer, sizeof host.peer, 0);

    assert_true(n > 0);
    host.peer_bytes = (size_t)n;
    n = zmq_recv(host.router, host.text, sizeof host.text - 1, 0);
    assert_true(n >= 0 && (size_t)n < sizeof host.text);
    host.text[n] = '\0';
}

static void
say(const char *text)
{
    zmq_send(host.router, host.peer, host.peer_bytes, ZMQ_SNDMORE);
    zmq_send(host.router, text, strlen(text), 0);
}

static void
ask(const char *text, const char *part)
{
    say(text);
    hear();
    if (!strstr(host.text, part))
        fail_msg("%s -> %s", text, host.text);
}

static void
it_speaks_first_and_answers(void **state)
{
    (void)state;
    launch_odd();
    hear();
    assert_string_equal(
        host.text,
        "{\"jsonrpc\":\"2.0\",\"id\":\"hello\",\"method\":\"voxring/hello\","
        "\"params\":{\"protocol\":1,\"name\":\"odd\",\"token\":\"T\"}}");
    ask("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
        "\"name\":\"segv\"");
    ask("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}");
    ask("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"resources/list\"}",
        "-32601");
    ask("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"tools/call\",\"params\":{"
        "\"name\":\"none\"}}",
        "-32602");
    say("rubbish");
    say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\"}");
    say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/unknown\"}");
    ask("{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"tools/call\","
        "\"params\":{\"name\":\"ok\"}}",
        "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":{\"content\":[{\"type\":"
        "\"text\",\"text\":\"{\\\"ok\\\":true}\"}],\"isError\":false}}");
    ask("{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"tools/call\",\"params\":{"
        "\"name\":\"huge\"}}",
        "has 3145728 bytes, more than the 1000 allowed");
}

#define CALL(id, tool)                                               \
    "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"method\":\"tools/call\"," \
    "\"params\":{\"name\":\"" tool "\"}}"

static void
it_gives_back_what_it_has_not_begun(void **state)
{
    (void)state;
    launch_odd();
    hear();
    say(CALL(1, "hang"));
    say(CALL(2, "ok"));
    say(CALL(3, "ok"));
    ask("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
        "\"params\":{\"requestId\":3}}",
        "\"id\":3,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"{"
        "\\\"error\\\":\\\"cancelled\\\"}\"}],\"isError\":true}");
    ask("{\"jsonrpc\":\"2.0\",\"method\":\"voxring/drain\"}",
        "\"id\":2,\"error\":{\"code\":-32002");
    ask("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"ping\"}", "\"id\":4");
}

static void
it_ends_with_its_pipe_even_in_a_hanging_call(void **state)
{
    (void)state;
    launch_odd();
    hear();
    say(CALL(1, "hang"));
    ask("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}", "\"id\":2");
    close(host.boot_fd);
    host.boot_fd = -1;
    assert_int_equal(await_exit(), 0);
}

static void
it_ends_with_sigterm(void **state)
{
    (void)state;
    launch_odd();
    hear();
    kill(host.pid, SIGTERM);
    assert_int_equal(await_exit(), 0);
}

static void
a_bad_plugin_is_told_in_the_hello(void **state)
{
    char boot[300];

    (void)state;
    snprintf(boot, sizeof boot,
             "{\"endpoint\":\"ipc://%s/s\",\"token\":\"T\",\"name\":\"no\"}\n",
             host.dir);
    launch("no.so", boot);
    hear();
    assert_non_null(strstr(host.text, "\"error\":\""));
    assert_non_null(strstr(host.text, "no.so cannot be loaded"));
    close(host.boot_fd);
    host.boot_fd = -1;
    assert_int_equal(await_exit(), 3);
}

static void
a_bad_start_message_ends_it(void **state)
{
    static const char *const boots[] = {"{}\n", "rubbish\n", "[]\n", "\n"};

    (void)state;
    for (size_t i = 0; i < sizeof boots / sizeof boots[0]; i++) {
        launch("odd.so", boots[i]);
        assert_int_equal(await_exit(), 1);
        close(host.boot_fd);
        host.boot_fd = -1;
    }
}

static int
run(const char *arguments, const char *part)
{
    char command[400];
    char text[8192];
    FILE *f;
    size_t n;
    int status;

    snprintf(command, sizeof command, "%s/voxring-toolhost %s 2>&1 3<&-",
             build_dir(), arguments);
    f = popen(command, "r");
    n = fread(text, 1, sizeof text - 1, f);
    text[n] = '\0';
    status = pclose(f);
    if (!strstr(text, part))
        fail_msg("%s -> %s", arguments, text);
    return WEXITSTATUS(status);
}

static void
a_person_can_run_it(void **state)
{
    char check[200];

    (void)state;
    snprintf(check, sizeof check, "--check %s/odd.so", host.dir);
    assert_int_equal(run(check, "\"name\":\"patient\""), 0);
    assert_int_equal(run("--check /nowhere.so", "cannot be loaded"), 1);
    assert_int_equal(run("--check Makefile", "cannot be loaded"), 1);
    assert_int_equal(run("--help", "--check PLUGIN.so"), 0);
    assert_int_equal(run("--version", VOXRING_VERSION), 0);
    assert_int_equal(run("--nonsense", "voxring-toolhost"), 2);
    assert_int_equal(run("x.so", "descriptor 3"), 2);
    assert_int_equal(run("", "voxring-toolhost"), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_speaks_first_and_answers),
        TEST(it_gives_back_what_it_has_not_begun),
        TEST(it_ends_with_its_pipe_even_in_a_hanging_call),
        TEST(it_ends_with_sigterm),
        TEST(a_bad_plugin_is_told_in_the_hello),
        TEST(a_bad_start_message_ends_it),
        TEST(a_person_can_run_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

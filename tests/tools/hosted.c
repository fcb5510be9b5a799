#include "tests/tools/hosted.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <zmq.h>

#include "tests/tools/shell.h"

struct hosted hosted;

static const char *
build_dir(void)
{
    const char *dir = getenv("VOXRING_BUILD");

    return dir && dir[0] ? dir : "build";
}

int
hosted_setup(void **state)
{
    char endpoint[128];
    int wait_ms = HOSTED_WAIT_MS, linger = 0;

    (void)state;
    memset(&hosted, 0, sizeof hosted);
    hosted.boot_fd = hosted.output_fd = -1;
    snprintf(hosted.dir, sizeof hosted.dir, "%.40s/toolhost-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(hosted.dir));
    hosted.context = zmq_ctx_new();
    hosted.router = zmq_socket(hosted.context, ZMQ_ROUTER);
    zmq_setsockopt(hosted.router, ZMQ_RCVTIMEO, &wait_ms, sizeof wait_ms);
    zmq_setsockopt(hosted.router, ZMQ_LINGER, &linger, sizeof linger);
    snprintf(endpoint, sizeof endpoint, "ipc://%s/s", hosted.dir);
    return zmq_bind(hosted.router, endpoint);
}

int
hosted_teardown(void **state)
{
    char command[100];

    (void)state;
    if (hosted.pid > 0) {
        kill(hosted.pid, SIGKILL);
        waitpid(hosted.pid, NULL, 0);
    }
    hosted_close_boot();
    if (hosted.output_fd >= 0)
        close(hosted.output_fd);
    zmq_close(hosted.router);
    zmq_ctx_term(hosted.context);
    snprintf(command, sizeof command, "rm -rf %s", hosted.dir);
    return shell(command);
}

void
hosted_compile(const char *source, const char *name, const char *flags)
{
    char command[500];

    snprintf(command, sizeof command,
             "cc -std=gnu11 -w -I. -shared -fPIC -pthread %s -o %s/%s.so "
             "tests/tools/plugins/%s.c",
             flags, hosted.dir, name, source);
    assert_int_equal(shell(command), 0);
}

void
hosted_launch(const char *plugin, const char *boot)
{
    char program[300], path[300];
    int fds[2], output[2];

    snprintf(program, sizeof program, "%s/voxring-toolhost", build_dir());
    snprintf(path, sizeof path, "%s/%s", hosted.dir, plugin);
    hosted_close_boot();
    if (hosted.output_fd >= 0)
        close(hosted.output_fd);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(pipe2(output, O_CLOEXEC), 0);
    hosted.pid = fork();
    if (hosted.pid == 0) {
        dup2(output[1], 1);
        if (!getenv("VERBOSE"))
            dup2(output[1], 2);
        dup2(fds[0], 3);
        fcntl(3, F_SETFD, 0);
        execl(program, program, path, (char *)NULL);
        _exit(99);
    }
    close(fds[0]);
    close(output[1]);
    hosted.boot_fd = fds[1];
    hosted.output_fd = output[0];
    assert_int_equal(write(fds[1], boot, strlen(boot)), strlen(boot));
}

void
hosted_launch_plugin(const char *name, const char *members)
{
    char boot[600], file[100];

    snprintf(boot, sizeof boot,
             "{\"protocol\":1,\"endpoint\":\"ipc://%s/s\",\"token\":\"T\","
             "\"name\":\"%s\"%s%s}\n",
             hosted.dir, name, members[0] ? "," : "", members);
    snprintf(file, sizeof file, "%s.so", name);
    hosted_launch(file, boot);
}

void
hosted_close_boot(void)
{
    if (hosted.boot_fd >= 0)
        close(hosted.boot_fd);
    hosted.boot_fd = -1;
}

int
hosted_await_exit(void)
{
    struct pollfd p = {(int)syscall(SYS_pidfd_open, hosted.pid, 0), POLLIN, 0};
    int status = 0;

    assert_true(p.fd >= 0);
    assert_int_equal(poll(&p, 1, HOSTED_WAIT_MS), 1);
    close(p.fd);
    assert_int_equal(waitpid(hosted.pid, &status, 0), hosted.pid);
    hosted.pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

void
hosted_read_output(void)
{
    size_t n = 0;
    ssize_t got;

    while (n < sizeof hosted.text - 1 &&
           (got = read(hosted.output_fd, hosted.text + n,
                       sizeof hosted.text - 1 - n)) > 0)
        n += (size_t)got;
    hosted.text[n] = '\0';
}

void
hosted_hear(void)
{
    int n = zmq_recv(hosted.router, hosted.peer, sizeof hosted.peer, 0);

    assert_true(n > 0);
    hosted.peer_bytes = (size_t)n;
    n = zmq_recv(hosted.router, hosted.text, sizeof hosted.text - 1, 0);
    assert_true(n >= 0 && (size_t)n < sizeof hosted.text);
    hosted.text[n] = '\0';
}

int
hosted_is_silent(int ms)
{
    zmq_pollitem_t item = {hosted.router, 0, ZMQ_POLLIN, 0};

    return zmq_poll(&item, 1, ms) == 0;
}

void
hosted_say(const char *text)
{
    zmq_send(hosted.router, hosted.peer, hosted.peer_bytes, ZMQ_SNDMORE);
    zmq_send(hosted.router, text, strlen(text), 0);
}

void
hosted_expect(const char *part)
{
    hosted_hear();
    if (!strstr(hosted.text, part))
        fail_msg("not \"%s\" but %s", part, hosted.text);
}

void
hosted_ask(const char *text, const char *part)
{
    hosted_say(text);
    hosted_hear();
    if (!strstr(hosted.text, part))
        fail_msg("%s -> %s", text, hosted.text);
}

int
hosted_run(const char *arguments, const char *part)
{
    char command[600];
    char text[8192];
    FILE *f;
    size_t n;
    int status;

    snprintf(command, sizeof command, "%s/voxring-toolhost %s 2>&1 3<&-",
             build_dir(), arguments);
    f = popen(command, "r");
    assert_non_null(f);
    n = fread(text, 1, sizeof text - 1, f);
    text[n] = '\0';
    status = pclose(f);
    if (!strstr(text, part))
        fail_msg("%s -> %s", arguments, text);
    return WEXITSTATUS(status);
}

int
hosted_is_sanitized(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return 1;
#else
    return 0;
#endif
}

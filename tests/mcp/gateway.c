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
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <zmq.h>

#include "tests/mcp/gateway.h"

struct gateway gateway;

static const char *
build_dir(void)
{
    const char *dir = getenv("VOXRING_BUILD");

    return dir && dir[0] ? dir : "build";
}

int
gateway_setup(void **state)
{
    int wait_ms = GATEWAY_WAIT_MS, linger = 0, many = 0;

    (void)state;
    memset(&gateway, 0, sizeof gateway);
    gateway.boot_fd = gateway.log_fd = -1;
    snprintf(gateway.dir, sizeof gateway.dir, "%.40s/mcp-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(gateway.dir));
    snprintf(gateway.endpoint, sizeof gateway.endpoint, "ipc://%s/tools.sock",
             gateway.dir);
    gateway.context = zmq_ctx_new();
    gateway.router = zmq_socket(gateway.context, ZMQ_ROUTER);
    zmq_setsockopt(gateway.router, ZMQ_RCVTIMEO, &wait_ms, sizeof wait_ms);
    zmq_setsockopt(gateway.router, ZMQ_LINGER, &linger, sizeof linger);
    zmq_setsockopt(gateway.router, ZMQ_RCVHWM, &many, sizeof many);
    return zmq_bind(gateway.router, gateway.endpoint);
}

static void
end_process(pid_t *pid)
{
    if (*pid > 0) {
        kill(*pid, SIGKILL);
        waitpid(*pid, NULL, 0);
    }
    *pid = 0;
}

int
gateway_teardown(void **state)
{
    char file[200];

    (void)state;
    end_process(&gateway.pid);
    end_process(&gateway.http_pid);
    if (gateway.boot_fd >= 0)
        close(gateway.boot_fd);
    if (gateway.log_fd >= 0)
        close(gateway.log_fd);
    if (gateway.http_in > 0) {
        close(gateway.http_in);
        close(gateway.http_out);
    }
    zmq_close(gateway.router);
    zmq_ctx_term(gateway.context);
    free(gateway.text);
    snprintf(file, sizeof file, "%s/headers", gateway.dir);
    unlink(file);
    snprintf(file, sizeof file, "%s/tools.sock", gateway.dir);
    unlink(file);
    return rmdir(gateway.dir);
}

static void
launch(int boot_fd, const char *const *arguments)
{
    char program[300];
    char *args[20] = {program};
    int out[2];

    snprintf(program, sizeof program, "%s/tests/mcp/peer_bridge", build_dir());
    for (size_t i = 0; i < 18 && arguments[i]; i++)
        args[i + 1] = (char *)(uintptr_t)arguments[i];
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    gateway.pid = fork();
    if (gateway.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(out[1], 1);
        dup2(out[1], 2);
        if (boot_fd >= 0) {
            dup2(boot_fd, 3);
            fcntl(3, F_SETFD, 0);
        }
        setenv("SECRET", "nobody's business", 1);
        execv(program, args);
        _exit(99);
    }
    close(out[1]);
    gateway.log_fd = out[0];
}

void
gateway_start(const char *mcp)
{
    static const char *const arguments[] = {"--mcp", NULL};
    char boot[2000];
    int fds[2];

    snprintf(boot, sizeof boot,
             "{\"protocol\":1,\"endpoint\":\"%s\",\"token\":\"T\",\"name\":"
             "\"fake\",\"result_max_bytes\":1000,\"memory_bytes\":%llu,"
             "\"config\":{},\"mcp\":%s}\n",
             gateway.endpoint, (unsigned long long)gateway.memory_mb << 20,
             mcp);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    launch(fds[0], arguments);
    close(fds[0]);
    gateway.boot_fd = fds[1];
    assert_int_equal(write(fds[1], boot, strlen(boot)), strlen(boot));
}

void
gateway_start_fake(const char *mode, const char *more)
{
    char mcp[1000];

    snprintf(mcp, sizeof mcp,
             "{\"command\":\"/usr/bin/python3\",\"args\":["
             "\"tests/mcp/fake_server.py\",\"stdio\",\"%s\"]%s}",
             mode, more);
    gateway_start(mcp);
}

void
gateway_start_http(const char *mode)
{
    int in[2], out[2];
    char line[64];
    size_t bytes = 0;
    ssize_t n;

    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    gateway.http_pid = fork();
    if (gateway.http_pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(in[0], 0);
        dup2(out[1], 1);
        execl("/usr/bin/python3", "python3", "tests/mcp/fake_server.py", "http",
              mode, (char *)NULL);
        _exit(99);
    }
    close(in[0]);
    close(out[1]);
    gateway.http_in = in[1];
    gateway.http_out = out[0];
    do {
        n = read(out[0], line + bytes, sizeof line - 1 - bytes);
        assert_true(n > 0);
        bytes += (size_t)n;
        line[bytes] = '\0';
    } while (!strchr(line, '\n'));
    assert_int_equal(sscanf(line, "port %d", &gateway.port), 1);
}

void
gateway_run(const char *const *arguments)
{
    launch(-1, arguments);
}

/* ---- talking --------------------------------------------------------------------- */

static void
keep_log(const char *bytes, size_t count)
{
    if (gateway.log_bytes + count >= sizeof gateway.log)
        return;
    memcpy(gateway.log + gateway.log_bytes, bytes, count);
    gateway.log_bytes += count;
    gateway.log[gateway.log_bytes] = '\0';
}

static void
receive(void)
{
    zmq_msg_t message;
    int n = zmq_recv(gateway.router, gateway.peer, sizeof gateway.peer, 0);

    if (n <= 0)
        fail_msg("nothing came; the log: %s", gateway.log);
    gateway.peer_bytes = (size_t)n;
    zmq_msg_init(&message);
    assert_true(zmq_msg_recv(&message, gateway.router, 0) >= 0);
    free(gateway.text);
    gateway.text_bytes = zmq_msg_size(&message);
    gateway.text = strndup(zmq_msg_data(&message), gateway.text_bytes);
    assert_non_null(gateway.text);
    zmq_msg_close(&message);
}

void
gateway_hear(void)
{
    for (;;) {
        receive();
        if (!strstr(gateway.text, "\"notifications/message\"") &&
            !strstr(gateway.text, "\"id\":\"ping\""))
            return;
        keep_log(gateway.text, gateway.text_bytes);
        keep_log("\n", 1);
    }
}

void
gateway_expect(const char *part)
{
    gateway_hear();
    if (!strstr(gateway.text, part))
        fail_msg("%s\n  is not in %.2000s\n  the log: %s", part, gateway.text,
                 gateway.log);
}

void
gateway_say(const char *text)
{
    zmq_send(gateway.router, gateway.peer, gateway.peer_bytes, ZMQ_SNDMORE);
    zmq_send(gateway.router, text, strlen(text), 0);
}

void
gateway_welcome(void)
{
    gateway_expect("\"voxring/hello\"");
    gateway_say("{\"jsonrpc\":\"2.0\",\"id\":\"hello\",\"result\":{"
                "\"protocol\":1,\"heartbeat_ms\":1000,\"expires_ms\":3000}}");
}

void
gateway_call(const char *id, const char *tool, const char *arguments,
             const char *part)
{
    char text[2000];

    snprintf(text, sizeof text,
             "{\"jsonrpc\":\"2.0\",\"id\":\"%s\",\"method\":\"tools/call\","
             "\"params\":{\"name\":\"%s\",\"arguments\":%s,\"_meta\":{"
             "\"progressToken\":\"%s\"}}}",
             id, tool, arguments, id);
    gateway_say(text);
    if (part)
        gateway_expect(part);
}

void
gateway_await_log(const char *part)
{
    char bytes[4096];
    zmq_pollitem_t items[] = {{gateway.router, 0, ZMQ_POLLIN, 0},
                              {NULL, gateway.log_fd, ZMQ_POLLIN, 0}};

    while (!strstr(gateway.log, part)) {
        if (zmq_poll(items, 2, GATEWAY_WAIT_MS) <= 0)
            fail_msg("%s\n  is not in the log: %s", part, gateway.log);
        if (items[0].revents) {
            receive();
            keep_log(gateway.text, gateway.text_bytes);
        }
        if (items[1].revents) {
            ssize_t n = read(gateway.log_fd, bytes, sizeof bytes);
            if (n <= 0)
                fail_msg("%s\n  is not in the log: %s", part, gateway.log);
            keep_log(bytes, (size_t)n);
        }
    }
}

int
gateway_await_exit(void)
{
    struct pollfd p = {(int)syscall(SYS_pidfd_open, gateway.pid, 0), POLLIN, 0};
    char bytes[4096];
    int status = 0;
    ssize_t n;

    assert_true(p.fd >= 0);
    assert_int_equal(poll(&p, 1, GATEWAY_WAIT_MS), 1);
    close(p.fd);
    assert_int_equal(waitpid(gateway.pid, &status, 0), gateway.pid);
    gateway.pid = 0;
    fcntl(gateway.log_fd, F_SETFL, O_NONBLOCK);
    while ((n = read(gateway.log_fd, bytes, sizeof bytes)) > 0)
        keep_log(bytes, (size_t)n);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

void
gateway_await_gone(pid_t pid)
{
    struct pollfd p = {(int)syscall(SYS_pidfd_open, pid, 0), POLLIN, 0};

    if (p.fd < 0) {
        assert_int_equal(errno, ESRCH);
        return;
    }
    assert_int_equal(poll(&p, 1, GATEWAY_WAIT_MS), 1);
    close(p.fd);
}

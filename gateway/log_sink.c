#include "gateway/log_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/clock.h"
#include "gateway/log.h"

static struct {
    int fd;       /* the caller's; -1: none */
    int own_fd;   /* the same file, opened again without blocking; -1: none */
    bool socket;  /* takes MSG_DONTWAIT */
    bool regular; /* a file: never waits for a reader */
    bool broken;  /* the reader is gone for good */
    size_t head;  /* absolute byte counts: put so far, */
    size_t tail;  /* and handed over */
    char bytes[LOG_BUFFER_BYTES];
} sink = {.fd = -1, .own_fd = -1};

/* O_NONBLOCK on the descriptor itself would also hit every process that shares
 * its open file description, such as the shell that started us; the kernel
 * gives a description of our own through /proc. */
static int
reopen(int fd)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

void
log_sink_open(int fd)
{
    struct stat st;
    sink.fd = fd;
    sink.own_fd = -1;
    sink.socket = sink.regular = sink.broken = false;
    if (fstat(fd, &st) != 0)
        return;
    sink.socket = S_ISSOCK(st.st_mode);
    sink.regular = S_ISREG(st.st_mode);
    if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode))
        sink.own_fd = reopen(fd);
}

static bool
writable(int fd, int wait_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    return poll(&p, 1, wait_ms) > 0;
}

static ssize_t
hand_over(const char *bytes, size_t count)
{
    if (sink.socket)
        return send(sink.fd, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sink.own_fd >= 0)
        return write(sink.own_fd, bytes, count);
    if (!sink.regular && !writable(sink.fd, 0)) {
        errno = EAGAIN;
        return -1;
    }
    /* A pipe that is ready takes PIPE_BUF bytes without blocking. */
    return write(sink.fd, bytes,
                 sink.regular || count < PIPE_BUF ? count : PIPE_BUF);
}

void
log_sink_flush(void)
{
    while (sink.fd >= 0 && sink.tail != sink.head) {
        size_t at = sink.tail % sizeof sink.bytes;
        size_t count = sink.head - sink.tail;
        if (count > sizeof sink.bytes - at)
            count = sizeof sink.bytes - at;
        ssize_t n =
            sink.broken ? (ssize_t)count : hand_over(sink.bytes + at, count);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (n < 0)
            sink.broken = errno == EPIPE || errno == ECONNRESET ||
                          errno == EBADF || errno == EIO || errno == ENOTCONN;
        /* A full disk may have room later; the bytes that met it are lost
         * rather than kept in front of newer ones. */
        sink.tail += n < 0 ? count : (size_t)n;
    }
}

bool
log_sink_put(const char *bytes, size_t count)
{
    if (count > sizeof sink.bytes - (sink.head - sink.tail))
        return false;
    size_t at = sink.head % sizeof sink.bytes;
    size_t first = sizeof sink.bytes - at;
    if (first > count)
        first = count;
    memcpy(sink.bytes + at, bytes, first);
    memcpy(sink.bytes, bytes + first, count - first);
    sink.head += count;
    return true;
}

size_t
log_sink_pending_bytes(void)
{
    return sink.head - sink.tail;
}

void
log_sink_close(int wait_ms)
{
    uint64_t end_ns = clock_mono_ns() + (uint64_t)wait_ms * CLOCK_NS_PER_MS;
    log_sink_flush();
    while (sink.fd >= 0 && sink.tail != sink.head) {
        uint64_t now_ns = clock_mono_ns();
        if (now_ns >= end_ns)
            break;
        writable(sink.own_fd >= 0 ? sink.own_fd : sink.fd,
                 (int)((end_ns - now_ns) / CLOCK_NS_PER_MS) + 1);
        log_sink_flush();
    }
    if (sink.own_fd >= 0)
        close(sink.own_fd);
    sink.fd = sink.own_fd = -1;
    sink.head = sink.tail = 0;
}

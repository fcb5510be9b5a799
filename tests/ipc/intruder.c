#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/ipc/intruder.h"

void
intruder_object(const struct ring_host *host, char path[INTRUDER_PATH_BYTES])
{
    snprintf(path, INTRUDER_PATH_BYTES, "/dev/shm%s", ring_host_name(host));
}

void
intruder_bell(const char *session, char path[INTRUDER_PATH_BYTES])
{
    snprintf(path, INTRUDER_PATH_BYTES, "%s/%s.in.bell", harness_dir, session);
}

static int
open_object(const struct ring_host *host)
{
    int fd = shm_open(ring_host_name(host), O_RDWR | O_CLOEXEC, 0);

    assert_true(fd >= 0);
    return fd;
}

struct ring_layout *
intruder_map(const struct ring_host *host)
{
    int fd = open_object(host);
    void *pages = mmap(NULL, sizeof(struct ring_layout), PROT_READ | PROT_WRITE,
                       MAP_SHARED, fd, 0);

    assert_ptr_not_equal(pages, MAP_FAILED);
    close(fd);
    return pages;
}

void
intruder_unmap(struct ring_layout *layout)
{
    munmap(layout, sizeof *layout);
}

void
intruder_truncate(const struct ring_host *host, long bytes)
{
    int fd = open_object(host);

    assert_int_equal(ftruncate(fd, bytes), 0);
    close(fd);
}

void
intruder_punch(const struct ring_host *host, long at, long bytes)
{
    int fd = open_object(host);

    assert_int_equal(
        fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, bytes),
        0);
    close(fd);
}

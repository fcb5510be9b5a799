#include "tests/cli/hosted.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/ring_name.h"
#include "tests/cli/program.h"

#define PROCESSES_MAX 8
#define FRAMES 32768
#define SINE_HZ 1000

static pid_t processes[PROCESSES_MAX];

static struct ring_host *
host(const char *session, enum vr_ring ring, uint64_t frames, char *why)
{
    struct ring_host_config config = {
        .runtime_dir = program_dir,
        .session = session,
        .ring = ring,
        .format = {HOSTED_RATE_HZ, 1},
        .min_frames = frames,
    };
    struct ring_host *made;
    return ring_host_open(&made, &config, why, VR_ERROR_BYTES) == VR_OK ? made
                                                                        : NULL;
}

struct ring_host *
hosted_ring(const char *session, enum vr_ring ring, uint64_t frames)
{
    char why[VR_ERROR_BYTES] = "";
    struct ring_host *made = host(session, ring, frames, why);
    if (!made)
        fail_msg("%s", why);
    return made;
}

void
hosted_sine(int16_t *samples, size_t frames)
{
    for (size_t i = 0; i < frames; i++)
        samples[i] = (int16_t)lrint(
            16384 * sin(2 * acos(-1) * SINE_HZ * (double)i / HOSTED_RATE_HZ));
}

/* In the child: says 'r' once all is there. */
static void
be_gateway(const char *session, int ready)
{
    static int16_t samples[HOSTED_RATE_HZ];
    struct vr_options options = {.runtime_dir = program_dir, .name = "mike"};
    char why[VR_ERROR_BYTES] = "";
    struct vr_writer *writer;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct ring_host *in = host(session, VR_RING_IN, FRAMES, why);
    struct ring_host *out = host(session, VR_RING_OUT, FRAMES, why);
    hosted_sine(samples, HOSTED_RATE_HZ);
    if (!in || !out ||
        vr_writer_open(&writer, session, &options, why, sizeof why) != VR_OK ||
        vr_write(writer, samples, HOSTED_RATE_HZ, vr_now_ns()) != VR_OK)
        _exit(1);
    ring_host_write(out, samples, HOSTED_RATE_HZ);
    ring_host_flush(out, 1000, 7);
    if (write(ready, "r", 1) != 1)
        _exit(1);
    for (;;)
        pause();
}

pid_t
hosted_process(const char *session)
{
    int ready[2], slot = 0;
    char byte = 0;
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        be_gateway(session, ready[1]);
    close(ready[1]);
    while (processes[slot])
        assert_true(++slot < PROCESSES_MAX);
    processes[slot] = pid;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

void
hosted_kill(pid_t pid, int number)
{
    assert_int_equal(kill(pid, number), 0);
    if (number == SIGSTOP)
        assert_int_equal(waitpid(pid, NULL, WUNTRACED), pid);
    if (number != SIGKILL)
        return;
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    for (int i = 0; i < PROCESSES_MAX; i++) {
        if (processes[i] == pid)
            processes[i] = 0;
    }
}

int
hosted_end(void **state)
{
    char instance[RING_INSTANCE_BYTES];
    (void)state;
    for (int i = 0; i < PROCESSES_MAX; i++) {
        if (processes[i])
            hosted_kill(processes[i], SIGKILL);
    }
    if (ring_name_instance(instance, NULL, program_dir, NULL, 0) == VR_OK)
        ring_host_sweep(program_dir, instance, NULL, NULL);
    return 0;
}

struct ring_layout *
hosted_map(const char *object)
{
    int fd = shm_open(object, O_RDWR | O_CLOEXEC, 0);
    assert_true(fd >= 0);
    void *pages = mmap(NULL, sizeof(struct ring_layout), PROT_READ | PROT_WRITE,
                       MAP_SHARED, fd, 0);
    assert_true(pages != MAP_FAILED);
    close(fd);
    return pages;
}

void
hosted_unmap(struct ring_layout *layout)
{
    munmap(layout, sizeof *layout);
}

const char *
hosted_name(const char *session, enum vr_ring ring)
{
    static char names[4][RING_OBJECT_BYTES];
    static unsigned next;
    char instance[RING_INSTANCE_BYTES];
    char *name = names[next++ % 4];
    assert_int_equal(ring_name_instance(instance, NULL, program_dir, NULL, 0),
                     VR_OK);
    ring_name_object(name, instance, session, ring);
    return name;
}

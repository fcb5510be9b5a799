#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ipc/ring_name.h"
#include "tests/fuzz/ring_ground.h"

#define PAGE_BYTES 4096

static char runtime_dir[64];
static char instance[RING_INSTANCE_BYTES];

/* clang's -fsanitize=undefined alone only prints. */
const char *__ubsan_default_options(void);

const char *
__ubsan_default_options(void)
{
    return "halt_on_error=1:print_stacktrace=1";
}

void
ground_object(char path[GROUND_PATH_BYTES], enum vr_ring ring)
{
    char object[RING_OBJECT_BYTES];

    ring_name_object(object, instance, GROUND_SESSION, ring);
    ring_name_file(path, object);
}

void
ground_bell(char path[GROUND_PATH_BYTES])
{
    snprintf(path, GROUND_PATH_BYTES, "%s/%s.in.bell", runtime_dir,
             GROUND_SESSION);
}

void
ground_clear(const char *path)
{
    if (unlink(path) != 0 && errno != ENOENT)
        rmdir(path);
}

static void
clear_all(void)
{
    char path[GROUND_PATH_BYTES];

    ground_object(path, VR_RING_IN);
    ground_clear(path);
    ground_object(path, VR_RING_OUT);
    ground_clear(path);
    ground_bell(path);
    ground_clear(path);
}

static void
at_end(void)
{
    clear_all();
    rmdir(runtime_dir);
}

void
ground_fail(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: broken: %s\n", file, line, what);
    at_end();
    abort();
}

/* ---- SIGBUS ------------------------------------------------------------ */

static struct sigaction fuzzers;
static void *foreign; /* a mapping that is no ring's */
static volatile sig_atomic_t foreign_seen;

/* Between the guard and the fuzzer's handler. */
static void
on_foreign(int number, siginfo_t *info, void *context)
{
    if (foreign && info->si_addr == foreign) {
        mmap(foreign, PAGE_BYTES, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        foreign_seen = 1;
        return;
    }
    if ((fuzzers.sa_flags & SA_SIGINFO) != 0)
        fuzzers.sa_sigaction(number, info, context);
    else
        abort();
}

/* Installs the guard, and sees that it passes on what is not a ring's. */
static void
stand_guard(void)
{
    struct sigaction action = {.sa_sigaction = on_foreign,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK};
    int fd = memfd_create("foreign", MFD_CLOEXEC);

    must(sigaction(SIGBUS, &action, &fuzzers) == 0);
    must(vr_guard_install() == VR_OK);
    foreign = mmap(NULL, PAGE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
    must(foreign != MAP_FAILED);
    must(*(volatile unsigned char *)foreign == 0 && foreign_seen);
    munmap(foreign, PAGE_BYTES);
    foreign = NULL;
    close(fd);
}

const char *
ground_up(void)
{
    if (runtime_dir[0] == '\0') {
        snprintf(runtime_dir, sizeof runtime_dir, "/tmp/voxring-fuzz-XXXXXX");
        must(mkdtemp(runtime_dir) != NULL);
        must(ring_name_instance(instance, NULL, runtime_dir, NULL, 0) == VR_OK);
        atexit(at_end);
        stand_guard();
    }
    clear_all();
    return runtime_dir;
}

const char *
ground_dir(void)
{
    return runtime_dir;
}

const char *
ground_instance(void)
{
    return instance;
}

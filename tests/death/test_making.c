/* A client that comes while a ring is being made, held at each of its steps
 * until the gateway is through with each of its own: it gets the ring. One that
 * comes as a ring is flushed gets nothing from before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/ring_host.h"
#include "ipc/ring_name.h"
#include "ipc/voxring.h"
#include "tests/death/doom.h"

static const char *const client_steps[] = {"attach: opened", "attach: looked",
                                           "attach: judged", "attach: mapped",
                                           "lease: locked"};
static const char *const host_steps[] = {
    "make: created", "make: locked", "make: shared", "make: reserved",
    "make: mapped",  "make: header", "make: magic"};

static char dir[64];
static const char *host_step, *client_step;
static pthread_t client;
static bool come;
static sem_t client_there, host_done;
static enum vr_status opened;
static char why[VR_ERROR_BYTES];

static void *
open_and_close(void *arg)
{
    struct vr_options options = {.runtime_dir = dir};
    struct vr_reader *r;

    opened = vr_reader_open(&r, "s", &options, why, sizeof why);
    vr_reader_close(&r);
    sem_post(&client_there);
    return arg;
}

/* In the host's thread: the client starts, and gets as far as it can before it
 * must wait for us. In the client's: waits for the host. */
static void
hold(const char *name)
{
    if (!come && strcmp(name, host_step) == 0) {
        come = true;
        assert_int_equal(pthread_create(&client, NULL, open_and_close, NULL),
                         0);
        sem_wait(&client_there);
    } else if (come && client_step != NULL && strcmp(name, client_step) == 0 &&
               pthread_equal(pthread_self(), client)) {
        client_step = NULL;
        sem_post(&client_there);
        sem_wait(&host_done);
    }
}

static struct ring_host_config
ring_config(void)
{
    return (struct ring_host_config){.runtime_dir = dir,
                                     .session = "s",
                                     .ring = VR_RING_OUT,
                                     .format = {16000, 1},
                                     .min_frames = 1024};
}

/* The client may not get as far as its step while the host stands at its own;
 * then it gives up, and says that there is no ring yet. */
static void
meet(const char *at_host, const char *at_client)
{
    struct ring_host_config config = ring_config();
    struct ring_host *host;
    bool held;

    host_step = at_host;
    client_step = at_client;
    come = false;
    doom_hook(hold);
    assert_int_equal(ring_host_open(&host, &config, NULL, 0), VR_OK);
    held = client_step == NULL;
    sem_post(&host_done);
    pthread_join(client, NULL);
    doom_hook(NULL);
    if (opened != (held ? VR_OK : VR_NOT_FOUND) &&
        !(opened == VR_OK && strcmp(at_host, "make: magic") == 0))
        fail_msg("host at \"%s\", client at \"%s\": %s: %s", at_host, at_client,
                 vr_status_name(opened), why);
    ring_host_close(&host);
}

static void
test_client_meets_a_ring_in_the_making(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof host_steps / sizeof host_steps[0]; i++)
        for (size_t j = 0; j < sizeof client_steps / sizeof client_steps[0];
             j++) {
            sem_init(&client_there, 0, 0);
            sem_init(&host_done, 0, 0);
            meet(host_steps[i], client_steps[j]);
        }
}

static struct ring_host *flusher;

static void
flush_once(const char *name)
{
    int16_t samples[64] = {0};

    if (flusher == NULL || strcmp(name, client_step) != 0)
        return;
    ring_host_write(flusher, samples, 32);
    ring_host_flush(flusher, 64, 7);
    flusher = NULL;
}

/* Between any two steps of an attach: what the first read returns is not what
 * a flush cut off before that read began. */
static void
open_as_it_flushes(const char *at_client)
{
    struct ring_host_config config = ring_config();
    struct vr_options options = {.runtime_dir = dir, .start = VR_START_OLDEST};
    struct vr_block block = {0};
    struct ring_host *host;
    enum vr_status status;
    int16_t samples[64];
    struct vr_reader *r;

    assert_int_equal(ring_host_open(&host, &config, NULL, 0), VR_OK);
    ring_host_write(host, (const int16_t[64]){0}, 32);
    flusher = host;
    client_step = at_client;
    doom_hook(flush_once);
    opened = vr_reader_open(&r, "s", &options, NULL, 0);
    doom_hook(NULL);
    status = opened == VR_OK ? vr_read(r, samples, 64, &block) : opened;
    vr_reader_close(&r);
    ring_host_close(&host);
    assert_null(flusher);
    assert_int_equal(opened, VR_OK);
    if (status == VR_OK)
        fail_msg("flushed at \"%s\", and %llu frames from before were read",
                 at_client, (unsigned long long)block.frames);
}

static void
test_client_comes_as_it_is_flushed(void **state)
{
    static const char *const steps[] = {"attach: opened", "attach: mapped",
                                        "lease: locked",  "lease: slot",
                                        "lease: flush",   "lease: place"};

    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        open_as_it_flushes(steps[i]);
}

/* Leaves a ring as a dead gateway does. */
static void
leave_remains(const struct ring_host_config *config)
{
    struct ring_host *host;
    pid_t pid = fork();

    if (pid == 0)
        _exit(ring_host_open(&host, config, NULL, 0) == VR_OK ? 0 : 1);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Who sweeps holds the remains for a moment; they do not live by that. */
static void
test_client_meets_a_ring_being_swept(void **state)
{
    struct ring_host_config config = ring_config();
    char instance[RING_INSTANCE_BYTES];

    (void)state;
    sem_init(&client_there, 0, 0);
    leave_remains(&config);
    host_step = "sweep: locked";
    client_step = NULL;
    come = false;
    doom_hook(hold);
    assert_int_equal(ring_name_instance(instance, NULL, dir, NULL, 0), VR_OK);
    assert_int_equal(ring_host_sweep(dir, instance, NULL, NULL), 1);
    pthread_join(client, NULL);
    doom_hook(NULL);
    if (opened != VR_NOT_FOUND)
        fail_msg("a dead ring was opened: %s: %s", vr_status_name(opened), why);
}

static int
set_up(void **state)
{
    (void)state;
    alarm(60);
    snprintf(dir, sizeof dir, "/tmp/vr-making-XXXXXX");
    return mkdtemp(dir) != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    return rmdir(dir);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_client_meets_a_ring_in_the_making),
        cmocka_unit_test(test_client_meets_a_ring_being_swept),
        cmocka_unit_test(test_client_comes_as_it_is_flushed),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

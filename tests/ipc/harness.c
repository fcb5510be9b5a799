#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/ring_name.h"
#include "tests/ipc/harness.h"

#define PEERS 64
#define REPLY_MS 20000
#define TEST_S 120

char harness_dir[HARNESS_DIR_BYTES];
static char instance[RING_INSTANCE_BYTES];
static struct peer *peers[PEERS];

int
harness_up(void **state)
{
    (void)state;
    alarm(TEST_S);
    signal(SIGPIPE, SIG_IGN);
    snprintf(harness_dir, sizeof harness_dir, "/tmp/voxring-test-XXXXXX");
    if (mkdtemp(harness_dir) == NULL)
        return -1;
    return ring_name_instance(instance, NULL, harness_dir, NULL, 0) == VR_OK
               ? 0
               : -1;
}

static void
remove_objects(void)
{
    DIR *folder = opendir("/dev/shm");
    char prefix[RING_OBJECT_BYTES];
    struct dirent *entry;

    snprintf(prefix, sizeof prefix, "voxring-%s.", instance);
    while (folder != NULL && (entry = readdir(folder)) != NULL)
        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
            shm_unlink(entry->d_name);
    if (folder != NULL)
        closedir(folder);
}

static void
remove_folder(void)
{
    DIR *folder = opendir(harness_dir);
    struct dirent *entry;

    while (folder != NULL && (entry = readdir(folder)) != NULL)
        unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder != NULL)
        closedir(folder);
    rmdir(harness_dir);
}

int
harness_down(void **state)
{
    (void)state;
    for (int i = 0; i < PEERS; i++)
        if (peers[i] != NULL)
            peer_kill(&peers[i], SIGKILL);
    remove_objects();
    remove_folder();
    return 0;
}

struct ring_host *
harness_host(const char *session, enum vr_ring ring, uint32_t rate_hz,
             uint32_t channels, uint64_t frames)
{
    struct ring_host_config config = {
        .runtime_dir = harness_dir,
        .session = session,
        .ring = ring,
        .format = {rate_hz, channels},
        .min_frames = frames != 0 ? frames : HARNESS_FRAMES};
    struct ring_host *host;
    char why[VR_ERROR_BYTES] = "";

    if (ring_host_open(&host, &config, why, sizeof why) != VR_OK)
        fail_msg("%s", why);
    return host;
}

void
harness_pause(void)
{
    poll(NULL, 0, 1);
}

struct vr_options
harness_options(void)
{
    return (struct vr_options){.runtime_dir = harness_dir};
}

struct vr_writer *
harness_writer(const char *session)
{
    struct vr_options options = harness_options();
    struct vr_writer *writer;
    char why[VR_ERROR_BYTES] = "";

    if (vr_writer_open(&writer, session, &options, why, sizeof why) != VR_OK)
        fail_msg("%s", why);
    return writer;
}

struct vr_reader *
harness_reader(const char *session, enum vr_ring ring, enum vr_role role,
               enum vr_start start)
{
    struct vr_options options = harness_options();
    struct vr_reader *reader;
    char why[VR_ERROR_BYTES] = "";

    options.ring = ring;
    options.role = role;
    options.start = start;
    if (vr_reader_open(&reader, session, &options, why, sizeof why) != VR_OK)
        fail_msg("%s", why);
    return reader;
}

int16_t
harness_sample(uint64_t position, uint32_t channel)
{
    uint64_t mixed = (position * 2 + channel) * UINT64_C(0x9e3779b97f4a7c15);

    return (int16_t)(uint16_t)(mixed >> 48);
}

void
harness_fill(int16_t *samples, uint64_t position, size_t frames,
             uint32_t channels)
{
    for (size_t i = 0; i < frames; i++)
        for (uint32_t c = 0; c < channels; c++)
            *samples++ = harness_sample(position + i, c);
}

size_t
harness_right(const int16_t *samples, uint64_t position, size_t frames,
              uint32_t channels)
{
    for (size_t i = 0; i < frames; i++)
        for (uint32_t c = 0; c < channels; c++)
            if (*samples++ != harness_sample(position + i, c))
                return i;
    return frames;
}

bool
harness_maps(pid_t pid, const char *object)
{
    char path[64], line[512];
    bool found = false;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%ld/maps", (long)pid);
    file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL)
        found |= strstr(line, object) != NULL;
    fclose(file);
    return found;
}

/* ---- peers ------------------------------------------------------------- */

static void
peer_path(char path[512], const char *program)
{
    ssize_t n = readlink("/proc/self/exe", path, 400);

    assert_true(n > 0);
    path[n] = '\0';
    snprintf(strrchr(path, '/') + 1, 64, "%s", program);
}

static void
run_peer(const char *program, int to[2], int from[2])
{
    char path[512];

    peer_path(path, program);
    dup2(to[0], STDIN_FILENO);
    dup2(from[1], STDOUT_FILENO);
    execl(path, "peer_ring", harness_dir, (char *)NULL);
    _exit(127);
}

struct peer *
peer_start_program(const char *program)
{
    struct peer *peer = calloc(1, sizeof *peer);
    int to[2], from[2], i = 0;

    assert_non_null(peer);
    assert_int_equal(pipe2(to, O_CLOEXEC), 0);
    assert_int_equal(pipe2(from, O_CLOEXEC), 0);
    peer->pid = fork();
    assert_true(peer->pid >= 0);
    if (peer->pid == 0)
        run_peer(program, to, from);
    close(to[0]);
    close(from[1]);
    peer->to = to[1];
    peer->from = from[0];
    while (i < PEERS && peers[i] != NULL)
        i++;
    assert_true(i < PEERS);
    peers[i] = peer;
    if (strcmp(peer_hear(peer), "ready") != 0)
        fail_msg("%s did not start: build it beside the test (make tests)",
                 program);
    return peer;
}

struct peer *
peer_start(void)
{
    return peer_start_program("peer_ring");
}

static void
send_line(struct peer *peer, const char *format, va_list args)
{
    char line[1024];
    int n = vsnprintf(line, sizeof line - 1, format, args);

    assert_in_range(n, 1, sizeof line - 2);
    line[n++] = '\n';
    assert_int_equal(write(peer->to, line, (size_t)n), n);
}

void
peer_tell(struct peer *peer, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    send_line(peer, format, args);
    va_end(args);
}

const char *
peer_hear(struct peer *peer)
{
    size_t n = 0;

    for (;;) {
        struct pollfd wait = {.fd = peer->from, .events = POLLIN};

        if (poll(&wait, 1, REPLY_MS) != 1)
            fail_msg("A peer does not answer");
        if (read(peer->from, peer->reply + n, 1) != 1) {
            snprintf(peer->reply, sizeof peer->reply, "(dead)");
            return peer->reply;
        }
        if (peer->reply[n] == '\n' || n == sizeof peer->reply - 1)
            break;
        n++;
    }
    peer->reply[n] = '\0';
    return peer->reply;
}

const char *
peer_ask(struct peer *peer, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    send_line(peer, format, args);
    va_end(args);
    return peer_hear(peer);
}

static void
forget(struct peer **peer)
{
    struct peer *gone = *peer;

    close(gone->to);
    close(gone->from);
    *peer = NULL;
    for (int i = 0; i < PEERS; i++)
        if (peers[i] == gone)
            peers[i] = NULL;
    free(gone);
}

void
peer_kill(struct peer **peer, int signal)
{
    kill((*peer)->pid, signal);
    if (signal == SIGSTOP)
        waitpid((*peer)->pid, NULL, WUNTRACED);
    if (signal != SIGKILL)
        return;
    waitpid((*peer)->pid, NULL, 0);
    forget(peer);
}

void
peer_end(struct peer **peer)
{
    int status = -1;

    peer_tell(*peer, "quit");
    waitpid((*peer)->pid, &status, 0);
    forget(peer);
    assert_int_equal(status, 0);
}

/* Everyone who waits: a silent producer, a player and 14 other readers of a
 * running gateway's session, each a process. All readers are in vr_wait() with
 * no end, and nothing is ever written. bench/run reads from the kernel what
 * they used of the CPUs meanwhile.
 *
 * bench_idle FOLDER SESSION: prints the processes' ids when all are attached
 * and ends with its standard input. */
#include "bench/rig.h"

#define PROCESSES 16

static const char *session;

static _Noreturn void
be_silent(int ready)
{
    struct vr_writer *writer = rig_writer(session);
    if (!writer || write(ready, "", 1) != 1)
        _exit(1);
    for (;;)
        pause();
}

static _Noreturn void
wait_on(int ready, enum vr_role role)
{
    int16_t frames[RIG_BLOCK_FRAMES];
    struct vr_reader *reader =
        rig_reader(session, VR_RING_OUT, role, VR_START_NOW);
    if (write(ready, "", 1) != 1)
        _exit(1);
    for (;;) {
        if (vr_wait(reader, -1) == VR_OK)
            (void)vr_read(reader, frames, RIG_BLOCK_FRAMES, NULL);
    }
}

static pid_t
start(unsigned number, int ready)
{
    pid_t child = rig_fork();
    if (!child && number == 0)
        be_silent(ready);
    if (!child)
        wait_on(ready, number == 1 ? VR_PLAYER : VR_OTHER);
    return child;
}

int
main(int argc, char **argv)
{
    pid_t children[PROCESSES];
    int ready[2];
    char byte;
    if (argc != 3 || strlen(argv[1]) >= sizeof rig_dir)
        rig_die("usage", "bench_idle FOLDER SESSION");
    snprintf(rig_dir, sizeof rig_dir, "%s", argv[1]);
    session = argv[2];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    rig_need_children();
    if (pipe(ready))
        rig_die("pipe", "cannot be made");
    for (unsigned i = 0; i < PROCESSES; i++)
        children[i] = start(i, ready[1]);
    for (unsigned i = 0; i < PROCESSES; i++)
        if (read(ready[0], &byte, 1) != 1)
            rig_die("a process", "did not start");
    for (unsigned i = 0; i < PROCESSES; i++)
        printf("%ld ", (long)children[i]);
    printf("\n");
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
    return 0;
}

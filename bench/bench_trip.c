/* 10 ms frames between two processes: by rings, and by what else there is.
 *
 * trip: there and back, again and again. The frame's way there is the `in`
 *  ring, written by A and read by B; its way back is the `out` ring, whose
 *  gateway is B. In "bell" B is a gateway on both ways: it sleeps in poll() on
 *  the doorbell, as voxringd does in its loop.
 * wake: what sending one frame costs the sender, in CPU time of its thread,
 *  while the receiver is asleep.
 * busy: what sending costs while nobody is; the frames are read in between.
 *
 * A futex and an eventfd carry no frame: they are the floor. Each has its turn
 * in each round, and the median of the rounds counts.
 *
 * bench_trip CPUS: 1 has A and B share one, 2 gives one to each. */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <zmq.h>

#include "bench/rig.h"

#define ROUNDS 21
#define TRIPS 500
#define WAKES 40
#define BATCHES 8
#define BATCH 64
#define SETTLE_NS 100000

enum side { A, B };

struct link;

/* `make` comes before B is forked, `open` after that in each of the two. */
struct transport {
    const char *name;
    void (*make)(struct link *);
    void (*open)(struct link *, enum side);
    void (*send)(struct link *, enum side);
    void (*receive)(struct link *, enum side);
    bool no_busy; /* has no receiver that is awake */
};

struct words {
    _Alignas(64) _Atomic uint32_t word[2];
};

struct link {
    const struct transport *by;
    char name[24]; /* unique in the run */
    size_t bytes;  /* of what goes through the descriptors */
    int in[2], out[2];
    struct words *words;
    uint32_t seen;
    void *socket[2];
    struct ring_host *host_in, *host_out;
    struct vr_writer *writer;
    struct vr_reader *reader[2];
    double p50_us[ROUNDS], p99_us[ROUNDS], wake_ns[ROUNDS], busy_ns[ROUNDS];
};

static int16_t block[RIG_BLOCK_FRAMES];
static bool share_cpu;

static void
check(bool good, const struct link *l)
{
    if (!good)
        rig_die(l->name, strerror(errno));
}

static void
open_nothing(struct link *l, enum side side)
{
    (void)l;
    (void)side;
}

/* ---- descriptors: eventfd, pipe, sockets -------------------------------- */

static void
make_eventfd(struct link *l)
{
    l->bytes = sizeof(uint64_t);
    block[0] = 1;
    for (int i = 0; i < 2; i++)
        l->out[i] = l->in[!i] = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
}

static void
make_pipe(struct link *l)
{
    l->bytes = RIG_BLOCK_BYTES;
    for (int i = 0; i < 2; i++) {
        int fds[2];
        check(!pipe2(fds, O_CLOEXEC), l);
        l->in[!i] = fds[0];
        l->out[i] = fds[1];
    }
}

static void
make_socket(struct link *l, int type)
{
    int fds[2];
    l->bytes = RIG_BLOCK_BYTES;
    check(!socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds), l);
    for (int i = 0; i < 2; i++)
        l->in[i] = l->out[i] = fds[i];
}

static void
make_stream(struct link *l)
{
    make_socket(l, SOCK_STREAM);
}

static void
make_packets(struct link *l)
{
    make_socket(l, SOCK_SEQPACKET);
}

/* Eight bytes of `block` are an eventfd's number: 1 on the machines that
 * voxring runs on. */
static void
send_fd(struct link *l, enum side side)
{
    check(write(l->out[side], block, l->bytes) == (ssize_t)l->bytes, l);
}

static void
receive_fd(struct link *l, enum side side)
{
    char bytes[RIG_BLOCK_BYTES];
    for (size_t have = 0; have < l->bytes;) {
        ssize_t n = read(l->in[side], bytes + have, l->bytes - have);
        check(n > 0, l);
        have += (size_t)n;
    }
}

/* ---- futex -------------------------------------------------------------- */

static void
make_futex(struct link *l)
{
    l->words = rig_share(sizeof *l->words);
}

static void
send_futex(struct link *l, enum side side)
{
    atomic_fetch_add(&l->words->word[side], 1);
    syscall(SYS_futex, &l->words->word[side], FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void
receive_futex(struct link *l, enum side side)
{
    _Atomic uint32_t *word = &l->words->word[!side];
    while (atomic_load(word) == l->seen)
        syscall(SYS_futex, word, FUTEX_WAIT, l->seen, NULL, NULL, 0);
    l->seen++;
}

/* ---- ZeroMQ ------------------------------------------------------------- */

static void
make_nothing(struct link *l)
{
    (void)l;
}

static void
open_zmq(struct link *l, enum side side)
{
    char endpoint[512];
    snprintf(endpoint, sizeof endpoint, "ipc://%s/%s", rig_dir, l->name);
    l->socket[side] = zmq_socket(zmq_ctx_new(), ZMQ_PAIR);
    check(!(side == B ? zmq_bind : zmq_connect)(l->socket[side], endpoint), l);
}

static void
send_zmq(struct link *l, enum side side)
{
    check(zmq_send(l->socket[side], block, sizeof block, 0) > 0, l);
}

static void
receive_zmq(struct link *l, enum side side)
{
    int16_t frames[RIG_BLOCK_FRAMES];
    check(zmq_recv(l->socket[side], frames, sizeof frames, 0) > 0, l);
}

/* ---- rings -------------------------------------------------------------- */

static void
read_ring(struct link *l, enum side side)
{
    int16_t frames[RIG_BLOCK_FRAMES];
    do {
        if (vr_wait(l->reader[side], -1) != VR_OK)
            rig_die(l->name, vr_reader_error(l->reader[side]));
    } while (vr_read(l->reader[side], frames, RIG_BLOCK_FRAMES, NULL) != VR_OK);
}

static void
make_ring(struct link *l)
{
    l->host_in = rig_host(l->name, VR_RING_IN);
}

static void
open_ring(struct link *l, enum side side)
{
    if (side == B) {
        l->host_out = rig_host(l->name, VR_RING_OUT);
        l->reader[B] =
            rig_reader(l->name, VR_RING_IN, VR_OTHER, VR_START_OLDEST);
        return;
    }
    l->writer = rig_writer(l->name);
    l->reader[A] = rig_reader(l->name, VR_RING_OUT, VR_PLAYER, VR_START_OLDEST);
}

static void
send_ring(struct link *l, enum side side)
{
    if (side == B)
        ring_host_write(l->host_out, block, RIG_BLOCK_FRAMES);
    else if (vr_write(l->writer, block, RIG_BLOCK_FRAMES, 1) != VR_OK)
        rig_die(l->name, vr_writer_error(l->writer));
}

static void
open_bell(struct link *l, enum side side)
{
    if (side == B) {
        l->host_in = rig_host(l->name, VR_RING_IN);
        l->host_out = rig_host(l->name, VR_RING_OUT);
        return;
    }
    open_ring(l, A);
}

static void
receive_bell(struct link *l, enum side side)
{
    int16_t frames[RIG_BLOCK_FRAMES];
    struct ring_host_span span;
    if (side == A) {
        read_ring(l, A);
        return;
    }
    while (!ring_host_arm(l->host_in, RIG_BLOCK_FRAMES)) {
        struct pollfd bell = {.fd = ring_host_bell_fd(l->host_in),
                              .events = POLLIN};
        check(poll(&bell, 1, -1) > 0, l);
        ring_host_drain(l->host_in);
    }
    ring_host_advance(l->host_in, ring_host_peek(l->host_in, frames,
                                                 RIG_BLOCK_FRAMES, &span));
}

static void
close_rings(struct link *l)
{
    vr_writer_close(&l->writer);
    vr_reader_close(&l->reader[A]);
    vr_reader_close(&l->reader[B]);
    ring_host_close(&l->host_in);
    ring_host_close(&l->host_out);
}

static const struct transport transports[] = {
    {"futex", make_futex, open_nothing, send_futex, receive_futex, false},
    {"eventfd", make_eventfd, open_nothing, send_fd, receive_fd, false},
    {"ring", make_ring, open_ring, send_ring, read_ring, false},
    {"bell", make_nothing, open_bell, send_ring, receive_bell, true},
    {"pipe", make_pipe, open_nothing, send_fd, receive_fd, false},
    {"stream", make_stream, open_nothing, send_fd, receive_fd, false},
    {"seqpacket", make_packets, open_nothing, send_fd, receive_fd, false},
    {"zmq", make_nothing, open_zmq, send_zmq, receive_zmq, false},
};
#define TRANSPORTS (sizeof transports / sizeof transports[0])

/* ---- both sides --------------------------------------------------------- */

static _Noreturn void
echo(struct link *l, int ready)
{
    rig_pin(share_cpu);
    l->by->open(l, B);
    check(write(ready, "", 1) == 1, l);
    for (;;) {
        l->by->receive(l, B);
        l->by->send(l, B);
    }
}

static void
make(struct link *l, const struct transport *by, const char *suffix)
{
    l->by = by;
    snprintf(l->name, sizeof l->name, "%s%s", by->name, suffix);
    by->make(l);
}

static void
fork_echo(struct link *l)
{
    int ready[2];
    char byte;
    check(!pipe2(ready, O_CLOEXEC), l);
    if (!rig_start())
        echo(l, ready[1]);
    check(read(ready[0], &byte, 1) == 1, l);
    close(ready[0]);
    close(ready[1]);
}

static uint64_t
trip_ns(struct link *l)
{
    uint64_t begin_ns = clock_mono_ns();
    l->by->send(l, A);
    l->by->receive(l, A);
    return clock_mono_ns() - begin_ns;
}

static void
trip_round(struct link *l, int round)
{
    double took_us[TRIPS];
    for (int i = 0; i < TRIPS; i++)
        took_us[i] = (double)trip_ns(l) / 1e3;
    l->p50_us[round] = rig_median(took_us, TRIPS);
    l->p99_us[round] = rig_percentile(took_us, TRIPS, 0.99);
}

static void
wake_round(struct link *l, int round)
{
    double took_ns[WAKES];
    for (int i = 0; i < WAKES; i++) {
        rig_pause_ns(SETTLE_NS);
        uint64_t begin_ns = rig_cpu_ns();
        l->by->send(l, A);
        took_ns[i] = (double)(rig_cpu_ns() - begin_ns);
        l->by->receive(l, A);
    }
    l->wake_ns[round] = rig_median(took_ns, WAKES) - rig_cpu_cost_ns();
}

/* `l` has both ends in this process. */
static double
busy_round_ns(struct link *l)
{
    double took_ns[BATCHES];
    for (int i = 0; i < BATCHES; i++) {
        uint64_t begin_ns = clock_mono_ns();
        for (int j = 0; j < BATCH; j++)
            l->by->send(l, A);
        took_ns[i] = (double)(clock_mono_ns() - begin_ns) / BATCH;
        for (int j = 0; j < BATCH; j++)
            l->by->receive(l, B);
    }
    return rig_median(took_ns, BATCHES);
}

/* ZeroMQ has threads: its contexts come after the last fork. */
static void
open_all(struct link *pairs, struct link *alone)
{
    for (size_t i = 0; i < TRANSPORTS; i++) {
        make(&pairs[i], &transports[i], "");
        make(&alone[i], &transports[i], "-alone");
        fork_echo(&pairs[i]);
    }
    rig_pin(true);
    for (size_t i = 0; i < TRANSPORTS; i++) {
        transports[i].open(&pairs[i], A);
        transports[i].open(&alone[i], B);
        transports[i].open(&alone[i], A);
        trip_ns(&pairs[i]);
    }
}

static void
print(struct link *l, struct link *alone)
{
    printf("%s %.2f %.2f %.0f %.1f\n", l->name, rig_median(l->p50_us, ROUNDS),
           rig_median(l->p99_us, ROUNDS), rig_median(l->wake_ns, ROUNDS),
           l->by->no_busy ? 0.0 : rig_median(alone->busy_ns, ROUNDS));
}

static void
bench(void)
{
    static struct link pairs[TRANSPORTS], alone[TRANSPORTS];
    open_all(pairs, alone);
    for (int round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < TRANSPORTS; i++) {
            trip_round(&pairs[i], round);
            wake_round(&pairs[i], round);
            if (!transports[i].no_busy)
                alone[i].busy_ns[round] = busy_round_ns(&alone[i]);
        }
    for (size_t i = 0; i < TRANSPORTS; i++)
        print(&pairs[i], &alone[i]);
    rig_end_children();
    for (size_t i = 0; i < TRANSPORTS; i++) {
        close_rings(&pairs[i]);
        close_rings(&alone[i]);
    }
}

int
main(int argc, char **argv)
{
    if (argc != 2)
        rig_die("usage", "bench_trip CPUS");
    share_cpu = !strcmp(argv[1], "1");
    return rig_run(bench);
}

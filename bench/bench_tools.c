/* Calls of tools through the broker: how long one takes, how many a second go
 * through one plugin and through eight, and what a plugin that keeps crashing
 * costs the calls of another. The floor is the same bytes between the same
 * number of processes through a bare ROUTER and DEALERs of ZeroMQ.
 *
 * bench_tools TOOLHOST FOLDER SECONDS: the folder has noop0.so to noop7.so and
 * crash.so, each bench/noop.c under that name. */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <uv.h>
#include <zmq.h>

#include "gateway/clock.h"
#include "gateway/log.h"
#include "gateway/toolbroker/broker.h"

#define PEERS 8
#define WINDOW 8
#define SAMPLES (1 << 20)
#define PACE_MS 2
#define CRASH_MS 100

/* What the broker and a toolhost say to each other for one call. */
static const char request[] =
    "{\"jsonrpc\":\"2.0\",\"id\":\"1099511627776\",\"method\":\"tools/call\","
    "\"params\":{\"name\":\"noop0\",\"arguments\":{},\"_meta\":{"
    "\"progressToken\":\"1099511627776\",\"voxring/session\":\"bench\","
    "\"voxring/conversation\":\"00000000-0000-0000-0000-000000000000\","
    "\"voxring/turn\":\"1\",\"voxring/timeout_ms\":60000}}}";
static const char answer[] =
    "{\"jsonrpc\":\"2.0\",\"id\":\"1099511627776\",\"result\":{\"content\":[{"
    "\"type\":\"text\",\"text\":\"{}\"}],\"structuredContent\":{}}}";

static uint32_t samples_ns[SAMPLES];
static size_t sample_count;

static void
die(const char *what)
{
    fprintf(stderr, "bench_tools: %s\n", what);
    exit(1);
}

static void
sample(uint64_t took_ns)
{
    if (sample_count < SAMPLES)
        samples_ns[sample_count++] = (uint32_t)took_ns;
}

static int
ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

struct spread {
    double p50_us, p99_us, max_us;
};

/* Of the samples since the last time. */
static struct spread
spread_take(void)
{
    size_t n = sample_count;
    if (!n)
        die("nothing was measured");
    qsort(samples_ns, n, sizeof samples_ns[0], ascending);
    sample_count = 0;
    return (struct spread){samples_ns[n / 2] / 1e3,
                           samples_ns[n * 99 / 100] / 1e3,
                           samples_ns[n - 1] / 1e3};
}

/* ---- the floor ---------------------------------------------------------- */

static void
floor_peer(const char *endpoint)
{
    char in[4096];
    void *context = zmq_ctx_new(), *socket = zmq_socket(context, ZMQ_DEALER);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (zmq_connect(socket, endpoint) || zmq_send(socket, "hello", 5, 0) < 0)
        _exit(1);
    while (zmq_recv(socket, in, sizeof in, 0) > 0)
        zmq_send(socket, answer, sizeof answer - 1, 0);
    _exit(0);
}

struct floor {
    void *context, *socket;
    pid_t peers[PEERS];
    char ids[PEERS][32];
    int id_bytes[PEERS];
    unsigned count;
};

static void
floor_send(struct floor *f, unsigned peer)
{
    zmq_send(f->socket, f->ids[peer], (size_t)f->id_bytes[peer], ZMQ_SNDMORE);
    zmq_send(f->socket, request, sizeof request - 1, 0);
}

static unsigned
floor_receive(struct floor *f)
{
    char id[32], in[4096];
    int bytes = zmq_recv(f->socket, id, sizeof id, 0);
    if (bytes <= 0 || zmq_recv(f->socket, in, sizeof in, 0) < 0)
        die("a peer of the floor is gone");
    for (unsigned i = 0; i < f->count; i++)
        if (f->id_bytes[i] == bytes && !memcmp(f->ids[i], id, (size_t)bytes))
            return i;
    memcpy(f->ids[f->count], id, (size_t)bytes);
    f->id_bytes[f->count] = bytes;
    return f->count++;
}

/* The peers are forked before there is a context: ZeroMQ has threads. */
static void
floor_open(struct floor *f, const char *endpoint, unsigned peers)
{
    memset(f, 0, sizeof *f);
    for (unsigned i = 0; i < peers; i++) {
        f->peers[i] = fork();
        if (!f->peers[i])
            floor_peer(endpoint);
    }
    f->context = zmq_ctx_new();
    f->socket = zmq_socket(f->context, ZMQ_ROUTER);
    if (zmq_bind(f->socket, endpoint))
        die(zmq_strerror(zmq_errno()));
    while (f->count < peers)
        floor_receive(f);
}

static void
floor_close(struct floor *f)
{
    for (unsigned i = 0; i < f->count; i++) {
        kill(f->peers[i], SIGKILL);
        waitpid(f->peers[i], NULL, 0);
    }
    zmq_close(f->socket);
    zmq_ctx_term(f->context);
}

static struct spread
floor_latency(struct floor *f, double seconds)
{
    uint64_t until_ns = clock_mono_ns() + clock_ns_of_s(seconds);
    for (;;) {
        uint64_t begin_ns = clock_mono_ns();
        if (begin_ns > until_ns)
            return spread_take();
        floor_send(f, 0);
        floor_receive(f);
        sample(clock_mono_ns() - begin_ns);
    }
}

static double
floor_rate(struct floor *f, double seconds)
{
    uint64_t begin_ns = clock_mono_ns(), count = 0;
    uint64_t until_ns = begin_ns + clock_ns_of_s(seconds);
    for (unsigned i = 0; i < f->count * WINDOW; i++)
        floor_send(f, i % f->count);
    for (; clock_mono_ns() < until_ns; count++)
        floor_send(f, floor_receive(f));
    double took_s = (double)(clock_mono_ns() - begin_ns) / 1e9;
    for (unsigned i = 0; i < f->count * WINDOW; i++)
        floor_receive(f);
    return (double)count / took_s;
}

/* ---- through the broker ------------------------------------------------- */

struct bench {
    uv_loop_t loop;
    uv_timer_t timer, crash_timer, end_timer;
    struct broker *broker;
    bool over, busy;
    unsigned in_flight, crash_open, crashes;
    uint64_t count;
};

static void on_result(void *, uint64_t, const struct tool_result *);

static void
call(struct bench *b, const char *tool, const char *json,
     broker_result_fn *done)
{
    static const struct broker_caller caller = {
        "bench", "00000000-0000-0000-0000-000000000000", "1"};
    if (!broker_call(b->broker, tool, json, &caller, 0, done, b))
        die("a call was not taken");
}

/* The next one goes to the plugin that has just answered. */
static void
on_result(void *arg, uint64_t id, const struct tool_result *result)
{
    struct bench *b = arg;
    (void)id;
    if (result->outcome != TOOL_OK)
        die(result->content_json);
    sample(result->duration_ns);
    b->count++;
    if (b->over)
        b->in_flight--;
    else
        call(b, result->tool, "{}", on_result);
}

static void
on_end(uv_timer_t *timer)
{
    struct bench *b = timer->data;
    b->over = true;
}

static void
begin(struct bench *b, double seconds)
{
    b->over = false;
    b->count = 0;
    uv_timer_start(&b->end_timer, on_end, (uint64_t)(seconds * 1e3), 0);
}

/* Keeps `window` calls open in each of so many plugins; calls a second. */
static double
flow(struct bench *b, unsigned plugins, unsigned window, double seconds)
{
    uint64_t begin_ns = clock_mono_ns();
    begin(b, seconds);
    b->in_flight = plugins * window;
    for (unsigned i = 0; i < b->in_flight; i++) {
        char tool[16];
        snprintf(tool, sizeof tool, "noop%u", i % plugins);
        call(b, tool, "{}", on_result);
    }
    while (b->in_flight)
        uv_run(&b->loop, UV_RUN_ONCE);
    return (double)b->count / ((double)(clock_mono_ns() - begin_ns) / 1e9);
}

static void
on_paced_result(void *arg, uint64_t id, const struct tool_result *result)
{
    struct bench *b = arg;
    (void)id;
    if (result->outcome != TOOL_OK)
        die(result->content_json);
    sample(result->duration_ns);
    b->busy = false;
}

static void
on_pace(uv_timer_t *timer)
{
    struct bench *b = timer->data;
    if (b->busy)
        return;
    b->busy = true;
    call(b, "noop0", "{}", on_paced_result);
}

static void
on_alive_again(void *arg, uint64_t id, const struct tool_result *result)
{
    struct bench *b = arg;
    (void)id;
    if (result->outcome != TOOL_OK)
        die(result->content_json);
    b->crash_open--;
}

/* Its next call waits for the new process, and resets its backing off. */
static void
on_crashed(void *arg, uint64_t id, const struct tool_result *result)
{
    struct bench *b = arg;
    (void)id;
    b->crashes += result->outcome == TOOL_CRASHED;
    call(b, "crash", "{}", on_alive_again);
}

static void
on_crash_due(uv_timer_t *timer)
{
    struct bench *b = timer->data;
    if (b->crash_open)
        return;
    b->crash_open++;
    call(b, "crash", "{\"crash\":true}", on_crashed);
}

/* One call each PACE_MS, and a crash of the other plugin each CRASH_MS. */
static struct spread
paced(struct bench *b, bool crashing, double seconds)
{
    begin(b, seconds);
    uv_timer_start(&b->timer, on_pace, 0, PACE_MS);
    if (crashing)
        uv_timer_start(&b->crash_timer, on_crash_due, 0, CRASH_MS);
    while (!b->over)
        uv_run(&b->loop, UV_RUN_ONCE);
    uv_timer_stop(&b->timer);
    uv_timer_stop(&b->crash_timer);
    while (b->busy || b->crash_open)
        uv_run(&b->loop, UV_RUN_ONCE);
    return spread_take();
}

static void
bench_open(struct bench *b, const char *toolhost, const char *folder)
{
    struct broker_config config = {.runtime_dir = folder,
                                   .plugin_paths = &folder,
                                   .plugin_path_count = 1,
                                   .toolhost_path = toolhost,
                                   .restart_min_ms = CRASH_MS / 2};
    const struct broker_callbacks callbacks = {.arg = b};
    char why[512];
    log_init(open("/dev/null", O_WRONLY | O_CLOEXEC));
    uv_loop_init(&b->loop);
    uv_timer_init(&b->loop, &b->timer);
    uv_timer_init(&b->loop, &b->crash_timer);
    uv_timer_init(&b->loop, &b->end_timer);
    b->timer.data = b->crash_timer.data = b->end_timer.data = b;
    if (broker_open(&b->broker, &b->loop, &config, &callbacks, why,
                    sizeof why) != VR_OK)
        die(why);
    while (!broker_ready(b->broker))
        uv_run(&b->loop, UV_RUN_ONCE);
    if (broker_tool_count(b->broker) != PEERS + 1)
        die("not every plugin of the folder could be loaded");
}

static void
bench_close(struct bench *b)
{
    broker_close(&b->broker, NULL, NULL);
    uv_close((uv_handle_t *)&b->timer, NULL);
    uv_close((uv_handle_t *)&b->crash_timer, NULL);
    uv_close((uv_handle_t *)&b->end_timer, NULL);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    uv_loop_close(&b->loop);
}

static void
measure(struct bench *b, const char *toolhost, const char *folder,
        double seconds)
{
    char endpoint[256];
    struct floor f;
    double rate, rate_floor[2];
    snprintf(endpoint, sizeof endpoint, "ipc://%.200s/floor", folder);
    floor_open(&f, endpoint, 1);
    struct spread floor = floor_latency(&f, seconds / 4);
    rate_floor[0] = floor_rate(&f, seconds / 4);
    floor_close(&f);
    floor_open(&f, endpoint, PEERS);
    rate_floor[1] = floor_rate(&f, seconds / 4);
    floor_close(&f);
    bench_open(b, toolhost, folder);
    flow(b, 1, 1, seconds / 4);
    struct spread one = spread_take();
    printf("call_us %.1f %.1f %.1f %.1f\n", one.p50_us, one.p99_us,
           floor.p50_us, floor.p99_us);
    for (unsigned i = 0; i < 2; i++) {
        rate = flow(b, i ? PEERS : 1, WINDOW, seconds / 4);
        sample_count = 0;
        printf("rate_%u %.0f %.0f\n", i ? PEERS : 1, rate, rate_floor[i]);
    }
    struct spread quiet = paced(b, false, seconds / 2);
    struct spread crash = paced(b, true, seconds);
    printf("crash_us %.1f %.1f %.1f %.1f %.1f %.1f %u\n", crash.p50_us,
           crash.p99_us, crash.max_us, quiet.p50_us, quiet.p99_us, quiet.max_us,
           b->crashes);
}

int
main(int argc, char **argv)
{
    static struct bench b;
    if (argc != 4)
        die("usage: bench_tools TOOLHOST FOLDER SECONDS");
    measure(&b, argv[1], argv[2], strtod(argv[3], NULL));
    bench_close(&b);
    return 0;
}

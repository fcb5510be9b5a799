#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/bedrock/stage.h"

#include <dirent.h>
#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>

#include "gateway/log.h"

/* ---- the resolver ---- */

static pthread_mutex_t resolver_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t resolver_cond = PTHREAD_COND_INITIALIZER;
static bool resolver_released;

typedef int(resolve_fn)(const char *, const char *, const struct addrinfo *,
                        struct addrinfo **);

/* Stands before libc's for libcurl too. */
VR_API int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
            struct addrinfo **result)
{
    static resolve_fn *next;

    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "getaddrinfo");
    if (node && !strcmp(node, "missing.test"))
        return EAI_NONAME;
    if (node && !strcmp(node, "hang.test")) {
        pthread_mutex_lock(&resolver_lock);
        while (!resolver_released)
            pthread_cond_wait(&resolver_cond, &resolver_lock);
        pthread_mutex_unlock(&resolver_lock);
        return EAI_AGAIN;
    }
    if (node && strstr(node, ".test"))
        node = "127.0.0.1";
    return next(node, service, hints, result);
}

/* ---- life ---- */

static volatile sig_atomic_t sigpipes;

static void
on_sigpipe(int number)
{
    (void)number;
    sigpipes++;
}

static size_t
entries_of(const char *path)
{
    DIR *dir = opendir(path);
    size_t count = 0;

    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static size_t
descriptors_open(void)
{
    return entries_of("/proc/self/fd");
}

static bool
is_single_threaded(void *arg)
{
    (void)arg;
    return entries_of("/proc/self/task") == 3; /* with . and .. */
}

static void
on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("the test is not done after 30 s");
}

void
stage_start(struct stage *stage, const struct fake_server_options *options)
{
    const struct fake_server_options plain = {0};
    static const char *const proxies[] = {"https_proxy", "HTTPS_PROXY",
                                          "all_proxy",   "ALL_PROXY",
                                          "no_proxy",    "NO_PROXY"};

    signal(SIGPIPE, on_sigpipe);
    for (size_t i = 0; i < sizeof(proxies) / sizeof(*proxies); i++)
        unsetenv(proxies[i]);
    memset(stage, 0, sizeof(*stage));
    /* The first loop of a process opens what it keeps for all. */
    uv_loop_init(&stage->loop);
    uv_loop_close(&stage->loop);
    stage->descriptors = descriptors_open();
    uv_loop_init(&stage->loop);
    uv_timer_init(&stage->loop, &stage->watchdog);
    uv_timer_start(&stage->watchdog, on_watchdog, 30000, 0);
    uv_timer_init(&stage->loop, &stage->pause);
    fake_server_start(&stage->server, &stage->loop, options ? options : &plain);
    stage->client = bedrock_client_new(&stage->loop);
    assert_non_null(stage->client);
    stage->target = test_target;
    stage->target.endpoint = stage->server.endpoint;
    stage->target.ca_file = stage->server.ca_file;
}

void
stage_stop(struct stage *stage)
{
    bedrock_client_free(&stage->client);
    assert_null(stage->client);
    uv_close((uv_handle_t *)&stage->watchdog, NULL);
    uv_close((uv_handle_t *)&stage->pause, NULL);
    fake_server_stop(&stage->server);
    assert_int_equal(uv_run(&stage->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&stage->loop), 0);
    fake_server_fini(&stage->server);
    assert_int_equal(descriptors_open(), stage->descriptors);
    assert_int_equal(sigpipes, 0);
}

/* ---- turning ---- */

void
stage_until(struct stage *stage, bool (*done)(void *arg), void *arg)
{
    while (!done(arg)) {
        uv_run(&stage->loop, UV_RUN_ONCE);
        stage->turns++;
    }
}

static void
on_time(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

static bool
is_set(void *arg)
{
    return *(bool *)arg;
}

void
stage_for(struct stage *stage, unsigned ms)
{
    bool over = false;

    stage->pause.data = &over;
    uv_timer_start(&stage->pause, on_time, ms, 0);
    stage_until(stage, is_set, &over);
}

static void
on_nothing(uv_timer_t *timer)
{
    (void)timer;
}

void
stage_release_resolver(struct stage *stage)
{
    pthread_mutex_lock(&resolver_lock);
    resolver_released = true;
    pthread_cond_broadcast(&resolver_cond);
    pthread_mutex_unlock(&resolver_lock);
    uv_timer_start(&stage->pause, on_nothing, 1, 1);
    stage_until(stage, is_single_threaded, NULL);
    uv_timer_stop(&stage->pause);
}

void
stage_open(struct stage *stage, struct record *record,
           const struct bedrock_target *target)
{
    char problem[256] = "";

    memset(record, 0, sizeof(*record));
    record->stream = bedrock_stream_open(
        stage->client, target ? target : &stage->target, &test_credentials,
        &record_ops, record, problem, sizeof(problem));
    assert_string_equal(problem, record->stream ? problem : "opened");
}

static bool
has_opened(void *arg)
{
    const struct record *r = arg;
    return r->opened || r->ends;
}

void
stage_until_open(struct stage *stage, struct record *record)
{
    stage_until(stage, has_opened, record);
    assert_string_equal(record->end.message, "");
}

static bool
has_ended(void *arg)
{
    return ((struct record *)arg)->ends > 0;
}

void
stage_until_end(struct stage *stage, struct record *record)
{
    stage_until(stage, has_ended, record);
    assert_int_equal(record->ends, 1);
}

struct events_wanted {
    struct record *record;
    unsigned count;
};

static bool
has_events(void *arg)
{
    const struct events_wanted *wanted = arg;
    return wanted->record->events >= wanted->count || wanted->record->ends;
}

void
stage_until_event(struct stage *stage, struct record *record, unsigned count)
{
    struct events_wanted wanted = {record, count};
    stage_until(stage, has_events, &wanted);
    assert_string_equal(record->end.message, "");
}

static bool
has_request(void *arg)
{
    const struct stage *stage = arg;
    return stage->server.peers && stage->server.peers->h2->got_request;
}

struct fake_peer *
stage_until_request(struct stage *stage)
{
    stage_until(stage, has_request, stage);
    return stage->server.peers;
}

void
stage_accept(struct fake_peer *peer)
{
    static const char *const fields[] = {"content-type",
                                         "application/vnd.amazon.eventstream",
                                         "x-amzn-requestid", "req-tls", NULL};
    fake_h2_respond(peer->h2, "200", fields, false);
    fake_peer_flush(peer);
}

void
stage_serve(struct fake_peer *peer, const char *json)
{
    static uint8_t frame[200000];
    size_t bytes = frame_event(json, frame, sizeof(frame));

    assert_true(bytes > 0);
    fake_h2_data(peer->h2, frame, bytes);
    fake_peer_flush(peer);
}

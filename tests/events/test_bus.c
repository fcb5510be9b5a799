#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>
#include <zmq.h>

#include "gateway/clock.h"
#include "gateway/events/bus.h"
#include "gateway/events/event.h"
#include "gateway/jsonx.h"

#define WAIT_MS 10000 /* for what must come; a test never waits so long */

static uv_loop_t loop;
static void *zmq;
static struct bus *bus;
static char dir[64];
static char endpoint[128];

static struct bus *
open_bus(const char *where, uint32_t heartbeat_ms)
{
    char problem[512];
    struct bus_config config = {
        .zmq = zmq,
        .loop = &loop,
        .endpoint = where,
        .instance = "test",
        .heartbeat_ms = heartbeat_ms,
    };
    struct bus *opened = bus_open(&config, problem, sizeof problem);
    if (!opened)
        print_message("bus_open: %s\n", problem);
    return opened;
}

static int
setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/voxring-test-bus-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(endpoint, sizeof endpoint, "ipc://%s/events.sock", dir);
    uv_loop_init(&loop);
    zmq = zmq_ctx_new();
    bus = open_bus(endpoint, 60000);
    return bus ? 0 : -1;
}

static int
teardown(void **state)
{
    (void)state;
    bus_close(&bus);
    uv_run(&loop, UV_RUN_DEFAULT);
    int leaked = uv_loop_close(&loop);
    zmq_ctx_term(zmq);
    return rmdir(dir) != 0 || leaked;
}

/* ---- a subscriber ---- */

struct message {
    char topic[128];
    cJSON *event;
};

static void *
subscriber(const char *prefix)
{
    void *sub = zmq_socket(zmq, ZMQ_SUB);
    int linger = 0;
    zmq_setsockopt(sub, ZMQ_LINGER, &linger, sizeof linger);
    assert_int_equal(zmq_setsockopt(sub, ZMQ_SUBSCRIBE, prefix, strlen(prefix)),
                     0);
    assert_int_equal(zmq_connect(sub, endpoint), 0);
    return sub;
}

static bool
receive(void *sub, struct message *m, int wait_ms)
{
    static char text[1 << 20];
    int more = 0;
    size_t size = sizeof more;
    zmq_pollitem_t item = {.socket = sub, .events = ZMQ_POLLIN};
    if (zmq_poll(&item, 1, wait_ms) <= 0)
        return false;
    int n = zmq_recv(sub, m->topic, sizeof m->topic - 1, 0);
    assert_true(n > 0 && n < (int)sizeof m->topic);
    m->topic[n] = '\0';
    zmq_getsockopt(sub, ZMQ_RCVMORE, &more, &size);
    assert_int_equal(more, 1);
    n = zmq_recv(sub, text, sizeof text, 0);
    assert_true(n > 0 && n < (int)sizeof text);
    m->event = jsonx_parse(text, (size_t)n, NULL, NULL);
    assert_non_null(m->event);
    return true;
}

static uint64_t
sequence_of(const struct message *m)
{
    uint64_t sequence = 0;
    assert_true(jsonx_u64(m->event, "sequence", &sequence));
    return sequence;
}

static void
publish_speech(const char *session)
{
    struct event_subject subject = {session, NULL};
    struct event_speech e;
    event_speech_init(&e);
    e.phase = "started";
    e.source = "model";
    event_speech_publish(bus, &subject, &e);
}

/* Publishes on a topic of its own until the subscriber hears: a PUB socket
 * learns of subscriptions in the background. */
static void
join(void *sub)
{
    struct message m;
    uint64_t end_ns = clock_mono_ns() + WAIT_MS * CLOCK_NS_PER_MS;
    int heard = 0;
    zmq_setsockopt(sub, ZMQ_SUBSCRIBE, "v1/speech/join", 14);
    while (!heard && clock_mono_ns() < end_ns) {
        publish_speech("join");
        heard = receive(sub, &m, 5);
    }
    assert_true(heard);
    do
        cJSON_Delete(m.event);
    while (receive(sub, &m, 50));
    zmq_setsockopt(sub, ZMQ_UNSUBSCRIBE, "v1/speech/join", 14);
}

/* ---- tests ---- */

static void
an_event_is_a_topic_and_a_cloudevent(void **state)
{
    (void)state;
    struct message m;
    struct event_subject subject = {"robot", "c0ffee"};
    struct event_transcript e;
    void *sub = subscriber("v1/transcript/");
    join(sub);
    event_transcript_init(&e);
    e.role = "user";
    e.stage = "final";
    e.turn = UINT64_MAX - 1;
    e.text = "caf\xc3\xa9 \xff";
    assert_int_equal(event_transcript_publish(bus, &subject, &e), 1);
    assert_true(receive(sub, &m, WAIT_MS));
    assert_string_equal(m.topic, "v1/transcript/robot");
    assert_string_equal(jsonx_text(m.event, "specversion", ""), "1.0");
    assert_string_equal(jsonx_text(m.event, "source", ""), "/voxring/test");
    assert_string_equal(jsonx_text(m.event, "type", ""),
                        "voxring.transcript.v1");
    assert_string_equal(jsonx_text(m.event, "subject", ""), "robot");
    assert_string_equal(jsonx_text(m.event, "sequence", ""), "1");
    assert_string_equal(jsonx_text(m.event, "epoch", ""), bus_epoch(bus));
    assert_string_equal(jsonx_text(m.event, "conversation", ""), "c0ffee");
    const cJSON *data = cJSON_GetObjectItem(m.event, "data");
    assert_string_equal(jsonx_text(data, "turn", ""), "18446744073709551614");
    assert_string_equal(jsonx_text(data, "text", ""),
                        "caf\xc3\xa9 \xef\xbf\xbd");
    assert_string_equal(jsonx_text(data, "turn_text", "?"), "");
    assert_false(cJSON_HasObjectItem(data, "response"));
    cJSON_Delete(m.event);
    zmq_close(sub);
}

static void
sequences_count_per_topic(void **state)
{
    (void)state;
    struct message m;
    void *sub = subscriber("v1/speech/b");
    join(sub);
    for (int i = 0; i < 3; i++) {
        publish_speech("a");
        publish_speech("b");
    }
    for (uint64_t i = 1; i <= 3; i++) {
        assert_true(receive(sub, &m, WAIT_MS));
        assert_string_equal(m.topic, "v1/speech/b");
        assert_int_equal(sequence_of(&m), i);
        cJSON_Delete(m.event);
    }
    zmq_close(sub);
}

static void
the_gateways_own_events_have_no_subject(void **state)
{
    (void)state;
    struct message m;
    struct event_error e;
    void *sub = subscriber("v1/error/");
    join(sub);
    event_error_init(&e);
    e.class_ = "config";
    e.code = "VR_AUTH";
    event_error_publish(bus, NULL, &e);
    assert_true(receive(sub, &m, WAIT_MS));
    assert_string_equal(m.topic, "v1/error/-");
    assert_false(cJSON_HasObjectItem(m.event, "subject"));
    assert_false(cJSON_HasObjectItem(m.event, "conversation"));
    const cJSON *data = cJSON_GetObjectItem(m.event, "data");
    assert_string_equal(jsonx_text(data, "class", ""), "config");
    assert_string_equal(jsonx_text(data, "remedy", "?"), "");
    assert_false(cJSON_HasObjectItem(data, "http_status"));
    cJSON_Delete(m.event);
    zmq_close(sub);
}

static void
data_without_memory_is_counted(void **state)
{
    (void)state;
    uint64_t published = bus_published(bus);
    assert_int_equal(bus_publish(bus, EVENT_usage, NULL, NULL), 0);
    assert_int_equal(bus_dropped(bus), 1);
    assert_int_equal(bus_published(bus), published);
    assert_int_equal(bus_publish(bus, EVENT_usage, NULL, cJSON_CreateObject()),
                     1);
}

static void
a_slow_subscriber_sees_the_gap_and_blocks_nobody(void **state)
{
    (void)state;
    struct message m;
    void *slow = zmq_socket(zmq, ZMQ_SUB);
    int one = 1;
    int none = 0;
    zmq_setsockopt(slow, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt(slow, ZMQ_RCVHWM, &one, sizeof one);
    zmq_setsockopt(slow, ZMQ_RCVBUF, &(int){4096}, sizeof(int));
    zmq_setsockopt(slow, ZMQ_SUBSCRIBE, "v1/speech/flood", 15);
    assert_int_equal(zmq_connect(slow, endpoint), 0);
    join(slow);
    uint64_t total = 4 * BUS_HIGH_WATER;
    for (uint64_t i = 0; i < total; i++)
        publish_speech("flood");
    assert_int_equal(bus_dropped(bus), 0);

    /* What it then reads has no gap up to where libzmq dropped; the next
     * event that gets through shows how many are missing. */
    uint64_t last = 0;
    uint64_t gaps = 0;
    while (receive(slow, &m, last ? 200 : WAIT_MS)) {
        gaps += sequence_of(&m) != last + 1;
        last = sequence_of(&m);
        cJSON_Delete(m.event);
    }
    assert_true(last < total);
    publish_speech("flood");
    assert_true(receive(slow, &m, WAIT_MS));
    assert_int_equal(sequence_of(&m), total + 1);
    cJSON_Delete(m.event);
    zmq_close(slow);
}

static void
heartbeats_tell_the_last_sequences(void **state)
{
    (void)state;
    struct message m;
    struct message last;
    bus_close(&bus);
    uv_run(&loop, UV_RUN_DEFAULT);
    snprintf(endpoint, sizeof endpoint, "ipc://%s/second.sock", dir);
    bus = open_bus(endpoint, 20);
    assert_non_null(bus);
    void *sub = subscriber("v1/heartbeat");
    for (int i = 0; i < 7; i++)
        publish_speech("robot");
    uint64_t end_ns = clock_mono_ns() + WAIT_MS * CLOCK_NS_PER_MS;
    while (!receive(sub, &m, 0) && clock_mono_ns() < end_ns)
        uv_run(&loop, UV_RUN_ONCE);
    uv_run(&loop, UV_RUN_ONCE);
    assert_true(receive(sub, &last, WAIT_MS));
    assert_string_equal(m.topic, "v1/heartbeat");
    assert_int_equal(sequence_of(&last), sequence_of(&m) + 1);
    const cJSON *data = cJSON_GetObjectItem(m.event, "data");
    assert_int_equal(jsonx_int(data, "interval_ms", 0), 20);
    assert_string_equal(jsonx_text(data, "epoch", ""), bus_epoch(bus));
    assert_true(jsonx_bool(data, "complete", false));
    const cJSON *sequences = cJSON_GetObjectItem(data, "sequences");
    assert_string_equal(jsonx_text(sequences, "v1/speech/robot", ""), "7");
    cJSON_Delete(m.event);
    cJSON_Delete(last.event);
    zmq_close(sub);
}

static void
with_many_topics_a_heartbeat_lists_the_recent_ones(void **state)
{
    (void)state;
    struct message m = {.event = NULL};
    void *sub = subscriber("v1/heartbeat");
    zmq_setsockopt(sub, ZMQ_SUBSCRIBE, "v1/speech/join", 14);
    join(sub);
    for (int i = 0; i <= BUS_HEARTBEAT_TOPICS; i++) {
        char name[16];
        snprintf(name, sizeof name, "s%d", i);
        publish_speech(name);
    }
    bus_close(&bus); /* beats once more */
    assert_true(receive(sub, &m, WAIT_MS));
    const cJSON *data = cJSON_GetObjectItem(m.event, "data");
    assert_false(jsonx_bool(data, "complete", true));
    const cJSON *sequences = cJSON_GetObjectItem(data, "sequences");
    assert_string_equal(jsonx_text(sequences, "v1/speech/s7", ""), "1");
    cJSON_Delete(m.event);
    zmq_close(sub);
}

static void
publish_state(const char *session, const char *now)
{
    struct event_subject subject = {session, NULL};
    struct event_session_state e;
    event_session_state_init(&e);
    e.state = now;
    e.reason = "open";
    event_session_state_publish(bus, &subject, &e);
}

static void
publish_tool(const char *tool, const char *provider, const char *now)
{
    struct event_tool_registered e;
    event_tool_registered_init(&e);
    e.tool = tool;
    e.provider = provider;
    e.state = now;
    event_tool_registered_publish(bus, NULL, &e);
}

static void
a_snapshot_holds_every_sequence_and_the_last_states(void **state)
{
    (void)state;
    publish_state("b", "connecting");
    publish_state("b", "streaming");
    publish_state("a", "closed");
    publish_tool("clock", "test", "offered");
    publish_tool("echo", "test", "offered");
    publish_tool("clock", "test", "gone");
    publish_tool("echo", "test", "refused");
    publish_tool("*", "one", "refused");
    publish_tool("*", "two", "refused");
    publish_speech("a");
    cJSON *snapshot = bus_snapshot(bus);
    assert_string_equal(jsonx_text(snapshot, "epoch", ""), bus_epoch(bus));
    const cJSON *sequences = cJSON_GetObjectItem(snapshot, "sequences");
    assert_string_equal(jsonx_text(sequences, "v1/session.state/b", ""), "2");
    assert_string_equal(jsonx_text(sequences, "v1/session.state/a", ""), "1");
    assert_string_equal(jsonx_text(sequences, "v1/speech/a", ""), "1");
    assert_string_equal(jsonx_text(sequences, "v1/tool.registered/-", ""), "6");
    const cJSON *states = cJSON_GetObjectItem(snapshot, "states");
    assert_int_equal(cJSON_GetArraySize(states), 5);
    const cJSON *a = cJSON_GetArrayItem(states, 0);
    const cJSON *b = cJSON_GetArrayItem(states, 1);
    const cJSON *echo = cJSON_GetArrayItem(states, 2);
    assert_string_equal(jsonx_text(a, "subject", ""), "a");
    assert_string_equal(jsonx_text(b, "sequence", ""), "2");
    assert_string_equal(jsonx_text(cJSON_GetObjectItem(b, "data"), "state", ""),
                        "streaming");
    assert_string_equal(
        jsonx_text(cJSON_GetObjectItem(echo, "data"), "state", ""), "refused");
    cJSON_Delete(snapshot);
}

static size_t
states_of(const char *provider)
{
    size_t count = 0;
    cJSON *snapshot = bus_snapshot(bus);
    const cJSON *event;
    cJSON_ArrayForEach(event, cJSON_GetObjectItem(snapshot, "states"))
    {
        const cJSON *data = cJSON_GetObjectItem(event, "data");
        count += !strcmp(jsonx_text(data, "provider", ""), provider);
    }
    cJSON_Delete(snapshot);
    return count;
}

static void
a_refusal_lasts_until_the_provider_offers_something(void **state)
{
    (void)state;
    publish_tool("*", "a", "refused");
    publish_tool("*", "b", "refused");
    assert_int_equal(states_of("a"), 1);
    publish_tool("echo", "a", "refused");
    assert_int_equal(states_of("a"), 2);
    publish_tool("clock", "a", "offered");
    assert_int_equal(states_of("a"), 2);
    publish_tool("*", "a", "replaced");
    publish_tool("clock", "a", "replaced");
    assert_int_equal(states_of("a"), 2);
    publish_tool("echo", "a", "gone");
    publish_tool("clock", "a", "gone");
    assert_int_equal(states_of("a"), 0);
    assert_int_equal(states_of("b"), 1);
    publish_tool("*", "b", "gone");
    assert_int_equal(states_of("b"), 0);
}

static void
what_is_remembered_is_bounded(void **state)
{
    (void)state;
    char name[24];
    publish_speech(NULL);
    for (int i = 0; i < BUS_SESSIONS_MAX + 100; i++) {
        snprintf(name, sizeof name, "s%d", i);
        publish_state(name, "closed");
    }
    for (int i = 0; i < BUS_TOOLS_MAX + 100; i++) {
        snprintf(name, sizeof name, "t%d", i);
        publish_tool(name, "test", "offered");
    }
    cJSON *snapshot = bus_snapshot(bus);
    const cJSON *sequences = cJSON_GetObjectItem(snapshot, "sequences");
    assert_true(cJSON_GetArraySize(sequences) <= BUS_SESSIONS_MAX + 4);
    assert_true(cJSON_HasObjectItem(sequences, "v1/speech/-"));
    assert_false(cJSON_HasObjectItem(sequences, "v1/session.state/s0"));
    snprintf(name, sizeof name, "v1/session.state/s%d", BUS_SESSIONS_MAX + 99);
    assert_true(cJSON_HasObjectItem(sequences, name));
    assert_true(cJSON_GetArraySize(cJSON_GetObjectItem(snapshot, "states")) <=
                BUS_SESSIONS_MAX + 1 + BUS_TOOLS_MAX);
    cJSON_Delete(snapshot);
}

static void
last_events_leave_before_the_end(void **state)
{
    (void)state;
    struct message m;
    int states = 0;
    void *other = zmq_ctx_new();
    void *mine = zmq;
    zmq = other;
    void *sub = subscriber("v1/session.state/");
    zmq = mine;
    join(sub);
    for (int i = 0; i < 100; i++)
        publish_state("robot", "closed");
    bus_close(&bus);
    uv_run(&loop, UV_RUN_DEFAULT);
    zmq_ctx_term(zmq);
    while (states < 100 && receive(sub, &m, WAIT_MS)) {
        states++;
        cJSON_Delete(m.event);
    }
    assert_int_equal(states, 100);
    zmq_close(sub);
    zmq_ctx_term(other);
    zmq = zmq_ctx_new();
}

static void
a_taken_or_bad_endpoint_is_refused(void **state)
{
    (void)state;
    char problem[512];
    struct bus_config config = {.zmq = zmq, .loop = &loop};
    config.endpoint = endpoint;
    assert_null(bus_open(&config, problem, sizeof problem));
    assert_non_null(strstr(problem, "another process listens on"));
    config.endpoint = "ipc:///nonexistent/folder/x.sock";
    assert_null(bus_open(&config, problem, sizeof problem));
    assert_non_null(strstr(problem, "/nonexistent/folder/x.sock"));
    config.endpoint = NULL;
    struct bus *silent = bus_open(&config, problem, sizeof problem);
    assert_non_null(silent);
    assert_int_equal(
        bus_publish(silent, EVENT_usage, NULL, cJSON_CreateObject()), 1);
    bus_close(&silent);
    assert_null(silent);
}

static long allocations_left;

static void *
scarce(size_t bytes)
{
    return allocations_left-- > 0 ? malloc(bytes) : NULL;
}

static void
no_allocation_of_json_is_taken_for_granted(void **state)
{
    (void)state;
    cJSON_Hooks hooks = {scarce, free};
    allocations_left = 0;
    for (long n = 0; allocations_left <= 0; n++) {
        allocations_left = n;
        cJSON_InitHooks(&hooks);
        publish_state("robot", "streaming");
        publish_tool("clock", "test", "offered");
        cJSON_Delete(bus_snapshot(bus));
        cJSON_InitHooks(NULL);
        assert_true(n < 10000);
    }
    assert_true(bus_dropped(bus) > 0);
    cJSON *snapshot = bus_snapshot(bus);
    assert_int_equal(
        cJSON_GetArraySize(cJSON_GetObjectItem(snapshot, "states")), 2);
    cJSON_Delete(snapshot);
}

/* ---- schemas and documentation ---- */

static void
what_may_be_absent_is_told_only_if_it_is_there(void **state)
{
    (void)state;
    struct event_tool_result e;
    event_tool_result_init(&e);
    cJSON *data = event_data(EVENT_tool_result, &e);
    assert_null(cJSON_GetObjectItem(data, "late"));
    assert_null(cJSON_GetObjectItem(data, "reason"));
    assert_non_null(cJSON_GetObjectItem(data, "duration_seconds"));
    cJSON_Delete(data);
    e.late = true;
    data = event_data(EVENT_tool_result, &e);
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(data, "late")));
    cJSON_Delete(data);
}

/* A value for every field, so that each type is validated in full. */
static void
fill(enum event_type type, void *event, bool all)
{
    size_t count;
    const struct event_field *fields = event_fields(type, &count);
    static const struct {
        const char *path;
        const char *text;
    } words[] = {
        {"phase", "started"}, {"role", "user"},       {"stage", "final"},
        {"source", "model"},  {"status", "complete"}, {"reason", "marker"},
        {"state", "offered"}, {"outcome", "result"},  {"class", "config"},
        {"replay", "audio"},  {"kind", "plugin"},     {"mode", "async"},
        {"delivery", "kept"}};
    static const char *const phases[EVENT_TYPE_COUNT] = {
        [EVENT_capture] = "lost",
        [EVENT_stream] = "current",
        [EVENT_history] = "added"};
    event_init(type, event);
    for (size_t i = 0; i < count; i++) {
        void *member = (char *)event + fields[i].offset;
        bool wanted = all || fields[i].must;
        if (fields[i].kind == EVENT_TEXT && wanted) {
            *(const char **)member = "text";
            for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
                if (!strcmp(fields[i].path, words[w].path))
                    *(const char **)member = words[w].text;
            }
        }
        if (fields[i].kind == EVENT_TEXT && wanted &&
            !strcmp(fields[i].path, "phase") && phases[type])
            *(const char **)member = phases[type];
        if (fields[i].kind == EVENT_U64 && all)
            *(uint64_t *)member = UINT64_MAX - 1;
        if (fields[i].kind == EVENT_COUNT && all)
            *(int64_t *)member = 12;
        if ((fields[i].kind == EVENT_SECONDS ||
             fields[i].kind == EVENT_NUMBER) &&
            all)
            *(double *)member = 0.25;
        if (fields[i].kind == EVENT_FLAG)
            *(bool *)member = all;
    }
}

static void
add_fields(cJSON *types, enum event_type type)
{
    static const char *const kinds[] = {"text",   "u64",  "count", "seconds",
                                        "number", "flag", "json",  "list"};
    size_t count;
    const struct event_field *fields = event_fields(type, &count);
    cJSON *list = cJSON_AddArrayToObject(types, bus_type_name(type));
    for (size_t i = 0; i < count; i++) {
        cJSON *row = cJSON_CreateArray();
        cJSON_AddItemToArray(row, cJSON_CreateString(kinds[fields[i].kind]));
        cJSON_AddItemToArray(row, cJSON_CreateBool(fields[i].must));
        cJSON_AddItemToArray(row, cJSON_CreateString(fields[i].path));
        cJSON_AddItemToArray(row, cJSON_CreateString(fields[i].what));
        cJSON_AddItemToArray(list, row);
    }
}

static void
write_line(FILE *f, cJSON *json)
{
    char *text = cJSON_PrintUnformatted(json);
    fprintf(f, "%s\n", text);
    free(text);
    cJSON_Delete(json);
}

static void
every_type_is_as_documented(void **state)
{
    (void)state;
    union {
#define EVENT(symbol, name, keep, what) struct event_##symbol symbol;
#include "gateway/events/events.tbl.h"
#undef EVENT
    } event;
    struct event_subject subject = {"robot", "c0ffee"};
    struct message m;
    void *sub = subscriber("v1/");
    FILE *check = popen("tests/events/check.py >&2", "w");
    assert_non_null(check);
    cJSON *head = cJSON_CreateObject();
    cJSON *types = cJSON_AddObjectToObject(head, "fields");
    for (int type = 0; type < EVENT_TYPE_COUNT; type++)
        add_fields(types, (enum event_type)type);
    write_line(check, head);
    join(sub);
    for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
        for (int all = 0; all < 2; all++) {
            fill((enum event_type)type, &event, all);
            bus_publish(bus, (enum event_type)type, all ? &subject : NULL,
                        event_data((enum event_type)type, &event));
            assert_true(receive(sub, &m, WAIT_MS));
            cJSON *line = cJSON_CreateObject();
            cJSON_AddStringToObject(line, "topic", m.topic);
            cJSON_AddItemToObject(line, "event", m.event);
            write_line(check, line);
        }
    }
    zmq_close(sub);
    assert_int_equal(pclose(check), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_event_is_a_topic_and_a_cloudevent),
        TEST(sequences_count_per_topic),
        TEST(the_gateways_own_events_have_no_subject),
        TEST(data_without_memory_is_counted),
        TEST(a_slow_subscriber_sees_the_gap_and_blocks_nobody),
        TEST(heartbeats_tell_the_last_sequences),
        TEST(with_many_topics_a_heartbeat_lists_the_recent_ones),
        TEST(a_snapshot_holds_every_sequence_and_the_last_states),
        TEST(a_refusal_lasts_until_the_provider_offers_something),
        TEST(what_is_remembered_is_bounded),
        TEST(last_events_leave_before_the_end),
        TEST(a_taken_or_bad_endpoint_is_refused),
        TEST(no_allocation_of_json_is_taken_for_granted),
        TEST(what_may_be_absent_is_told_only_if_it_is_there),
        TEST(every_type_is_as_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* voxring tail: events of the bus, one JSON document a line. */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/cli/control.h"
#include "ipc/cli/ledger.h"
#include "ipc/cli/say.h"
#include "ipc/cli/socket.h"
#include "ipc/cli/stop.h"
#include "ipc/voxring.h"

#define HEARTBEAT "v1/heartbeat"
#define TOPIC_BYTES LEDGER_TOPIC_BYTES
/* Events kept while standard output is stuck; what the gateway then drops is
 * seen as lost. */
#define QUEUE_EVENTS 10000
/* Heartbeats that may lack before the gateway counts as gone. */
#define HEARTBEATS_MISSED 3
#define HEARTBEAT_MS 2000

struct tail {
    struct cli *cli;
    struct socket bus;
    struct ledger *ledger;
    uint64_t deadline_ns; /* --timeout */
    uint64_t silent_ns;   /* when heartbeats count as missing */
    int64_t printed;
    uint64_t lost;
    bool silent; /* it was told */
};

/* ---- which events ---- */

/* "v1/TYPE/SESSION" parted; `type` has TOPIC_BYTES. */
static const char *
part_topic(const char *topic, char *type)
{
    const char *from = strncmp(topic, "v1/", 3) == 0 ? topic + 3 : topic;
    size_t length = strcspn(from, "/");
    if (length >= TOPIC_BYTES)
        length = TOPIC_BYTES - 1;
    memcpy(type, from, length);
    type[length] = '\0';
    return from[length] == '/' ? from + length + 1 : "";
}

static bool
names_type(const struct cli *cli, const char *type)
{
    for (int i = 0; i < cli->argument_count; i++) {
        if (strcmp(cli->arguments[i], type) == 0)
            return true;
    }
    return cli->argument_count == 0 && strcmp(type, "heartbeat") != 0;
}

static bool
is_wanted(const struct cli *cli, const char *topic)
{
    char type[TOPIC_BYTES];
    const char *session = part_topic(topic, type);
    if (!names_type(cli, type))
        return false;
    return !cli->options.session || strcmp(type, "heartbeat") == 0 ||
           strcmp(session, cli->options.session) == 0;
}

static void
check_types(const struct cli *cli)
{
    static const char *const known[] = {
#define TAIL_TYPE(type) type,
#include "ipc/cli/tail.tbl.h"
#undef TAIL_TYPE
    };
    for (int i = 0; i < cli->argument_count; i++) {
        size_t k = 0;
        while (k < sizeof known / sizeof known[0] &&
               strcmp(known[k], cli->arguments[i]) != 0)
            k++;
        if (k == sizeof known / sizeof known[0])
            say_note(cli,
                     "no event type \"%s\" is known here; ipc/events.md "
                     "lists them",
                     cli->arguments[i]);
    }
}

static void
subscribe_topic(struct tail *t, const char *topic)
{
    zmq_setsockopt(t->bus.socket, ZMQ_SUBSCRIBE, topic, strlen(topic));
}

/* The heartbeat always: it tells what was lost. */
static void
subscribe(struct tail *t)
{
    const struct cli *cli = t->cli;
    const char *session = cli->options.session;
    int limit = QUEUE_EVENTS;
    zmq_setsockopt(t->bus.socket, ZMQ_RCVHWM, &limit, sizeof limit);
    subscribe_topic(t, HEARTBEAT);
    if (cli->argument_count == 0)
        subscribe_topic(t, "v1/");
    for (int i = 0; i < cli->argument_count; i++) {
        char topic[TOPIC_BYTES * 2];
        snprintf(topic, sizeof topic, "v1/%s/%s", cli->arguments[i],
                 session ? session : "");
        subscribe_topic(t, topic);
    }
}

/* ---- what was lost ---- */

static bool
read_count(const cJSON *item, uint64_t *count)
{
    char *end;
    if (!cJSON_IsString(item) || item->valuestring[0] < '0' ||
        item->valuestring[0] > '9')
        return false;
    *count = strtoumax(item->valuestring, &end, 10);
    return *end == '\0';
}

static void
tell_loss(struct tail *t, const char *topic, uint64_t lost, uint64_t sequence)
{
    if (!lost)
        return;
    t->lost += lost;
    say_note(t->cli,
             "lost %" PRIu64 " events of %s up to sequence %" PRIu64
             "; `voxring snapshot` shows where things stand",
             lost, topic, sequence);
}

static void
on_heartbeat(struct tail *t, const cJSON *data)
{
    const cJSON *topic = NULL, *interval;
    const cJSON *complete = cJSON_GetObjectItemCaseSensitive(data, "complete");
    cJSON_ArrayForEach(topic,
                       cJSON_GetObjectItemCaseSensitive(data, "sequences"))
    {
        uint64_t sequence;
        if (topic->string && is_wanted(t->cli, topic->string) &&
            strcmp(topic->string, HEARTBEAT) != 0 &&
            read_count(topic, &sequence))
            tell_loss(t, topic->string,
                      ledger_heartbeat(t->ledger, topic->string, sequence),
                      sequence);
    }
    ledger_heartbeat_done(t->ledger, cJSON_IsTrue(complete));
    interval = cJSON_GetObjectItemCaseSensitive(data, "interval_ms");
    int64_t interval_ms = HEARTBEAT_MS;
    if (cJSON_IsNumber(interval) && interval->valuedouble > 0 &&
        interval->valuedouble < 3600000)
        interval_ms = (int64_t)interval->valuedouble;
    t->silent_ns = stop_deadline_ns(interval_ms * HEARTBEATS_MISSED);
    t->silent = false;
}

static void
account(struct tail *t, const char *topic, const cJSON *event)
{
    uint64_t sequence;
    if (ledger_epoch(t->ledger, control_text(event, "epoch", "")))
        say_note(t->cli, "the gateway was started anew");
    if (read_count(cJSON_GetObjectItemCaseSensitive(event, "sequence"),
                   &sequence))
        tell_loss(t, topic, ledger_event(t->ledger, topic, sequence),
                  sequence - 1);
    if (strcmp(topic, HEARTBEAT) == 0)
        on_heartbeat(t, cJSON_GetObjectItemCaseSensitive(event, "data"));
}

/* ---- the loop ---- */

/* As it came, or, if that takes more than a line, printed anew. */
static void
print_event(struct tail *t, const cJSON *event, const char *text, size_t bytes)
{
    char *line = memchr(text, '\n', bytes) ? cJSON_PrintUnformatted(event)
                                           : strndup(text, bytes);
    if (line)
        say_text(stdout, line);
    putchar('\n');
    fflush(stdout);
    free(line);
    t->printed++;
}

static void
on_event(struct tail *t, const char *topic, const char *text, size_t bytes)
{
    cJSON *event = cJSON_ParseWithLength(text, bytes);
    if (!cJSON_IsObject(event)) {
        say_note(t->cli, "what came on %s is no JSON object", topic);
    } else {
        account(t, topic, event);
        if (is_wanted(t->cli, topic))
            print_event(t, event, text, bytes);
    }
    cJSON_Delete(event);
}

/* Takes one message: the topic's frame and the document's. */
static void
receive(struct tail *t)
{
    char topic[TOPIC_BYTES] = "";
    int more = 1;
    for (int n = 0; more; n++) {
        zmq_msg_t frame;
        zmq_msg_init(&frame);
        if (zmq_msg_recv(&frame, t->bus.socket, ZMQ_DONTWAIT) < 0)
            break;
        size_t bytes = zmq_msg_size(&frame);
        more = zmq_msg_more(&frame);
        if (n == 0 && bytes < sizeof topic)
            memcpy(topic, zmq_msg_data(&frame), bytes);
        else if (n == 1 && topic[0])
            on_event(t, topic, zmq_msg_data(&frame), bytes);
        zmq_msg_close(&frame);
    }
}

static void
tell_silence(struct tail *t, const char *what)
{
    if (!t->silent)
        say_note(t->cli, "%s; waiting for it, or the next", what);
    t->silent = true;
    t->silent_ns = UINT64_MAX;
}

static int
run(struct tail *t)
{
    int64_t wanted = t->cli->options.count;
    while (wanted < 0 || t->printed < wanted) {
        uint64_t next_ns =
            t->silent_ns < t->deadline_ns ? t->silent_ns : t->deadline_ns;
        enum socket_news news = socket_wait(&t->bus, next_ns);
        if (news == SOCKET_STOPPED)
            return wanted < 0 ? CLI_DONE : CLI_INTERRUPTED;
        if (news == SOCKET_MESSAGE)
            receive(t);
        else if (news == SOCKET_GONE)
            tell_silence(t, "the gateway is gone");
        if (ferror(stdout))
            return say_fail(t->cli, CLI_FAILED, "standard output: %m");
        if (vr_now_ns() >= t->silent_ns)
            tell_silence(t, "no heartbeat: the gateway is stuck or gone");
        if (vr_now_ns() >= t->deadline_ns && t->printed < wanted)
            return say_fail(t->cli, CLI_TIMEOUT,
                            "%lld of %lld events came within %lld ms",
                            (long long)t->printed, (long long)wanted,
                            (long long)t->cli->options.timeout_ms);
        if (vr_now_ns() >= t->deadline_ns)
            return CLI_DONE;
    }
    return CLI_DONE;
}

int
tail_run(struct cli *cli)
{
    struct tail t = {.cli = cli, .ledger = ledger_new()};
    if (!t.ledger)
        return say_fail(cli, CLI_FAILED, "out of memory");
    check_types(cli);
    int code =
        socket_open(&t.bus, cli, ZMQ_SUB, cli->options.events, "events.sock");
    if (code == CLI_DONE) {
        subscribe(&t);
        code = socket_connect(&t.bus);
    }
    if (code == CLI_DONE) {
        t.deadline_ns = stop_deadline_ns(cli->options.timeout_ms);
        t.silent_ns = stop_deadline_ns(HEARTBEAT_MS * HEARTBEATS_MISSED);
        code = run(&t);
        socket_close(&t.bus);
    }
    ledger_free(&t.ledger);
    return code == CLI_DONE && t.lost ? CLI_LOST : code;
}

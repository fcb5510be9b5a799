/* timer: kitchen timers. They ring on the bus (tool.event `timer_rang`) and end
 * the call that set them with a sentence for the model to say.
 *
 * Config, all of it optional:
 *
 *     "plugins": {"config": {"timer": {"held_calls": 6}}}
 *
 * is how many timers may keep their call open until they ring. Two less than
 * the plugin's concurrent_calls is right, so that "how long is left?" still
 * gets through; timers beyond ring on the bus only, and the model is told so
 * when it sets them. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <cjson/cJSON.h>

#include "tools/plugins/shared/input.h"
#include "tools/plugins/shared/phrase.h"
#include "tools/plugins/shared/reply.h"
#include "tools/plugins/timer/alarms.h"
#include "tools/voxring_tool.h"

#define SHORTEST_S 1.0
#define LONGEST_S 86400.0
#define HELD_CALLS 6.0
#define TEXT_BYTES 400
#define NAMED_IN_TEXT 5

static const struct voxring_host *host;

/* `the timer "eggs" of 5 minutes`, begun with what `the` says. */
static void
describe(char *out, size_t size, const char *the, const struct alarm *alarm)
{
    char words[PHRASE_BYTES];

    phrase_duration(words, sizeof words, alarm->set_for_s);
    if (alarm->label[0])
        snprintf(out, size, "%s timer \"%s\" of %s", the, alarm->label, words);
    else
        snprintf(out, size, "%s timer of %s", the, words);
}

static cJSON *
alarm_json(const struct alarm *alarm)
{
    cJSON *json = cJSON_CreateObject();

    cJSON_AddNumberToObject(json, "id", alarm->id);
    if (alarm->label[0])
        cJSON_AddStringToObject(json, "label", alarm->label);
    cJSON_AddNumberToObject(json, "set_for_seconds", alarm->set_for_s);
    return json;
}

/* The answer to the call that set the timer. */
static void
end_held_call(const struct alarm *alarm, const char *what)
{
    char name[TEXT_BYTES / 2], text[TEXT_BYTES];
    cJSON *output;

    if (alarm->token == 0)
        return;
    describe(name, sizeof name, "The", alarm);
    snprintf(text, sizeof text, "%s %s.", name, what);
    output = alarm_json(alarm);
    cJSON_AddStringToObject(output, "text", text);
    reply_object(host, alarm->token, output);
}

/* First the bus, as the event belongs to a call that is still open. */
static void
on_ring(const struct alarm *alarm)
{
    uint64_t token = alarm->token;
    char line[80];

    if (token != 0 && host->is_cancelled(token))
        token = 0;
    if (reply_publish(host, token, "timer_rang", alarm_json(alarm)) != 0 &&
        (token == 0 ||
         reply_publish(host, 0, "timer_rang", alarm_json(alarm)) != 0)) {
        snprintf(line, sizeof line, "timer %u rang, but not on the bus",
                 alarm->id);
        host->log(VOXRING_LOG_WARN, line);
    }
    end_held_call(alarm, "has ended");
}

/* Fills in what the input says; false after an error reply. */
static bool
read_alarm(const struct voxring_call *call, struct alarm *alarm)
{
    cJSON *input = cJSON_Parse(call->input_json);
    double seconds = 0, minutes = 0;
    enum input_found s = input_number(input, "seconds", 0, LONGEST_S, &seconds);
    enum input_found m =
        input_number(input, "minutes", 0, LONGEST_S / 60, &minutes);
    enum input_found l =
        input_text(input, "label", alarm->label, sizeof alarm->label);

    cJSON_Delete(input);
    alarm->token = call->token;
    alarm->set_for_s = seconds + minutes * 60;
    reply_cut(alarm->session, sizeof alarm->session, call->session);
    if (l == INPUT_BAD) {
        reply_error(host, call->token,
                    "label must be a text of less than %d "
                    "bytes",
                    ALARMS_LABEL_BYTES);
        return false;
    }
    if (s == INPUT_BAD || m == INPUT_BAD || alarm->set_for_s < SHORTEST_S ||
        alarm->set_for_s > LONGEST_S) {
        reply_error(host, call->token,
                    "How long is the timer to run? Give seconds or minutes: "
                    "from 1 second to 24 hours");
        return false;
    }
    return true;
}

static void
set_call(const struct voxring_call *call)
{
    struct alarm alarm = {0};
    char name[TEXT_BYTES / 2];

    if (!read_alarm(call, &alarm))
        return;
    /* before it is in the table, whose thread may end the call at once */
    host->progress(call->token, 0, alarm.set_for_s, "the timer is set");
    if (!alarms_add(&alarm)) {
        reply_error(host, call->token,
                    "%d timers are running, which is the limit; cancel one "
                    "first",
                    ALARMS_MAX);
    } else if (alarm.token == 0) {
        describe(name, sizeof name, "The", &alarm);
        reply_text(host, call->token,
                   "%s is set and has number %u. It rings by itself; you are "
                   "not told when it ends, because many others run.",
                   name, alarm.id);
    }
}

/* A sentence about some of them, and all of them as figures. */
static void
describe_all(const struct alarm *list, size_t count, char *text, cJSON *timers)
{
    uint64_t now_ns = host->now_ns();

    snprintf(text, TEXT_BYTES, "%zu timer%s running", count,
             count == 1 ? " is" : "s are");
    for (size_t i = 0; i < count; i++) {
        double left_s = list[i].due_ns > now_ns
                            ? (double)(list[i].due_ns - now_ns) / 1e9
                            : 0;
        cJSON *item = alarm_json(&list[i]);
        char words[PHRASE_BYTES];
        size_t n = strlen(text);
        int wrote;
        cJSON_AddNumberToObject(item, "seconds_left", left_s);
        cJSON_AddItemToArray(timers, item);
        phrase_duration(words, sizeof words, left_s);
        if (i >= NAMED_IN_TEXT)
            continue;
        wrote = snprintf(text + n, TEXT_BYTES - n,
                         "%s number %u%s%s%s with %s left", i == 0 ? ":" : ",",
                         list[i].id, list[i].label[0] ? " \"" : "",
                         list[i].label, list[i].label[0] ? "\"" : "", words);
        if (wrote < 0 || (size_t)wrote >= TEXT_BYTES - n)
            text[n] = '\0';
    }
}

static void
list_call(const struct voxring_call *call)
{
    struct alarm list[ALARMS_MAX];
    char session[sizeof list[0].session];
    char text[TEXT_BYTES] = "No timer is running";
    cJSON *output = cJSON_CreateObject();
    cJSON *timers = cJSON_AddArrayToObject(output, "timers");
    size_t count;

    reply_cut(session, sizeof session, call->session);
    count = alarms_list(session, list);
    if (count > 0)
        describe_all(list, count, text, timers);
    cJSON_AddStringToObject(output, "text", text);
    reply_object(host, call->token, output);
}

/* How many of the list are meant; *id is the last of them. Neither a number
 * nor a label means all. */
static size_t
choose(const struct alarm *list, size_t count, const cJSON *input, unsigned *id)
{
    char label[ALARMS_LABEL_BYTES] = "";
    double wanted = 0;
    enum input_found n = input_number(input, "id", 1, 1e9, &wanted);
    enum input_found l = input_text(input, "label", label, sizeof label);
    size_t found = 0;

    for (size_t i = 0; i < count; i++) {
        if (n == INPUT_BAD || (n == INPUT_GOOD && wanted != list[i].id))
            continue;
        if (n == INPUT_ABSENT &&
            (l == INPUT_BAD ||
             (l == INPUT_GOOD && strcasecmp(label, list[i].label) != 0)))
            continue;
        *id = list[i].id;
        found++;
    }
    return found;
}

static void
cancel_call(const struct voxring_call *call)
{
    cJSON *input = cJSON_Parse(call->input_json);
    struct alarm list[ALARMS_MAX], taken;
    char session[sizeof taken.session];
    char text[TEXT_BYTES] = "No timer is running";
    unsigned id = 0;
    size_t count, found;

    reply_cut(session, sizeof session, call->session);
    count = alarms_list(session, list);
    found = choose(list, count, input, &id);
    cJSON_Delete(input);
    if (found == 1 && alarms_take(session, id, &taken)) {
        char name[TEXT_BYTES / 2];
        end_held_call(&taken, "was cancelled before it rang");
        describe(name, sizeof name, "The", &taken);
        reply_text(host, call->token, "%s is cancelled.", name);
        return;
    }
    if (count > 0) {
        cJSON *unused = cJSON_CreateArray();
        describe_all(list, count, text, unused);
        cJSON_Delete(unused);
    }
    reply_error(host, call->token, "%s. %s.",
                found > 1 ? "Which timer? Give its id"
                          : "There is no such timer",
                text);
}

static int
timer_init(const struct voxring_host *h, const char *config_json, char *why,
           size_t why_bytes)
{
    cJSON *config = cJSON_Parse(config_json);
    double held = HELD_CALLS;
    enum input_found found =
        input_number(config, "held_calls", 0, ALARMS_MAX, &held);

    host = h;
    cJSON_Delete(config);
    if (found == INPUT_BAD) {
        snprintf(why, why_bytes,
                 "plugins.config.timer.held_calls must be a number from 0 to "
                 "%d",
                 ALARMS_MAX);
        return -1;
    }
    if (!alarms_start(h, (unsigned)held, on_ring)) {
        snprintf(why, why_bytes, "the timer's thread cannot be started");
        return -1;
    }
    return 0;
}

static const struct voxring_tool tools[] = {
    {
        .name = "set_timer",
        .description =
            "Sets a timer and reports when it has ended, not before; tell the "
            "user at once that it is set, and go on talking. Use it for "
            "timers, alarms and \"remind me in ten minutes\".",
        .input_schema =
            "{\"type\":\"object\",\"properties\":{"
            "\"seconds\":{\"type\":\"number\",\"description\":\"How long, in "
            "seconds; is added to minutes\"},"
            "\"minutes\":{\"type\":\"number\",\"description\":\"How long, in "
            "minutes; at most 24 hours in all\"},"
            "\"label\":{\"type\":\"string\",\"description\":\"What it is for, "
            "in a word or two, such as eggs\"}}}",
        .mode = VOXRING_ASYNC,
        .threading = VOXRING_PARALLEL,
        .call = set_call,
    },
    {
        .name = "list_timers",
        .description = "Tells which timers are running and how long each has "
                       "left.",
        .input_schema = NULL,
        .mode = VOXRING_SYNC,
        .threading = VOXRING_PARALLEL,
        .timeout_ms = 5000,
        .call = list_call,
    },
    {
        .name = "cancel_timer",
        .description = "Cancels a timer that is running, by its label or its "
                       "id; with neither, the only one.",
        .input_schema =
            "{\"type\":\"object\",\"properties\":{"
            "\"label\":{\"type\":\"string\",\"description\":\"What the timer "
            "was set for\"},"
            "\"id\":{\"type\":\"integer\",\"description\":\"Its number, as "
            "list_timers tells it\"}}}",
        .mode = VOXRING_SYNC,
        .threading = VOXRING_PARALLEL,
        .timeout_ms = 5000,
        .call = cancel_call,
    },
};

VOXRING_EXPORT const struct voxring_plugin voxring_plugin = {
    VOXRING_PLUGIN_HEAD,
    .name = "timer",
    .version = "1.0",
    .tools = tools,
    .tool_count = sizeof tools / sizeof tools[0],
    .tool_bytes = sizeof tools[0],
    .init = timer_init,
    .fini = alarms_stop,
};

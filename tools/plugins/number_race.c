/* number_race: takes as many seconds as it is told to, and says so.
 *
 * AWS's samples have a tool like it to show what a model does while a tool
 * runs. Try tools of one's own against it: how a long call sounds, what an
 * interruption does, how two calls overlap. It has no config. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cjson/cJSON.h>

#include "tools/plugins/shared/input.h"
#include "tools/plugins/shared/phrase.h"
#include "tools/plugins/shared/reply.h"
#include "tools/voxring_tool.h"

#define SHORTEST_S 0.1
#define LONGEST_S 600.0
#define SECOND_NS 1000000000u
/* How soon a cancelled call ends. */
#define LOOK_NS (SECOND_NS / 10)

static const struct voxring_host *host;

static void
sleep_until(uint64_t when_ns)
{
    struct timespec when = {.tv_sec = (time_t)(when_ns / SECOND_NS),
                            .tv_nsec = (long)(when_ns % SECOND_NS)};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) ==
           EINTR) {
    }
}

/* Sleeps, with progress each second; 0 once the time is over, -1 if nobody
 * waits for it any more. */
static int
race(uint64_t token, double seconds)
{
    uint64_t begin_ns = host->now_ns();
    uint64_t end_ns = begin_ns + (uint64_t)(seconds * SECOND_NS);
    uint64_t told_s = 0;

    for (uint64_t now_ns = begin_ns; now_ns < end_ns; now_ns = host->now_ns()) {
        uint64_t past_s = (now_ns - begin_ns) / SECOND_NS;
        uint64_t next_ns = now_ns + LOOK_NS;
        if (host->is_cancelled(token))
            return -1;
        if (past_s > told_s) {
            told_s = past_s;
            host->progress(token, (double)past_s, seconds, NULL);
        }
        sleep_until(next_ns < end_ns ? next_ns : end_ns);
    }
    return 0;
}

static void
race_call(const struct voxring_call *call)
{
    cJSON *input = cJSON_Parse(call->input_json);
    cJSON *output;
    char words[PHRASE_BYTES], text[PHRASE_BYTES + 32];
    double seconds = 0;
    int good = input_number(input, "seconds", SHORTEST_S, LONGEST_S,
                            &seconds) == INPUT_GOOD;

    cJSON_Delete(input);
    if (!good) {
        reply_error(host, call->token,
                    "seconds must be a number from %.1f to %.0f", SHORTEST_S,
                    LONGEST_S);
        return;
    }
    if (race(call->token, seconds) != 0) {
        reply_error(host, call->token, "The race was called off");
        return;
    }
    phrase_duration(words, sizeof words, seconds);
    snprintf(text, sizeof text, "The race is over after %s.", words);
    output = cJSON_CreateObject();
    cJSON_AddStringToObject(output, "text", text);
    cJSON_AddNumberToObject(output, "seconds", seconds);
    reply_object(host, call->token, output);
}

static int
race_init(const struct voxring_host *h, const char *config_json, char *why,
          size_t why_bytes)
{
    (void)config_json;
    (void)why;
    (void)why_bytes;
    host = h;
    return 0;
}

static const struct voxring_tool tools[] = {{
    .name = "number_race",
    .description =
        "Runs a number race: it takes the given number of seconds and then "
        "says that it is over. Use it when the user asks for a number race "
        "or wants to try a tool that takes long.",
    .input_schema = "{\"type\":\"object\",\"properties\":{"
                    "\"seconds\":{\"type\":\"number\",\"minimum\":0.1,"
                    "\"maximum\":600,\"description\":\"How long the race "
                    "takes, in seconds\"}},\"required\":[\"seconds\"]}",
    .mode = VOXRING_ASYNC,
    .threading = VOXRING_PARALLEL,
    .call = race_call,
}};

VOXRING_EXPORT const struct voxring_plugin voxring_plugin = {
    VOXRING_PLUGIN_HEAD,
    .name = "number_race",
    .version = "1.0",
    .tools = tools,
    .tool_count = sizeof tools / sizeof tools[0],
    .tool_bytes = sizeof tools[0],
    .init = race_init,
};

/* robot: its battery, where it is, and moving it. The realistic example: it
 * talks to the process that drives the robot's base.
 *
 *     "plugins": {"config": {"robot": {
 *         "endpoint": "ipc:///run/robot/base.sock",
 *         "timeout_ms": 2000, "max_distance_m": 10}}}
 *
 * `endpoint` must be there; README.md here has the messages, and
 * tools/examples/robot_base.py is a base to try it with.
 *
 * robot_move is cancelled when the user interrupts. Whoever shouts "stop" at a
 * robot interrupts it, and that must end the movement without waiting for the
 * model to understand; a robot that stands without need costs less than one
 * that drives on. Config can turn it off:
 * "tool_settings": {"robot_move": {"cancel_on_interrupt": false}}. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "tools/plugins/robot/base.h"
#include "tools/plugins/robot/motion.h"
#include "tools/plugins/shared/input.h"
#include "tools/plugins/shared/reply.h"
#include "tools/voxring_tool.h"

/* The base stops by itself when it has heard nothing for so long. */
#define HOLD_MS 1000
#define FAR_M 1000.0

static const struct voxring_host *host;
static double max_distance_m;

static cJSON *
command_new(const char *name)
{
    cJSON *command = cJSON_CreateObject();

    cJSON_AddStringToObject(command, "command", name);
    return command;
}

static void
reply_nonsense(uint64_t token)
{
    reply_error(host, token,
                "My base answered something that I do not understand");
}

static void
battery_call(const struct voxring_call *call)
{
    char why[BASE_WHY_BYTES], text[80];
    cJSON *answer = base_ask(command_new("battery"), why);
    bool charging =
        cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(answer, "charging"));
    double percent = 0;
    cJSON *output;

    if (!answer) {
        reply_error(host, call->token, "%s", why);
    } else if (input_number(answer, "percent", 0, 100, &percent) !=
               INPUT_GOOD) {
        reply_nonsense(call->token);
    } else {
        output = cJSON_CreateObject();
        snprintf(text, sizeof text, "My battery is at %.0f percent%s.", percent,
                 charging ? " and charging" : "");
        cJSON_AddStringToObject(output, "text", text);
        cJSON_AddNumberToObject(output, "percent", percent);
        cJSON_AddBoolToObject(output, "charging", charging);
        reply_object(host, call->token, output);
    }
    cJSON_Delete(answer);
}

static void
pose_call(const struct voxring_call *call)
{
    char why[BASE_WHY_BYTES], text[160];
    cJSON *answer = base_ask(command_new("pose"), why);
    cJSON *pose = cJSON_GetObjectItemCaseSensitive(answer, "pose");
    double x = 0, y = 0, heading = 0;
    cJSON *output;

    if (!answer) {
        reply_error(host, call->token, "%s", why);
    } else if (input_number(pose, "x", -1e6, 1e6, &x) != INPUT_GOOD ||
               input_number(pose, "y", -1e6, 1e6, &y) != INPUT_GOOD ||
               input_number(pose, "heading_deg", -360, 360, &heading) !=
                   INPUT_GOOD) {
        reply_nonsense(call->token);
    } else {
        output = cJSON_CreateObject();
        snprintf(text, sizeof text,
                 "I am %.1f meters along x and %.1f along y, and look to %.0f "
                 "degrees.",
                 x, y, heading);
        cJSON_AddStringToObject(output, "text", text);
        cJSON_AddItemToObject(
            output, "pose",
            cJSON_DetachItemFromObjectCaseSensitive(answer, "pose"));
        reply_object(host, call->token, output);
    }
    cJSON_Delete(answer);
}

/* A number that may be left out. It is added to the command if it is there; 1
 * if so, 0 if not, -1 if it is out of bounds. */
static int
copy_number(const cJSON *input, const char *name, double most, cJSON *command)
{
    double value = 0;
    enum input_found found = input_number(input, name, -most, most, &value);

    if (found == INPUT_GOOD)
        cJSON_AddNumberToObject(command, name, value);
    return (int)found;
}

static void
move_call(const struct voxring_call *call)
{
    cJSON *input = cJSON_Parse(call->input_json);
    cJSON *command = command_new("move");
    int distance = copy_number(input, "distance_m", max_distance_m, command);
    int x = copy_number(input, "x", FAR_M, command);
    int y = copy_number(input, "y", FAR_M, command);
    int heading = copy_number(input, "heading_deg", 360, command);
    const char *wrong = NULL;

    cJSON_Delete(input);
    cJSON_AddNumberToObject(command, "hold_ms", HOLD_MS);
    if (x < 0 || y < 0)
        wrong = "x and y must be from -1000 to 1000 meters";
    else if (heading < 0)
        wrong = "heading_deg must be from -360 to 360 degrees";
    else if (x != y || (distance && (x || heading)))
        wrong = "Give either distance_m, or x and y, with or without "
                "heading_deg, or heading_deg alone";
    else if (!distance && !x && !heading)
        wrong = "Where to? Give distance_m, or x and y, or heading_deg";
    if (distance >= 0 && !wrong) {
        motion_begin(host, call->token, command);
        return;
    }
    cJSON_Delete(command);
    if (distance < 0)
        reply_error(host, call->token,
                    "distance_m must be from %.3g to %.3g meters",
                    -max_distance_m, max_distance_m);
    else
        reply_error(host, call->token, "%s", wrong);
}

static void
stop_call(const struct voxring_call *call)
{
    char why[BASE_WHY_BYTES];
    cJSON *answer;

    motion_stop();
    answer = base_ask(command_new("stop"), why);
    if (answer)
        reply_text(host, call->token, "I stand.");
    else
        reply_error(host, call->token, "%s", why);
    cJSON_Delete(answer);
}

static int
robot_init(const struct voxring_host *h, const char *config_json, char *why,
           size_t why_bytes)
{
    cJSON *config = cJSON_Parse(config_json);
    char endpoint[BASE_ENDPOINT_BYTES] = "";
    double timeout_ms = 2000;
    enum input_found found =
        input_text(config, "endpoint", endpoint, sizeof endpoint);
    bool good = false;

    host = h;
    max_distance_m = 10;
    if (found != INPUT_GOOD)
        snprintf(why, why_bytes,
                 "plugins.config.robot.endpoint is %s; set it to where the "
                 "robot's base has its ZeroMQ ROUTER, such as "
                 "ipc:///run/robot/base.sock",
                 found == INPUT_ABSENT ? "missing" : "no text, or too long");
    else if (input_number(config, "timeout_ms", 100, 20000, &timeout_ms) ==
             INPUT_BAD)
        snprintf(why, why_bytes,
                 "plugins.config.robot.timeout_ms must be a number from 100 to "
                 "20000");
    else if (input_number(config, "max_distance_m", 0.01, FAR_M,
                          &max_distance_m) == INPUT_BAD)
        snprintf(why, why_bytes,
                 "plugins.config.robot.max_distance_m must be a number from "
                 "0.01 to 1000");
    else
        good = base_init(endpoint, (long)timeout_ms, why, why_bytes);
    cJSON_Delete(config);
    return good ? 0 : -1;
}

static void
robot_fini(void)
{
    motion_fini();
    base_fini();
}

#define MOVE_SCHEMA                                                            \
    "{\"type\":\"object\",\"properties\":{"                                    \
    "\"distance_m\":{\"type\":\"number\",\"description\":\"Meters straight "   \
    "ahead; negative is backwards\"},"                                         \
    "\"x\":{\"type\":\"number\",\"description\":\"Meters on the map, with "    \
    "y\"},"                                                                    \
    "\"y\":{\"type\":\"number\",\"description\":\"Meters on the map, with "    \
    "x\"},"                                                                    \
    "\"heading_deg\":{\"type\":\"number\",\"description\":\"Where to look at " \
    "the end, in degrees counterclockwise from the x axis; alone: turn on "    \
    "the spot\"}}}"

static const struct voxring_tool tools[] = {
    {
        .name = "robot_battery",
        .description = "Tells how full your battery is and whether it is "
                       "charging. Use it when the user asks how much power "
                       "you have.",
        .mode = VOXRING_SYNC,
        .threading = VOXRING_PARALLEL,
        .call = battery_call,
    },
    {
        .name = "robot_pose",
        .description = "Tells where you are on the map, in meters, and which "
                       "way you look, in degrees.",
        .mode = VOXRING_SYNC,
        .threading = VOXRING_PARALLEL,
        .call = pose_call,
    },
    {
        .name = "robot_move",
        .description =
            "Moves you: straight ahead or back by distance_m, or to the point "
            "x, y of the map, or turns you to heading_deg. It reports when "
            "you have arrived. Use it only when the user asks you to move.",
        .input_schema = MOVE_SCHEMA,
        .mode = VOXRING_ASYNC,
        /* not serial: a move that waits for another would begin after a stop */
        .threading = VOXRING_PARALLEL,
        .flags = VOXRING_CANCEL_ON_INTERRUPT,
        .call = move_call,
    },
    {
        .name = "robot_stop",
        .description = "Stops you at once, whatever movement you are making. "
                       "Use it first of all when the user says stop, halt, "
                       "wait or careful.",
        .mode = VOXRING_SYNC,
        .threading = VOXRING_PARALLEL,
        .call = stop_call,
    },
};

VOXRING_EXPORT const struct voxring_plugin voxring_plugin = {
    VOXRING_PLUGIN_HEAD,
    .name = "robot",
    .version = "1.0",
    .tools = tools,
    .tool_count = sizeof tools / sizeof tools[0],
    .tool_bytes = sizeof tools[0],
    .init = robot_init,
    .fini = robot_fini,
};

/* A tool in a process of your own, in C: adds two numbers, and counts down in
 * a thread of the library while the model talks.
 *
 *     cc -o worker worker.c -lvoxring -lcjson -lpthread
 *     ./worker [RUNTIME_DIR]
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cjson/cJSON.h>

#include <voxring_worker.h>

static struct vr_worker *worker;

static void
on_signal(int number)
{
    (void)number;
    vr_worker_stop(worker);
}

static double
number_of(const cJSON *input, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(input, name);

    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static void
add(struct vr_worker *w, const struct vr_worker_call *call, void *arg)
{
    cJSON *input = cJSON_Parse(call->arguments_json);
    char json[64];

    (void)arg;
    snprintf(json, sizeof json, "{\"sum\":%.15g}",
             number_of(input, "a") + number_of(input, "b"));
    vr_worker_complete(w, call->token, 1, json);
    cJSON_Delete(input);
}

static void
count_down(struct vr_worker *w, const struct vr_worker_call *call, void *arg)
{
    const struct timespec second = {.tv_sec = 1};
    cJSON *input = cJSON_Parse(call->arguments_json);
    int from = (int)number_of(input, "from");

    (void)arg;
    cJSON_Delete(input);
    for (int i = 0; i < from && !vr_worker_is_cancelled(w, call->token); i++) {
        vr_worker_progress(w, call->token, i, from, "counting");
        nanosleep(&second, NULL);
    }
    vr_worker_complete(w, call->token, 1, "{\"zero\":true}");
}

static const struct vr_worker_tool tools[] = {
    {.name = "add",
     .description = "Adds two numbers. Use it for sums.",
     .input_schema = "{\"type\":\"object\",\"properties\":{"
                     "\"a\":{\"type\":\"number\"},"
                     "\"b\":{\"type\":\"number\"}},"
                     "\"required\":[\"a\",\"b\"]}",
     .call = add},
    {.name = "count_down",
     .description = "Counts down, a number a second. Use it when the user "
                    "asks for a countdown.",
     .input_schema = "{\"type\":\"object\",\"properties\":{\"from\":{"
                     "\"type\":\"integer\",\"minimum\":1,\"maximum\":600}},"
                     "\"required\":[\"from\"]}",
     .mode = VR_WORKER_ASYNC,
     .cancel_on_interrupt = 1,
     .call = count_down},
};

static void
say(void *arg, const char *line)
{
    (void)arg;
    fprintf(stderr, "%s\n", line);
}

int
main(int argc, char **argv)
{
    const struct vr_worker_config config = {
        .name = "example-c",
        .runtime_dir = argc > 1 ? argv[1] : NULL,
        .threads = 4,
        .log = say,
    };
    char why[VR_ERROR_BYTES];
    enum vr_status status = vr_worker_open(&worker, &config, why, sizeof why);

    for (size_t i = 0; i < 2 && status == VR_OK; i++)
        status = vr_worker_offer(worker, &tools[i], why, sizeof why);
    if (status != VR_OK) {
        fprintf(stderr, "%s\n", why);
        vr_worker_close(&worker);
        return EXIT_FAILURE;
    }
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    status = vr_worker_run(worker);
    vr_worker_close(&worker);
    return status == VR_CANCELLED ? EXIT_SUCCESS : EXIT_FAILURE;
}

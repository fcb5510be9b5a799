#include "tools/plugins/robot/motion.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>

#include "tools/plugins/robot/base.h"
#include "tools/plugins/shared/input.h"
#include "tools/plugins/shared/reply.h"

/* How soon a cancelled movement is stopped, and how often the base hears that
 * it is still wanted. */
#define LOOK_MS 50
#define ALIVE_MS 250
#define MS_NS 1000000u

enum phase { IDLE = 0, MOVING, ENDED /* the thread is to be joined */ };

/* What a movement's thread works with; nobody else touches it. */
struct movement {
    const struct voxring_host *host;
    uint64_t token;
    cJSON *command;
    unsigned begun_at; /* what `stops` was */
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t change;
    enum phase phase;
    pthread_t thread;
    struct movement now;
    atomic_uint stops;
} motion = {.lock = PTHREAD_MUTEX_INITIALIZER,
            .change = PTHREAD_COND_INITIALIZER};

static bool
is_unwanted(const struct movement *movement)
{
    return atomic_load(&motion.stops) != movement->begun_at ||
           movement->host->is_cancelled(movement->token);
}

static void
tell_progress(const struct movement *movement, const cJSON *answer)
{
    double done = 0;

    if (input_number(answer, "progress", 0, 1, &done) == INPUT_GOOD)
        movement->host->progress(movement->token, done, 1, NULL);
}

/* Stops the base and waits until it says that it stands; NULL: it does not. */
static cJSON *
stop_base(const struct movement *movement, struct base_link *link)
{
    uint64_t end_ns =
        movement->host->now_ns() + (uint64_t)link->timeout_ms * MS_NS;
    cJSON *answer = NULL;

    while (!answer && movement->host->now_ns() < end_ns) {
        base_add(link, "stop");
        answer = base_receive(link, ALIVE_MS);
        if (answer && cJSON_HasObjectItem(answer, "progress")) {
            cJSON_Delete(answer);
            answer = NULL;
        }
    }
    return answer;
}

/* Follows the movement to its end. Returns the base's last word, or NULL: the
 * base fell silent. *stopped: it was we who ended it. */
static cJSON *
follow(const struct movement *movement, struct base_link *link, bool *stopped)
{
    uint64_t heard_ns = movement->host->now_ns();
    uint64_t alive_ns = heard_ns;

    for (;;) {
        cJSON *answer = base_receive(link, LOOK_MS);
        uint64_t now_ns = movement->host->now_ns();
        if (answer && !cJSON_HasObjectItem(answer, "progress"))
            return answer;
        if (answer)
            heard_ns = now_ns;
        tell_progress(movement, answer);
        cJSON_Delete(answer);
        *stopped = is_unwanted(movement);
        if (*stopped || now_ns - heard_ns > (uint64_t)link->timeout_ms * MS_NS)
            return stop_base(movement, link);
        if (now_ns - alive_ns >= ALIVE_MS * MS_NS) {
            alive_ns = now_ns;
            base_add(link, "alive");
        }
    }
}

/* The next movement may begin, even before this call's answer is out. */
static void
set_ended(void)
{
    pthread_mutex_lock(&motion.lock);
    motion.phase = ENDED;
    pthread_cond_broadcast(&motion.change);
    pthread_mutex_unlock(&motion.lock);
}

/* The call's answer. */
static void
report(const struct movement *movement, cJSON *answer, bool stopped)
{
    cJSON *pose = cJSON_DetachItemFromObjectCaseSensitive(answer, "pose");
    cJSON *output = cJSON_CreateObject();

    stopped = stopped ||
              cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(answer, "stopped"));
    cJSON_AddStringToObject(output, "text",
                            stopped ? "I was stopped on the way and stand."
                                    : "I have arrived.");
    cJSON_AddBoolToObject(output, "arrived", !stopped);
    if (pose)
        cJSON_AddItemToObject(output, "pose", pose);
    reply_object(movement->host, movement->token, output);
}

/* Moves to the end. Returns the base's last word; NULL after writing a sentence
 * to `why`. */
static cJSON *
move(struct movement *movement, bool *stopped, char why[BASE_WHY_BYTES])
{
    struct base_link link;
    cJSON *answer = NULL;

    if (is_unwanted(movement)) {
        cJSON_Delete(movement->command);
        snprintf(why, BASE_WHY_BYTES, "I was stopped before I moved");
        return NULL;
    }
    if (base_send(&link, movement->command, why)) {
        answer = follow(movement, &link, stopped);
        if (!answer)
            snprintf(why, BASE_WHY_BYTES,
                     "My base fell silent while I was moving; I told it to "
                     "stop, but it did not say that it stands");
    }
    base_close(&link);
    if (answer && base_error(answer, why)) {
        cJSON_Delete(answer);
        return NULL;
    }
    return answer;
}

static void *
motion_main(void *arg)
{
    struct movement movement = motion.now;
    char why[BASE_WHY_BYTES] = "";
    bool stopped = false;
    cJSON *answer = move(&movement, &stopped, why);

    (void)arg;
    set_ended();
    if (answer)
        report(&movement, answer, stopped);
    else
        reply_error(movement.host, movement.token, "%s", why);
    cJSON_Delete(answer);
    return NULL;
}

/* Under the lock. */
static bool
start(const struct movement *movement)
{
    if (motion.phase == ENDED)
        pthread_join(motion.thread, NULL);
    motion.now = *movement;
    motion.phase = pthread_create(&motion.thread, NULL, motion_main, NULL) == 0
                       ? MOVING
                       : IDLE;
    return motion.phase == MOVING;
}

void
motion_begin(const struct voxring_host *host, uint64_t token, cJSON *command)
{
    struct movement movement = {.host = host,
                                .token = token,
                                .command = command,
                                .begun_at = atomic_load(&motion.stops)};
    bool busy, begun = false;

    pthread_mutex_lock(&motion.lock);
    /* one that is about to stand is worth waiting for */
    while (motion.phase == MOVING && is_unwanted(&motion.now))
        pthread_cond_wait(&motion.change, &motion.lock);
    busy = motion.phase == MOVING;
    if (!busy)
        begun = start(&movement);
    pthread_mutex_unlock(&motion.lock);
    if (begun)
        return;
    cJSON_Delete(command);
    reply_error(host, token, "%s",
                busy ? "I am moving already; stop me first, or wait until I "
                       "have arrived"
                     : "The tool is out of memory");
}

void
motion_stop(void)
{
    atomic_fetch_add(&motion.stops, 1);
}

void
motion_fini(void)
{
    motion_stop();
    pthread_mutex_lock(&motion.lock);
    while (motion.phase == MOVING)
        pthread_cond_wait(&motion.change, &motion.lock);
    if (motion.phase == ENDED)
        pthread_join(motion.thread, NULL);
    motion.phase = IDLE;
    pthread_mutex_unlock(&motion.lock);
}

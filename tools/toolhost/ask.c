#include "tools/toolhost/ask.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cjson/cJSON.h>

#include "tools/toolhost/answer.h"
#include "tools/toolhost/fence.h"
#include "tools/toolhost/outbox.h"

#define WAITING_MAX 32
#define WAIT_S 5
#define ID_PREFIX "ask-"

struct question {
    uint64_t number; /* 0: the place is free */
    bool answered;
    cJSON *result;
    char why[256];
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t change;
    struct question waiting[WAITING_MAX];
    uint64_t last_number;
    bool open;
    bool closed;
} asks = {.lock = PTHREAD_MUTEX_INITIALIZER};

bool
ask_init(void)
{
    pthread_condattr_t attributes;
    bool good;

    if (pthread_condattr_init(&attributes) != 0)
        return false;
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    good = pthread_cond_init(&asks.change, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    return good;
}

void
ask_open(void)
{
    pthread_mutex_lock(&asks.lock);
    asks.open = !asks.closed;
    pthread_mutex_unlock(&asks.lock);
}

void
ask_close(void)
{
    pthread_mutex_lock(&asks.lock);
    asks.open = false;
    asks.closed = true;
    pthread_cond_broadcast(&asks.change);
    pthread_mutex_unlock(&asks.lock);
}

static void
say(char *why, size_t why_bytes, const char *sentence)
{
    if (why && why_bytes > 0)
        snprintf(why, why_bytes, "%s", sentence);
}

/* A free place, or NULL and a sentence. Under the lock. */
static struct question *
take_place(const char **why)
{
    if (!asks.open) {
        *why = asks.closed ? "The gateway is ending this process"
                           : "There is no call yet, init has not returned";
        return NULL;
    }
    for (size_t i = 0; i < WAITING_MAX; i++) {
        struct question *q = &asks.waiting[i];
        if (q->number == 0) {
            memset(q, 0, sizeof *q);
            q->number = ++asks.last_number;
            return q;
        }
    }
    *why = "Too many requests wait for the gateway at once; try again later";
    return NULL;
}

/* Under the lock. */
static void
await(struct question *q)
{
    struct timespec until;
    int error = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += WAIT_S;
    while (!q->answered && asks.open && error != ETIMEDOUT)
        error = pthread_cond_timedwait(&asks.change, &asks.lock, &until);
    if (!q->answered)
        snprintf(q->why, sizeof q->why, "%s",
                 asks.open ? "The gateway did not answer within 5 s"
                           : "The gateway is ending this process");
}

cJSON *
ask(const char *method, cJSON *params, char *why, size_t why_bytes)
{
    const char *fault = "Memory is out";
    struct question *q = NULL;
    cJSON *result = NULL;
    char id[40];
    char *text;

    if (fence_is_copy()) {
        cJSON_Delete(params);
        say(why, why_bytes, "A forked process cannot ask the gateway");
        return NULL;
    }
    pthread_mutex_lock(&asks.lock);
    snprintf(id, sizeof id, "\"" ID_PREFIX "%llu\"",
             (unsigned long long)(asks.last_number + 1));
    text = answer_message(id, method, params);
    if (text && strlen(text) > ANSWER_MAX_BYTES)
        fault = "The request has more than 1 MiB";
    else if (text)
        q = take_place(&fault);
    if (q) {
        outbox_put(text);
        await(q);
        result = q->result;
        say(why, why_bytes, q->why);
        q->number = 0;
    } else {
        free(text);
        say(why, why_bytes, fault);
    }
    pthread_mutex_unlock(&asks.lock);
    return result;
}

/* The number in an id of ours, else 0. */
static uint64_t
number_of(const cJSON *id)
{
    const char *text = cJSON_IsString(id) ? id->valuestring : "";
    size_t prefix = strlen(ID_PREFIX);

    if (strncmp(text, ID_PREFIX, prefix) != 0)
        return 0;
    return strtoull(text + prefix, NULL, 10);
}

/* Under the lock. */
static void
take_answer(struct question *q, const cJSON *answer)
{
    const cJSON *result = cJSON_GetObjectItemCaseSensitive(answer, "result");
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(answer, "error");
    const cJSON *message = cJSON_GetObjectItemCaseSensitive(error, "message");

    q->answered = true;
    if (cJSON_IsObject(result))
        q->result = cJSON_Duplicate(result, 1);
    if (!q->result)
        snprintf(q->why, sizeof q->why, "%s",
                 cJSON_IsString(message)
                     ? message->valuestring
                     : "The gateway's answer cannot be understood");
    pthread_cond_broadcast(&asks.change);
}

void
ask_answer(const cJSON *answer)
{
    uint64_t number = number_of(cJSON_GetObjectItemCaseSensitive(answer, "id"));

    pthread_mutex_lock(&asks.lock);
    for (size_t i = 0; number != 0 && i < WAITING_MAX; i++) {
        struct question *q = &asks.waiting[i];
        if (q->number == number && !q->answered)
            take_answer(q, answer);
    }
    pthread_mutex_unlock(&asks.lock);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/tools/plugin_rig.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SLOTS 256u
#define EVENTS 64u
#define WAIT_S 30

struct slot {
    uint64_t token;
    unsigned completions;
    unsigned progress;
    int status;
    bool cancelled;
    char *json;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t change;
    struct slot slots[SLOTS];
    uint64_t last_token;
    bool all_cancelled;
    int publish_returns;
    struct {
        uint64_t token;
        char name[64];
        char *data;
    } events[EVENTS];
    unsigned published;
    unsigned taken;
    const char *wrong; /* a breach of the contract, told by the next wait */
} rig = {.lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER};

static struct slot *
slot_of(uint64_t token)
{
    struct slot *slot = &rig.slots[token % SLOTS];

    return slot->token == token ? slot : NULL;
}

static void
host_complete(uint64_t token, int status, const char *json)
{
    struct slot *slot;

    pthread_mutex_lock(&rig.lock);
    slot = slot_of(token);
    if (!slot || slot->completions++ > 0) {
        rig.wrong = "a call was completed twice, or never was";
    } else {
        slot->status = status;
        slot->json = strdup(json ? json : "{}");
    }
    pthread_cond_broadcast(&rig.change);
    pthread_mutex_unlock(&rig.lock);
}

static int
host_is_cancelled(uint64_t token)
{
    const struct slot *slot;
    int cancelled;

    pthread_mutex_lock(&rig.lock);
    slot = slot_of(token);
    cancelled = rig.all_cancelled || !slot || slot->cancelled;
    pthread_mutex_unlock(&rig.lock);
    return cancelled;
}

static void
host_progress(uint64_t token, double done, double total, const char *message)
{
    struct slot *slot;

    (void)message;
    pthread_mutex_lock(&rig.lock);
    slot = slot_of(token);
    if (!slot || slot->completions > 0 || done < 0 || done > total)
        rig.wrong = "progress of a call that is over, or out of bounds";
    else
        slot->progress++;
    pthread_cond_broadcast(&rig.change);
    pthread_mutex_unlock(&rig.lock);
}

static void
host_log(int level, const char *message)
{
    (void)level;
    (void)message;
}

static uint64_t
host_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static const void *
host_get_service(const char *id)
{
    (void)id;
    return NULL;
}

static int
host_publish(uint64_t token, const char *name, const char *data_json)
{
    int result;

    pthread_mutex_lock(&rig.lock);
    result = rig.publish_returns;
    if (result == 0 && rig.published - rig.taken < EVENTS) {
        unsigned i = rig.published++ % EVENTS;
        rig.events[i].token = token;
        snprintf(rig.events[i].name, sizeof rig.events[i].name, "%s", name);
        rig.events[i].data = strdup(data_json ? data_json : "null");
    }
    pthread_cond_broadcast(&rig.change);
    pthread_mutex_unlock(&rig.lock);
    return result;
}

static const struct voxring_host table = {
    .struct_size = sizeof table,
    .abi_major = VOXRING_TOOL_ABI_MAJOR,
    .abi_minor = VOXRING_TOOL_ABI_MINOR,
    .complete = host_complete,
    .is_cancelled = host_is_cancelled,
    .progress = host_progress,
    .log = host_log,
    .now_ns = host_now_ns,
    .get_service = host_get_service,
    .publish = host_publish,
};

const struct voxring_plugin *
rig_load(const char *name)
{
    const char *dir = getenv("VOXRING_BUILD");
    const struct voxring_plugin *plugin;
    char path[300];
    void *library;

    snprintf(path, sizeof path, "%s%s/plugins/%s.so",
             dir && dir[0] == '/' ? "" : "./", dir && dir[0] ? dir : "build",
             name);
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        fail_msg("%s", dlerror());
    plugin = dlsym(library, "voxring_plugin");
    assert_non_null(plugin);
    return plugin;
}

int
rig_init(const struct voxring_plugin *plugin, const char *config, char *why)
{
    why[0] = '\0';
    return plugin->init(&table, config, why, 400);
}

void
rig_start(const struct voxring_plugin *plugin, const char *config)
{
    char why[400];

    if (rig_init(plugin, config, why) != 0)
        fail_msg("%s refused %s: %s", plugin->name, config, why);
}

static const struct voxring_tool *
tool_of(const struct voxring_plugin *plugin, const char *name)
{
    for (uint32_t i = 0; i < plugin->tool_count; i++) {
        if (strcmp(plugin->tools[i].name, name) == 0)
            return &plugin->tools[i];
    }
    fail_msg("%s has no tool %s", plugin->name, name);
    return NULL;
}

uint64_t
rig_begin(const struct voxring_plugin *plugin, const char *tool,
          const char *session, const char *input)
{
    const struct voxring_tool *found = tool_of(plugin, tool);
    struct voxring_call call = {.struct_size = sizeof call,
                                .tool = found->name,
                                .input_json = input,
                                .session = session,
                                .conversation = "",
                                .turn = "",
                                .deadline_ns = UINT64_MAX};
    struct slot *slot;

    pthread_mutex_lock(&rig.lock);
    call.token = ++rig.last_token;
    slot = &rig.slots[call.token % SLOTS];
    free(slot->json);
    memset(slot, 0, sizeof *slot);
    slot->token = call.token;
    pthread_mutex_unlock(&rig.lock);
    found->call(&call);
    return call.token;
}

/* Waits until `done` of the argument, under the lock; false: it took too
 * long. */
static bool
wait_until(bool (*done)(uint64_t), uint64_t arg)
{
    struct timespec end;
    int error = 0;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += WAIT_S;
    while (!done(arg) && error == 0)
        error = pthread_cond_timedwait(&rig.change, &rig.lock, &end);
    return error == 0;
}

static bool
is_completed(uint64_t token)
{
    const struct slot *slot = slot_of(token);

    return slot && slot->completions > 0;
}

cJSON *
rig_end(uint64_t token, int status)
{
    const char *wrong;
    char *json = NULL;
    int got = -1;
    cJSON *object;
    bool ended;

    pthread_mutex_lock(&rig.lock);
    ended = wait_until(is_completed, token);
    if (ended) {
        json = strdup(slot_of(token)->json);
        got = slot_of(token)->status;
    }
    wrong = rig.wrong;
    rig.wrong = NULL;
    pthread_mutex_unlock(&rig.lock);
    if (wrong || !ended)
        fail_msg("%s", wrong ? wrong : "a call did not end");
    if (status >= 0 && got != status)
        fail_msg("status %d: %s", got, json);
    object = cJSON_Parse(json);
    if (!cJSON_IsObject(object))
        fail_msg("no object: %s", json);
    free(json);
    return object;
}

cJSON *
rig_ask(const struct voxring_plugin *plugin, const char *tool,
        const char *input, int status)
{
    return rig_end(rig_begin(plugin, tool, "main", input), status);
}

void
rig_expect(const struct voxring_plugin *plugin, const char *tool,
           const char *input, int status, const char *words)
{
    cJSON *object = rig_ask(plugin, tool, input, status);
    const char *text =
        rig_text(object, status == VOXRING_OK ? "text" : "error");

    if (!strstr(text, words))
        fail_msg("%s: \"%s\" has no \"%s\"", input, text, words);
    cJSON_Delete(object);
}

const char *
rig_text(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

    if (!cJSON_IsString(item))
        fail_msg("no text %s", name);
    return item->valuestring;
}

bool
rig_is_over(uint64_t token)
{
    bool over;

    pthread_mutex_lock(&rig.lock);
    over = is_completed(token);
    pthread_mutex_unlock(&rig.lock);
    return over;
}

void
rig_cancel(uint64_t token)
{
    pthread_mutex_lock(&rig.lock);
    if (token == 0)
        rig.all_cancelled = true;
    else if (slot_of(token))
        slot_of(token)->cancelled = true;
    pthread_mutex_unlock(&rig.lock);
}

void
rig_uncancel(void)
{
    pthread_mutex_lock(&rig.lock);
    rig.all_cancelled = false;
    pthread_mutex_unlock(&rig.lock);
}

static unsigned progress_least;

static bool
has_progress(uint64_t token)
{
    const struct slot *slot = slot_of(token);

    return slot && slot->progress >= progress_least;
}

unsigned
rig_progress(uint64_t token, unsigned least)
{
    unsigned count;
    bool came;

    pthread_mutex_lock(&rig.lock);
    progress_least = least;
    came = wait_until(has_progress, token);
    count = slot_of(token) ? slot_of(token)->progress : 0;
    pthread_mutex_unlock(&rig.lock);
    if (!came)
        fail_msg("progress was told %u times, not %u", count, least);
    return count;
}

void
rig_publish_returns(int value)
{
    pthread_mutex_lock(&rig.lock);
    rig.publish_returns = value;
    pthread_mutex_unlock(&rig.lock);
}

static bool
has_event(uint64_t unused)
{
    (void)unused;
    return rig.published > rig.taken;
}

cJSON *
rig_event(const char *name, uint64_t *token)
{
    char got[64] = "no event";
    char *data = NULL;
    cJSON *json;

    pthread_mutex_lock(&rig.lock);
    if (wait_until(has_event, 0)) {
        unsigned i = rig.taken++ % EVENTS;
        *token = rig.events[i].token;
        data = rig.events[i].data;
        snprintf(got, sizeof got, "%s", rig.events[i].name);
    }
    pthread_mutex_unlock(&rig.lock);
    assert_string_equal(got, name);
    json = cJSON_Parse(data);
    free(data);
    assert_non_null(json);
    return json;
}

unsigned
rig_events(void)
{
    unsigned count;

    pthread_mutex_lock(&rig.lock);
    count = rig.published - rig.taken;
    pthread_mutex_unlock(&rig.lock);
    return count;
}

pid_t
rig_spawn(char *const args[], char *line, size_t line_bytes)
{
    int ends[2];
    FILE *from;
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execv(args[0], args);
        _exit(127);
    }
    close(ends[1]);
    from = fdopen(ends[0], "r");
    assert_non_null(from);
    line[0] = '\0';
    if (!fgets(line, (int)line_bytes, from)) {
        rig_kill(pid);
        fail_msg("%s did not start", args[1] ? args[1] : args[0]);
    }
    fclose(from);
    line[strcspn(line, "\n")] = '\0';
    return pid;
}

void
rig_kill(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/toolbroker/rig.h"
#include "tests/tools/shell.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/log.h"

#define GUARD_MS 30000

static const char *
build_dir(void)
{
    const char *dir = getenv("VOXRING_BUILD");

    return dir && dir[0] ? dir : "build";
}

static int
count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;

    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

/* libuv keeps some descriptors for the life of the process. */
static void
warm_up(void)
{
    static bool warm;
    uv_loop_t loop;

    if (warm)
        return;
    warm = true;
    log_init(getenv("VERBOSE") ? 2 : open("/dev/null", O_WRONLY | O_CLOEXEC));
    uv_loop_init(&loop);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

void
rig_init(struct rig *rig)
{
    char path[128];

    warm_up();
    memset(rig, 0, sizeof *rig);
    rig->fds_before = count_fds();
    snprintf(rig->dir, sizeof rig->dir, "%.40s/broker-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(rig->dir));
    snprintf(path, sizeof path, "%s/plugins", rig->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    rig->config.hang_grace_ms = 200;
    rig->config.restart_min_ms = 10;
    rig->config.settle_ms = 20;
}

static void
run(const char *command)
{
    assert_int_equal(shell(command), 0);
}

void
rig_compile(struct rig *rig, const char *source, const char *name,
            const char *flags)
{
    char command[1024];

    snprintf(command, sizeof command,
             "cc -std=gnu11 -w -I. -shared -fPIC -pthread -o %s/plugins/%s.so "
             "tests/tools/plugins/%s.c %s",
             rig->dir, name, source, flags);
    run(command);
}

void
rig_install(struct rig *rig, const char *name)
{
    char command[512];

    snprintf(command, sizeof command, "cp %s/plugins/%s.so %s/plugins/",
             build_dir(), name, rig->dir);
    run(command);
}

static void
on_guard(uv_timer_t *timer)
{
    struct rig *rig = timer->data;

    rig->late = true;
}

static void
on_changed(void *arg)
{
    struct rig *rig = arg;

    rig->changes++;
}

static void
on_ready(void *arg)
{
    struct rig *rig = arg;

    assert_false(rig->ready);
    rig->ready = true;
}

static void
on_notice(void *arg, const struct broker_notice *notice)
{
    struct rig *rig = arg;
    struct rig_notice *n = &rig->notices[rig->notice_count % RIG_NOTICES];

    rig->notice_count++;
    n->kind = notice->kind;
    snprintf(n->provider, sizeof n->provider, "%s", notice->provider);
    snprintf(n->tool, sizeof n->tool, "%s", notice->tool ? notice->tool : "");
    snprintf(n->reason, sizeof n->reason, "%s",
             notice->reason ? notice->reason : "");
}

static void
on_progress(void *arg, uint64_t call_id, double done, double total,
            const char *message)
{
    struct rig *rig = arg;

    (void)total;
    (void)message;
    assert_null(rig_end(rig, call_id));
    rig->progress_count++;
    rig->progress_done = done;
}

static bool
is_ready(const struct rig *rig)
{
    return rig->ready;
}

void
rig_open(struct rig *rig)
{
    struct broker_callbacks callbacks = {.arg = rig,
                                         .on_tools_changed = on_changed,
                                         .on_ready = on_ready,
                                         .on_notice = on_notice,
                                         .on_progress = on_progress,
                                         .on_ask = rig->on_ask};
    char plugins[128], second[128], toolhost[512], why[512] = "";
    const char *paths[] = {plugins, second};

    snprintf(plugins, sizeof plugins, "%s/plugins", rig->dir);
    snprintf(second, sizeof second, "%s/%.60s", rig->dir,
             rig->second_folder ? rig->second_folder : "");
    snprintf(toolhost, sizeof toolhost, "%s/voxring-toolhost", build_dir());
    uv_loop_init(&rig->loop);
    uv_timer_init(&rig->loop, &rig->guard);
    rig->guard.data = rig;
    rig->config.runtime_dir = rig->dir;
    rig->config.plugin_paths = paths;
    rig->config.plugin_path_count = rig->second_folder ? 2 : 1;
    rig->config.toolhost_path = rig->toolhost ? rig->toolhost : toolhost;
    rig->config.plugin_config = rig->plugin_config;
    if (broker_open(&rig->broker, &rig->loop, &rig->config, &callbacks, why,
                    sizeof why) != VR_OK)
        fail_msg("broker_open: %s", why);
    assert_false(broker_ready(rig->broker));
    rig_until(rig, is_ready);
    assert_true(broker_ready(rig->broker));
}

void
rig_until(struct rig *rig, bool (*done)(const struct rig *rig))
{
    rig->late = false;
    uv_update_time(&rig->loop);
    uv_timer_start(&rig->guard, on_guard, GUARD_MS, 0);
    while (!done(rig) && !rig->late) {
        log_flush();
        uv_run(&rig->loop, UV_RUN_ONCE);
    }
    uv_timer_stop(&rig->guard);
    if (rig->late)
        fail_msg("it did not happen in %d ms", GUARD_MS);
}

static unsigned wanted_ends;

static bool
has_ends(const struct rig *rig)
{
    return rig->end_count >= wanted_ends;
}

void
rig_until_ends(struct rig *rig, unsigned count)
{
    wanted_ends = count;
    rig_until(rig, has_ends);
}

static void
on_result(void *arg, uint64_t call_id, const struct tool_result *result)
{
    struct rig *rig = arg;
    struct rig_end *end;
    cJSON *content = cJSON_Parse(result->content_json);

    assert_true(cJSON_IsObject(content));
    cJSON_Delete(content);
    assert_null(rig_end(rig, call_id));
    assert_true(rig->end_count < RIG_ENDS);
    assert_true((result->reason == NULL) == (result->outcome == TOOL_OK));
    end = &rig->ends[rig->end_count++];
    end->id = call_id;
    end->outcome = result->outcome;
    end->duration_ns = result->duration_ns;
    snprintf(end->content, sizeof end->content, "%s", result->content_json);
    snprintf(end->reason, sizeof end->reason, "%s",
             result->reason ? result->reason : "");
    snprintf(end->failure, sizeof end->failure, "%s",
             result->failure ? result->failure : "");
    snprintf(end->next, sizeof end->next, "%s",
             result->next ? result->next : "");
}

uint64_t
rig_call(struct rig *rig, const char *tool, const char *json,
         uint32_t timeout_ms)
{
    struct broker_caller caller = {"kitchen", "c-1", "t-1"};
    unsigned before = rig->end_count;
    uint64_t id = broker_call(rig->broker, tool, json, &caller, timeout_ms,
                              on_result, rig);

    assert_true(id != 0);
    assert_int_equal(rig->end_count, before);
    return id;
}

static uint64_t wanted_id;

static bool
has_end(const struct rig *rig)
{
    return rig_end(rig, wanted_id) != NULL;
}

const struct rig_end *
rig_ask(struct rig *rig, const char *tool, const char *json,
        uint32_t timeout_ms)
{
    wanted_id = rig_call(rig, tool, json, timeout_ms);
    rig_until(rig, has_end);
    return rig_end(rig, wanted_id);
}

const struct rig_end *
rig_end(const struct rig *rig, uint64_t id)
{
    for (unsigned i = 0; i < rig->end_count; i++) {
        if (rig->ends[i].id == id)
            return &rig->ends[i];
    }
    return NULL;
}

const struct rig_notice *
rig_notice(const struct rig *rig, enum broker_notice_kind kind,
           const char *provider)
{
    for (unsigned i = 0; i < rig->notice_count && i < RIG_NOTICES; i++) {
        const struct rig_notice *n = &rig->notices[i];
        if (n->kind == kind &&
            (!provider || strcmp(n->provider, provider) == 0))
            return n;
    }
    return NULL;
}

/* Whether process `pid` was started with a path of this rig's plugin. */
static bool
is_child(const struct rig *rig, const char *pid, const char *plugin)
{
    char path[300], text[600], wanted[160];
    size_t n = 0;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%s/cmdline", pid);
    f = fopen(path, "r");
    if (!f)
        return false;
    n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    for (size_t i = 0; i < n; i++)
        text[i] = text[i] ? text[i] : ' ';
    text[n] = '\0';
    snprintf(wanted, sizeof wanted, "%s/plugins/%s", rig->dir, plugin);
    return strstr(text, wanted) != NULL;
}

int
rig_child(const struct rig *rig, const char *plugin)
{
    DIR *dir = opendir("/proc");
    struct dirent *entry;
    int pid = 0;

    while ((entry = readdir(dir)) && pid == 0) {
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
            is_child(rig, entry->d_name, plugin))
            pid = (int)strtol(entry->d_name, NULL, 10);
    }
    closedir(dir);
    return pid;
}

static void
on_closed(void *arg)
{
    struct rig *rig = arg;

    assert_false(rig->closed);
    rig->closed = true;
    uv_close((uv_handle_t *)&rig->guard, NULL);
}

static bool
is_closed(const struct rig *rig)
{
    return rig->closed;
}

void
rig_fini(struct rig *rig)
{
    char path[128], command[128];

    if (rig->broker)
        broker_close(&rig->broker, on_closed, rig);
    assert_null(rig->broker);
    rig_until(rig, is_closed);
    uv_run(&rig->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&rig->loop), 0);
    snprintf(path, sizeof path, "%s/tools.sock", rig->dir);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_int_equal(rig_child(rig, ""), 0);
    assert_int_equal(count_fds(), rig->fds_before);
    cJSON_Delete(rig->plugin_config);
    snprintf(command, sizeof command, "rm -rf %s", rig->dir);
    run(command);
}

void
rig_shell(const struct rig *rig, const char *command)
{
    char line[512];

    snprintf(line, sizeof line, "cd %s && %s", rig->dir, command);
    assert_int_equal(shell(line), 0);
}

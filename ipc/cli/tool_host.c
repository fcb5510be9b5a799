#include "ipc/cli/tool_host.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <zmq.h>

#include "ipc/cli/control.h"
#include "ipc/cli/place.h"
#include "ipc/cli/say.h"
#include "ipc/cli/stop.h"
#include "ipc/cli/tool_process.h"
#include "ipc/voxring.h"

/* The gateway's own limits. */
#define MESSAGE_MAX_BYTES (1024 * 1024)
#define RESULT_MAX_BYTES (256 * 1024)
#define MEMORY_BYTES (UINT64_C(512) * 1024 * 1024)
#define CONCURRENT_CALLS 8
/* How soon the end of a process is seen that goes on printing elsewhere. */
#define LOOK_NS UINT64_C(20000000)

struct tool_host {
    const struct cli *cli;
    void *context, *router;
    char folder[64], endpoint[96], token[40];
    unsigned char peer[256];
    size_t peer_bytes; /* 0: nobody has spoken yet */
    struct tool_process process;
    struct tool_host_counts counts;
};

static bool
make_token(char token[40])
{
    unsigned char random[16];
    if (getrandom(random, sizeof random, 0) != sizeof random)
        return false;
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(token + 2 * i, 3, "%02x", random[i]);
    return true;
}

static bool
open_router(struct tool_host *h)
{
    const int zero = 0;
    const int64_t max_bytes = MESSAGE_MAX_BYTES;
    snprintf(h->folder, sizeof h->folder, "%s", "/tmp/voxring-tool-XXXXXX");
    if (!mkdtemp(h->folder)) {
        h->folder[0] = '\0';
        return false;
    }
    snprintf(h->endpoint, sizeof h->endpoint, "ipc://%s/tools.sock", h->folder);
    h->context = zmq_ctx_new();
    h->router = h->context ? zmq_socket(h->context, ZMQ_ROUTER) : NULL;
    if (!h->router)
        return false;
    zmq_setsockopt(h->router, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(h->router, ZMQ_MAXMSGSIZE, &max_bytes, sizeof max_bytes);
    return zmq_bind(h->router, h->endpoint) == 0;
}

/* The file's name without .so: what config calls the plugin. */
static void
name_of(const char *plugin, char *name, size_t name_bytes)
{
    const char *slash = strrchr(plugin, '/');
    snprintf(name, name_bytes, "%s", slash ? slash + 1 : plugin);
    size_t length = strlen(name);
    if (length > 3 && strcmp(name + length - 3, ".so") == 0)
        name[length - 3] = '\0';
}

static char *
boot_message(const struct tool_host *h, const char *plugin, const cJSON *config)
{
    char name[NAME_MAX + 1];
    cJSON *boot = cJSON_CreateObject();
    name_of(plugin, name, sizeof name);
    cJSON_AddNumberToObject(boot, "protocol", 1);
    cJSON_AddStringToObject(boot, "endpoint", h->endpoint);
    cJSON_AddStringToObject(boot, "token", h->token);
    cJSON_AddStringToObject(boot, "name", name);
    cJSON_AddItemToObject(boot, "config",
                          config ? cJSON_Duplicate(config, true)
                                 : cJSON_CreateObject());
    cJSON_AddNumberToObject(boot, "result_max_bytes", RESULT_MAX_BYTES);
    cJSON_AddNumberToObject(boot, "memory_bytes", (double)MEMORY_BYTES);
    cJSON_AddNumberToObject(boot, "concurrent_calls", CONCURRENT_CALLS);
    char *text = cJSON_PrintUnformatted(boot);
    cJSON_Delete(boot);
    return text;
}

static int
start(struct tool_host *h, const char *plugin, const cJSON *config)
{
    char program[PATH_MAX];
    if (!place_find("voxring-toolhost", program, sizeof program))
        return say_fail(h->cli, CLI_FAILED,
                        "voxring-toolhost is not beside this program; install "
                        "it there");
    if (!make_token(h->token) || !open_router(h))
        return say_fail(h->cli, CLI_FAILED, "no socket in /tmp: %s",
                        zmq_strerror(errno));
    char *message = boot_message(h, plugin, config);
    if (!message)
        return say_fail(h->cli, CLI_FAILED, "out of memory");
    int code =
        tool_process_start(&h->process, h->cli, program, plugin, message);
    cJSON_free(message);
    return code;
}

int
tool_host_open(struct tool_host **host, const struct cli *cli,
               const char *plugin, const cJSON *config)
{
    struct tool_host *h = calloc(1, sizeof *h);
    *host = NULL;
    if (!h)
        return say_fail(cli, CLI_FAILED, "out of memory");
    h->cli = cli;
    h->process.boot_fd = h->process.print_fd[0] = h->process.print_fd[1] = -1;
    int code = start(h, plugin, config);
    if (code != CLI_DONE)
        tool_host_close(&h);
    *host = h;
    return code;
}

/* ---- messages -------------------------------------------------------------- */

static bool
send_text(struct tool_host *h, const char *text)
{
    return h->peer_bytes > 0 && text &&
           zmq_send(h->router, h->peer, h->peer_bytes,
                    ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 &&
           zmq_send(h->router, text, strlen(text), ZMQ_DONTWAIT) >= 0;
}

static bool
send_json(struct tool_host *h, cJSON *message)
{
    char *text = message ? cJSON_PrintUnformatted(message) : NULL;
    bool sent = text && send_text(h, text);
    cJSON_free(text);
    cJSON_Delete(message);
    return sent;
}

bool
tool_host_send(struct tool_host *h, const char *id, const char *method,
               const char *params_json)
{
    cJSON *message = cJSON_CreateObject();
    cJSON_AddStringToObject(message, "jsonrpc", "2.0");
    if (id)
        cJSON_AddStringToObject(message, "id", id);
    cJSON_AddStringToObject(message, "method", method);
    if (params_json)
        cJSON_AddRawToObject(message, "params", params_json);
    return send_json(h, message);
}

static void
answer(struct tool_host *h, const cJSON *id, const char *result_json)
{
    cJSON *message = cJSON_CreateObject();
    cJSON_AddStringToObject(message, "jsonrpc", "2.0");
    cJSON_AddItemToObject(message, "id", cJSON_Duplicate(id, true));
    cJSON_AddRawToObject(message, "result", result_json);
    send_json(h, message);
}

static void
on_request(struct tool_host *h, const char *method, const cJSON *id)
{
    static const char *const rows[][2] = {
        {"voxring/publish", "{}"},
        {"voxring/text", "{}"},
        {"voxring/update", "{\"changed\":[]}"},
        {"voxring/history", "{\"messages\":[],\"revision\":0}"},
        {"voxring/end", "{}"},
    };
    const char *result = "{}";
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(method, rows[i][0]) != 0)
            continue;
        h->counts.requests++;
        result = rows[i][1];
    }
    answer(h, id, result);
}

static void
on_log(struct tool_host *h, const cJSON *params)
{
    const char *line = control_text(params, "data", "");
    h->counts.spare += strstr(line, "completed a call twice") != NULL;
    if (*line)
        snprintf(h->counts.line, sizeof h->counts.line, "%s", line);
}

/* True if it is the caller's: an answer, a hello, a progress. */
static bool
sort(struct tool_host *h, const cJSON *message)
{
    const char *method = control_text(message, "method", NULL);
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(message, "id");
    if (!cJSON_IsObject(message) || (!method && !id)) {
        h->counts.broken++;
        return false;
    }
    if (!method || strcmp(method, "voxring/hello") == 0 ||
        strcmp(method, "notifications/progress") == 0)
        return true;
    if (strcmp(method, "notifications/message") == 0)
        on_log(h, cJSON_GetObjectItemCaseSensitive(message, "params"));
    else if (id)
        on_request(h, method, id);
    return false;
}

/* The next message for the caller; NULL if there is none now. */
static cJSON *
receive(struct tool_host *h)
{
    for (;;) {
        zmq_msg_t frame;
        cJSON *message = NULL;
        int got = zmq_recv(h->router, h->peer, sizeof h->peer, ZMQ_DONTWAIT);
        if (got < 0)
            return NULL;
        h->peer_bytes = (size_t)got;
        for (int more = 1; more;) {
            zmq_msg_init(&frame);
            if (zmq_msg_recv(&frame, h->router, 0) >= 0 && !message)
                message = cJSON_ParseWithLength(zmq_msg_data(&frame),
                                                zmq_msg_size(&frame));
            more = zmq_msg_more(&frame);
            zmq_msg_close(&frame);
        }
        if (sort(h, message))
            return message;
        cJSON_Delete(message);
    }
}

static void
poll_once(struct tool_host *h, uint64_t deadline_ns)
{
    zmq_pollitem_t items[3] = {{h->router, 0, ZMQ_POLLIN, 0}};
    int which[3] = {0}, count = 1;
    uint64_t look_ns = vr_now_ns() + LOOK_NS;
    for (int i = 0; i < 2; i++) {
        if (h->process.print_fd[i] < 0)
            continue;
        which[count] = i;
        items[count++] =
            (zmq_pollitem_t){NULL, h->process.print_fd[i], ZMQ_POLLIN, 0};
    }
    if (zmq_poll(
            items, count,
            stop_slice_ms(deadline_ns < look_ns ? deadline_ns : look_ns)) <= 0)
        return;
    for (int i = 1; i < count; i++) {
        if (items[i].revents)
            tool_process_read(&h->process, which[i]);
    }
}

enum tool_news
tool_host_wait(struct tool_host *h, uint64_t deadline_ns, cJSON **message)
{
    for (;;) {
        if (stop_wanted())
            return TOOL_STOPPED;
        *message = receive(h);
        if (*message)
            return TOOL_MESSAGE;
        if (tool_process_reap(&h->process)) {
            /* what it sent before its end */
            *message = receive(h);
            return *message ? TOOL_MESSAGE : TOOL_ENDED;
        }
        if (vr_now_ns() >= deadline_ns)
            return TOOL_NOTHING;
        poll_once(h, deadline_ns);
    }
}

static bool
welcome(struct tool_host *h, const cJSON *hello)
{
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(hello, "id");
    const cJSON *params = cJSON_GetObjectItemCaseSensitive(hello, "params");
    if (!id || strcmp(control_text(params, "token", ""), h->token) != 0)
        return false;
    answer(h, id,
           "{\"protocol\":1,\"gateway\":\"voxring/" VOXRING_VERSION
           "\",\"heartbeat_ms\":1000,\"expires_ms\":3000}");
    return true;
}

enum tool_news
tool_host_greet(struct tool_host *h, uint64_t deadline_ns, char **refusal)
{
    cJSON *message;
    *refusal = NULL;
    for (;;) {
        enum tool_news news = tool_host_wait(h, deadline_ns, &message);
        if (news != TOOL_MESSAGE)
            return news;
        bool hello =
            strcmp(control_text(message, "method", ""), "voxring/hello") == 0 &&
            welcome(h, message);
        if (hello)
            *refusal = strdup(control_text(
                cJSON_GetObjectItemCaseSensitive(message, "params"), "error",
                ""));
        cJSON_Delete(message);
        if (hello)
            return *refusal ? TOOL_MESSAGE : TOOL_STOPPED;
    }
}

/* ---- the process ------------------------------------------------------------- */

const char *
tool_host_end(const struct tool_host *h)
{
    return h->process.end;
}

bool
tool_host_ended_well(const struct tool_host *h)
{
    return h->process.ended && h->process.status == 0;
}

const struct tool_host_counts *
tool_host_counts(struct tool_host *h)
{
    h->counts.stdout_bytes = h->process.stdout_bytes;
    if (h->process.line[0])
        snprintf(h->counts.line, sizeof h->counts.line, "%s", h->process.line);
    return &h->counts;
}

uint64_t
tool_host_memory_bytes(const struct tool_host *h)
{
    char path[64];
    unsigned long long size, resident = 0, shared = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)h->process.pid);
    FILE *file = h->process.pid > 0 ? fopen(path, "re") : NULL;
    if (!file)
        return 0;
    int count = fscanf(file, "%llu %llu %llu", &size, &resident, &shared);
    fclose(file);
    if (count != 3 || resident < shared)
        return 0;
    return (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

void
tool_host_dismiss(struct tool_host *h)
{
    tool_process_dismiss(&h->process);
}

void
tool_host_close(struct tool_host **host)
{
    struct tool_host *h = *host;
    char path[sizeof h->folder + 16];
    if (!h)
        return;
    tool_process_stop(&h->process);
    if (h->router)
        zmq_close(h->router);
    if (h->context)
        zmq_ctx_term(h->context);
    if (h->folder[0]) {
        snprintf(path, sizeof path, "%s/tools.sock", h->folder);
        unlink(path);
        rmdir(h->folder);
    }
    free(h);
    *host = NULL;
}

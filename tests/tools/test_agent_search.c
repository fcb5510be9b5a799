/* agent_search in voxring-toolhost, with the test as its gateway, against
 * tests/tools/fake_agent.py. Programs and plugins come from $VOXRING_BUILD
 * ("build" if it is not set). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <zmq.h>

#include "tests/tools/shell.h"

#define WAIT_MS 20000

static struct {
    char dir[64];
    void *context;
    void *router;
    pid_t fake;
    int fake_in; /* it ends with this */
    int port;
    pid_t pid;
    int boot_fd;
    unsigned char peer[256];
    size_t peer_bytes;
    unsigned next_id;
    unsigned progress; /* notifications since the last call */
    char last_progress[300];
    char text[600000];
} host;

static const char *
build_dir(void)
{
    const char *dir = getenv("VOXRING_BUILD");

    return dir && dir[0] ? dir : "build";
}

/* ---- the fake agent ---------------------------------------------------------- */

static int
start_fake(void)
{
    char program[] = "/usr/bin/python3", script[] = "tests/tools/fake_agent.py";
    int in[2], out[2];
    char line[32];
    ssize_t n;

    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
        return -1;
    host.fake = fork();
    if (host.fake == 0) {
        char *args[] = {program, script, NULL};
        dup2(in[0], 0);
        dup2(out[1], 1);
        execv(program, args);
        _exit(99);
    }
    close(in[0]);
    close(out[1]);
    host.fake_in = in[1];
    n = read(out[0], line, sizeof line - 1);
    close(out[0]);
    line[n > 0 ? n : 0] = '\0';
    host.port = (int)strtol(line, NULL, 10);
    return host.port > 0 ? 0 : -1;
}

static int
begin(void **state)
{
    char endpoint[128];
    int wait_ms = WAIT_MS, linger = 0;

    (void)state;
    memset(&host, 0, sizeof host);
    host.boot_fd = host.fake_in = -1;
    snprintf(host.dir, sizeof host.dir, "%.40s/agent-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    if (!mkdtemp(host.dir) || start_fake() != 0)
        return -1;
    host.context = zmq_ctx_new();
    host.router = zmq_socket(host.context, ZMQ_ROUTER);
    zmq_setsockopt(host.router, ZMQ_RCVTIMEO, &wait_ms, sizeof wait_ms);
    zmq_setsockopt(host.router, ZMQ_LINGER, &linger, sizeof linger);
    snprintf(endpoint, sizeof endpoint, "ipc://%s/s", host.dir);
    return zmq_bind(host.router, endpoint);
}

static int
end(void **state)
{
    char command[100];

    (void)state;
    if (host.fake > 0) {
        close(host.fake_in);
        kill(host.fake, SIGKILL);
        waitpid(host.fake, NULL, 0);
    }
    zmq_close(host.router);
    zmq_ctx_term(host.context);
    snprintf(command, sizeof command, "rm -rf %s", host.dir);
    return shell(command);
}

/* ---- the toolhost ------------------------------------------------------------ */

static void
hear(void)
{
    int n = zmq_recv(host.router, host.peer, sizeof host.peer, 0);

    if (n <= 0)
        fail_msg("the toolhost says nothing");
    host.peer_bytes = (size_t)n;
    n = zmq_recv(host.router, host.text, sizeof host.text - 1, 0);
    assert_true(n >= 0 && (size_t)n < sizeof host.text);
    host.text[n] = '\0';
}

static void
say(const char *text)
{
    zmq_send(host.router, host.peer, host.peer_bytes, ZMQ_SNDMORE);
    zmq_send(host.router, text, strlen(text), 0);
}

/* Starts the plugin with that config and waits for its hello. */
static void
launch(const char *config)
{
    char boot[6000], program[300], path[300];
    int fds[2];

    snprintf(program, sizeof program, "%s/voxring-toolhost", build_dir());
    snprintf(path, sizeof path, "%s/plugins/agent_search.so", build_dir());
    snprintf(boot, sizeof boot,
             "{\"protocol\":1,\"endpoint\":\"ipc://%s/s\",\"token\":\"T\","
             "\"name\":\"agent_search\",\"result_max_bytes\":262144,"
             "\"memory_bytes\":0,\"concurrent_calls\":8,"
             "\"config\":%s}\n",
             host.dir, config);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    host.pid = fork();
    if (host.pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        if (!getenv("VERBOSE"))
            dup2(null, 2);
        unsetenv("http_proxy");
        unsetenv("all_proxy");
        unsetenv("ALL_PROXY");
        dup2(fds[0], 3);
        fcntl(3, F_SETFD, 0);
        execl(program, program, path, (char *)NULL);
        _exit(99);
    }
    close(fds[0]);
    host.boot_fd = fds[1];
    assert_int_equal(write(fds[1], boot, strlen(boot)), strlen(boot));
    hear();
    assert_non_null(strstr(host.text, "voxring/hello"));
}

static int
await_exit(void)
{
    struct pollfd p = {(int)syscall(SYS_pidfd_open, host.pid, 0), POLLIN, 0};
    int status = 0;

    assert_true(p.fd >= 0);
    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
    close(p.fd);
    assert_int_equal(waitpid(host.pid, &status, 0), host.pid);
    host.pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* With a sanitizer its report is the exit status. */
static int
quit(void **state)
{
    int status = 0;

    (void)state;
    if (host.boot_fd >= 0)
        close(host.boot_fd);
    host.boot_fd = -1;
    if (host.pid > 0)
        status = await_exit();
    return status;
}

static int
launch_all(void **state)
{
    static const char *const kinds[] = {
        "new",      "newstream", "old",     "oldstream", "oldname",
        "wrongurl", "grpc",      "missing", "badcard",   "moved",
        "locked",   "elsewhere", "guest",   "dead"};
    char config[6000] = "{\"agents\":{", path[128];
    FILE *file;

    (void)state;
    snprintf(path, sizeof path, "%s/headers", host.dir);
    file = fopen(path, "w");
    if (!file)
        return -1;
    fputs("# a comment\r\n\nX-Key: opensesame\r\nX-Empty:\n", file);
    fclose(file);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const char *kind = kinds[i];
        bool has_key =
            strcmp(kind, "locked") == 0 || strcmp(kind, "elsewhere") == 0;
        size_t used = strlen(config);
        snprintf(config + used, sizeof config - used,
                 "%s\"%s\":{\"url\":\"http://127.0.0.1:%d/%s/\","
                 "\"timeout_s\":30%s%s%s}",
                 i ? "," : "", kind, host.port,
                 strcmp(kind, "guest") == 0 ? "locked" : kind,
                 has_key ? ",\"headers_file\":\"" : "", has_key ? path : "",
                 has_key ? "\"" : "");
    }
    snprintf(config + strlen(config), sizeof config - strlen(config), "}}");
    launch(config);
    return 0;
}

/* Sends a call; its id. */
static unsigned
begin_call(const char *agent, const char *question, const char *conversation)
{
    char text[2000];
    unsigned id = ++host.next_id;

    snprintf(text, sizeof text,
             "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"tools/call\","
             "\"params\":{\"name\":\"agent_search\",\"arguments\":{"
             "\"question\":\"%s\"%s%s%s},\"_meta\":{\"progressToken\":%u,"
             "\"voxring/conversation\":\"%s\",\"voxring/timeout_ms\":60000}}}",
             id, question, agent ? ",\"agent\":\"" : "", agent ? agent : "",
             agent ? "\"" : "", id, conversation);
    say(text);
    host.progress = 0;
    return id;
}

/* Waits for the answer of a call, progress counted; its text. The caller's to
 * free. *is_error tells which kind. */
static char *
end_call(unsigned id, bool *is_error)
{
    for (;;) {
        cJSON *root, *result, *content;
        char *text;

        hear();
        root = cJSON_Parse(host.text);
        assert_non_null(root);
        if (strstr(host.text, "notifications/progress")) {
            host.progress++;
            snprintf(host.last_progress, sizeof host.last_progress, "%.290s",
                     host.text);
        }
        result = cJSON_GetObjectItem(root, "result");
        if (!result || !cJSON_GetObjectItem(root, "id") ||
            cJSON_GetObjectItem(root, "id")->valueint != (int)id) {
            cJSON_Delete(root);
            continue;
        }
        content = cJSON_GetArrayItem(cJSON_GetObjectItem(result, "content"), 0);
        text = strdup(cJSON_GetObjectItem(content, "text")->valuestring);
        *is_error = cJSON_IsTrue(cJSON_GetObjectItem(result, "isError"));
        cJSON_Delete(root);
        return text;
    }
}

/* Asks and checks that the answer has that part. */
static void
expect_in(const char *conversation, const char *agent, const char *question,
          bool wants_error, const char *part)
{
    bool is_error;
    char *text = end_call(begin_call(agent, question, conversation), &is_error);

    if (is_error != wants_error || !strstr(text, part))
        fail_msg("%s: %s -> %s", agent ? agent : "(none)", question, text);
    free(text);
}

static void
expect(const char *agent, const char *question, const char *part)
{
    expect_in("", agent, question, false, part);
}

static void
expect_error(const char *agent, const char *question, const char *part)
{
    expect_in("", agent, question, true, part);
}

/* ---- the tests --------------------------------------------------------------- */

static const char *const plain[] = {"new", "old", "newstream", "oldstream"};

static void
it_asks_in_both_versions(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        expect(plain[i], "hi \\u00e4",
               "\"state\":\"completed\",\"answer\":\"You asked: hi \xc3\xa4\"");
        expect(plain[i], "task",
               "\"answer\":\"polled\\n{\\\"n\\\":1}\\n"
               "[file y.png (image/png) at http://x/y.png]");
        assert_true(host.progress > 0);
        assert_non_null(strstr(host.last_progress, "on it"));
        expect(plain[i], "hiccup", "\"answer\":\"polled");
    }
    expect("oldname", "hi", "You asked: hi");
    expect(NULL, "hi", "\"agent\":\"new\"");
}

static void
it_hears_streams(void **state)
{
    (void)state;
    for (size_t i = 2; i < 4; i++) {
        expect(plain[i], "stream", "\"answer\":\"Hello \xc3\xa4\"}");
        assert_true(host.progress > 0);
        expect(plain[i], "lines", "\"answer\":\"Hello \xc3\xa4\"}");
        expect(plain[i], "reply", "\"answer\":\"at once\"}");
        expect(plain[i], "bare", "\"answer\":\"from the task\"}");
        expect(plain[i], "drop", "\"answer\":\"polled");
        expect_error(plain[i], "dropearly",
                     "its stream ended before it said anything of use");
        expect_error(plain[i], "badevent", "no JSON object");
        expect_error(plain[i], "flood", "an event of more than 1048576 bytes");
    }
}

static void
each_state_has_its_result(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        expect_error(plain[i], "failed", "could not do it: because");
        expect_error(plain[i], "rejected", "declines to do it: because");
        expect_error(plain[i], "canceled", "cancelled it: because");
        expect_error(plain[i], "auth-required", "wants an authorization");
        expect(plain[i], "input-required",
               "\"state\":\"input-required\","
               "\"question\":\"Which city?\","
               "\"note\":");
    }
}

static void
a_conversation_goes_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        expect_in("k1", plain[i], "input-required", false, "Which city?");
        expect_in("k2", plain[i], "context", false, "\"answer\":\"None\"");
        expect_in("k1", plain[i], "Rome", false, "weather in Rome");
        expect_in("k1", plain[i], "context", false, "\"answer\":\"c1\"");
        expect_in("", plain[i], "context", false, "\"answer\":\"None\"");
        /* what it no longer knows is asked anew */
        expect_in("k3", plain[i], "forgetful", false, "Which city?");
        expect_in("k3", plain[i], "context", false, "\"answer\":\"None\"");
    }
}

static void
more_conversations_than_fit_are_forgotten(void **state)
{
    char key[16];

    (void)state;
    expect_in("first", "new", "hi", false, "hi");
    for (int i = 0; i < 70; i++) {
        snprintf(key, sizeof key, "n%d", i);
        expect_in(key, "new", "hi", false, "hi");
    }
    expect_in("n69", "new", "context", false, "\"answer\":\"c1\"");
    expect_in("first", "new", "context", false, "\"answer\":\"None\"");
}

static void
nonsense_is_an_error(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        expect_error(plain[i], "garbage", "no JSON object");
        expect_error(plain[i], "nonsense", "neither a message nor a task");
        expect_error(plain[i], "longid", "its task id has 1000 bytes");
        expect_error(plain[i], "nobody", "neither a result nor an error");
        expect_error(plain[i], "huge", "more than 1048576 bytes");
        expect_error(plain[i], "error", "it says: my fault (error -32603)");
        expect_error(plain[i], "http", "it answered HTTP 500");
        expect_error(plain[i], "redirect", "it redirects");
        expect_error(plain[i], "hangup", "cannot be asked: ");
        expect(plain[i], "long", "\"truncated\":true");
    }
}

static void
bad_cards_and_places_are_told(void **state)
{
    (void)state;
    expect_error("wrongurl", "hi",
                 "names the URL 'ftp://127.0.0.1/rpc', which "
                 "is neither http nor https");
    expect_error("grpc", "hi", "its card offers GRPC 1.0; this plugin speaks");
    expect_error("missing", "hi", "there is no card below http://127.0.0.1:");
    expect_error("badcard", "hi", "its card is no JSON object");
    expect_error("moved", "hi", "HTTP 302");
    expect_error("dead", "hi", "onnect to 127.0.0.1 port 1");
    expect_error("nobody", "hi",
                 "There is no agent 'nobody'. There are: new, ");
    expect_error("new", " ", "The question is empty");
}

static void
credentials_go_to_the_configured_host_only(void **state)
{
    (void)state;
    expect("locked", "hi", "You asked: hi");
    expect_error("guest", "hi", "it answered HTTP 401; its credentials belong");
    expect_error("elsewhere", "hi", "its card names another host");
}

static void
a_cancelled_call_cancels_the_task(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        unsigned id = begin_call(plain[i], "slow", "");
        char text[200], count[40];
        bool is_error;
        char *answer;

        while (host.progress == 0) { /* it runs at the agent */
            hear();
            host.progress +=
                strstr(host.text, "notifications/progress") != NULL;
        }
        snprintf(text, sizeof text,
                 "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
                 "\"params\":{\"requestId\":%u}}",
                 id);
        say(text);
        answer = end_call(id, &is_error);
        assert_true(is_error);
        assert_non_null(strstr(answer, "The question was cancelled"));
        free(answer);
        /* the agent hears of it right after that */
        snprintf(count, sizeof count, "\"%zu cancelled\"", i + 1);
        for (bool told = false; !told;) {
            answer = end_call(begin_call("new", "cancelled", ""), &is_error);
            told = strstr(answer, count) != NULL;
            free(answer);
        }
    }
}

/* Answers come in any order. */
static void
calls_overlap(void **state)
{
    (void)state;
    for (size_t round = 0; round < 5; round++) {
        for (size_t i = 0; i < 12; i++)
            begin_call(plain[i % 4], "task", "same");
        for (size_t i = 0; i < 12; i++) {
            do
                hear();
            while (!strstr(host.text, "\"result\""));
            if (!strstr(host.text, "polled"))
                fail_msg("%s", host.text);
        }
    }
}

static long
resident_pages(void)
{
    char path[64], line[128] = "";
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/statm", (int)host.pid);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    fclose(file);
    return strtol(strchr(line, ' '), NULL, 10);
}

/* A question's own memory is some 10 pages, so a leak of it is far above what
 * the allocator keeps. */
static void
many_calls_leak_nothing(void **state)
{
    long before = 0;

    (void)state;
    if (strstr(build_dir(), "san"))
        skip(); /* a sanitizer keeps what was freed */
    for (int i = 0; i < 600; i++) {
        if (i == 200)
            before = resident_pages();
        expect_in("leak", plain[i % 4], "hi", false, "You asked: hi");
        expect_error(plain[i % 4], "failed", "could not do it");
        expect(plain[2 + i % 2], "reply", "at once");
    }
    assert_true(resident_pages() - before < 1024);
}

static void
expect_refusal(const char *config, const char *part)
{
    launch(config);
    if (!strstr(host.text, part))
        fail_msg("%s -> %s", config, host.text);
    kill(host.pid, SIGTERM);
    close(host.boot_fd);
    host.boot_fd = -1;
    (void)await_exit();
}

static void
a_bad_config_is_refused(void **state)
{
    (void)state;
    expect_refusal("{}", "plugins.config.agent_search is missing: it needs");
    expect_refusal("{\"agents\":{}}", "with 1 to 16 agents");
    expect_refusal("{\"agents\":{\"a\":{}}}", "agents.a needs either card_url");
    expect_refusal("{\"agents\":5}", "must be an object");
    expect_refusal("{\"url\":\"gopher://x\"}",
                   "plugins.config.agent_search.url is neither http nor https");
    expect_refusal("{\"url\":\"http://u:p@x/\"}", "has a user in it");
    expect_refusal("{\"url\":\"http://x\",\"card_url\":\"http://x\"}",
                   "needs either card_url");
    expect_refusal("{\"url\":\"http://x\",\"timeout\":5}",
                   "agent_search.timeout is unknown");
    expect_refusal("{\"url\":\"http://x\",\"timeout_s\":0}",
                   "timeout_s must be a number from 0.1 to 86400");
    expect_refusal("{\"url\":\"http://x\",\"headers_file\":\"/none/such\"}",
                   "'/none/such' cannot be read: No such file");
}

static void
time_passes(void **state)
{
    char config[200];

    (void)state;
    snprintf(config, sizeof config,
             "{\"card_url\":\"http://127.0.0.1:%d/newstream/.well-known/"
             "agent-card.json\",\"timeout_s\":0.5,\"answer_bytes\":300}",
             host.port);
    launch(config);
    expect_error("agent", "slow", "The agent agent did not answer in time");
    expect(NULL, "long", "\"truncated\":true");
}

int
main(void)
{
#define ALL(test) cmocka_unit_test_setup_teardown(test, launch_all, quit)
    const struct CMUnitTest tests[] = {
        ALL(it_asks_in_both_versions),
        ALL(it_hears_streams),
        ALL(each_state_has_its_result),
        ALL(a_conversation_goes_on),
        ALL(more_conversations_than_fit_are_forgotten),
        ALL(nonsense_is_an_error),
        ALL(bad_cards_and_places_are_told),
        ALL(credentials_go_to_the_configured_host_only),
        ALL(a_cancelled_call_cancels_the_task),
        ALL(calls_overlap),
        ALL(many_calls_leak_nothing),
        cmocka_unit_test_teardown(a_bad_config_is_refused, quit),
        cmocka_unit_test_teardown(time_passes, quit),
    };

    return cmocka_run_group_tests(tests, begin, end);
}

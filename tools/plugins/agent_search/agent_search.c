/* agent_search: asks another agent, by the Agent2Agent protocol (A2A).
 *
 *     "plugins": {"config": {"agent_search": {"agents": {
 *         "library": {"card_url": "https://.../.well-known/agent-card.json",
 *                     "headers_file": "/etc/voxring/library.headers"}}}}}
 *
 * README.md tells the rest. Each question has a thread of its own, because an
 * answer may take minutes and questions may overlap. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <curl/curl.h>

#include "tools/plugins/agent_search/agent.h"
#include "tools/plugins/agent_search/contexts.h"
#include "tools/plugins/agent_search/message.h"
#include "tools/plugins/agent_search/outcome.h"
#include "tools/plugins/agent_search/question.h"
#include "tools/plugins/agent_search/settings.h"
#include "tools/voxring_tool.h"

#define QUESTIONS_MAX 16u
#define STACK_BYTES (1u << 20)

static struct {
    const struct voxring_host *host;
    struct settings settings;
    struct agent agents[SETTINGS_AGENTS_MAX];
    pthread_mutex_t lock;
    pthread_cond_t change;
    unsigned open; /* threads */
} plugin = {.lock = PTHREAD_MUTEX_INITIALIZER,
            .change = PTHREAD_COND_INITIALIZER};

static int
init(const struct voxring_host *host, const char *config_json, char *why,
     size_t why_bytes)
{
    plugin.host = host;
    if (!settings_read(&plugin.settings, config_json, why, why_bytes))
        return -1;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        snprintf(why, why_bytes, "libcurl cannot be used on this machine");
        return -1;
    }
    for (unsigned i = 0; i < plugin.settings.count; i++)
        agent_init(&plugin.agents[i], &plugin.settings.agents[i], i);
    return 0;
}

static void
fini(void)
{
    pthread_mutex_lock(&plugin.lock);
    while (plugin.open > 0)
        pthread_cond_wait(&plugin.change, &plugin.lock);
    pthread_mutex_unlock(&plugin.lock);
    for (unsigned i = 0; i < plugin.settings.count; i++)
        agent_fini(&plugin.agents[i]);
    contexts_clear();
    settings_fini(&plugin.settings);
    curl_global_cleanup();
}

static void
fail(uint64_t token, const char *sentence)
{
    char *json = outcome_of_fault(sentence);

    plugin.host->complete(token, VOXRING_ERROR, json ? json : sentence);
    cJSON_free(json);
}

/* The agent of that name; the first one for no name. NULL: the call has been
 * told which there are. */
static struct agent *
find_agent(uint64_t token, const char *name)
{
    char sentence[SETTINGS_AGENTS_MAX * SETTINGS_NAME_BYTES + 200];
    char shown[80];
    size_t used;

    for (unsigned i = 0; i < plugin.settings.count; i++) {
        if (!name[0] || strcmp(name, plugin.settings.agents[i].name) == 0)
            return &plugin.agents[i];
    }
    snprintf(shown, sizeof shown, "%.70s", name);
    used = (size_t)snprintf(sentence, sizeof sentence,
                            "There is no agent '%s'. There are:", shown);
    for (unsigned i = 0; i < plugin.settings.count; i++)
        used +=
            (size_t)snprintf(sentence + used, sizeof sentence - used, "%s %s",
                             i ? "," : "", plugin.settings.agents[i].name);
    fail(token, sentence);
    return NULL;
}

static void
question_free(struct question **question)
{
    if (*question)
        free((*question)->text);
    free(*question);
    *question = NULL;
}

/* What fini waits for: the caller touches nothing of the plugin after it. */
static void
give_place(void)
{
    pthread_mutex_lock(&plugin.lock);
    plugin.open--;
    pthread_cond_signal(&plugin.change);
    pthread_mutex_unlock(&plugin.lock);
}

static void *
thread_main(void *arg)
{
    struct question *question = arg;

    question_run(question);
    question_free(&question);
    give_place();
    return NULL;
}

static bool
start_thread(struct question *question)
{
    pthread_attr_t attributes;
    pthread_t thread;
    bool good;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    good = pthread_create(&thread, &attributes, thread_main, question) == 0;
    pthread_attr_destroy(&attributes);
    return good;
}

/* A place among the threads, or false. */
static bool
take_place(void)
{
    bool good;

    pthread_mutex_lock(&plugin.lock);
    good = plugin.open < QUESTIONS_MAX;
    plugin.open += good;
    pthread_mutex_unlock(&plugin.lock);
    return good;
}

static struct question *
question_new(const struct voxring_call *call, struct agent *agent,
             const char *text)
{
    struct question *question = calloc(1, sizeof *question);
    const char *key =
        call->conversation[0] ? call->conversation : call->session;

    if (!question)
        return NULL;
    question->host = plugin.host;
    question->token = call->token;
    question->agent = agent;
    question->deadline_ns = call->deadline_ns;
    question->text = strdup(text);
    if (strlen(key) < sizeof question->key)
        snprintf(question->key, sizeof question->key, "%s", key);
    if (!question->text)
        question_free(&question);
    return question;
}

static void
ask(const struct voxring_call *call, struct agent *agent, const char *text)
{
    struct question *question;

    if (text[strspn(text, " \t\r\n")] == '\0') {
        fail(call->token, "The question is empty");
        return;
    }
    if (!take_place()) {
        fail(call->token, "Too many questions are open; ask again later");
        return;
    }
    question = question_new(call, agent, text);
    if (question && start_thread(question))
        return;
    question_free(&question);
    give_place();
    fail(call->token, "There is no memory for the question");
}

static void
search_call(const struct voxring_call *call)
{
    cJSON *input = cJSON_Parse(call->input_json);
    struct agent *agent =
        find_agent(call->token, message_string(input, "agent"));

    if (agent)
        ask(call, agent, message_string(input, "question"));
    cJSON_Delete(input);
}

static const struct voxring_tool tools[] = {{
    .name = "agent_search",
    .description =
        "Asks another agent, which can search and knows what you do not, and "
        "gives you its answer. Use it when the user wants information that "
        "neither you nor another tool has. It may take a while. If the agent "
        "asks something back, ask the user, then call this again with the "
        "user's answer.",
    .input_schema =
        "{\"type\":\"object\",\"properties\":{"
        "\"question\":{\"type\":\"string\",\"description\":\"The whole "
        "question, in the user's language, understandable without the "
        "conversation\"},"
        "\"agent\":{\"type\":\"string\",\"description\":\"Which agent to ask, "
        "by its name; leave it out if you know none\"}},"
        "\"required\":[\"question\"]}",
    .mode = VOXRING_ASYNC,
    .threading = VOXRING_PARALLEL,
    .call = search_call,
}};

VOXRING_EXPORT const struct voxring_plugin voxring_plugin = {
    VOXRING_PLUGIN_HEAD,
    .name = "agent_search",
    .version = "1.0",
    .tools = tools,
    .tool_count = sizeof tools / sizeof tools[0],
    .tool_bytes = sizeof tools[0],
    .init = init,
    .fini = fini,
};

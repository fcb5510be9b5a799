#include "tools/plugins/agent_search/question.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <cjson/cJSON.h>

#include "tools/plugins/agent_search/outcome.h"
#include "tools/plugins/agent_search/rpc.h"

#define NS_PER_MS 1000000u
#define WHY_BYTES 1600
#define POLL_FIRST_MS 100u
#define POLL_MAX_MS 5000u
#define POLL_FAULTS_MAX 5u /* in a row */
#define STOP_CHECK_MS 100u
#define CANCEL_MS 3000u

/* How far a question is. */
enum course {
    COURSE_OPEN,    /* ask for the task again, later */
    COURSE_SETTLED, /* the task tells */
    COURSE_STOPPED, /* nobody waits any more */
    COURSE_LATE,
    COURSE_REFUSED, /* by a JSON-RPC error */
    COURSE_FAILED   /* see why */
};

struct run {
    const struct question *question;
    struct exchange *exchange;
    struct headers headers;
    struct card card;
    struct task task;
    struct context context;
    uint64_t deadline_ns;
    unsigned told_updates; /* of the task, as progress */
    long refusal;          /* the code of COURSE_REFUSED */
    bool may_retry_poll;   /* the last fault may pass */
    char why[WHY_BYTES];   /* the end of a sentence about the agent */
};

static bool
is_stopped(void *arg)
{
    const struct run *run = arg;

    return run->question->host->is_cancelled(run->question->token) != 0;
}

/* The agent's headers go where the config says the agent is, and nowhere that
 * only its card names. */
static struct exchange_request
request_to(const struct run *run, const char *url)
{
    const struct agent_settings *settings = run->question->agent->settings;

    return (struct exchange_request){
        .url = url,
        .headers =
            address_same_origin(url, settings->url) ? &run->headers : NULL,
        .ca_file = settings->ca_file,
        .version = run->card.dialect == DIALECT_0_3 ? "0.3" : "1.0",
        .deadline_ns = run->deadline_ns,
        .is_stopped = is_stopped,
        .arg = (void *)(uintptr_t)run,
    };
}

static void
tell_progress(struct run *run)
{
    const struct question *question = run->question;
    char message[200];

    if (run->task.updates == run->told_updates || task_is_settled(&run->task))
        return;
    run->told_updates = run->task.updates;
    text_copy(message, sizeof message,
              run->task.status.used_bytes ? text_get(&run->task.status)
                                          : task_state_name(run->task.state));
    question->host->progress(question->token, run->told_updates, 0, message);
}

/* ---- answers ---------------------------------------------------------------- */

static enum course
take_answer(struct run *run, const char *json, size_t bytes,
            bool (*take)(struct task *task, const cJSON *result, char *why,
                         size_t why_bytes))
{
    struct rpc_answer answer;
    enum course course = COURSE_FAILED;

    if (!rpc_read(&answer, json, bytes, run->why, sizeof run->why))
        return COURSE_FAILED;
    if (!answer.result) {
        run->refusal = answer.code;
        snprintf(run->why, sizeof run->why, "it says: %s (error %ld)",
                 answer.message[0] ? answer.message : "nothing", answer.code);
        course = COURSE_REFUSED;
    } else if (take(&run->task, answer.result, run->why, sizeof run->why)) {
        course = task_is_settled(&run->task) ? COURSE_SETTLED : COURSE_OPEN;
        tell_progress(run);
    }
    rpc_close(&answer);
    return course;
}

static enum course
fault_of_status(struct run *run, const struct exchange_response *response)
{
    const char *hint = "";

    if (response->status == 401 || response->status == 403)
        hint = address_same_origin(run->card.url,
                                   run->question->agent->settings->url)
                   ? "; its credentials belong into headers_file"
                   : "; its card names another host than the config does, and "
                     "headers_file is not sent there: configure the agent by "
                     "a url or card_url on that host";
    else if (response->status >= 300 && response->status < 400)
        hint = "; it redirects, which is not followed: put its new place into "
               "the config";
    run->may_retry_poll = response->status == 429 || response->status >= 500;
    snprintf(run->why, sizeof run->why, "it answered HTTP %ld%s",
             response->status, hint);
    return COURSE_FAILED;
}

/* Errors of JSON-RPC may come with any status. */
static enum course
take_response(struct run *run, const struct exchange_response *response,
              bool (*take)(struct task *task, const cJSON *result, char *why,
                           size_t why_bytes))
{
    enum course course;

    run->may_retry_poll = false;
    switch (response->end) {
    case EXCHANGE_STOPPED:
        return COURSE_STOPPED;
    case EXCHANGE_LATE:
        return COURSE_LATE;
    case EXCHANGE_FAILED:
        run->may_retry_poll = true;
        snprintf(run->why, sizeof run->why, "%s", response->why);
        return COURSE_FAILED;
    case EXCHANGE_ENOUGH:
    case EXCHANGE_DONE:
        break;
    }
    if (response->status == 200)
        return take_answer(run, response->body ? response->body : "",
                           response->body_bytes, take);
    course = take_answer(run, response->body ? response->body : "",
                         response->body_bytes, take);
    return course == COURSE_REFUSED ? course : fault_of_status(run, response);
}

/* ---- asking ----------------------------------------------------------------- */

/* A body that could not be built. */
static enum course
no_memory(struct run *run)
{
    snprintf(run->why, sizeof run->why, "there is no memory for the question");
    return COURSE_FAILED;
}

/* What a stream's events lead to. */
struct listening {
    struct run *run;
    enum course course;
    bool began;
};

/* An answer to a waiting task may be followed by that task as it still was,
 * which asks the same again; only what comes after that is news. */
static bool
is_echo(const struct listening *listening)
{
    const struct run *run = listening->run;

    return !listening->began && run->context.task_id[0] &&
           strcmp(run->task.id, run->context.task_id) == 0 &&
           run->task.state == TASK_input_required;
}

static bool
on_event(void *arg, const char *data, size_t bytes)
{
    struct listening *listening = arg;

    listening->course = take_answer(listening->run, data, bytes, task_apply);
    if (listening->course == COURSE_SETTLED && is_echo(listening))
        listening->course = COURSE_OPEN;
    listening->began = true;
    return listening->course == COURSE_OPEN;
}

static bool
is_listening_stopped(void *arg)
{
    return is_stopped(((struct listening *)arg)->run);
}

/* A stream that breaks off is no failure once the agent has named the task:
 * asking for that gets everything, also what was lost. */
static enum course
end_of_stream(struct run *run, const struct listening *listening,
              const struct exchange_response *response)
{
    if (response->end == EXCHANGE_STOPPED)
        return COURSE_STOPPED;
    if (response->end == EXCHANGE_LATE)
        return COURSE_LATE;
    if (listening->course != COURSE_OPEN)
        return listening->course;
    if (task_is_settled(&run->task))
        return COURSE_SETTLED;
    if (run->task.id[0])
        return COURSE_OPEN;
    snprintf(run->why, sizeof run->why,
             "its stream ended before it said anything of use%s%s",
             response->why[0] ? ": " : "", response->why);
    return COURSE_FAILED;
}

static enum course
listen(struct run *run, const char *body)
{
    struct exchange_request request = request_to(run, run->card.url);
    struct listening listening = {run, COURSE_OPEN, false};
    struct exchange_response response;
    enum course course;

    request.body = body;
    request.on_event = on_event;
    request.is_stopped = is_listening_stopped;
    request.arg = &listening;
    exchange_run(run->exchange, &request, &response);
    course = response.is_stream ? end_of_stream(run, &listening, &response)
                                : take_response(run, &response, task_apply);
    exchange_response_fini(&response);
    return course;
}

static enum course
post(struct run *run, const char *body,
     bool (*take)(struct task *task, const cJSON *result, char *why,
                  size_t why_bytes))
{
    struct exchange_request request = request_to(run, run->card.url);
    struct exchange_response response;
    enum course course;

    request.body = body;
    exchange_run(run->exchange, &request, &response);
    course = take_response(run, &response, take);
    exchange_response_fini(&response);
    return course;
}

static bool
message_id(char *id, size_t id_bytes)
{
    unsigned char bytes[16];
    size_t used = 0;

    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return false;
    for (size_t i = 0; i < sizeof bytes && used + 3 < id_bytes; i++)
        used += (size_t)snprintf(id + used, id_bytes - used, "%02x", bytes[i]);
    return true;
}

static enum course
say(struct run *run)
{
    char id[40];
    struct rpc_message message = {
        run->question->text, id, run->context.context_id, run->context.task_id};
    enum rpc_method method = run->card.streaming ? RPC_STREAM : RPC_SEND;
    /* a waiting task that is handed back at once is as it was before */
    bool waits = run->card.streaming || run->context.task_id[0];
    enum course course;
    char *body = NULL;

    if (message_id(id, sizeof id))
        body = rpc_say(run->card.dialect, method, run->card.tenant, &message,
                       !waits);
    if (!body)
        return no_memory(run);
    course =
        run->card.streaming ? listen(run, body) : post(run, body, task_apply);
    cJSON_free(body);
    return course;
}

/* Whether the agent may have refused what we remember of the conversation, not
 * the question. */
static bool
may_be_stale(const struct run *run)
{
    bool remembered = run->context.context_id[0] || run->context.task_id[0];

    return remembered && (run->refusal == RPC_TASK_NOT_FOUND ||
                          run->refusal == RPC_TASK_NOT_CANCELABLE ||
                          run->refusal == RPC_UNSUPPORTED ||
                          run->refusal == RPC_INVALID_REQUEST ||
                          run->refusal == RPC_INVALID_PARAMS);
}

static enum course
ask(struct run *run)
{
    enum course course = say(run);

    if (course == COURSE_REFUSED && may_be_stale(run)) {
        memset(&run->context, 0, sizeof run->context);
        course = say(run);
    }
    if (course == COURSE_REFUSED &&
        (run->refusal == RPC_NO_METHOD || run->refusal == RPC_VERSION))
        agent_forget_card(run->question->agent);
    if (course == COURSE_FAILED && !run->task.id[0])
        agent_forget_card(run->question->agent);
    if (course == COURSE_OPEN && !run->task.id[0]) {
        snprintf(run->why, sizeof run->why,
                 "it names no task that could be waited for");
        course = COURSE_FAILED;
    }
    return course;
}

/* ---- waiting ---------------------------------------------------------------- */

static enum course
sleep_ms(struct run *run, unsigned ms)
{
    for (unsigned slept_ms = 0; slept_ms < ms; slept_ms += STOP_CHECK_MS) {
        struct timespec step = {0, STOP_CHECK_MS * NS_PER_MS};
        if (is_stopped(run))
            return COURSE_STOPPED;
        if (exchange_now_ns() >= run->deadline_ns)
            return COURSE_LATE;
        nanosleep(&step, NULL);
    }
    return COURSE_OPEN;
}

static enum course
get_task(struct run *run)
{
    char *body =
        rpc_about(run->card.dialect, RPC_GET, run->card.tenant, run->task.id);
    enum course course;

    if (!body)
        return no_memory(run);
    course = post(run, body, task_take);
    cJSON_free(body);
    return course;
}

static enum course
wait_for_task(struct run *run)
{
    unsigned pause_ms = POLL_FIRST_MS, faults = 0;
    enum course course = COURSE_OPEN;

    while (course == COURSE_OPEN) {
        course = sleep_ms(run, pause_ms);
        if (course != COURSE_OPEN)
            break;
        course = get_task(run);
        if (course == COURSE_FAILED && run->may_retry_poll &&
            ++faults < POLL_FAULTS_MAX)
            course = COURSE_OPEN;
        else if (course == COURSE_OPEN)
            faults = 0;
        pause_ms = pause_ms * 8 / 5;
        if (pause_ms > POLL_MAX_MS)
            pause_ms = POLL_MAX_MS;
    }
    return course;
}

/* A stream may have told only of the end; the task itself has the answer. */
static void
complete_answer(struct run *run)
{
    struct text answer;
    bool is_empty;

    if (run->task.is_message || run->task.state != TASK_completed ||
        !run->card.streaming)
        return;
    text_init(&answer, 1);
    task_answer(&run->task, &answer);
    is_empty = answer.used_bytes == 0 && !answer.cut;
    text_fini(&answer);
    if (is_empty)
        (void)get_task(run);
}

/* ---- the end ---------------------------------------------------------------- */

static void
cancel_task(struct run *run)
{
    struct exchange_request request = request_to(run, run->card.url);
    const char *id = run->task.id[0] ? run->task.id : run->context.task_id;
    struct exchange_response response;
    char *body;

    if (!id[0])
        return;
    body = rpc_about(run->card.dialect, RPC_CANCEL, run->card.tenant, id);
    request.body = body;
    request.is_stopped = NULL;
    request.deadline_ns = exchange_now_ns() + (uint64_t)CANCEL_MS * NS_PER_MS;
    if (body) {
        exchange_run(run->exchange, &request, &response);
        exchange_response_fini(&response);
    }
    cJSON_free(body);
}

static void
complete(const struct question *question, bool is_error, char *json)
{
    question->host->complete(
        question->token, is_error ? VOXRING_ERROR : VOXRING_OK,
        json ? json : "{\"error\":\"There is no memory for the answer\"}");
    cJSON_free(json);
}

static void
fail(const struct question *question, const char *sentence)
{
    complete(question, true, outcome_of_fault(sentence));
}

/* What a later question of this conversation needs. A task that is over is
 * not continued. */
static void
remember(struct run *run)
{
    const struct question *question = run->question;
    struct context context = {{0}, {0}};

    text_copy(context.context_id, sizeof context.context_id,
              run->task.context_id);
    if (run->task.state == TASK_input_required)
        text_copy(context.task_id, sizeof context.task_id, run->task.id);
    if (context.context_id[0] || context.task_id[0])
        contexts_put(question->key, question->agent->number, &context);
}

static void
finish(struct run *run, enum course course)
{
    const struct question *question = run->question;
    const struct agent_settings *agent = question->agent->settings;
    char sentence[WHY_BYTES + 200];
    bool is_error = false;
    char *json;

    switch (course) {
    case COURSE_SETTLED:
        remember(run);
        json = outcome_of_task(agent->name, &run->task, agent->answer_bytes,
                               &is_error);
        complete(question, is_error || !json, json);
        break;
    case COURSE_STOPPED:
        fail(question, "The question was cancelled");
        break;
    case COURSE_LATE:
        snprintf(sentence, sizeof sentence,
                 "The agent %s did not answer in time", agent->name);
        fail(question, sentence);
        break;
    case COURSE_OPEN:
    case COURSE_REFUSED:
    case COURSE_FAILED:
        snprintf(sentence, sizeof sentence, "The agent %s cannot be asked: %s",
                 agent->name, run->why);
        fail(question, sentence);
        break;
    }
    if (course != COURSE_SETTLED)
        cancel_task(run);
}

static enum course
fetch_card(struct run *run)
{
    struct agent *agent = run->question->agent;
    struct exchange_request request = request_to(run, agent->settings->url);

    request.version = "1.0";
    switch (agent_card(agent, run->exchange, &request, &run->card, run->why,
                       sizeof run->why)) {
    case EXCHANGE_DONE:
        return COURSE_OPEN;
    case EXCHANGE_STOPPED:
        return COURSE_STOPPED;
    case EXCHANGE_LATE:
        return COURSE_LATE;
    case EXCHANGE_ENOUGH:
    case EXCHANGE_FAILED:
        break;
    }
    return COURSE_FAILED;
}

static enum course
go(struct run *run)
{
    const struct question *question = run->question;
    enum course course;

    if (!run->exchange)
        return no_memory(run);
    if (!headers_load(&run->headers, question->agent->settings->headers_file,
                      run->why, sizeof run->why))
        return COURSE_FAILED;
    course = fetch_card(run);
    if (course != COURSE_OPEN)
        return course;
    contexts_take(question->key, question->agent->number, &run->context);
    course = ask(run);
    if (course == COURSE_OPEN)
        course = wait_for_task(run);
    if (course == COURSE_SETTLED)
        complete_answer(run);
    return course;
}

void
question_run(const struct question *question)
{
    const struct agent_settings *agent = question->agent->settings;
    uint64_t deadline_ns =
        exchange_now_ns() + agent->timeout_ms * (uint64_t)NS_PER_MS;
    struct run *run = calloc(1, sizeof *run);

    if (!run) {
        complete(question, true, NULL);
        return;
    }
    run->question = question;
    run->deadline_ns = deadline_ns < question->deadline_ns
                           ? deadline_ns
                           : question->deadline_ns;
    run->exchange = exchange_new();
    task_init(&run->task, agent->answer_bytes);
    finish(run, go(run));
    task_fini(&run->task);
    headers_fini(&run->headers);
    exchange_free(&run->exchange);
    free(run);
}

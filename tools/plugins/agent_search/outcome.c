#include "tools/plugins/agent_search/outcome.h"

#include <stdio.h>

#include <cjson/cJSON.h>

/* What an error's sentence quotes of the agent. */
#define QUOTE_BYTES 600

static const char ask_note[] =
    "The agent needs an answer to go on. Ask the user this question, then call "
    "agent_search again with the user's answer as the question; the agent "
    "remembers what it was about.";

char *
outcome_of_fault(const char *sentence)
{
    cJSON *object = cJSON_CreateObject();
    char *json;

    cJSON_AddStringToObject(object, "error", sentence);
    json = cJSON_PrintUnformatted(object);
    cJSON_Delete(object);
    return json;
}

/* What an agent says of a state that is no answer. */
static void
remark_of(const struct task *task, struct text *out)
{
    text_add(out, text_get(&task->status));
    if (out->used_bytes == 0)
        task_answer(task, out);
}

static char *
result_of(const char *agent, const struct task *task, const char *key,
          const struct text *text, const char *note)
{
    cJSON *object = cJSON_CreateObject();
    char *json;

    cJSON_AddStringToObject(object, "agent", agent);
    cJSON_AddStringToObject(object, "state", task_state_name(task->state));
    cJSON_AddStringToObject(object, key, text_get(text));
    if (note)
        cJSON_AddStringToObject(object, "note", note);
    if (text->cut)
        cJSON_AddTrueToObject(object, "truncated");
    json = cJSON_PrintUnformatted(object);
    cJSON_Delete(object);
    return json;
}

static char *
error_of(const char *agent, const struct task *task)
{
    static const char *const did[] = {
        [TASK_failed] = "could not do it",
        [TASK_canceled] = "cancelled it",
        [TASK_rejected] = "declines to do it",
        [TASK_auth_required] =
            "wants an authorization that this robot lacks (see headers_file)",
        [TASK_unknown] = "did not say how it ended",
    };
    char sentence[QUOTE_BYTES + 200];
    struct text remark;

    text_init(&remark, QUOTE_BYTES);
    remark_of(task, &remark);
    snprintf(sentence, sizeof sentence, "The agent %s %s%s%s%s", agent,
             did[task->state] ? did[task->state] : did[TASK_unknown],
             remark.used_bytes ? ": " : "", text_get(&remark),
             remark.cut ? " ..." : "");
    text_fini(&remark);
    return outcome_of_fault(sentence);
}

char *
outcome_of_task(const char *agent, const struct task *task, size_t answer_bytes,
                bool *is_error)
{
    struct text text;
    char *json;

    *is_error = false;
    text_init(&text, answer_bytes);
    if (task->state == TASK_completed) {
        task_answer(task, &text);
        json = result_of(agent, task, "answer", &text,
                         text.used_bytes ? NULL
                                         : "The agent finished without a text");
    } else if (task->state == TASK_input_required) {
        remark_of(task, &text);
        json = result_of(agent, task, "question", &text, ask_note);
    } else {
        *is_error = true;
        json = error_of(agent, task);
    }
    text_fini(&text);
    return json;
}

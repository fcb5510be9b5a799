#include "tools/plugins/agent_search/task.h"

#include <stdio.h>
#include <string.h>

#include "tools/plugins/agent_search/message.h"

static const struct {
    const char *old_name, *name;
    bool settled;
} states[] = {
#define STATE(symbol, old_name, name, settled) {old_name, name, settled},
#include "tools/plugins/agent_search/state.tbl.h"
#undef STATE
};

void
task_init(struct task *task, size_t limit_bytes)
{
    memset(task, 0, sizeof *task);
    task->limit_bytes = limit_bytes;
    text_init(&task->status, limit_bytes);
    text_init(&task->history, limit_bytes);
}

static void
drop_artifacts(struct task *task)
{
    for (unsigned i = 0; i < task->artifact_count; i++)
        text_fini(&task->artifacts[i].text);
    task->artifact_count = 0;
    task->artifacts_lost = false;
}

void
task_fini(struct task *task)
{
    drop_artifacts(task);
    text_fini(&task->status);
    text_fini(&task->history);
}

const char *
task_state_name(enum task_state state)
{
    return states[state].old_name;
}

bool
task_is_settled(const struct task *task)
{
    return task->is_message || states[task->state].settled;
}

static enum task_state
state_of(const cJSON *status)
{
    const char *name = message_string(status, "state");

    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        if (strcmp(name, states[i].old_name) == 0 ||
            strcmp(name, states[i].name) == 0)
            return (enum task_state)i;
    }
    return TASK_unknown;
}

static bool
fits(const char *id, const char *what, char *why, size_t why_bytes)
{
    if (strlen(id) < TASK_ID_BYTES)
        return true;
    snprintf(why, why_bytes, "its %s has %zu bytes, more than the %d allowed",
             what, strlen(id), TASK_ID_BYTES - 1);
    return false;
}

/* Notes whose task and conversation it is. *is_ours becomes false for an object
 * about a task that we did not ask for. */
static bool
take_ids(struct task *task, const char *id, const char *context_id,
         bool *is_ours, char *why, size_t why_bytes)
{
    if (!fits(id, "task id", why, why_bytes) ||
        !fits(context_id, "context id", why, why_bytes))
        return false;
    *is_ours = !id[0] || !task->id[0] || strcmp(id, task->id) == 0;
    if (!*is_ours)
        return true;
    if (id[0])
        text_copy(task->id, sizeof task->id, id);
    if (context_id[0])
        text_copy(task->context_id, sizeof task->context_id, context_id);
    return true;
}

static void
take_status(struct task *task, const cJSON *status)
{
    const cJSON *message = cJSON_GetObjectItemCaseSensitive(status, "message");

    if (!cJSON_IsObject(status))
        return;
    task->state = state_of(status);
    task->updates++;
    text_clear(&task->status);
    message_read(message, &task->status);
}

/* The artifact of that id, a new one if there is none, NULL if none fits. */
static struct artifact *
artifact_at(struct task *task, const char *id)
{
    struct artifact *artifact;

    for (unsigned i = 0; i < task->artifact_count; i++) {
        if (strcmp(task->artifacts[i].id, id) == 0)
            return &task->artifacts[i];
    }
    if (task->artifact_count == TASK_ARTIFACTS_MAX) {
        task->artifacts_lost = true;
        return NULL;
    }
    artifact = &task->artifacts[task->artifact_count++];
    text_copy(artifact->id, sizeof artifact->id, id);
    text_init(&artifact->text, task->limit_bytes);
    return artifact;
}

static void
take_artifact(struct task *task, const cJSON *object, bool append)
{
    char id[TASK_ID_BYTES];
    struct artifact *artifact;

    if (!cJSON_IsObject(object))
        return;
    text_copy(id, sizeof id, message_string(object, "artifactId"));
    artifact = artifact_at(task, id);
    if (!artifact)
        return;
    if (!append)
        text_clear(&artifact->text);
    message_read_artifact(object, &artifact->text);
}

static void
take_history(struct task *task, const cJSON *history)
{
    const cJSON *message;

    if (!cJSON_IsArray(history))
        return;
    cJSON_ArrayForEach(message, history)
    {
        if (!message_is_agents(message))
            continue;
        text_clear(&task->history);
        message_read(message, &task->history);
    }
}

bool
task_take(struct task *task, const cJSON *object, char *why, size_t why_bytes)
{
    const cJSON *artifacts =
        cJSON_GetObjectItemCaseSensitive(object, "artifacts");
    const cJSON *artifact;
    bool is_ours;

    if (!cJSON_IsObject(object) || !message_string(object, "id")[0]) {
        snprintf(why, why_bytes, "its answer is no task with an id");
        return false;
    }
    if (!take_ids(task, message_string(object, "id"),
                  message_string(object, "contextId"), &is_ours, why,
                  why_bytes))
        return false;
    if (!is_ours)
        return true;
    take_status(task, cJSON_GetObjectItemCaseSensitive(object, "status"));
    if (cJSON_IsArray(artifacts)) {
        drop_artifacts(task);
        cJSON_ArrayForEach(artifact, artifacts)
            take_artifact(task, artifact, false);
    }
    take_history(task, cJSON_GetObjectItemCaseSensitive(object, "history"));
    return true;
}

static bool
take_message(struct task *task, const cJSON *object, char *why,
             size_t why_bytes)
{
    bool is_ours;

    if (!take_ids(task, message_string(object, "taskId"),
                  message_string(object, "contextId"), &is_ours, why,
                  why_bytes))
        return false;
    if (!is_ours)
        return true;
    task->is_message = true;
    task->state = TASK_completed;
    text_clear(&task->status);
    message_read(object, &task->status);
    return true;
}

static bool
take_update(struct task *task, const cJSON *object, char *why, size_t why_bytes)
{
    const cJSON *artifact =
        cJSON_GetObjectItemCaseSensitive(object, "artifact");
    bool is_ours;

    if (!take_ids(task, message_string(object, "taskId"),
                  message_string(object, "contextId"), &is_ours, why,
                  why_bytes))
        return false;
    if (!is_ours)
        return true;
    take_status(task, cJSON_GetObjectItemCaseSensitive(object, "status"));
    take_artifact(
        task, artifact,
        cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, "append")));
    return true;
}

bool
task_apply(struct task *task, const cJSON *result, char *why, size_t why_bytes)
{
    /* 1.0 names the shape by a member, 0.3 by "kind" */
    static const struct {
        const char *member, *kind;
        bool (*take)(struct task *task, const cJSON *object, char *why,
                     size_t why_bytes);
    } shapes[] = {
        {"task", "task", task_take},
        {"message", "message", take_message},
        {"statusUpdate", "status-update", take_update},
        {"artifactUpdate", "artifact-update", take_update},
    };
    const char *kind = message_string(result, "kind");

    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        const cJSON *member =
            cJSON_GetObjectItemCaseSensitive(result, shapes[i].member);
        if (strcmp(kind, shapes[i].kind) == 0)
            return shapes[i].take(task, result, why, why_bytes);
        if (!kind[0] && cJSON_IsObject(member))
            return shapes[i].take(task, member, why, why_bytes);
    }
    snprintf(why, why_bytes,
             "its answer is neither a message nor a task nor news of one");
    return false;
}

void
task_answer(const struct task *task, struct text *out)
{
    for (unsigned i = 0; i < task->artifact_count; i++) {
        const struct text *text = &task->artifacts[i].text;
        if (text->used_bytes > 0 && out->used_bytes > 0)
            text_add(out, "\n\n");
        text_add(out, text_get(text));
        out->cut |= text->cut;
    }
    out->cut |= task->artifacts_lost;
    if (out->used_bytes == 0) {
        text_add(out, text_get(&task->status));
        out->cut |= task->status.cut;
    }
    if (out->used_bytes == 0) {
        text_add(out, text_get(&task->history));
        out->cut |= task->history.cut;
    }
}

/* What an agent does for us, put together from whatever it sends: a message, a
 * whole task, or the events of a stream, in the shapes of A2A 0.3 and 1.0. */
#ifndef TOOLS_PLUGINS_AGENT_SEARCH_TASK_H
#define TOOLS_PLUGINS_AGENT_SEARCH_TASK_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

#include "tools/plugins/agent_search/text.h"

#define TASK_ID_BYTES 256
#define TASK_ARTIFACTS_MAX 32u

enum task_state {
#define STATE(symbol, ...) TASK_##symbol,
#include "tools/plugins/agent_search/state.tbl.h"
#undef STATE
};

struct artifact {
    char id[TASK_ID_BYTES];
    struct text text;
};

struct task {
    char id[TASK_ID_BYTES];         /* "" while it is not known, and for an
                                       agent that answers by a message */
    char context_id[TASK_ID_BYTES]; /* "" while it is not known */
    enum task_state state;
    bool is_message;     /* answered at once, without a task */
    unsigned updates;    /* how many status updates came */
    struct text status;  /* what the newest status says */
    struct text history; /* what the agent said last */
    size_t limit_bytes;  /* of each text */
    struct artifact artifacts[TASK_ARTIFACTS_MAX];
    unsigned artifact_count;
    bool artifacts_lost; /* more of them than fit */
};

/* Nothing is known of it yet. Give it back with task_fini(). [any] */
void task_init(struct task *task, size_t limit_bytes);

/* Frees what is in it. [any] */
void task_fini(struct task *task);

/* Takes the result of a request or of a stream's event. False if it is none
 * of A2A's, or has an id beyond TASK_ID_BYTES; the task is then as before and
 * `why` says what is wrong. What is about another task changes nothing. [any]
 */
bool task_apply(struct task *task, const cJSON *result, char *why,
                size_t why_bytes);

/* Takes a bare task, the answer to tasks/get and tasks/cancel. As
 * task_apply(). [any] */
bool task_take(struct task *task, const cJSON *object, char *why,
               size_t why_bytes);

/* Whether waiting longer brings nothing. [any] */
bool task_is_settled(const struct task *task);

/* The state's name as users know it, that of A2A 0.3. Static. [any] */
const char *task_state_name(enum task_state state);

/* What it has to tell, into `out`: the artifacts; without any, what the status
 * says; without that, what the agent said last. [any] */
void task_answer(const struct task *task, struct text *out);

#endif

/* What a hostile agent can send: a card, headers' text, a stream of events cut
 * anywhere, an answer. The first byte picks which, the second how it is cut.
 * Whatever comes out is bounded and UTF-8.
 *
 * fuzz-module: tools/plugins/agent_search/sse.c
 * fuzz-module: tools/plugins/agent_search/card.c
 * fuzz-module: tools/plugins/agent_search/address.c
 * fuzz-module: tools/plugins/agent_search/rpc.c
 * fuzz-module: tools/plugins/agent_search/task.c
 * fuzz-module: tools/plugins/agent_search/message.c
 * fuzz-module: tools/plugins/agent_search/outcome.c
 * fuzz-module: tools/plugins/agent_search/text.c
 * fuzz-module: tools/plugins/agent_search/headers.c
 * fuzz-module: tools/plugins/agent_search/settings.c
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "tools/plugins/agent_search/card.h"
#include "tools/plugins/agent_search/headers.h"
#include "tools/plugins/agent_search/outcome.h"
#include "tools/plugins/agent_search/rpc.h"
#include "tools/plugins/agent_search/settings.h"
#include "tools/plugins/agent_search/sse.h"
#include "tools/plugins/agent_search/task.h"

#define LIMIT_BYTES 500u
#define EVENT_BYTES 2000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool good)
{
    if (!good)
        abort();
}

/* A second opinion about UTF-8: what is repaired needs no repair. */
static void
check_text(const char *text)
{
    struct text copy;

    text_init(&copy, strlen(text));
    text_add(&copy, text);
    check(!copy.cut && strcmp(text_get(&copy), text) == 0);
    text_fini(&copy);
}

static void
check_task(const struct task *task)
{
    struct text answer;
    bool is_error;
    char *json;

    check(task->artifact_count <= TASK_ARTIFACTS_MAX);
    check(memchr(task->id, 0, TASK_ID_BYTES) != NULL);
    check_text(task->id);
    check_text(task->context_id);
    text_init(&answer, LIMIT_BYTES);
    task_answer(task, &answer);
    check(answer.used_bytes <= LIMIT_BYTES);
    check_text(text_get(&answer));
    text_fini(&answer);
    if (!task_is_settled(task))
        return;
    json = outcome_of_task("a", task, LIMIT_BYTES, &is_error);
    check(json && strlen(json) < 6 * LIMIT_BYTES + 1000);
    check_text(json);
    cJSON_free(json);
}

struct seen {
    struct task task;
    unsigned events;
};

static bool
on_event(void *arg, const char *data, size_t bytes)
{
    struct seen *seen = arg;
    struct rpc_answer answer;
    char why[200] = "";

    check(bytes <= EVENT_BYTES && data[bytes] == '\0');
    seen->events++;
    if (!rpc_read(&answer, data, bytes, why, sizeof why)) {
        check(why[0] != '\0');
        return seen->events < 20;
    }
    if (!answer.result)
        check_text(answer.message);
    else if (!task_apply(&seen->task, answer.result, why, sizeof why))
        check(why[0] != '\0');
    rpc_close(&answer);
    check_task(&seen->task);
    return true;
}

static void
read_stream(const char *text, size_t n, size_t step)
{
    struct seen seen = {.events = 0};
    enum sse_verdict verdict = SSE_MORE;
    struct sse sse;

    task_init(&seen.task, LIMIT_BYTES);
    sse_init(&sse, EVENT_BYTES, on_event, &seen);
    for (size_t at = 0; at < n; at += step)
        verdict = sse_feed(&sse, text + at, step < n - at ? step : n - at);
    check(verdict == sse_feed(&sse, "", 0));
    sse_fini(&sse);
    task_fini(&seen.task);
}

static void
read_answer(const char *text, size_t n, bool is_bare)
{
    char why[200] = "";
    struct rpc_answer answer;
    struct task task;

    task_init(&task, LIMIT_BYTES);
    if (rpc_read(&answer, text, n, why, sizeof why)) {
        if (answer.result)
            (void)(is_bare ? task_take : task_apply)(&task, answer.result, why,
                                                     sizeof why);
        rpc_close(&answer);
    }
    check_task(&task);
    task_fini(&task);
}

static void
read_card(const char *text, size_t n)
{
    char why[400] = "";
    struct card card;

    if (!card_read(&card, text, n, why, sizeof why)) {
        check(why[0] != '\0');
        return;
    }
    check(address_is_good(card.url, why, sizeof why));
    check(address_same_origin(card.url, card.url));
    check(strlen(card.tenant) < sizeof card.tenant);
}

static void
read_headers(const char *text, size_t n)
{
    struct headers headers;
    char why[200] = "";
    char *own = malloc(n + 1);

    check(own != NULL);
    memcpy(own, text, n);
    own[n] = '\0';
    if (headers_parse(&headers, own, n, why, sizeof why)) {
        check(headers.count <= HEADERS_MAX);
        for (size_t i = 0; i < headers.count; i++)
            check(strchr(headers.lines[i], ':') &&
                  !strpbrk(headers.lines[i], "\r\n"));
    } else {
        check(why[0] != '\0');
    }
    headers_fini(&headers);
}

static void
read_settings(const char *text, size_t n)
{
    struct settings settings;
    char why[400] = "";
    char *own = malloc(n + 1);

    check(own != NULL);
    memcpy(own, text, n);
    own[n] = '\0';
    if (settings_read(&settings, own, why, sizeof why)) {
        check(settings.count >= 1 && settings.count <= SETTINGS_AGENTS_MAX);
        settings_fini(&settings);
    } else {
        check(why[0] != '\0');
    }
    free(own);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data + 2;

    if (size < 2)
        return 0;
    switch (data[0] % 8) {
    case 0:
        read_card(text, size - 2);
        break;
    case 1:
        read_headers(text, size - 2);
        break;
    case 2:
        read_settings(text, size - 2);
        break;
    case 3:
    case 4:
        read_answer(text, size - 2, data[0] % 8 == 3);
        break;
    default:
        read_stream(text, size - 2, data[1] % 61 + 1u);
        break;
    }
    return 0;
}

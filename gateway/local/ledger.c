#include "gateway/local/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool
ledger_init(struct ledger *ledger)
{
    *ledger = (struct ledger){0};
    ledger->streams = calloc(LEDGER_STREAMS_MAX, sizeof(*ledger->streams));
    return ledger->streams != NULL;
}

void
ledger_fini(struct ledger *ledger)
{
    free(ledger->streams);
    *ledger = (struct ledger){0};
}

struct ledger_stream *
ledger_find(struct ledger *ledger, unsigned number)
{
    struct ledger_stream *s = &ledger->streams[number % LEDGER_STREAMS_MAX];
    return number != 0 && s->number == number ? s : NULL;
}

unsigned
ledger_request(struct ledger *ledger, uint64_t now_ms)
{
    unsigned number = ++ledger->requests;
    struct ledger_stream *s = &ledger->streams[number % LEDGER_STREAMS_MAX];
    *s = (struct ledger_stream){.number = number, .opened_ms = now_ms};
    return number;
}

void
ledger_open(struct ledger *ledger, unsigned number, const char *model)
{
    struct ledger_stream *s = ledger_find(ledger, number);
    if (s == NULL)
        return;
    snprintf(s->model, sizeof(s->model), "%s", model);
    s->counted = true;
    ledger->open++;
}

void
ledger_answer(struct ledger *ledger)
{
    ledger->opened++;
    if (ledger->open > ledger->highest)
        ledger->highest = ledger->open;
}

void
ledger_end(struct ledger *ledger, unsigned number, uint64_t now_ms,
           const char *how)
{
    struct ledger_stream *s = ledger_find(ledger, number);
    if (s == NULL || s->ended)
        return;
    s->ended = true;
    s->ended_ms = now_ms;
    snprintf(s->how, sizeof(s->how), "%s", how);
    if (s->counted)
        ledger->open--;
    s->counted = false;
}

static cJSON *
describe_stream(const struct ledger_stream *s, uint64_t now_ms)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddNumberToObject(object, "stream", s->number);
    cJSON_AddStringToObject(object, "model", s->model);
    cJSON_AddBoolToObject(object, "open", s->counted);
    cJSON_AddNumberToObject(
        object, "age_ms",
        (double)((s->ended ? s->ended_ms : now_ms) - s->opened_ms));
    cJSON_AddNumberToObject(object, "audio_bytes", (double)s->audio_bytes);
    cJSON_AddNumberToObject(object, "faults", s->faults);
    cJSON_AddStringToObject(object, "ended", s->how);
    return object;
}

cJSON *
ledger_describe(const struct ledger *ledger, uint64_t now_ms)
{
    cJSON *object = cJSON_CreateObject();
    unsigned first = ledger->requests < LEDGER_STREAMS_MAX
                         ? 1
                         : ledger->requests - LEDGER_STREAMS_MAX + 1;
    cJSON_AddNumberToObject(object, "requests", ledger->requests);
    cJSON_AddNumberToObject(object, "opened", ledger->opened);
    cJSON_AddNumberToObject(object, "open", ledger->open);
    cJSON_AddNumberToObject(object, "highest", ledger->highest);
    cJSON *list = cJSON_AddArrayToObject(object, "streams");
    for (unsigned i = first; i <= ledger->requests; i++)
        cJSON_AddItemToArray(
            list,
            describe_stream(&ledger->streams[i % LEDGER_STREAMS_MAX], now_ms));
    return object;
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/events/bus.h"
#include "gateway/jsonx.h"
#include "tests/session/fake_bus.h"

struct fake_news fake_news[FAKE_BUS_MAX];
size_t fake_news_count;

uint64_t
bus_publish(struct bus *bus, enum event_type type,
            const struct event_subject *subject, cJSON *data)
{
    static const char *const names[] = {
#define EVENT(symbol, name, keep, what) #symbol,
#include "gateway/events/events.tbl.h"
#undef EVENT
    };
    (void)bus;
    if (!data) /* memory is out: dropped */
        return 0;
    if (subject) {
        assert_non_null(subject->session);
        assert_true(subject->conversation[0] != '\0');
    }
    assert_true(fake_news_count < FAKE_BUS_MAX);
    fake_news[fake_news_count++] = (struct fake_news){names[type], data};
    return fake_news_count;
}

void
fake_bus_reset(void)
{
    for (size_t i = 0; i < fake_news_count; i++)
        cJSON_Delete(fake_news[i].data);
    fake_news_count = 0;
}

static bool
is_it(const struct fake_news *n, const char *type, const char *key,
      const char *value)
{
    return strcmp(n->type, type) == 0 &&
           (!key || strcmp(jsonx_text(n->data, key, ""), value) == 0);
}

const cJSON *
fake_bus_last(const char *type, const char *key, const char *value)
{
    for (size_t i = fake_news_count; i-- > 0;) {
        if (is_it(&fake_news[i], type, key, value))
            return fake_news[i].data;
    }
    return NULL;
}

size_t
fake_bus_count(const char *type, const char *key, const char *value)
{
    size_t count = 0;
    for (size_t i = 0; i < fake_news_count; i++)
        count += is_it(&fake_news[i], type, key, value);
    return count;
}

static bool told_streams;

static void
tell(const struct fake_news *n, char *word, size_t size)
{
    const cJSON *d = n->data;
    const char *response = jsonx_text(d, "response", "");
    const char *status = jsonx_text(d, "status", NULL);
    if (strcmp(n->type, "session_state") == 0)
        snprintf(word, size, "state:%s ", jsonx_text(d, "state", "?"));
    else if (strcmp(n->type, "response") == 0)
        snprintf(word, size, "%s:%s%s%s ", status ? "end" : "start", response,
                 status ? ":" : "", status ? status : "");
    else if (strcmp(n->type, "turn") == 0)
        snprintf(word, size, "turn:%s ", jsonx_text(d, "turn", "?"));
    else if (strcmp(n->type, "transcript") == 0)
        snprintf(word, size, "%s(%s) ",
                 jsonx_text(d, "role", "")[0] == 'u'    ? "user"
                 : jsonx_text(d, "stage", "")[0] == 'f' ? "said"
                                                        : "plan",
                 jsonx_text(d, "text", "?"));
    else if (strcmp(n->type, "interruption") == 0)
        snprintf(word, size, "cut:%s:%s ", response,
                 jsonx_text(d, "reason", "?"));
    else if (strcmp(n->type, "tool_call") == 0)
        snprintf(word, size, "call:%s ", jsonx_text(d, "tool", "?"));
    else if (strcmp(n->type, "tool_result") == 0)
        snprintf(word, size, "result:%s ", jsonx_text(d, "outcome", "?"));
    else if (strcmp(n->type, "error") == 0)
        snprintf(word, size, "error:%s ", jsonx_text(d, "code", "?"));
    else if (strcmp(n->type, "speech") == 0)
        snprintf(word, size, "speech:%s ", jsonx_text(d, "phase", "?"));
    else if (strcmp(n->type, "stream") == 0 && told_streams)
        snprintf(word, size, "%s:%d ", jsonx_text(d, "phase", "?"),
                 (int)jsonx_number(d, "stream", 0));
    else
        word[0] = '\0';
}

const char *
fake_bus_streams(void)
{
    told_streams = true;
    const char *story = fake_bus_story();
    told_streams = false;
    return story;
}

const char *
fake_bus_story(void)
{
    static char story[65536];
    size_t used = 0;
    story[0] = '\0';
    for (size_t i = 0; i < fake_news_count; i++) {
        tell(&fake_news[i], story + used, sizeof story - used);
        used += strlen(story + used);
    }
    return story;
}

/* Random conversations: speech, silence, texts, tool results late, early and
 * twice, time jumping. Whatever happens, what comes out is well formed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/local/talk.h"

#define TOOL(name)                                                \
    "{\"toolSpec\":{\"name\":\"" name "\",\"description\":\"d\"," \
    "\"inputSchema\":{\"json\":\"{\\\"type\\\":\\\"object\\\"}\"}}}"

static const char script[] =
    "{\"endpoint_ms\":300,\"first_audio_ms\":50,\"lines\":["
    "{\"hear\":\"a\",\"say\":\"One two three four five. Six seven eight.\"},"
    "{\"hear\":\"b\",\"tool\":[{\"name\":\"t\"},{\"name\":\"u\"}],"
    "\"parallel\":true,\"say_before\":\"Wait.\",\"say_while\":\"Still at "
    "it.\",\"say\":\"{t.x}\"},"
    "{\"hear\":\"c\",\"slow_ms\":900,\"say\":\"\"},"
    "{\"on\":\"silence\",\"after_ms\":1500,\"say\":\"Hm?\"}]}";

struct dice {
    uint32_t state;
};

static unsigned
roll(struct dice *dice, unsigned sides)
{
    dice->state = dice->state * 1664525u + 1013904223u;
    return (dice->state >> 16) % sides;
}

/* Answers the n-th tool use that was seen; a second answer ends the stream. */
static void
answer_one(struct talk *t, struct dice *dice, bool *answered, int *names)
{
    int from = 0;
    int nth = (int)roll(dice, 6);
    const cJSON *use = NULL;
    char name[32];

    for (int i = 0; i <= nth; i++) {
        use = talk_find(t, "toolUse", &from);
        if (use == NULL)
            return;
    }
    if (answered[nth] && roll(dice, 20) != 0)
        return;
    answered[nth] = true;
    snprintf(name, sizeof(name), "R%d", (*names)++);
    talk_result(t, name, talk_string(use, "toolUseId"), "{\"x\":1}");
}

static void
act(struct talk *t, struct dice *dice, bool *answered, int *names)
{
    static const char *const texts[] = {"a", "b", "c", "what"};
    char name[32];

    switch (roll(dice, 6)) {
    case 0:
        talk_tone(t, 50 + roll(dice, 600));
        break;
    case 1:
        snprintf(name, sizeof(name), "T%d", (*names)++);
        talk_text(t, name, texts[roll(dice, 4)]);
        break;
    case 2:
        answer_one(t, dice, answered, names);
        break;
    case 3:
        talk_wait(t, roll(dice, 3000));
        break;
    default:
        talk_silence(t, roll(dice, 1500));
        break;
    }
}

static void
assert_well_formed(const struct talk *t)
{
    const char *open_id = NULL;
    const char *type = "";
    const cJSON *event;
    int completions = 0;

    cJSON_ArrayForEach(event, t->events)
    {
        const char *name = talk_string(event, "_name");
        const char *id = talk_string(event, "contentId");

        if (strcmp(name, "completionStart") == 0)
            completions++;
        if (strcmp(name, "contentStart") == 0) {
            assert_null(open_id);
            open_id = id;
            type = talk_string(event, "type");
        } else if (strcmp(name, "contentEnd") == 0) {
            assert_non_null(open_id);
            assert_string_equal(id, open_id);
            assert_string_equal(talk_string(event, "type"), type);
            open_id = NULL;
        } else if (id[0] != '\0') {
            assert_non_null(open_id);
            assert_string_equal(id, open_id);
        }
        if (strcmp(name, "audioOutput") == 0)
            assert_string_equal(type, "AUDIO");
    }
    assert_true(completions <= 1);
    /* A stream that ended in its order has closed its blocks. */
    if (t->exception[0] == '\0')
        assert_null(open_id);
}

static void
play(uint32_t seed)
{
    static const char *const models[] = {"amazon.nova-2-sonic-v1:0",
                                         "amazon.nova-sonic-v1:0"};
    struct dice dice = {seed * 2654435761u + 1};
    bool answered[8] = {false};
    int names = 0;
    struct talk t;

    talk_open(&t, script, roll(&dice, 2) == 0 ? EAR_SCRIPT : EAR_NONE,
              models[roll(&dice, 2)]);
    talk_start(&t, TOOL("t") "," TOOL("u"));
    for (int i = 0; i < 25 && !t.ended; i++)
        act(&t, &dice, answered, &names);
    if (!t.ended)
        talk_finish(&t);
    assert_true(t.ended);
    assert_well_formed(&t);
    talk_close(&t);
}

static void
test_random_conversations(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 150; seed++)
        play(seed);
}

/* Many turns, one after another, leave nothing behind that grows: what waits
 * is bounded and told. */
static void
test_a_flood_of_texts(void **state)
{
    struct talk t;

    (void)state;
    talk_open(&t, script, EAR_NONE, "amazon.nova-2-sonic-v1:0");
    talk_start(&t, "");
    for (int i = 0; i < 100; i++) {
        char name[32];

        snprintf(name, sizeof(name), "T%d", i);
        talk_text(&t, name, "a");
    }
    assert_int_equal(talk_notes(&t, "turn: dropped: too many turns"), 91);
    talk_silence(&t, 30000);
    /* One had the floor, eight waited, and in the end silence spoke. */
    assert_int_equal(talk_notes(&t, "turn: answered"), 10);
    talk_finish(&t);
    assert_well_formed(&t);
    talk_close(&t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_conversations),
        cmocka_unit_test(test_a_flood_of_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

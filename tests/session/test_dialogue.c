/* Turns and responses: one start, one end, texts where they belong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/clock.h"
#include "gateway/session/dialogue.h"

#define MS CLOCK_NS_PER_MS

/* Everything the dialogue tells, one word after the other. */
struct story {
    char told[4096];
    unsigned started, ended, turns;
    struct turn last_turn;
    char user_text[256], assistant_text[256];
};

static void
tell(struct story *s, const char *format, ...)
{
    va_list args;
    size_t used = strlen(s->told);
    va_start(args, format);
    vsnprintf(s->told + used, sizeof s->told - used, format, args);
    va_end(args);
}

static void
on_text(void *arg, const struct dialogue_text *t)
{
    if (t->user)
        tell(arg, "user%d(%s|%s) ", (int)t->turn_id, t->text, t->turn_text);
    else
        tell(arg, "%s%d(%s) ", t->final ? "said" : "plan", (int)t->response_id,
             t->text);
}

static void
on_started(void *arg, const struct response *r)
{
    struct story *s = arg;
    s->started++;
    tell(s, "start%d/%d ", (int)r->id, (int)r->turn_id);
}

static void
on_ended(void *arg, const struct response *r)
{
    struct story *s = arg;
    s->ended++;
    tell(s, "end%d:%s ", (int)r->id, response_status_name(r->status));
}

static void
on_turn(void *arg, const struct turn *t, const struct response *r)
{
    struct story *s = arg;
    s->turns++;
    s->last_turn = *t;
    snprintf(s->user_text, sizeof s->user_text, "%s",
             strbuf_text(&t->user_text));
    snprintf(s->assistant_text, sizeof s->assistant_text, "%s",
             r ? strbuf_text(&r->spoken) : "");
    tell(s, "turn%d%s ", (int)t->id, r && r->interrupted ? "!" : "");
}

static const struct dialogue_ops ops = {on_text, on_started, on_ended, on_turn};

struct fixture {
    struct story story;
    struct dialogue *d;
};

static int
set_up(void **state)
{
    static struct fixture f;
    memset(&f, 0, sizeof f);
    f.d = dialogue_new(&ops, &f.story);
    *state = &f;
    return f.d ? 0 : -1;
}

static int
tear_down(void **state)
{
    struct fixture *f = *state;
    dialogue_free(&f->d);
    return 0;
}

static void
say(struct dialogue *d, const char *text, uint64_t now_ns)
{
    dialogue_user_text(d, text, strlen(text), now_ns);
}

static void
plan(struct dialogue *d, const char *text, uint64_t now_ns)
{
    dialogue_planned(d, text, strlen(text), now_ns);
}

static void
spoken(struct dialogue *d, const char *text, uint64_t now_ns)
{
    dialogue_spoken(d, text, strlen(text), now_ns);
    dialogue_spoken_end(d, now_ns);
}

static void
test_plain_turn(void **state)
{
    struct fixture *f = *state;
    dialogue_speech_started(f->d, 1 * MS);
    dialogue_speech_ended(f->d, 900 * MS);
    say(f->d, "what time", 1000 * MS);
    say(f->d, "is it", 1010 * MS);
    plan(f->d, "It is noon.", 1100 * MS);
    struct response *r = dialogue_audio_begin(f->d, 1110 * MS);
    dialogue_audio(f->d, r, 1120 * MS);
    dialogue_generated(f->d, r, 1300 * MS);
    assert_int_equal(f->story.ended, 0);
    spoken(f->d, "It is noon.", 1350 * MS);
    assert_int_equal(f->story.turns, 0);
    dialogue_played(f->d, r->id, 3000 * MS);
    assert_string_equal(f->story.told, "user1(what time|what time) "
                                       "user1(is it|what time is it) start1/1 "
                                       "plan1(It is noon.) said1(It is noon.) "
                                       "end1:complete turn1 ");
    assert_int_equal(f->story.last_turn.speech_ended_ns, 900 * MS);
    assert_true(f->story.last_turn.speech_end_measured);
    assert_string_equal(f->story.user_text, "what time is it");
    assert_string_equal(f->story.assistant_text, "It is noon.");
}

static void
test_final_texts_may_stay_away(void **state)
{
    struct fixture *f = *state;
    say(f->d, "hi", 1 * MS);
    plan(f->d, "Hello.", 2 * MS);
    struct response *r = dialogue_audio_begin(f->d, 3 * MS);
    dialogue_generated(f->d, r, 10 * MS);
    assert_int_equal(dialogue_deadline_ns(f->d), 1010 * MS);
    dialogue_tick(f->d, 1009 * MS);
    assert_int_equal(f->story.ended, 0);
    dialogue_tick(f->d, 1010 * MS);
    assert_int_equal(f->story.ended, 1);
    spoken(f->d, "Hello.", 1500 * MS);
    assert_non_null(strstr(f->story.told, "end1:complete said1(Hello.)"));
}

static void
test_late_final_texts_stay_with_their_response(void **state)
{
    struct fixture *f = *state;
    say(f->d, "one", 1 * MS);
    plan(f->d, "First.", 2 * MS);
    struct response *r = dialogue_audio_begin(f->d, 3 * MS);
    dialogue_generated(f->d, r, 10 * MS);
    say(f->d, "two", 20 * MS);
    plan(f->d, "Second.", 30 * MS);
    spoken(f->d, "First.", 40 * MS);
    r = dialogue_audio_begin(f->d, 50 * MS);
    dialogue_generated(f->d, r, 60 * MS);
    spoken(f->d, "Second.", 70 * MS);
    assert_non_null(strstr(f->story.told, "said1(First.)"));
    assert_non_null(strstr(f->story.told, "said2(Second.)"));
    assert_int_equal(f->story.started, 2);
    assert_int_equal(f->story.ended, 2);
}

static void
test_barge_in_is_told_once(void **state)
{
    struct fixture *f = *state;
    say(f->d, "tell a story", 1 * MS);
    plan(f->d, "Once upon a time.", 2 * MS);
    struct response *r = dialogue_audio_begin(f->d, 3 * MS);
    dialogue_audio(f->d, r, 4 * MS);
    dialogue_speech_started(f->d, 500 * MS);
    assert_true(dialogue_interrupted(f->d, r, true, 400, false, 510 * MS));
    assert_false(dialogue_interrupted(f->d, r, true, 450, false, 520 * MS));
    dialogue_generated(f->d, r, 530 * MS);
    spoken(f->d, "Once upon", 540 * MS);
    say(f->d, "stop", 600 * MS);
    plan(f->d, "All right.", 700 * MS);
    assert_string_equal(f->story.told,
                        "user1(tell a story|tell a story) start1/1 "
                        "plan1(Once upon a time.) end1:interrupted turn1! "
                        "said1(Once upon) user2(stop|stop) start2/2 "
                        "plan2(All right.) ");
}

static void
test_interruption_behind_the_last_text_is_in_time(void **state)
{
    struct fixture *f = *state;
    say(f->d, "talk", 1 * MS);
    plan(f->d, "Long speech.", 2 * MS);
    struct response *r = dialogue_audio_begin(f->d, 3 * MS);
    dialogue_generated(f->d, r, 10 * MS);
    dialogue_spoken(f->d, "Long", 4, 11 * MS);
    assert_true(dialogue_interrupted(f->d, r, true, 5, false, 12 * MS));
    assert_non_null(strstr(f->story.told, "end1:interrupted turn1! "));
}

static void
test_words_tell_whose_they_are(void **state)
{
    struct fixture *f = *state;
    say(f->d, "talk", 1 * MS);
    plan(f->d, "Long speech.", 2 * MS);
    struct response *r = dialogue_audio_begin(f->d, 3 * MS);
    dialogue_interrupted(f->d, r, true, 5, false, 4 * MS);
    say(f->d, "shorter", 5 * MS);
    plan(f->d, "Well.", 6 * MS);
    dialogue_audio_begin(f->d, 7 * MS);
    spoken(f->d, "Well.", 8 * MS); /* before its end; the first lacks one */
    spoken(f->d, "Long", 9 * MS);
    assert_non_null(strstr(f->story.told, "said2(Well.) "));
    plan(f->d, "Then.", 10 * MS);
    assert_int_equal(f->story.started, 2);
}

static void
test_only_time_or_a_texts_end_settles(void **state)
{
    struct fixture *f = *state;
    say(f->d, "talk", 1 * MS);
    plan(f->d, "Long speech.", 2 * MS);
    struct response *r = dialogue_audio_begin(f->d, 3 * MS);
    dialogue_generated(f->d, r, 10 * MS);
    dialogue_spoken(f->d, "Long speech.", 12, 11 * MS);
    dialogue_tick(f->d, 12 * MS);
    assert_int_equal(f->story.ended, 0);
    dialogue_spoken_end(f->d, 13 * MS);
    assert_int_equal(f->story.ended, 1);
}

static void
test_orderly_end_in_the_middle_of_an_answer(void **state)
{
    struct fixture *f = *state;
    say(f->d, "hi", 1 * MS);
    plan(f->d, "Hel", 2 * MS);
    dialogue_stream_ended(f->d, true, false, 3 * MS);
    assert_non_null(strstr(f->story.told, "end1:interrupted turn1 "));
    say(f->d, "hi", 4 * MS);
    plan(f->d, "Hello.", 5 * MS);
    dialogue_generated(f->d, NULL, 6 * MS);
    dialogue_stream_ended(f->d, true, false, 7 * MS);
    assert_non_null(strstr(f->story.told, "end2:complete turn2 "));
}

static void
test_words_after_a_lost_stream_are_another_turn(void **state)
{
    struct fixture *f = *state;
    say(f->d, "hello", 1 * MS);
    dialogue_stream_ended(f->d, false, false, 2 * MS);
    dialogue_speech_started(f->d, 3 * MS);
    say(f->d, "hello again", 4 * MS);
    dialogue_stream_ended(f->d, false, false, 5 * MS);
    assert_string_equal(f->story.told, "user1(hello|hello) turn1 "
                                       "user2(hello again|hello again) turn2 ");
}

static void
test_interruption_after_generation_marks_the_turn(void **state)
{
    struct fixture *f = *state;
    say(f->d, "talk", 1 * MS);
    plan(f->d, "Long speech.", 2 * MS);
    struct response *r = dialogue_audio_begin(f->d, 3 * MS);
    dialogue_generated(f->d, r, 10 * MS);
    spoken(f->d, "Long speech.", 11 * MS);
    assert_int_equal(f->story.ended, 1);
    assert_true(dialogue_interrupted(f->d, r, true, 1200, true, 5000 * MS));
    assert_non_null(strstr(f->story.told, "end1:complete turn1! "));
    assert_int_equal(f->story.ended, 1);
}

static void
test_control_interrupt_discards_the_rest(void **state)
{
    struct fixture *f = *state;
    say(f->d, "talk", 1 * MS);
    plan(f->d, "One.", 2 * MS);
    struct response *r = dialogue_audio_begin(f->d, 3 * MS);
    assert_true(dialogue_interrupted(f->d, r, false, 10, false, 5 * MS));
    assert_true(r->discarding);
    plan(f->d, "Two.", 6 * MS);
    assert_ptr_equal(dialogue_audio_begin(f->d, 7 * MS), r);
    dialogue_generated(f->d, r, 8 * MS);
    plan(f->d, "New.", 9 * MS);
    assert_int_equal(f->story.started, 2);
    assert_int_equal(f->story.ended, 1);
}

static void
test_tool_keeps_the_response_open(void **state)
{
    struct fixture *f = *state;
    say(f->d, "time", 1 * MS);
    struct response *r = dialogue_tool_called(f->d, "clock", 2 * MS);
    uint64_t id = r->id;
    dialogue_tick(f->d, 200000 * MS);
    assert_int_equal(f->story.ended, 0);
    assert_true(dialogue_deadline_ns(f->d) == UINT64_MAX);
    dialogue_tool_answered(f->d, id, 200001 * MS);
    plan(f->d, "Noon.", 200002 * MS);
    r = dialogue_audio_begin(f->d, 200003 * MS);
    assert_int_equal(r->id, id);
    dialogue_generated(f->d, r, 200004 * MS);
    spoken(f->d, "Noon.", 200005 * MS);
    dialogue_played(f->d, id, 200006 * MS);
    assert_int_equal(f->story.last_turn.tool_count, 1);
    assert_string_equal(f->story.told,
                        "user1(time|time) start1/1 plan1(Noon.) said1(Noon.) "
                        "end1:complete turn1 ");
}

static void
test_another_question_while_a_tool_runs(void **state)
{
    struct fixture *f = *state;
    say(f->d, "dig", 1 * MS);
    uint64_t id = dialogue_tool_called(f->d, "dig", 2 * MS)->id;
    plan(f->d, "I dig.", 3 * MS);
    struct response *r = dialogue_audio_begin(f->d, 4 * MS);
    dialogue_generated(f->d, r, 5 * MS);
    spoken(f->d, "I dig.", 6 * MS);
    dialogue_played(f->d, id, 7 * MS);
    dialogue_text_input(f->d, "hello", false, 8 * MS);
    assert_int_equal(f->story.ended, 0);
    plan(f->d, "Hi.", 9 * MS);
    r = dialogue_audio_begin(f->d, 10 * MS);
    assert_int_equal(r->id, id + 1);
    dialogue_generated(f->d, r, 11 * MS);
    spoken(f->d, "Hi.", 12 * MS);
    dialogue_played(f->d, r->id, 13 * MS);
    dialogue_tool_answered(f->d, id, 14 * MS);
    plan(f->d, "A bone.", 15 * MS);
    assert_string_equal(f->story.told,
                        "user1(dig|dig) start1/1 plan1(I dig.) said1(I dig.) "
                        "end1:complete turn1 start2/2 plan2(Hi.) said2(Hi.) "
                        "end2:complete turn2 start3/3 plan3(A bone.) ");
}

static void
test_another_call_while_a_tool_runs(void **state)
{
    struct fixture *f = *state;
    say(f->d, "dig", 1 * MS);
    uint64_t id = dialogue_tool_called(f->d, "dig", 2 * MS)->id;
    dialogue_speech_started(f->d, 3 * MS); /* nobody's words: not a question */
    assert_int_equal(dialogue_tool_called(f->d, "dig", 4 * MS)->id, id);
    say(f->d, "bake", 5 * MS);
    assert_int_equal(dialogue_tool_called(f->d, "bake", 6 * MS)->id, id + 1);
    dialogue_tool_answered(f->d, id, 7 * MS);
    dialogue_tool_answered(f->d, id, 8 * MS);
    dialogue_tool_answered(f->d, id + 1, 9 * MS);
    plan(f->d, "A cake.", 10 * MS);
    assert_string_equal(f->story.told,
                        "user1(dig|dig) start1/1 user2(bake|bake) "
                        "end1:complete turn1 start2/2 plan2(A cake.) ");
}

static void
test_response_without_audio_or_text_ends(void **state)
{
    struct fixture *f = *state;
    plan(f->d, "Text only.", 1 * MS);
    dialogue_text_end_turn(f->d, 2 * MS);
    dialogue_tick(f->d, 1002 * MS);
    dialogue_tick(f->d, dialogue_deadline_ns(f->d));
    assert_int_equal(f->story.ended, 1);
    dialogue_audio_begin(f->d, 5000 * MS);
    dialogue_tick(f->d, dialogue_deadline_ns(f->d));
    assert_non_null(strstr(f->story.told, "end2:error"));
    assert_int_equal(f->story.ended, 2);
}

static void
test_dead_stream_ends_what_is_open(void **state)
{
    struct fixture *f = *state;
    say(f->d, "hi", 1 * MS);
    plan(f->d, "Hel", 2 * MS);
    dialogue_stream_ended(f->d, false, false, 3 * MS);
    assert_string_equal(f->story.told, "user1(hi|hi) start1/1 plan1(Hel) "
                                       "end1:error turn1 ");
    dialogue_stream_ended(f->d, false, false, 4 * MS);
    assert_int_equal(f->story.turns, 1);
}

static void
test_answer_of_a_left_stream_is_over(void **state)
{
    struct fixture *f = *state;
    dialogue_left(f->d, "stream_lost", 1 * MS);
    assert_int_equal(f->story.ended, 0);
    say(f->d, "tell me a story", 10 * MS);
    plan(f->d, "Once upon a time.", 20 * MS);
    struct response *r = dialogue_audio_begin(f->d, 30 * MS);
    dialogue_audio(f->d, r, 40 * MS);
    dialogue_left(f->d, "stream_lost", 50 * MS);
    assert_int_equal(f->story.ended, 1);
    assert_int_equal(r->status, RESPONSE_ERROR);
    assert_string_equal(r->reason, "stream_lost");
    assert_null(dialogue_current(f->d));
    plan(f->d, "Hello.", 60 * MS);
    assert_int_equal(dialogue_current(f->d)->id, r->id + 1);
}

static void
test_empty_turns_are_not_published(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 40; i++) {
        dialogue_speech_started(f->d, (uint64_t)i * MS);
        dialogue_user_text(f->d, "", 0, (uint64_t)i * MS);
    }
    dialogue_stream_ended(f->d, true, false, 100 * MS);
    assert_string_equal(f->story.told, "");
}

static void
test_text_is_bounded(void **state)
{
    struct fixture *f = *state;
    static char much[10000];
    memset(much, 'a', sizeof much - 1);
    for (int i = 0; i < 10; i++)
        dialogue_user_text(f->d, much, sizeof much - 1, 1 * MS);
    const struct turn *t = dialogue_turn(f->d, 1);
    assert_true(t->user_text.bytes <= DIALOGUE_TEXT_BYTES_MAX);
}

static void
test_many_turns_each_published_once(void **state)
{
    struct fixture *f = *state;
    for (uint64_t i = 0; i < 100; i++) {
        uint64_t t = i * 100 * MS;
        say(f->d, "q", t);
        plan(f->d, "a", t + MS);
        struct response *r = dialogue_audio_begin(f->d, t + 2 * MS);
        dialogue_generated(f->d, r, t + 3 * MS);
        spoken(f->d, "a", t + 4 * MS);
        f->story.told[0] = '\0';
    }
    dialogue_stream_ended(f->d, true, false, 100000 * MS);
    assert_int_equal(f->story.started, 100);
    assert_int_equal(f->story.ended, 100);
    assert_int_equal(f->story.turns, 100);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(plain_turn),
        TEST(final_texts_may_stay_away),
        TEST(late_final_texts_stay_with_their_response),
        TEST(barge_in_is_told_once),
        TEST(interruption_behind_the_last_text_is_in_time),
        TEST(words_tell_whose_they_are),
        TEST(only_time_or_a_texts_end_settles),
        TEST(orderly_end_in_the_middle_of_an_answer),
        TEST(words_after_a_lost_stream_are_another_turn),
        TEST(interruption_after_generation_marks_the_turn),
        TEST(control_interrupt_discards_the_rest),
        TEST(tool_keeps_the_response_open),
        TEST(another_question_while_a_tool_runs),
        TEST(another_call_while_a_tool_runs),
        TEST(response_without_audio_or_text_ends),
        TEST(dead_stream_ends_what_is_open),
        TEST(answer_of_a_left_stream_is_over),
        TEST(empty_turns_are_not_published),
        TEST(text_is_bounded),
        TEST(many_turns_each_published_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

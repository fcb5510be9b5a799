/* What a history keeps: pieces, turns, limits, revisions, want of memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/jsonx.h"
#include "gateway/session/history.h"
#include "gateway/session/history_time.h"
#include "tests/shared/starve.h"

static const struct history_limits plenty = {40960, 40};

static struct history *
made(void)
{
    struct history *h = history_new(&plenty);
    assert_non_null(h);
    return h;
}

static void
user(struct history *h, uint64_t turn, const char *text)
{
    assert_int_equal(history_add(h, HISTORY_USER, turn, 1000, text), VR_OK);
}

static void
robot(struct history *h, uint64_t turn, const char *text)
{
    assert_int_equal(history_add(h, HISTORY_ASSISTANT, turn, 1000, text),
                     VR_OK);
}

/* "u1:hello|a1:hi": role, turn and text of every entry. */
static void
assert_holds(const struct history *h, const char *expected)
{
    char all[2048] = "";
    size_t at = 0;
    for (size_t i = 0; i < history_totals(h)->messages; i++) {
        const struct history_message *m = history_at(h, i);
        assert_int_equal(m->text_bytes, strlen(m->text));
        at += (size_t)snprintf(
            all + at, sizeof all - at, "%s%c%d:%s", i ? "|" : "",
            m->role == HISTORY_USER ? 'u' : 'a', (int)m->turn, m->text);
        assert_true(at < sizeof all);
    }
    assert_string_equal(all, expected);
}

static void
test_pieces_of_a_turn_are_one_entry(void **state)
{
    struct history *h = made();
    (void)state;
    user(h, 1, "what time");
    user(h, 1, "is it ");
    user(h, 1, "now");
    robot(h, 1, "It is noon.");
    robot(h, 1, "Lunch?");
    robot(h, 2, "Well?");
    user(h, 3, " \n");
    user(h, 3, NULL);
    assert_holds(h, "u1:what time is it now|a1:It is noon. Lunch?|a2:Well?");
    assert_int_equal(history_at(h, 0)->time_ms, 1000);
    assert_int_equal(history_totals(h)->messages, 3);
    history_free(&h);
    assert_null(h);
    history_free(&h);
}

static void
test_a_late_piece_goes_to_its_turn(void **state)
{
    struct history *h = made();
    (void)state;
    robot(h, 5, "It is");
    user(h, 6, "stop");
    robot(h, 5, "noon");
    user(h, 5, "what time is it");
    robot(h, 6, "Fine.");
    assert_holds(h, "u5:what time is it|a5:It is noon|u6:stop|a6:Fine.");
    history_free(&h);
}

static void
test_pieces_without_a_turn_stay_apart(void **state)
{
    struct history *h = made();
    (void)state;
    user(h, 0, "one");
    user(h, 0, "two");
    assert_holds(h, "u0:one|u0:two");
    history_free(&h);
}

static void
test_what_came_from_outside_gets_no_pieces(void **state)
{
    struct history *h = made();
    struct history_message m = {.role = HISTORY_USER, .turn = 3, .text = "old"};
    char why[200] = "";
    (void)state;
    assert_int_equal(history_replace(h, &m, 1, 0, why, sizeof why), VR_OK);
    user(h, 3, "new");
    user(h, 1, "newer");
    assert_holds(h, "u3:old|u1:newer|u3:new");
    assert_string_equal(history_find(h, HISTORY_USER, 3)->text, "new");
    assert_true(history_drop_user(h, 3));
    assert_false(history_drop_user(h, 3));
    assert_holds(h, "u3:old|u1:newer");
    history_free(&h);
}

static void
test_interruption_trigger_and_drop(void **state)
{
    struct history *h = made();
    (void)state;
    user(h, 1, "ready");
    assert_true(history_trigger(h, 1));
    assert_false(history_trigger(h, 2));
    robot(h, 1, "One two three");
    assert_true(history_interrupted(h, 1, NULL));
    assert_string_equal(history_at(h, 1)->text, "One two three");
    assert_true(history_interrupted(h, 1, "One two"));
    assert_true(history_at(h, 1)->interrupted);
    assert_holds(h, "u1:ready|a1:One two");
    assert_int_equal(history_totals(h)->bytes, 12);
    assert_true(history_interrupted(h, 1, " "));
    assert_false(history_interrupted(h, 1, NULL));
    assert_holds(h, "u1:ready");
    assert_true(history_at(h, 0)->trigger);
    assert_false(history_drop_user(h, 9));
    assert_true(history_drop_user(h, 1));
    assert_holds(h, "");
    assert_int_equal(history_totals(h)->bytes, 0);
    history_free(&h);
}

static void
test_bytes_that_are_no_utf8_are_replaced(void **state)
{
    struct history *h = made();
    (void)state;
    user(h, 1,
         "a\xff"
         "b");
    assert_holds(h, "u1:a\xef\xbf\xbd"
                    "b");
    history_free(&h);
}

static void
test_an_endless_answer_is_cut(void **state)
{
    struct history *h = made();
    char piece[1001];
    (void)state;
    for (size_t i = 0; i < 500; i++)
        memcpy(piece + 2 * i, "\xc3\xa4", 2);
    piece[1000] = '\0';
    for (int i = 0; i < 60; i++)
        robot(h, 1, piece);
    const struct history_message *m = history_at(h, 0);
    assert_in_range(m->text_bytes, HISTORY_TEXT_BYTES_MAX - 4,
                    HISTORY_TEXT_BYTES_MAX);
    assert_string_equal(m->text + m->text_bytes - 15, HISTORY_TRUNCATED);
    assert_true(m->cut);
    assert_int_equal(history_totals(h)->cut_messages, 1);
    char *clean = jsonx_utf8(m->text);
    assert_string_equal(clean, m->text);
    free(clean);
    history_free(&h);
}

static void
test_the_oldest_go_and_are_counted(void **state)
{
    struct history_limits limits = {1000, 5};
    struct history *h = history_new(&limits);
    struct history_message rule = {
        .role = HISTORY_USER, .text = "be kind", .pinned = true};
    char why[200] = "";
    (void)state;
    assert_int_equal(history_append(h, &rule, 0, why, sizeof why), VR_OK);
    for (unsigned turn = 1; turn <= 100; turn++)
        user(h, turn, "hello there");
    const struct history_totals *t = history_totals(h);
    assert_int_equal(t->messages, 10);
    assert_int_equal(t->dropped_messages, 91);
    assert_int_equal(t->dropped_bytes, 91 * 11);
    assert_int_equal(t->bytes, 7 + 9 * 11);
    assert_string_equal(history_at(h, 0)->text, "be kind");
    assert_int_equal(history_at(h, 1)->turn, 92);
    limits.messages = 1;
    history_set_limits(h, &limits);
    assert_int_equal(t->messages, 2);
    assert_int_equal(t->pinned_messages, 1);
    history_free(&h);
}

static void
test_bytes_are_bounded_too(void **state)
{
    struct history_limits limits = {1000, 40};
    struct history *h = history_new(&limits);
    char text[400];
    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (unsigned turn = 1; turn <= 20; turn++) {
        user(h, turn, text);
        assert_true(history_totals(h)->bytes <= 2000 + 399);
    }
    assert_int_equal(history_totals(h)->messages, 6);
    history_free(&h);
}

/* ---- control ---- */

static void
test_a_revision_that_is_not_the_present_one_is_refused(void **state)
{
    struct history *h = made();
    struct history_message m = {.role = HISTORY_USER, .text = "hi"};
    char why[200] = "";
    uint64_t seen = history_revision(h);
    (void)state;
    assert_int_equal(seen, 1);
    user(h, 1, "hello");
    assert_true(history_revision(h) > seen);
    assert_int_equal(history_append(h, &m, seen, why, sizeof why), VR_STATE);
    assert_string_equal(why, "the history has changed: it is at revision 2, "
                             "not 1; read it again");
    assert_int_equal(history_replace(h, &m, 1, seen, why, sizeof why),
                     VR_STATE);
    assert_holds(h, "u1:hello");
    assert_int_equal(history_append(h, &m, 2, why, sizeof why), VR_OK);
    assert_int_equal(history_append(h, &m, 0, why, sizeof why), VR_OK);
    assert_holds(h, "u1:hello|u0:hi|u0:hi");
    history_free(&h);
}

static void
test_what_cannot_be_kept_is_refused(void **state)
{
    struct history *h = made();
    struct history_message m = {.role = HISTORY_USER, .text = " "};
    char why[200] = "", *large = malloc(60000);
    (void)state;
    assert_int_equal(history_append(h, &m, 0, why, sizeof why), VR_INVALID);
    m.text = "\xc3";
    assert_int_equal(history_append(h, &m, 0, why, sizeof why), VR_INVALID);
    assert_string_equal(why, "the text holds a byte that is no UTF-8");
    memset(large, 'x', 60000);
    large[59999] = '\0';
    m.text = large;
    assert_int_equal(history_append(h, &m, 0, why, sizeof why), VR_LIMIT);
    assert_string_equal(why, "the text has 59999 bytes; use at most 40960");
    assert_int_equal(history_replace(h, &m, 1, 0, why, sizeof why), VR_LIMIT);
    assert_string_equal(why, "message 0: the text has 59999 bytes; use at most "
                             "51200");
    large[20481] = '\0';
    m.pinned = true;
    assert_int_equal(history_append(h, &m, 0, why, sizeof why), VR_LIMIT);
    assert_non_null(strstr(why, "half of the session's history_limits"));
    assert_int_equal(history_replace(h, &m, 1, 0, why, sizeof why), VR_LIMIT);
    assert_holds(h, "");
    assert_int_equal(history_revision(h), 1);
    free(large);
    history_free(&h);
}

static void
test_clear_and_restore(void **state)
{
    struct history *h = made();
    struct history_message old[] = {
        {.id = 7, .role = HISTORY_USER, .text = "a", .pinned = true},
        {.id = 7, .role = HISTORY_ASSISTANT, .text = "b", .turn = 4},
        {.id = UINT64_MAX, .role = HISTORY_USER, .text = ""},
        {.id = 90, .role = HISTORY_USER, .text = "c"},
    };
    (void)state;
    assert_int_equal(history_restore(h, old, 4, 50), VR_OK);
    assert_int_equal(history_revision(h), 50 + HISTORY_REVISION_GAP);
    assert_holds(h, "u0:a|a4:b|u0:c");
    assert_int_equal(history_at(h, 0)->id, 7);
    assert_int_equal(history_at(h, 1)->id, 8);
    assert_int_equal(history_at(h, 2)->id, 90);
    user(h, 1, "d");
    assert_int_equal(history_at(h, 3)->id, 91);
    history_clear(h, true);
    assert_holds(h, "u0:a");
    history_clear(h, false);
    assert_holds(h, "");
    uint64_t revision = history_revision(h);
    history_clear(h, false);
    assert_int_equal(history_revision(h), revision);
    assert_int_equal(history_restore(h, old, 4, UINT64_MAX), VR_OK);
    assert_true(history_revision(h) < UINT64_MAX / 2);
    history_free(&h);
}

static void
test_it_is_shown_as_documented(void **state)
{
    struct history *h = made();
    (void)state;
    assert_int_equal(history_add(h, HISTORY_USER, 1, 1767225600123, "hi"),
                     VR_OK);
    robot(h, 1, "Hello!");
    history_interrupted(h, 1, NULL);
    history_trigger(h, 1);
    cJSON *json = history_to_json(h);
    char *text = cJSON_PrintUnformatted(json);
    assert_string_equal(
        text,
        "{\"revision\":\"5\",\"messages\":[{\"id\":\"1\",\"turn\":\"1\","
        "\"time\":\"2026-01-01T00:00:00.123Z\",\"role\":\"user\",\"text\":"
        "\"hi\",\"interrupted\":false,\"pinned\":false,\"trigger\":true},"
        "{\"id\":\"2\",\"turn\":\"1\",\"time\":\"1970-01-01T00:00:01.000Z\","
        "\"role\":\"assistant\",\"text\":\"Hello!\",\"interrupted\":true,"
        "\"pinned\":false}]}");
    cJSON_free(text);
    cJSON_Delete(json);
    history_free(&h);
}

static void
test_times_are_read_as_written(void **state)
{
    const int64_t times[] = {
        0, 1, -1, 1767225600123, -62167219200000, 253402300799999};
    char text[CLOCK_UTC_BYTES];
    int64_t back = 5;
    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        history_time_text(times[i], text);
        assert_true(history_time_parse(text, &back));
        assert_true(back == times[i]);
    }
    assert_true(history_time_parse("2026-01-01T01:00:00+01:00", &back));
    assert_true(back == 1767225600000);
    assert_true(history_time_parse("2026-01-01 00:00:00.5z", &back));
    assert_true(back == 1767225600500);
    const char *bad[] = {"",
                         "2026",
                         "2026-13-01T00:00:00Z",
                         "2026-01-01T24:00:00Z",
                         "2026-01-01T00:00:00",
                         "2026-01-01T00:00:00Zx",
                         "2026-01-01T00:00:00.Z",
                         "2026-01-01T00:00:00+1:00"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(history_time_parse(bad[i], &back));
    history_time_text(INT64_MIN, text);
    assert_string_equal(text, "0000-01-01T00:00:00.000Z");
    history_time_text(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
}

/* ---- want of memory ---- */

/* Every call once; each says whether it worked, and that is what happened. */
static void
use_all(void)
{
    struct history *h = history_new(&plenty);
    struct history_message m = {.role = HISTORY_USER, .text = "x y z"};
    struct history_selection s;
    char why[200];
    if (!h)
        return;
    for (unsigned turn = 1; turn < 20; turn++) {
        size_t before = history_totals(h)->bytes;
        bool added =
            history_add(h, HISTORY_USER, turn, 0, "some words") == VR_OK;
        assert_int_equal(history_totals(h)->bytes, before + added * 10);
        before = history_totals(h)->bytes;
        size_t gap = history_find(h, HISTORY_USER, turn) != NULL;
        added = history_add(h, HISTORY_USER, turn, 0, "more") == VR_OK;
        assert_int_equal(history_totals(h)->bytes, before + added * (4 + gap));
    }
    (void)!history_add(h, HISTORY_ASSISTANT, 3, 0, "an answer");
    history_interrupted(h, 3, "an");
    size_t count = history_totals(h)->messages;
    bool added = history_append(h, &m, 0, why, sizeof why) == VR_OK;
    assert_int_equal(history_totals(h)->messages, count + added);
    cJSON_Delete(history_to_json(h));
    if (history_select(h, HISTORY_TAKE_UNANSWERED, &s) != VR_OK)
        assert_null(s.blocks);
    history_selection_fini(&s);
    uint64_t revision = history_revision(h);
    if (history_replace(h, &m, 1, 0, why, sizeof why) != VR_OK)
        assert_int_equal(history_revision(h), revision);
    (void)!history_restore(h, &m, 1, 1);
    history_free(&h);
}

static void
test_any_allocation_may_fail(void **state)
{
    long number = 0;
    bool more = true;
    (void)state;
    if (!starve_works()) {
        print_message("skipped: only glibc lets malloc() be stood in for\n");
        skip();
    }
    for (; more; number++) {
        long live = starve_live();
        starve_at(number);
        use_all();
        more = starve_end();
        assert_int_equal(starve_live(), live);
    }
    assert_in_range(number, 100, 10000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_of_a_turn_are_one_entry),
        cmocka_unit_test(test_a_late_piece_goes_to_its_turn),
        cmocka_unit_test(test_pieces_without_a_turn_stay_apart),
        cmocka_unit_test(test_what_came_from_outside_gets_no_pieces),
        cmocka_unit_test(test_interruption_trigger_and_drop),
        cmocka_unit_test(test_bytes_that_are_no_utf8_are_replaced),
        cmocka_unit_test(test_an_endless_answer_is_cut),
        cmocka_unit_test(test_the_oldest_go_and_are_counted),
        cmocka_unit_test(test_bytes_are_bounded_too),
        cmocka_unit_test(
            test_a_revision_that_is_not_the_present_one_is_refused),
        cmocka_unit_test(test_what_cannot_be_kept_is_refused),
        cmocka_unit_test(test_clear_and_restore),
        cmocka_unit_test(test_it_is_shown_as_documented),
        cmocka_unit_test(test_times_are_read_as_written),
        cmocka_unit_test(test_any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

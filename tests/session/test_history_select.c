/* What a new stream is given: each rule by itself, then all on random ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/session/history.h"
#include "tests/shared/starve.h"

static struct history *h;
static struct history_selection s;
static char why[256];

static void
begin(size_t total_bytes, size_t messages)
{
    struct history_limits limits = {total_bytes, messages};
    h = history_new(&limits);
    assert_non_null(h);
}

static void
end(void)
{
    history_selection_fini(&s);
    history_free(&h);
}

static void
put(enum history_role role, const char *text, bool pinned)
{
    struct history_message m = {.role = role, .text = text, .pinned = pinned};
    assert_int_equal(history_append(h, &m, 0, why, sizeof why), VR_OK);
}

/* "u:a", "A:b": a capital is pinned. */
static void
put_all(const char *const *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool user = lines[i][0] == 'u' || lines[i][0] == 'U';
        put(user ? HISTORY_USER : HISTORY_ASSISTANT, lines[i] + 2,
            lines[i][0] < 'a');
    }
}

#define PUT(...)                                \
    put_all((const char *const[]){__VA_ARGS__}, \
            sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

/* "u:a\nb|a:c" and then "?d" for unanswered words. */
static void
assert_given(unsigned flags, const char *expected)
{
    char all[4096] = "";
    size_t at = 0;
    history_selection_fini(&s);
    assert_int_equal(history_select(h, flags, &s), VR_OK);
    for (size_t i = 0; i < s.count; i++) {
        at += (size_t)snprintf(
            all + at, sizeof all - at, "%s%c:%s", i ? "|" : "",
            s.blocks[i].role == HISTORY_USER ? 'u' : 'a', s.blocks[i].text);
        assert_true(at < sizeof all);
    }
    if (s.unanswered)
        snprintf(all + at, sizeof all - at, "?%s", s.unanswered);
    assert_string_equal(all, expected);
}

static void
test_roles_alternate_and_the_user_begins(void **state)
{
    (void)state;
    begin(40960, 40);
    assert_given(0, "");
    PUT("a:hello", "a:there", "u:hi", "u:robot", "a:yes", "u:well", "a:?");
    assert_given(0, "u:hi\nrobot|a:yes|u:well|a:?");
    assert_int_equal(s.left_out_messages, 2);
    assert_int_equal(s.left_out_bytes, 10);
    assert_int_equal(s.bytes, 8 + 3 + 4 + 1);
    end();
}

static void
test_only_an_assistant_gives_nothing(void **state)
{
    (void)state;
    begin(40960, 40);
    PUT("a:hello");
    assert_given(HISTORY_TAKE_UNANSWERED, "");
    assert_int_equal(s.left_out_messages, 1);
    end();
}

static void
test_unanswered_words_are_handed_over_apart(void **state)
{
    (void)state;
    begin(40960, 40);
    PUT("u:a", "a:b", "u:c", "u:d");
    assert_given(0, "u:a|a:b|u:c\nd");
    assert_given(HISTORY_TAKE_UNANSWERED, "u:a|a:b?c\nd");
    assert_int_equal(s.left_out_messages, 0);
    end();
    begin(40960, 40);
    PUT("u:a");
    assert_given(HISTORY_TAKE_UNANSWERED, "?a");
    end();
}

static void
test_pinned_ones_are_no_question(void **state)
{
    (void)state;
    begin(40960, 40);
    PUT("U:my name is Bo", "u:hi");
    assert_given(HISTORY_TAKE_UNANSWERED, "u:my name is Bo|a:[Noted]?hi");
    end();
    begin(40960, 40);
    PUT("u:a", "a:b", "u:c", "U:d");
    assert_given(HISTORY_TAKE_UNANSWERED, "u:a|a:b|u:d|a:[Noted]?c");
    assert_given(0, "u:a|a:b|u:c\nd");
    end();
}

static void
test_a_pinned_assistant_may_begin(void **state)
{
    (void)state;
    begin(40960, 40);
    PUT("a:x", "A:I am Robo", "u:hi", "a:yes");
    assert_given(0, "u:[Resuming conversation]|a:I am Robo|u:hi|a:yes");
    assert_int_equal(s.left_out_messages, 1);
    end();
}

static void
test_the_newest_that_fit_are_taken(void **state)
{
    (void)state;
    begin(40960, 4);
    PUT("u:1", "a:2", "u:3", "a:4", "u:5", "a:6");
    assert_given(0, "u:3|a:4|u:5|a:6");
    assert_int_equal(s.left_out_messages, 2);
    end();
    begin(40960, 3);
    PUT("u:1", "a:2", "u:3", "a:4", "u:5", "a:6");
    assert_given(0, "u:5|a:6");
    end();
    begin(40960, 4);
    PUT("U:rule", "u:1", "a:2", "u:3", "a:4", "u:5", "a:6");
    assert_given(0, "u:rule\n3|a:4|u:5|a:6");
    end();
}

static void
test_bytes_are_limited(void **state)
{
    char text[101];
    (void)state;
    memset(text, 'x', 100);
    text[100] = '\0';
    begin(350, 40);
    for (int i = 0; i < 3; i++) {
        put(HISTORY_USER, text, false);
        put(HISTORY_ASSISTANT, text, false);
    }
    assert_int_equal(history_select(h, 0, &s), VR_OK);
    assert_int_equal(s.count, 2);
    assert_int_equal(s.bytes, 200);
    assert_int_equal(s.left_out_bytes, 400);
    end();
}

static void
test_the_newest_is_cut_to_fit(void **state)
{
    char text[4001];
    (void)state;
    for (int i = 0; i < 1000; i++)
        memcpy(text + 4 * i, "\xf0\x9f\x99\x82", 4);
    text[4000] = '\0';
    begin(1000, 40);
    assert_int_equal(history_add(h, HISTORY_USER, 1, 0, "say it"), VR_OK);
    assert_int_equal(history_add(h, HISTORY_ASSISTANT, 1, 0, text), VR_OK);
    assert_int_equal(history_select(h, 0, &s), VR_OK);
    assert_int_equal(s.count, 2);
    const struct history_block *b = &s.blocks[1];
    assert_in_range(b->text_bytes, 480, 500);
    assert_true(history_text_valid(b->text));
    assert_string_equal(b->text + b->text_bytes - 15, HISTORY_TRUNCATED);
    assert_int_equal(s.cut_bytes, 4000 - (b->text_bytes - 15));
    end();
    begin(1000, 40);
    assert_int_equal(history_add(h, HISTORY_USER, 1, 0, text), VR_OK);
    assert_int_equal(history_select(h, HISTORY_TAKE_UNANSWERED, &s), VR_OK);
    assert_in_range(strlen(s.unanswered), 990, 1000);
    assert_true(history_text_valid(s.unanswered));
    assert_true(s.cut_bytes > 2900);
    end();
}

static void
test_lowered_limits_leave_out_pinned_ones(void **state)
{
    struct history_limits low = {256, 2};
    (void)state;
    begin(40960, 40);
    PUT("U:1", "A:2", "U:3", "A:4", "u:5");
    history_set_limits(h, &low);
    assert_int_equal(history_select(h, 0, &s), VR_OK);
    assert_true(s.count <= 2);
    assert_true(s.pinned_left_out >= 2);
    assert_int_equal(history_totals(h)->pinned_messages, 4);
    end();
}

static void
test_a_message_has_its_limit_too(void **state)
{
    char *text = malloc(40001);
    (void)state;
    memset(text, 'x', 40000);
    text[40000] = '\0';
    begin(204800, 40);
    put(HISTORY_USER, "rule", true);
    put(HISTORY_USER, text, false);
    text[39999] = '\0';
    put(HISTORY_USER, text, false);
    assert_int_equal(history_select(h, 0, &s), VR_OK);
    assert_int_equal(s.count, 1);
    assert_int_equal(s.bytes, 5 + 39999);
    assert_int_equal(memcmp(s.blocks[0].text, "rule\nx", 6), 0);
    assert_int_equal(s.left_out_bytes, 40000);
    free(text);
    end();
}

/* ---- random ones ---- */

static uint32_t seed;

static uint32_t
below(uint32_t count)
{
    seed = seed * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)seed * count) >> 32);
}

/* Words that no other message has, then filling of one to four bytes each. */
static void
make_text(char *text, size_t size, unsigned number)
{
    static const char *const letters[] = {"x", "\xc3\xa4", "\xe2\x82\xac",
                                          "\xf0\x9f\x99\x82"};
    size_t at = (size_t)snprintf(text, size, "<%u>", number);
    for (uint32_t i = below(below(8) ? 60 : 700); i > 0 && at + 5 < size; i--)
        at += (size_t)snprintf(text + at, size - at, "%s", letters[below(4)]);
}

static void
fill(bool pin)
{
    char text[3000];
    unsigned count = below(60);
    for (unsigned number = 0; number < count; number++) {
        enum history_role role = below(2) ? HISTORY_USER : HISTORY_ASSISTANT;
        struct history_message m = {
            .role = role, .text = text, .pinned = pin && !below(6)};
        make_text(text, sizeof text, number);
        if (below(2) && !m.pinned)
            assert_int_equal(history_add(h, role, 1 + number / 3, 0, text),
                             VR_OK);
        else
            (void)!history_append(h, &m, 0, why, sizeof why);
    }
}

/* Every block's place of a message's mark, which shows the order too. */
static bool
given(const struct history_message *m, size_t *block, size_t *offset)
{
    char mark[16];
    snprintf(mark, sizeof mark, "%.*s",
             (int)(strchr(m->text, '>') - m->text) + 1, m->text);
    for (size_t i = 0; i < s.count; i++) {
        const char *at = strstr(s.blocks[i].text, mark);
        if (!at)
            continue;
        *block = i;
        *offset = (size_t)(at - s.blocks[i].text);
        return true;
    }
    return false;
}

static void
check_blocks(const struct history_limits *limits, bool take)
{
    size_t bytes = 0;
    for (size_t i = 0; i < s.count; i++) {
        const struct history_block *b = &s.blocks[i];
        assert_int_equal(b->role, i % 2 ? HISTORY_ASSISTANT : HISTORY_USER);
        assert_int_equal(b->text_bytes, strlen(b->text));
        assert_in_range(b->text_bytes, 1, HISTORY_TEXT_BYTES_MAX);
        assert_true(history_text_valid(b->text));
        bytes += b->text_bytes;
    }
    assert_int_equal(bytes, s.bytes);
    assert_true(bytes <= limits->total_bytes);
    assert_true(s.count <= limits->messages);
    if (take && s.count)
        assert_int_equal(s.blocks[s.count - 1].role, HISTORY_ASSISTANT);
    if (s.unanswered)
        assert_in_range(strlen(s.unanswered), 1, limits->total_bytes);
}

static void
check_entries(void)
{
    size_t last_block = 0, last_offset = 0, missing = 0, pinned = 0;
    for (size_t i = 0; i < history_totals(h)->messages; i++) {
        const struct history_message *m = history_at(h, i);
        size_t block, offset;
        if (!given(m, &block, &offset)) {
            missing++;
            pinned += m->pinned;
            continue;
        }
        assert_true(block > last_block ||
                    (block == last_block && offset >= last_offset));
        assert_int_equal(s.blocks[block].role, m->role);
        last_block = block;
        last_offset = offset;
    }
    assert_int_equal(pinned, s.pinned_left_out);
    assert_true(missing >= s.left_out_messages);
    if (!s.unanswered)
        assert_int_equal(missing, s.left_out_messages);
}

static void
test_the_rules_hold_for_any_history(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 3000; round++) {
        seed = round + 1;
        struct history_limits limits = {
            .total_bytes = 256 + below(below(2) ? 1000 : 40000),
            .messages = 1 + below(40)};
        bool take = below(2), lowered = !below(8);
        begin(lowered ? 40960 : limits.total_bytes,
              lowered ? 40 : limits.messages);
        fill(below(3) > 0);
        history_set_limits(h, &limits);
        assert_int_equal(
            history_select(h, take ? HISTORY_TAKE_UNANSWERED : 0, &s), VR_OK);
        check_blocks(&limits, take);
        check_entries();
        if (!lowered && limits.messages > 2)
            assert_int_equal(s.pinned_left_out, 0);
        assert_true(history_totals(h)->messages <=
                    HISTORY_KEPT_FACTOR * limits.messages +
                        history_totals(h)->pinned_messages + 1);
        end();
    }
}

static void
test_any_allocation_may_fail(void **state)
{
    (void)state;
    if (!starve_works()) {
        print_message("skipped: only glibc lets malloc() be stood in for\n");
        skip();
    }
    long number = 0;
    enum vr_status status;
    begin(40960, 40);
    PUT("A:I am Robo", "u:hi", "a:yes", "U:rule", "u:question");
    do {
        long live = starve_live();
        starve_at(number++);
        status = history_select(h, HISTORY_TAKE_UNANSWERED, &s);
        starve_end();
        if (status != VR_OK)
            assert_null(s.blocks);
        history_selection_fini(&s);
        assert_int_equal(starve_live(), live);
    } while (status != VR_OK);
    assert_in_range(number, 7, 20);
    end();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roles_alternate_and_the_user_begins),
        cmocka_unit_test(test_only_an_assistant_gives_nothing),
        cmocka_unit_test(test_unanswered_words_are_handed_over_apart),
        cmocka_unit_test(test_pinned_ones_are_no_question),
        cmocka_unit_test(test_a_pinned_assistant_may_begin),
        cmocka_unit_test(test_the_newest_that_fit_are_taken),
        cmocka_unit_test(test_bytes_are_limited),
        cmocka_unit_test(test_the_newest_is_cut_to_fit),
        cmocka_unit_test(test_lowered_limits_leave_out_pinned_ones),
        cmocka_unit_test(test_a_message_has_its_limit_too),
        cmocka_unit_test(test_the_rules_hold_for_any_history),
        cmocka_unit_test(test_any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

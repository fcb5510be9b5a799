/* Script files: what they may hold, how mistakes are told, matching and
 * placeholders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "gateway/local/jsontext.h"
#include "gateway/local/script.h"

static struct script *
load(const char *text, char *problem, size_t problem_size)
{
    char path[] = "/tmp/voxring-script-XXXXXX";
    int fd = mkstemp(path);
    struct script *script;
    char *name;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    script = script_load(path, problem, problem_size);
    unlink(path);
    /* The name of the file is not what the cases compare. */
    name = strstr(problem, path);
    if (name != NULL)
        memmove(name, name + strlen(path), strlen(name + strlen(path)) + 1);
    return script;
}

struct mistake {
    const char *text;
    const char *problem;
};

static const struct mistake mistakes[] = {
    {"{\n\"lines\": [\n}", ":3: not JSON near"},
    {"{\n/* never closed", "a /* comment is not closed"},
    {"[]", ":1: a script is an object"},
    {"{}", "lines is missing"},
    {"{\n\n\"speed\": 1}", ":3: speed: unknown key; known are lines"},
    {"{\"lines\":[{\"hear\":\"x\"}],\n\"first_audio_ms\": -1}",
     ":2: first_audio_ms: must be an integer within 0..60000"},
    {"{\"lines\":[\n{\"hear\":\"x\"},\n{\"say\":\"y\"}]}",
     ":3: lines[1]: hear is missing"},
    {"{\"lines\":[{\"hear\":\"x\",\n\"sey\":\"y\"}]}",
     ":2: lines[0].sey: unknown key"},
    {"{\"lines\":[{\"hear\":[\"x\",\n7]}]}",
     ":2: lines[0].hear[1]: must be a text"},
    {"{\"lines\":[{\"hear\":\"x\",\"tool\":{\n\"arguments\":{}}}]}",
     "lines[0].tool: the name of the tool is missing"},
    {"{\"lines\":[{\"hear\":\"x\",\"tool\":[{\"name\":\"a\"},\n"
     "{\"name\":\"b\",\"arguments\":1}]}]}",
     ":2: lines[0].tool[1].arguments: must be an object"},
    {"{\"lines\":[{\"hear\":\"x\",\"on\":\"voice\"}]}",
     "lines[0].on: must be one of \"speech\", \"text\", \"silence\""},
    {"{\"lines\":[{\"on\":\"silence\"}]}", "on \"silence\" needs after_ms"},
    {"{\"lines\":[{\"hear\":\"x\"}],\n\n\"barge_in\":[\"marker\",\"x\"]}",
     ":3: barge_in[1]: must be one of \"marker\""},
    {"{\"lines\":[{\"hear\":\"x\"}],\"chunk_min_ms\":100,"
     "\"chunk_max_ms\":50}",
     "chunk_min_ms is above chunk_max_ms"},
    {"{\"lines\":[{\"hear\":\"x\"}],\"lines\":[{\"hear\":\"x\"}]}",
     "stands there twice"},
    {"{\"lines\":[{\"hear\":\"\xff\"}]}", "not UTF-8"},
    {"{\"lines\":[{\"hear\":\"x\"}],\n\"faults\":{}}",
     ":2: faults: must be an array of at most"},
    {"{\"lines\":[{\"hear\":\"x\"}],\"faults\":[\n{\"fault\":\"fin\"},\n"
     "{\"fault\":\"rst\",\"phase\":\"x\"}]}",
     ":3: faults[1]: \"phase\" must be one of request, setup"},
    {"{\"lines\":[{\"hear\":\"x\"}],\"models\":[]}",
     "models: must be an object such as"},
    {"{\"lines\":[{\"hear\":\"x\"}],\"models\":{\"m\":\"dead\"}}",
     "models: m must be \"alive\" or \"end_of_life\""},
};

static void
test_mistakes_are_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        char problem[1024];
        struct script *script =
            load(mistakes[i].text, problem, sizeof(problem));

        if (script != NULL || strstr(problem, mistakes[i].problem) == NULL)
            fail_msg("%s\n  gave: %s\n  not:  %s", mistakes[i].text, problem,
                     mistakes[i].problem);
    }
}

static void
test_a_missing_file(void **state)
{
    char problem[256];

    (void)state;
    assert_null(script_load("/nowhere/at/all.json", problem, sizeof(problem)));
    assert_string_equal(problem, "cannot open script /nowhere/at/all.json: No "
                                 "such file or directory");
}

/* A small buffer for the problem is filled, never passed. */
static void
test_a_short_problem_buffer(void **state)
{
    char problem[8] = "";

    (void)state;
    assert_null(load("{\"a\":1}", problem, sizeof(problem)));
    assert_true(strlen(problem) < sizeof(problem));
}

static void
test_the_example_is_the_builtin(void **state)
{
    FILE *file = fopen("gateway/local/script.example.jsonc", "r");
    char problem[256];
    char *text = calloc(1, 100000);
    struct script *script;

    (void)state;
    if (file == NULL)
        skip();
    assert_non_null(text);
    assert_true(fread(text, 1, 99999, file) > 0);
    fclose(file);
    assert_string_equal(text, script_builtin);
    free(text);
    script = script_load(NULL, problem, sizeof(problem));
    assert_non_null(script);
    assert_int_equal(script->line_count, 7);
    script_free(&script);
    assert_null(script);
}

/* The page names every number, with its default where it stands alone. */
static void
test_the_page_is_complete(void **state)
{
    static const char *const keys[] = {
#define SCRIPT_NUMBER(key, standard, least, most, what) "`" #key "`",
#include "gateway/local/script.tbl.h"
#undef SCRIPT_NUMBER
    };
    FILE *file = fopen("gateway/local/SCRIPT.md", "r");
    char *text = calloc(1, 100000);

    (void)state;
    if (file == NULL)
        skip();
    assert_non_null(text);
    assert_true(fread(text, 1, 99999, file) > 0);
    fclose(file);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (strstr(text, keys[i]) == NULL)
            fail_msg("SCRIPT.md does not explain %s", keys[i]);
    }
#define SCRIPT_NUMBER(key, standard, least, most, what)       \
    if (strncmp(#key, "chunk", 5) != 0 &&                     \
        strstr(text, "`" #key "` | " #standard " |") == NULL) \
        fail_msg("SCRIPT.md has another default for " #key);
#include "gateway/local/script.tbl.h"
#undef SCRIPT_NUMBER
    free(text);
}

static void
test_numbers_and_defaults(void **state)
{
    char problem[256];
    struct script *script = load("{\"lines\":[{\"hear\":\"x\",},],"
                                 "\"endpoint_ms\":300, // all of them\n"
                                 "\"audio_speed_percent\":100}",
                                 problem, sizeof(problem));

    (void)state;
    assert_non_null(script);
    assert_int_equal(script->numbers.endpoint_high_ms, 300);
    assert_int_equal(script->numbers.endpoint_low_ms, 300);
    assert_int_equal(script->numbers.audio_speed_percent, 100);
    assert_int_equal(script->numbers.first_audio_ms, 200);
    assert_int_equal(script->barge_in,
                     BARGE_MARKER | BARGE_STOP_REASON | BARGE_SPEECH_START);
    script_free(&script);
}

static void
test_matching(void **state)
{
    char problem[256];
    struct script *script =
        load("{\"lines\":[{\"hear\":[\"what's up\",\"Wie geht's?\"]},"
             "{\"hear\":\"* weather *\",\"on\":\"text\"},"
             "{\"hear\":\"* weather *\",\"on\":\"speech\"}]}",
             problem, sizeof(problem));

    (void)state;
    assert_non_null(script);
    assert_ptr_equal(script_match(script, "  What's -- UP?! ", SCRIPT_ON_TEXT),
                     &script->lines[0]);
    assert_ptr_equal(script_match(script, "wie geht's", SCRIPT_ON_SPEECH),
                     &script->lines[0]);
    assert_ptr_equal(
        script_match(script, "how is the weather today", SCRIPT_ON_TEXT),
        &script->lines[1]);
    assert_ptr_equal(script_match(script, "the weather now", SCRIPT_ON_SPEECH),
                     &script->lines[2]);
    assert_ptr_equal(script_match(script, "what's", SCRIPT_ON_TEXT),
                     &script->unknown);
    assert_ptr_equal(script_match(script, "", SCRIPT_ON_SPEECH),
                     &script->unknown);
    script_free(&script);
}

static void
test_lines_go_round(void **state)
{
    char problem[256];
    struct script *script =
        load("{\"lines\":[{\"hear\":\"a\"},{\"hear\":\"b\",\"on\":\"text\"},"
             "{\"hear\":\"c\"}]}",
             problem, sizeof(problem));
    size_t cursor = 0;

    (void)state;
    assert_non_null(script);
    assert_ptr_equal(script_next(script, &cursor), &script->lines[0]);
    assert_ptr_equal(script_next(script, &cursor), &script->lines[2]);
    assert_ptr_equal(script_next(script, &cursor), &script->lines[0]);
    script_free(&script);
}

static void
assert_rendered(const char *text, const char *expected)
{
    cJSON *results = cJSON_Parse("{\"clock\":{\"time\":\"12:34\",\"n\":7,"
                                 "\"deep\":{\"ok\":true}}}");
    char *rendered = script_render(text, results, "me");

    assert_string_equal(rendered, expected);
    free(rendered);
    cJSON_Delete(results);
}

static void
test_placeholders(void **state)
{
    (void)state;
    assert_rendered("", "");
    assert_rendered("plain", "plain");
    assert_rendered("It is {clock.time}.", "It is 12:34.");
    assert_rendered("{clock.n}{clock.deep.ok}", "7true");
    assert_rendered("{clock.deep}", "{\"ok\":true}");
    assert_rendered("{clock.none} {x.y} {}", "unknown unknown {\"clock\":"
                                             "{\"time\":\"12:34\",\"n\":7,"
                                             "\"deep\":{\"ok\":true}}}");
    assert_rendered("{text}, {text}", "me, me");
    assert_rendered("open {clock.time", "open {clock.time");
}

static void
test_normalising(void **state)
{
    char out[16];

    (void)state;
    script_normalise("  Hello,  WORLD! ", out, sizeof(out));
    assert_string_equal(out, "hello world");
    script_normalise("abcdefghijklmnopqrstuvwxyz", out, sizeof(out));
    assert_string_equal(out, "abcdefghijklmno");
    script_normalise("", out, sizeof(out));
    assert_string_equal(out, "");
}

static void
test_lines_of_paths(void **state)
{
    static const char text[] = "{\n \"a\": [1,\n  {\"b\": \"}\\\"]\",\n"
                               "   \"c\": {\"d\": []}}\n ],\n \"e\": 2}";

    (void)state;
    assert_int_equal(jsontext_line_of(text, ""), 1);
    assert_int_equal(jsontext_line_of(text, "a"), 2);
    assert_int_equal(jsontext_line_of(text, "a[1]"), 3);
    assert_int_equal(jsontext_line_of(text, "a[1].b"), 3);
    assert_int_equal(jsontext_line_of(text, "a[1].c.d"), 4);
    assert_int_equal(jsontext_line_of(text, "a[1].c.x[3]"), 4);
    assert_int_equal(jsontext_line_of(text, "e"), 6);
    assert_int_equal(jsontext_line_of(text, "a[9]"), 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mistakes_are_told),
        cmocka_unit_test(test_a_missing_file),
        cmocka_unit_test(test_a_short_problem_buffer),
        cmocka_unit_test(test_the_example_is_the_builtin),
        cmocka_unit_test(test_the_page_is_complete),
        cmocka_unit_test(test_numbers_and_defaults),
        cmocka_unit_test(test_matching),
        cmocka_unit_test(test_lines_go_round),
        cmocka_unit_test(test_placeholders),
        cmocka_unit_test(test_normalising),
        cmocka_unit_test(test_lines_of_paths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gateway/config.h"
#include "gateway/config_table.h"

#define ROUNDS 2000

static struct config *config;
static struct config_session *old;
static struct config_session *merged;
static char *problems;

static void
load(const char *text)
{
    char *wrong;
    config_free(&config);
    if (config_parse(text, strlen(text), "t", &config, &wrong) != VR_OK)
        fail_msg("refused: %s", wrong);
}

static int
setup(void **state)
{
    (void)state;
    unsetenv("AWS_REGION");
    setenv("VOXRING_RUNTIME_DIR", "/tmp/voxring-test-nowhere", 1);
    load("{\"bedrock\":{\"model\":\"m\"}}");
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    config_session_free(&old);
    config_session_free(&merged);
    config_free(&config);
    free(problems);
    problems = NULL;
    return 0;
}

static enum vr_status
read_session(const char *text, struct config_session **session)
{
    cJSON *json = cJSON_Parse(text);
    assert_true(json || !*text);
    config_session_free(session);
    free(problems);
    enum vr_status status =
        config_session_parse(config, "robot", json, "p", session, &problems);
    cJSON_Delete(json);
    return status;
}

static enum vr_status
merge(const struct config_session *from, const char *changes)
{
    cJSON *json = cJSON_Parse(changes);
    assert_non_null(json);
    config_session_free(&merged);
    free(problems);
    enum vr_status status =
        config_session_merge(config, from, json, "p", &merged, &problems);
    cJSON_Delete(json);
    assert_true((status == VR_OK) == (merged != NULL));
    assert_true((status == VR_OK) == (problems == NULL));
    return status;
}

static void
note(void *arg, const char *path, enum config_applies applies)
{
    char *text = arg;
    size_t at = strlen(text);
    snprintf(text + at, 1024 - at, "%s %s, ", path,
             config_applies_name(applies));
}

/* Opens with `before`, updates with `changes`, and compares what changed. */
static void
expect_changes(const char *before, const char *changes, const char *expected)
{
    char text[1024] = "";
    assert_int_equal(read_session(before, &old), VR_OK);
    if (merge(old, changes) != VR_OK)
        fail_msg("refused: %s", problems);
    config_session_changes(old, merged, note, text);
    assert_string_equal(text, expected);
}

static void
expect_refused(const char *before, const char *changes, const char *expected)
{
    assert_int_equal(read_session(before, &old), VR_OK);
    assert_int_equal(merge(old, changes), VR_INVALID);
    assert_string_equal(problems, expected);
}

/* ---- what changes, and when ---- */

static void
changes_are_laid_over_what_there_is(void **state)
{
    (void)state;
    expect_changes("{\"voice\":\"amy\",\"chunk_ms\":20}", "{}", "");
    expect_changes("{}", "null", "");
    expect_changes("{\"voice\":\"amy\",\"inference\":{\"top_p\":0.5}}",
                   "{\"voice\":\"tina\",\"inference\":{\"max_tokens\":9},"
                   "\"rotate_after_s\":100,\"chunk_ms\":50}",
                   "voice rotation, chunk_ms reopen, rotate_after_s live, "
                   "inference.max_tokens rotation, ");
    assert_string_equal(merged->name, "robot");
    assert_string_equal(merged->voice, "tina");
    assert_true(merged->inference.top_p == 0.5);
    assert_int_equal(merged->inference.max_tokens, 9);
    expect_changes("{\"voice\":\"amy\"}", "{\"voice\":\"amy\"}", "");
    expect_changes("{}",
                   "{\"tools\":[],\"mode\":\"manual\",\"continuation\":\"off\","
                   "\"extra\":{\"prompt_start\":{\"a\":1}},"
                   "\"history_limits\":{\"messages\":3},\"listen\":"
                   "\"when_quiet\",\"interrupt_on\":[]}",
                   "history_limits.messages rotation, mode reopen, "
                   "continuation live, tools rotation, listen live, "
                   "interrupt_on live, extra.prompt_start rotation, ");
    assert_int_equal(config_session_changes(old, merged, NULL, NULL), 7);
    expect_changes("{}",
                   "{\"inference\":{\"for_tools\":\"greedy\"},"
                   "\"end_conversation\":\"on\",\"async_result_s\":0,"
                   "\"cancelled_result\":\"nothing\","
                   "\"async_guidance\":\"off\"}",
                   "inference.for_tools rotation, end_conversation rotation, "
                   "cancelled_result live, async_result_s live, "
                   "async_guidance rotation, ");
    assert_int_equal(merged->inference.for_tools, CONFIG_FOR_TOOLS_GREEDY);
    assert_int_equal(merged->end_conversation, CONFIG_ON);
    assert_int_equal(merged->cancelled_result, CONFIG_CANCELLED_NOTHING);
}

static void
null_is_the_default_again(void **state)
{
    (void)state;
    expect_changes("{\"voice\":\"amy\",\"tool_choice\":\"any\",\"tools\":[],"
                   "\"inference\":{\"top_p\":0.5,\"max_tokens\":2},"
                   "\"greeting\":\"hi\",\"model\":\"other\","
                   "\"extra\":{\"session_start\":{}},"
                   "\"history\":[{\"role\":\"USER\",\"text\":\"x\"}]}",
                   "{\"voice\":null,\"tool_choice\":null,\"tools\":null,"
                   "\"inference\":null,\"greeting\":null,\"model\":null,"
                   "\"extra\":null,\"history\":null}",
                   "model rotation, voice rotation, history reopen, "
                   "greeting reopen, tools rotation, "
                   "inference.max_tokens rotation, inference.top_p rotation, "
                   "tool_choice rotation, extra.session_start rotation, ");
    struct config_session *fresh = NULL;
    assert_int_equal(read_session("{}", &fresh), VR_OK);
    assert_int_equal(config_session_changes(fresh, merged, NULL, NULL), 0);
    config_session_free(&fresh);
}

static void
rates_follow_the_ring_unless_they_were_given(void **state)
{
    (void)state;
    expect_changes("{}", "{\"input\":{\"rate_hz\":8000}}",
                   "input.rate_hz reopen, model_input_rate_hz reopen, ");
    assert_int_equal(merged->model_input_rate_hz, 8000);
    expect_changes("{\"model_input_rate_hz\":24000}",
                   "{\"input\":{\"rate_hz\":8000}}", "input.rate_hz reopen, ");
    assert_int_equal(merged->model_input_rate_hz, 24000);
    expect_changes("{\"model_input_rate_hz\":24000}",
                   "{\"model_input_rate_hz\":null}",
                   "model_input_rate_hz reopen, ");
    assert_int_equal(merged->model_input_rate_hz, 16000);
}

static void
wrong_changes_change_nothing_and_say_why(void **state)
{
    (void)state;
    expect_refused("{}", "{\"voise\":\"amy\",\"chunk_ms\":5}",
                   "p.voise: unknown key; did you mean \"voice\"?\n"
                   "p.chunk_ms: is 5; use a whole number from 10 to 100 ms\n");
    expect_refused("{}", "[]", "p: must hold keys and values; use { ... }\n");
    expect_refused("{}", "{\"inference\":3}",
                   "p.inference: must hold keys and values; use { ... }\n");
    expect_refused("{}", "{\"voice\":\"a\",\"voice\":\"b\"}",
                   "p.voice: given twice; keep one (the first is on line "
                   "0)\n");
}

/* ---- settings that bound each other ---- */

static void
a_deadline_comes_after_the_threshold(void **state)
{
    (void)state;
    assert_int_equal(read_session("{\"rotate_after_s\":0.2,"
                                  "\"rotate_deadline_s\":0.25}",
                                  &old),
                     VR_OK);
    expect_refused("{}", "{\"rotate_after_s\":450}",
                   "p.rotate_after_s: is 450, while rotate_deadline_s is 450; "
                   "use a rotate_deadline_s above rotate_after_s, at most "
                   "475\n");
    expect_refused("{}", "{\"rotate_deadline_s\":100.5}",
                   "p.rotate_deadline_s: is 100.5, while rotate_after_s is "
                   "360; use a rotate_deadline_s above rotate_after_s, at most "
                   "475\n");
    expect_refused("{}", "{\"rotate_deadline_s\":476}",
                   "p.rotate_deadline_s: is 476; use a number from 0.2 to 475 "
                   "s\n");
    expect_refused("{}", "{\"rotate_after_s\":\"x\",\"rotate_deadline_s\":1}",
                   "p.rotate_after_s: is \"x\"; use a number from 0.2 to 470 "
                   "s\n");
}

static void
a_piece_fits_into_the_whole(void **state)
{
    (void)state;
    expect_refused("{\"history_limits\":{\"piece_bytes\":51200,"
                   "\"total_bytes\":204800}}",
                   "{\"history_limits\":{\"total_bytes\":null}}",
                   "p.history_limits.total_bytes: is 40960, while "
                   "history_limits.piece_bytes is 51200; use a piece_bytes of "
                   "at most total_bytes\n");
    expect_refused("{}", "{\"history_limits\":{\"piece_bytes\":51201}}",
                   "p.history_limits.piece_bytes: is 51201; use a whole number "
                   "from 100 to 51200 bytes\n");
    assert_int_equal(read_session("{\"history_limits\":{\"piece_bytes\":"
                                  "50000}}",
                                  &old),
                     VR_INVALID);
}

/* ---- files ---- */

struct prompts {
    char dir[64];
    char file[128];
    char other[128];
};

static void
write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static int
prompts_setup(void **state)
{
    static struct prompts p;
    char text[512];
    setup(state);
    p = (struct prompts){.dir = "/tmp/voxring-test-update-XXXXXX"};
    assert_non_null(mkdtemp(p.dir));
    snprintf(p.file, sizeof p.file, "%s/prompt.txt", p.dir);
    snprintf(p.other, sizeof p.other, "%s/other.txt", p.dir);
    write_text(p.file, "From the file.");
    write_text(p.other, "Nobody named this.");
    snprintf(text, sizeof text,
             "{\"sessions\":{\"robot\":{\"system_prompt_file\":\"%s\","
             "\"history_file\":\"/h.json\",\"trigger_clip\":\"/c.wav\"}}}",
             p.file);
    load(text);
    *state = &p;
    return 0;
}

static int
prompts_teardown(void **state)
{
    struct prompts *p = *state;
    unlink(p->file);
    unlink(p->other);
    rmdir(p->dir);
    return teardown(state);
}

static void
the_newer_prompt_holds(void **state)
{
    const struct prompts *p = *state;
    char text[256];
    const struct config_session *robot = config_session_find(config, "robot");
    assert_int_equal(merge(robot, "{\"system_prompt\":\"Be brief.\"}"), VR_OK);
    assert_string_equal(merged->system_prompt, "Be brief.");
    assert_null(merged->system_prompt_file);
    old = merged;
    merged = NULL;
    write_text(p->file, "From the new file.");
    snprintf(text, sizeof text, "{\"system_prompt_file\":\"%s\"}", p->file);
    assert_int_equal(merge(old, text), VR_OK);
    assert_string_equal(merged->system_prompt, "From the new file.");
    assert_string_equal(merged->system_prompt_file, p->file);
    snprintf(text, sizeof text,
             "{\"system_prompt\":null,\"system_prompt_file\":\"%s\"}", p->file);
    assert_int_equal(merge(old, text), VR_OK);
    assert_string_equal(merged->system_prompt, "From the new file.");
    snprintf(text, sizeof text,
             "{\"system_prompt\":\"x\",\"system_prompt_file\":\"%s\"}",
             p->file);
    assert_int_equal(merge(old, text), VR_INVALID);
    assert_non_null(strstr(problems, "stands beside system_prompt; keep one"));
}

static void
a_prompt_that_is_not_mentioned_stays(void **state)
{
    const struct prompts *p = *state;
    const struct config_session *robot = config_session_find(config, "robot");
    unlink(p->file);
    assert_int_equal(merge(robot, "{\"voice\":\"amy\"}"), VR_OK);
    assert_string_equal(merged->system_prompt, "From the file.");
    assert_string_equal(merged->system_prompt_file, p->file);
    assert_int_equal(config_session_changes(robot, merged, NULL, NULL), 1);
    assert_int_equal(merge(robot, "{\"system_prompt\":null}"), VR_OK);
    assert_int_equal(config_session_changes(robot, merged, NULL, NULL), 0);
    assert_int_equal(merge(robot, "{\"system_prompt_file\":null}"), VR_OK);
    assert_null(merged->system_prompt);
    assert_null(merged->system_prompt_file);
    assert_int_equal(merge(robot, "{\"system_prompt_file\":null,"
                                  "\"system_prompt\":\"new\"}"),
                     VR_OK);
    assert_string_equal(merged->system_prompt, "new");
    assert_int_equal(merge(robot, "{\"system_prompt_file\":null,"
                                  "\"system_prompt\":null}"),
                     VR_OK);
    assert_null(merged->system_prompt);
}

static void
control_gets_only_at_files_the_configuration_names(void **state)
{
    const struct prompts *p = *state;
    char text[512];
    char expected[512];
    snprintf(text, sizeof text,
             "{\"system_prompt_file\":\"%s\",\"history_file\":\"/h.json\","
             "\"trigger_clip\":\"/c.wav\"}",
             p->file);
    assert_int_equal(read_session(text, &old), VR_OK);
    assert_string_equal(old->system_prompt, "From the file.");
    assert_string_equal(old->history_file, "/h.json");
    snprintf(text, sizeof text,
             "{\"history_file\":\"/etc/passwd\",\"trigger_clip\":\"/h.json\","
             "\"system_prompt_file\":\"%s\"}",
             p->other);
    snprintf(expected, sizeof expected,
             "p.system_prompt_file: works in the configuration file only; send "
             "the text as system_prompt\n"
             "p.history_file: works in the configuration file only; name it "
             "there, then it may be used here\n"
             "p.trigger_clip: works in the configuration file only; name it "
             "there, then it may be used here\n");
    assert_int_equal(merge(config->sessions[0], text), VR_INVALID);
    assert_string_equal(problems, expected);
    assert_int_equal(read_session(text, &old), VR_INVALID);
    assert_string_equal(problems, expected);
}

/* ---- models to fall back to ---- */

static void
targets_are_read_and_completed(void **state)
{
    (void)state;
    load("{\"bedrock\":{\"region\":\"eu-north-1\",\"fallback\":[{\"model\":"
         "\"a\"},{\"region\":\"us-west-2\",\"model\":\"b\",\"endpoint\":"
         "\"https://x/\",\"ca_file\":\"/ca\"}]}}");
    const struct config_targets *targets = &config->bedrock.fallback;
    assert_int_equal(targets->count, 2);
    assert_string_equal(targets->items[0].region, "eu-north-1");
    assert_string_equal(targets->items[0].model, "a");
    assert_null(targets->items[0].endpoint);
    assert_string_equal(targets->items[1].region, "us-west-2");
    assert_string_equal(targets->items[1].endpoint, "https://x");
    assert_string_equal(targets->items[1].ca_file, "/ca");
    cJSON *shown = config_to_json(config);
    char *text = cJSON_Print(shown);
    load(text);
    cJSON *again = config_to_json(config);
    assert_true(cJSON_Compare(shown, again, true));
    cJSON_Delete(shown);
    cJSON_Delete(again);
    free(text);
}

static void
expect_bedrock_problem(const char *members, const char *problem)
{
    char text[1024];
    char line[1024];
    struct config *none;
    char *wrong;
    snprintf(text, sizeof text, "{\"bedrock\":{%s}}", members);
    snprintf(line, sizeof line, "t:1: bedrock.%s\n", problem);
    assert_int_equal(config_parse(text, strlen(text), "t", &none, &wrong),
                     VR_INVALID);
    assert_string_equal(wrong, line);
    free(wrong);
}

static void
bad_targets_and_retries_are_refused(void **state)
{
    (void)state;
    expect_bedrock_problem("\"fallback\":{}",
                           "fallback: is {}; use a list of at most 8 "
                           "{\"model\": ...}");
    expect_bedrock_problem("\"fallback\":[1,2,3,4,5,6,7,8,9]",
                           "fallback: is [1,2,3,4,5,6,7,8,9]; use a list of at "
                           "most 8 {\"model\": ...}");
    expect_bedrock_problem("\"fallback\":[{\"region\":\"us-west-2\"}]",
                           "fallback[0]: lacks its model; use {\"region\": "
                           "..., \"model\": ...}");
    expect_bedrock_problem("\"fallback\":[null]",
                           "fallback[0]: lacks its model; use {\"region\": "
                           "..., \"model\": ...}");
    expect_bedrock_problem("\"fallback\":[7]",
                           "fallback[0]: must hold keys and values; use "
                           "{ ... }");
    expect_bedrock_problem("\"fallback\":[{\"model\":\"m\",\"region\":\"U\"}]",
                           "fallback[0].region: is \"U\"; use a region's code, "
                           "such as us-east-1");
    expect_bedrock_problem("\"fallback\":[{\"modl\":\"m\",\"model\":\"m\"}]",
                           "fallback[0].modl: unknown key; did you mean "
                           "\"model\"?");
    expect_bedrock_problem("\"retry_base_ms\":500,\"retry_cap_ms\":499",
                           "retry_base_ms: is 500, above retry_cap_ms, 499; "
                           "use a smaller one or raise retry_cap_ms");
    expect_bedrock_problem("\"max_streams\":0",
                           "max_streams: is 0; use a whole number from 1 to "
                           "1000");
}

/* ---- settings at random ---- */

static uint64_t seed;

/* xorshift64; below `n`. */
static unsigned
draw(unsigned n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)((seed >> 11) % n);
}

static cJSON *
random_text(unsigned bytes_max)
{
    static const char *const pieces[] = {"a", "z",  "\"",   "\\", "\n", "\t",
                                         "é", "日", "🙂", " ",  "{",  "/"};
    char text[256] = "x";
    unsigned n = draw(20);
    size_t at = 1;
    for (unsigned i = 0; i < n && at + 5 < bytes_max; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s",
                               pieces[draw(12)]);
    return cJSON_CreateString(text);
}

/* The `at`th of "a|b|c". */
static void
choice_at(const char *choices, unsigned at, char *text, size_t text_size)
{
    while (at-- > 0)
        choices = strchr(choices, '|') + 1;
    snprintf(text, text_size, "%.*s", (int)strcspn(choices, "|"), choices);
}

static unsigned
choice_count(const char *choices)
{
    unsigned count = 1;
    for (; *choices; choices++)
        count += *choices == '|';
    return count;
}

static cJSON *
random_choice(const struct config_row *row)
{
    char text[64];
    choice_at(row->choices, draw(choice_count(row->choices)), text,
              sizeof text);
    return row->kind == CONFIG_UINT ? cJSON_CreateNumber(strtod(text, NULL))
                                    : cJSON_CreateString(text);
}

static cJSON *
random_choices(const struct config_row *row)
{
    cJSON *list = cJSON_CreateArray();
    for (unsigned i = 0; i < choice_count(row->choices); i++) {
        char text[64];
        choice_at(row->choices, i, text, sizeof text);
        if (draw(2))
            cJSON_AddItemToArray(list, cJSON_CreateString(text));
    }
    return list;
}

static cJSON *
random_number(const struct config_row *row)
{
    double value = row->min + (row->max - row->min) * draw(1001) / 1000;
    return cJSON_CreateNumber(row->kind == CONFIG_UINT ? floor(value) : value);
}

static cJSON *
random_history(void)
{
    cJSON *list = cJSON_CreateArray();
    unsigned n = draw(4);
    for (unsigned i = 0; i < n; i++) {
        cJSON *message = cJSON_CreateObject();
        cJSON_AddStringToObject(message, "role",
                                i && draw(2) ? "ASSISTANT" : "USER");
        cJSON_AddItemToObject(message, "text", random_text(200));
        cJSON_AddItemToArray(list, message);
    }
    return list;
}

static cJSON *
random_names(void)
{
    cJSON *list = cJSON_CreateArray();
    unsigned n = draw(4);
    for (unsigned i = 0; i < n; i++)
        cJSON_AddItemToArray(list, random_text(60));
    return list;
}

static cJSON *
random_object(void)
{
    static const char *const names[] = {"a", "é.b", "", "n"};
    cJSON *object = cJSON_CreateObject();
    cJSON_AddItemToObject(object, names[draw(3)], random_text(100));
    cJSON_AddNumberToObject(object, "number", draw(1000000) / 7.0);
    if (draw(2))
        cJSON_AddItemToObject(object, "history", random_history());
    return object;
}

static cJSON *
random_value(const struct config_row *row)
{
    if (row->kind == CONFIG_CHOICES)
        return random_choices(row);
    if (row->choices)
        return random_choice(row);
    switch (row->kind) {
    case CONFIG_TEXT:
        return row->check ? cJSON_CreateString(draw(2) ? "amy" : "tina-2")
                          : random_text((unsigned)fmin(row->max, 200));
    case CONFIG_UINT:
    case CONFIG_NUMBER:
        return random_number(row);
    case CONFIG_NAMES:
        return draw(4) ? random_names() : cJSON_CreateString("*");
    case CONFIG_HISTORY:
        return random_history();
    case CONFIG_OBJECT:
        return random_object();
    default:
        return cJSON_CreateNull();
    }
}

/* Some keys of a session with good values; settings that bound each other may
 * still be refused. */
static cJSON *
random_settings(void)
{
    cJSON *json = cJSON_CreateObject();
    for (size_t i = 0; i < config_session_table.row_count; i++) {
        const struct config_row *row = &config_session_table.rows[i];
        const char *dot = strchr(row->path, '.');
        cJSON *parent = json;
        if (draw(2))
            continue;
        if (dot) {
            char section[64];
            snprintf(section, sizeof section, "%.*s", (int)(dot - row->path),
                     row->path);
            parent = cJSON_GetObjectItemCaseSensitive(json, section);
            if (!parent)
                parent = cJSON_AddObjectToObject(json, section);
        }
        cJSON_AddItemToObject(parent, dot ? dot + 1 : row->path,
                              draw(20) ? random_value(row)
                                       : cJSON_CreateNull());
    }
    return json;
}

static bool
random_session(struct config_session **session, cJSON **json)
{
    *json = random_settings();
    free(problems);
    enum vr_status status =
        config_session_parse(config, "robot", *json, "p", session, &problems);
    if (status != VR_OK && !strstr(problems, ", while "))
        fail_msg("refused: %s", problems);
    return status == VR_OK;
}

static void
expect_same(const struct config_session *a, const struct config_session *b,
            const char *what)
{
    char text[1024] = "";
    if (config_session_changes(a, b, note, text))
        fail_msg("%s, seed %llu: %s differ", what, (unsigned long long)seed,
                 text);
}

static void
what_is_shown_reads_as_the_same(void **state)
{
    (void)state;
    size_t good = 0;
    for (seed = 1; good < ROUNDS; seed += 77) {
        cJSON *json;
        config_session_free(&old);
        if (random_session(&old, &json)) {
            cJSON *shown = config_session_to_json(old);
            char *text = cJSON_PrintUnformatted(shown);
            if (read_session(text, &merged) != VR_OK)
                fail_msg("refused: %s", problems);
            expect_same(old, merged, "read again");
            cJSON_Delete(shown);
            free(text);
            good++;
        }
        cJSON_Delete(json);
    }
}

static void
a_merge_is_the_changes_over_the_old(void **state)
{
    (void)state;
    size_t good = 0;
    for (seed = 2; good < ROUNDS; seed += 91) {
        cJSON *first;
        cJSON *second;
        struct config_session *new = NULL;
        config_session_free(&old);
        config_session_free(&merged);
        bool fine = random_session(&old, &first);
        fine = random_session(&new, &second) && fine;
        if (fine) {
            cJSON *shown = config_session_to_json(new);
            free(problems);
            assert_int_equal(config_session_merge(config, old, shown, "p",
                                                  &merged, &problems),
                             VR_OK);
            expect_same(new, merged, "merged in full");
            config_session_free(&merged);
            assert_int_equal(config_session_merge(config, old, NULL, "p",
                                                  &merged, &problems),
                             VR_OK);
            expect_same(old, merged, "merged with nothing");
            cJSON_Delete(shown);
            good++;
        }
        config_session_free(&new);
        cJSON_Delete(first);
        cJSON_Delete(second);
    }
}

/* ---- no memory ---- */

static long allocations_left;

static void *
scarce(size_t bytes)
{
    return allocations_left-- > 0 ? malloc(bytes) : NULL;
}

static void
no_allocation_of_json_is_taken_for_granted(void **state)
{
    (void)state;
    cJSON_Hooks hooks = {scarce, free};
    enum vr_status status = VR_NO_MEMORY;
    cJSON *changes =
        cJSON_Parse("{\"inference\":null,\"extra\":{\"session_start\":"
                    "{\"a\":{}}},\"tools\":null,\"voice\":null}");
    assert_int_equal(
        read_session("{\"extra\":{\"prompt_start\":{\"b\":[1]}}}", &old),
        VR_OK);
    for (long n = 0; status != VR_OK; n++) {
        allocations_left = n;
        free(problems);
        cJSON_InitHooks(&hooks);
        status =
            config_session_merge(config, old, changes, "p", &merged, &problems);
        cJSON_InitHooks(NULL);
        assert_true(status == VR_OK || !merged);
        assert_true(n < 10000);
    }
    assert_int_equal(config_session_changes(old, merged, NULL, NULL), 1);
    cJSON_Delete(changes);
}

/* ---- one list ---- */

static void
the_example_says_when_each_key_applies(void **state)
{
    (void)state;
    static char example[65536];
    char *text = NULL;
    size_t bytes = 0;
    FILE *f = fopen("gateway/voxring.example.jsonc", "r");
    assert_non_null(f);
    assert_true(fread(example, 1, sizeof example - 1, f) < sizeof example - 1);
    fclose(f);
    f = open_memstream(&text, &bytes);
    config_applies_print(f);
    fclose(f);
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) && *line;) {
        assert_true(strlen(line) <= 80);
        if (!strstr(example, line))
            fail_msg("gateway/voxring.example.jsonc lacks: %s", line);
    }
    free(text);
    for (size_t i = 0; config_key_at(i); i++) {
        const struct config_key *key = config_key_at(i);
        bool session = !strncmp(key->path, "sessions.", 9);
        assert_true(session == (key->applies != CONFIG_APPLIES_RESTART));
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define FILES(f) \
    cmocka_unit_test_setup_teardown(f, prompts_setup, prompts_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(changes_are_laid_over_what_there_is),
        TEST(null_is_the_default_again),
        TEST(rates_follow_the_ring_unless_they_were_given),
        TEST(wrong_changes_change_nothing_and_say_why),
        TEST(a_deadline_comes_after_the_threshold),
        TEST(a_piece_fits_into_the_whole),
        FILES(the_newer_prompt_holds),
        FILES(a_prompt_that_is_not_mentioned_stays),
        FILES(control_gets_only_at_files_the_configuration_names),
        TEST(targets_are_read_and_completed),
        TEST(bad_targets_and_retries_are_refused),
        TEST(what_is_shown_reads_as_the_same),
        TEST(a_merge_is_the_changes_over_the_old),
        TEST(no_allocation_of_json_is_taken_for_granted),
        TEST(the_example_says_when_each_key_applies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

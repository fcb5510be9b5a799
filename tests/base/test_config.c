#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/config.h"
#include "gateway/jsonc.h"
#include "tests/base/given_config.h"

/* The same below sessions.robot, all on line 1. */
static void
expect_session_problem(const char *members, const char *problem)
{
    char text[1024];
    char line[1024];
    snprintf(text, sizeof text, "{\"sessions\":{\"robot\":{%s}}}", members);
    snprintf(line, sizeof line, "1: sessions.robot.%s", problem);
    expect_problem(text, line);
}

/* ---- defaults ---- */

static void
an_empty_session_has_every_default(void **state)
{
    (void)state;
    expect_valid("{\"sessions\": {\"robot\": {}}}");
    assert_int_equal(config->session_count, 1);
    const struct config_session *s = config_session_find(config, "robot");
    assert_non_null(s);
    assert_string_equal(s->name, "robot");
    assert_string_equal(s->model, "amazon.nova-2-sonic-v1:0");
    assert_string_equal(s->voice, "matthew");
    assert_null(s->system_prompt);
    assert_null(s->greeting);
    assert_null(s->endpointing_sensitivity);
    assert_null(s->tool_choice);
    assert_null(s->model_family);
    assert_int_equal(s->history.count, 0);
    assert_int_equal(s->input.rate_hz, 16000);
    assert_int_equal(s->input.channels, 1);
    assert_int_equal(s->output.rate_hz, 24000);
    assert_int_equal(s->output.channels, 1);
    assert_int_equal(s->model_input_rate_hz, 16000);
    assert_int_equal(s->model_output_rate_hz, 24000);
    assert_int_equal(s->chunk_ms, 32);
    assert_int_equal(s->gap_ms, 300);
    assert_int_equal(s->connect_buffer_ms, 5000);
    assert_int_equal(s->outage_buffer_s, 30);
    assert_true(s->tools.all);
    assert_int_equal(s->tools_wait_ms, 500);
    assert_int_equal(s->inference.max_tokens, 1024);
    assert_true(s->inference.top_p == 0.9);
    assert_true(s->inference.temperature == 0.7);
    assert_int_equal(s->listen, CONFIG_LISTEN_ALWAYS);
    assert_int_equal(s->interrupt_on,
                     CONFIG_INTERRUPT_MARKER | CONFIG_INTERRUPT_STOP_REASON);
    assert_int_equal(s->inference.for_tools, CONFIG_FOR_TOOLS_AS_SET);
    assert_int_equal(s->end_conversation, CONFIG_OFF);
    assert_int_equal(s->cancelled_result, CONFIG_CANCELLED_BY_FAMILY);
    assert_true(s->async_result_s == 300);
    assert_int_equal(s->async_guidance, CONFIG_ON);
    assert_null(s->extra.session_start);
    assert_string_equal(config->bedrock.region, "us-east-1");
    assert_int_equal(config->bedrock.connect_timeout_ms, 10000);
    assert_string_equal(config->runtime_dir, "/tmp/voxring-test-nowhere");
    assert_string_equal(config->bus.events,
                        "ipc:///tmp/voxring-test-nowhere/events.sock");
    assert_string_equal(config->bus.control,
                        "ipc:///tmp/voxring-test-nowhere/control.sock");
    assert_string_equal(config->bus.tools,
                        "ipc:///tmp/voxring-test-nowhere/tools.sock");
    assert_string_equal(config->log, "info");
    assert_int_equal(config->plugins.path.count, 0);
}

static void
an_empty_session_lives_on_by_every_default(void **state)
{
    (void)state;
    expect_valid("{\"sessions\": {\"robot\": {}}}");
    const struct config_session *s = config->sessions[0];
    assert_int_equal(s->continuation, CONFIG_CONTINUATION_ON);
    assert_true(s->rotate_after_s == 360 && s->rotate_deadline_s == 450);
    assert_true(s->rotate_gap_s == 10 && s->rotate_tool_wait_s == 30);
    assert_true(s->credential_margin_s == 180 && s->deaf_after_s == 10);
    assert_int_equal(s->mode, CONFIG_MODE_ALWAYS);
    assert_true(s->idle_close_s == 120 && s->max_session_s == 0);
    assert_true(s->abandoned_s == 300);
    assert_true(s->speech.threshold_dbfs == -45);
    assert_int_equal(s->speech.hangover_ms, 500);
    assert_int_equal(s->speech.preroll_ms, 300);
    assert_int_equal(s->history_limits.piece_bytes, 1000);
    assert_int_equal(s->history_limits.total_bytes, 40960);
    assert_int_equal(s->history_limits.messages, 40);
    assert_null(s->history_file);
    assert_null(s->trigger_clip);
    assert_int_equal(config->bedrock.max_streams, 20);
    assert_int_equal(config->bedrock.max_concurrent_handovers, 2);
    assert_int_equal(config->bedrock.fallback.count, 0);
    assert_true(config->bedrock.fallback_retry_s == 600);
    assert_int_equal(config->bedrock.retry_base_ms, 250);
    assert_int_equal(config->bedrock.retry_cap_ms, 20000);
    assert_int_equal(config->bedrock.retry_budget, 8);
    assert_true(config->bedrock.retry_window_s == 300);
    assert_true(config->bedrock.retry_slow_s == 30);
    assert_true(config->bedrock.healthy_after_s == 20);
}

static void
null_means_the_default_everywhere(void **state)
{
    (void)state;
    expect_valid("{\"bedrock\": null, \"bus\": {\"events\": null},"
                 "\"sessions\": {\"a\": null, \"b\": {\"voice\": null,"
                 "\"inference\": null, \"input\": {\"rate_hz\": null},"
                 "\"history\": null, \"tools\": null}}}");
    assert_int_equal(config->session_count, 2);
    assert_string_equal(config->sessions[1]->voice, "matthew");
    assert_int_equal(config->sessions[1]->inference.max_tokens, 1024);
    expect_valid("{\"sessions\": null}");
    assert_int_equal(config->session_count, 0);
    config_free(&config);
    assert_int_equal(config_load(NULL, &config, &problems), VR_OK);
}

static void
the_region_follows_the_environment(void **state)
{
    (void)state;
    setenv("AWS_REGION", "eu-north-1", 1);
    expect_valid("{}");
    assert_string_equal(config->bedrock.region, "eu-north-1");
    expect_valid("{\"bedrock\": {\"region\": \"us-west-2\"}}");
    assert_string_equal(config->bedrock.region, "us-west-2");
    setenv("AWS_REGION", "EU/1", 1);
    assert_int_equal(given_config("{}"), VR_INVALID);
    assert_non_null(strstr(problems, "AWS_REGION is \"EU/1\""));
    unsetenv("AWS_REGION");
}

/* ---- values ---- */

static void
all_values_are_read(void **state)
{
    (void)state;
    expect_valid(
        "{\"bedrock\": {\"model\": \"m\", \"endpoint\": \"https://[::1]:443\","
        " \"ca_file\": \"/ca.pem\"},"
        " \"plugins\": {\"path\": [\"/a\", \"b\"],"
        "  \"config\": {\"clock\": {\"zone\": \"UTC\"}}},"
        " \"sessions\": {\"robot\": {"
        "  \"history\": [{\"role\": \"USER\", \"text\": \"hi\"},"
        "   {\"role\": \"ASSISTANT\", \"text\": \"hello\"}],"
        "  \"input\": {\"rate_hz\": 48000, \"channels\": 2},"
        "  \"output\": {\"rate_hz\": 48000},"
        "  \"tools\": [\"clock\", \"echo\"], \"listen\": \"when_quiet\","
        "  \"interrupt_on\": [\"speech_start\"], \"tool_choice\": \"any\","
        "  \"endpointing_sensitivity\": \"HIGH\","
        "  \"extra\": {\"session_start\": {\"x\": 1}}}}}");
    const struct config_session *s = config->sessions[0];
    assert_string_equal(s->model, "m");
    assert_string_equal(config->bedrock.ca_file, "/ca.pem");
    assert_int_equal(config->plugins.path.count, 2);
    assert_string_equal(config->plugins.path.items[1], "b");
    assert_non_null(cJSON_GetObjectItem(config->plugins.config, "clock"));
    assert_int_equal(s->history.count, 2);
    assert_string_equal(s->history.items[1].role, "ASSISTANT");
    assert_string_equal(s->history.items[1].text, "hello");
    assert_int_equal(s->model_input_rate_hz, 16000);
    assert_int_equal(s->model_output_rate_hz, 24000);
    assert_int_equal(s->tools.count, 2);
    assert_false(s->tools.all);
    assert_int_equal(s->listen, CONFIG_LISTEN_WHEN_QUIET);
    assert_int_equal(s->interrupt_on, CONFIG_INTERRUPT_SPEECH_START);
    assert_string_equal(s->endpointing_sensitivity, "HIGH");
    assert_non_null(s->extra.session_start);
}

static void
bad_values_name_path_line_and_remedy(void **state)
{
    (void)state;
    expect_problem("{\n  \"sessions\": {\n    \"robot\": {\n"
                   "      /* two\n lines */\n      \"chunk_ms\": 5\n}}}",
                   "6: sessions.robot.chunk_ms: is 5; use a whole number "
                   "from 10 to 100 ms");
    expect_session_problem("\"chunk_ms\":\"32\"",
                           "chunk_ms: is \"32\"; use a whole number from 10 "
                           "to 100 ms");
    expect_session_problem("\"gap_ms\":300.5",
                           "gap_ms: is 300.5; use a whole number from 50 to "
                           "5000 ms");
    expect_session_problem("\"input\":{\"rate_hz\":44100}",
                           "input.rate_hz: is 44100; use 8000, 16000, 24000 "
                           "or 48000 Hz");
    expect_session_problem("\"inference\":{\"top_p\":1.5}",
                           "inference.top_p: is 1.5; use a number from 0 to "
                           "1");
    expect_session_problem("\"voice\":7",
                           "voice: is 7; use a text of 1 to 64 bytes");
    expect_session_problem("\"voice\":\"Matthew\"",
                           "voice: is \"Matthew\"; use a voice's id in lower "
                           "case, such as matthew");
    expect_session_problem("\"system_prompt\":\"\"",
                           "system_prompt: is \"\"; use a text of 1 to 204800 "
                           "bytes");
    expect_session_problem("\"listen\":\"loud\"",
                           "listen: is \"loud\"; use \"always\" or "
                           "\"when_quiet\"");
    expect_session_problem("\"interrupt_on\":[\"cough\"]",
                           "interrupt_on: is \"cough\"; use a list of "
                           "\"marker\", \"stop_reason\" or \"speech_start\"");
    expect_session_problem("\"inference\":{\"for_tools\":\"Greedy\"}",
                           "inference.for_tools: is \"Greedy\"; use "
                           "\"as_set\" or \"greedy\"");
    expect_session_problem("\"async_result_s\":3601",
                           "async_result_s: is 3601; use a number from 0 to "
                           "3600 s");
    expect_session_problem("\"endpointing_sensitivity\":\"high\"",
                           "endpointing_sensitivity: is \"high\"; use "
                           "\"HIGH\", \"MEDIUM\" or \"LOW\"");
    expect_session_problem("\"tools\":\"clock\"",
                           "tools: is \"clock\"; use \"*\" for all, or a list "
                           "of at most 256 names");
    expect_session_problem("\"tools\":[\"clock\",3]",
                           "tools[1]: is 3; use a text of 1 to 64 bytes");
    expect_session_problem("\"extra\":{\"prompt_start\":[]}",
                           "extra.prompt_start: is []; use an object, "
                           "{ ... }");
    expect_session_problem("\"inference\":7",
                           "inference: must hold keys and values; use "
                           "{ ... }");
}

static void
bad_endpoints_levels_and_names_are_refused(void **state)
{
    (void)state;
    const char *endpoints[] = {
        "http://x",        "https://",     "https://x/y",  "https://x:0",
        "https://x:65536", "https://x:1x", "https://[::1", "https://a b"};
    for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++) {
        char text[128];
        char line[192];
        snprintf(text, sizeof text, "{\"bedrock\":{\"endpoint\":\"%s\"}}",
                 endpoints[i]);
        snprintf(line, sizeof line,
                 "1: bedrock.endpoint: is \"%s\"; use https://HOST or "
                 "https://HOST:PORT",
                 endpoints[i]);
        expect_problem(text, line);
    }
    expect_problem("{\"bus\":{\"events\":\"tcp://*:5555\"}}",
                   "1: bus.events: is \"tcp://*:5555\"; use "
                   "ipc:///ABSOLUTE/PATH: a network port would have no "
                   "authentication");
    expect_problem("{\"bus\":{\"events\":\"ipc:///x\",\n\"tools\":"
                   "\"ipc:///x\"}}",
                   "1: bus: two endpoints are the same; give each its own "
                   "path");
    assert_int_equal(given_config("{\"log\":\"info,wier=trace\"}"), VR_INVALID);
    assert_non_null(strstr(problems, "t.jsonc:1: log: is \"info,wier=trace\""));
    assert_non_null(strstr(problems, "topics: main "));
    expect_problem("{\"sessions\":{\"Robot 1\":{}}}",
                   "1: sessions.Robot 1: \"Robot 1\" names no session; use a "
                   "name of 1 to 32 characters from a-z, 0-9, _ and -, "
                   "beginning with a letter or digit");
    expect_problem("{\"sessions\":[]}",
                   "1: sessions: must hold at most 1024 sessions by name; "
                   "use {\"robot\": {}}");
    assert_false(config_name_valid(""));
    assert_false(config_name_valid("-a"));
    assert_false(config_name_valid("a/b"));
    assert_true(config_name_valid("0a_b-c"));
    assert_true(config_name_valid("abcdefghijklmnopqrstuvwxyz012345"));
    assert_false(config_name_valid("abcdefghijklmnopqrstuvwxyz0123456"));
}

static void
history_must_begin_with_the_user(void **state)
{
    (void)state;
    expect_session_problem(
        "\"history\":[{\"role\":\"ASSISTANT\",\"text\":\"x\"}]",
        "history: begins with ASSISTANT, which the model refuses; begin with "
        "a USER message");
    expect_session_problem("\"history\":[{\"role\":\"USER\"}]",
                           "history[0]: lacks its text; use {\"role\": "
                           "\"USER\" or \"ASSISTANT\", \"text\": ...}");
    expect_session_problem(
        "\"history\":[{\"role\":\"user\",\"text\":\"x\"}]",
        "history[0].role: is \"user\"; use \"USER\" or \"ASSISTANT\"");
    expect_session_problem(
        "\"history\":[{\"role\":\"USER\",\"text\":\"\"}]",
        "history[0].text: is \"\"; use a text of 1 to 51200 bytes");
    expect_session_problem(
        "\"history\":[{\"role\":\"USER\",\"txt\":\"a\",\"text\":\"b\"}]",
        "history[0].txt: unknown key; did you mean \"text\"?");
    expect_session_problem("\"history\":[null]",
                           "history[0]: is null; use {\"role\": ..., "
                           "\"text\": ...}");
}

/* ---- keys ---- */

static void
unknown_keys_get_a_suggestion(void **state)
{
    (void)state;
    expect_session_problem("\"voise\":\"amy\"",
                           "voise: unknown key; did you mean \"voice\"?");
    expect_session_problem("\"temperature\":1",
                           "temperature: unknown key; did you mean "
                           "\"inference.temperature\"?");
    expect_session_problem("\"input\":{\"hz\":8000}",
                           "input.hz: unknown key; remove it, or use one of: "
                           "rate_hz, channels");
    expect_session_problem("\"input.rate_hz\":8000",
                           "input.rate_hz: a key holds no dots; nest it: "
                           "{\"a\": {\"b\": ...}} for a.b");
    expect_problem("{\n\n\"bedrok\":{\"region\":\"x\"}}",
                   "3: bedrok: unknown key; did you mean \"bedrock\"?");
    expect_problem("{\"a\\u000ab\":1}",
                   "1: a?b: unknown key; remove it, or use one of: bedrock, "
                   "bus, plugins, mcp, workers, tool_settings, runtime_dir, "
                   "instance, log, ring");
    expect_problem("{\"log\":\"info\",\n\"log\":\"warn\"}",
                   "2: log: given twice; keep one (the first is on line 1)");
}

static void
every_problem_is_reported_at_once(void **state)
{
    (void)state;
    assert_int_equal(given_config("{\"bedrock\": {\"region\": 1},\n"
                                  "\"sessions\": {\n\"a\": {\"chunk_ms\": 1},\n"
                                  "\"b\": {\"voise\": 1, \"voice\": 2}}}"),
                     VR_INVALID);
    size_t lines = 0;
    for (const char *p = problems; (p = strchr(p, '\n')); p++)
        lines++;
    assert_int_equal(lines, 4);
    assert_non_null(strstr(problems, "t.jsonc:4: sessions.b.voice: is 2"));
}

static void
many_problems_are_counted(void **state)
{
    (void)state;
    char text[8192] = "{";
    size_t at = 1;
    for (int i = 0; i < 150; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s\"zzzz%d\":1",
                               i ? "," : "", i);
    snprintf(text + at, sizeof text - at, "}");
    assert_int_equal(given_config(text), VR_INVALID);
    assert_non_null(strstr(problems, "\nand 50 more\n"));
}

/* ---- syntax ---- */

static void
syntax_errors_name_the_line(void **state)
{
    (void)state;
    expect_problem("{\n\"log\": 1e999}",
                   "2: a number is too large, at: 1e999}");
    expect_problem("{\n\"log\": \"info\",\n}",
                   "3: nothing follows a comma; remove the comma before }");
    expect_problem("{\n\"log\": \"info\"\n\"bus\": {}}",
                   "3: two values without a comma between them; put one "
                   "before \"bus\": {}}");
    expect_problem("{\n\"log\": info}", "2: this is no JSON, at: info}");
    expect_problem("{\n\"log\": \"in\nfo\"}",
                   "2: a text holds a raw line break; write \\n, and close "
                   "the text with \", at: ");
    expect_problem("{\n/* open", "2: a comment is not closed; end it with */");
    expect_problem("{\"log\": \"info\"",
                   "1: the file ends too early; close what is open: \", ] or "
                   "}");
    expect_problem("{\n\"log\": [1, 2\n\n",
                   "3: the file ends too early; close what is open: \", ] or "
                   "}");
    expect_problem("", "1: the file ends too early; close what is open: \", "
                       "] or }");
    expect_problem("{} {}", "1: something stands behind the end of the "
                            "document, at: {}");
    expect_problem("[]", "1: must hold keys and values; use { ... }");
    expect_problem("{\"log\": \"\xff\"}", "1: a byte is no UTF-8, at: \xff\"}");
    expect_problem("{\"log\": \"\\u0000\"}",
                   "1: a text holds \\u0000, which no text here may, at: "
                   "\\u0000\"}");
}

static void
comments_stand_anywhere_and_not_in_texts(void **state)
{
    (void)state;
    expect_valid("\xef\xbb\xbf// first\n{/**/\"log\"/*:*/:// x\n\"info\"/* \" "
                 "*/,\n\"bedrock\":{\"model\":\"a//b/*c*/\\\"//\"}}// end");
    assert_string_equal(config->bedrock.model, "a//b/*c*/\"//");
}

static void
lines_are_known_for_every_value(void **state)
{
    (void)state;
    static const char text[] = "{ // one\n\"a\"\n:\n[1,\n{\"b\":null},\n"
                               "\"c\"],\n\"d\": {}\n}";
    size_t line;
    char wrong[128];
    struct jsonc *jsonc =
        jsonc_parse(text, sizeof text - 1, &line, wrong, sizeof wrong);
    assert_non_null(jsonc);
    const cJSON *root = jsonc_root(jsonc);
    const cJSON *a = cJSON_GetObjectItem(root, "a");
    assert_int_equal(jsonc_line(jsonc, root), 1);
    assert_int_equal(jsonc_line(jsonc, a), 2);
    assert_int_equal(jsonc_line(jsonc, cJSON_GetArrayItem(a, 0)), 4);
    assert_int_equal(jsonc_line(jsonc, cJSON_GetArrayItem(a, 1)->child), 5);
    assert_int_equal(jsonc_line(jsonc, cJSON_GetArrayItem(a, 2)), 6);
    assert_int_equal(jsonc_line(jsonc, cJSON_GetObjectItem(root, "d")), 7);
    assert_int_equal(jsonc_line(jsonc, NULL), 0);
    jsonc_free(&jsonc);
}

/* ---- files ---- */

static void
write_file(const char *dir, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void
paths_start_at_the_files_folder(void **state)
{
    (void)state;
    char dir[] = "/tmp/voxring-test-config-XXXXXX";
    char file[128];
    char prompt[128];
    char ca[128];
    assert_non_null(mkdtemp(dir));
    snprintf(file, sizeof file, "%s/robot.jsonc", dir);
    snprintf(prompt, sizeof prompt, "%s/prompt.txt", dir);
    snprintf(ca, sizeof ca, "%s/ca.pem", dir);
    write_file(dir, "prompt.txt", "You are a robot.");
    write_file(dir, "robot.jsonc",
               "{\"bedrock\":{\"ca_file\":\"ca.pem\"},\"sessions\":{\"r\":"
               "{\"system_prompt_file\":\"prompt.txt\"}}}");
    enum vr_status good = config_load(file, &config, &problems);
    char *text =
        good == VR_OK ? strdup(config->sessions[0]->system_prompt) : NULL;
    char *ca_file = good == VR_OK ? strdup(config->bedrock.ca_file) : NULL;
    config_free(&config);
    unlink(prompt);
    enum vr_status missing = config_load(file, &config, &problems);
    unlink(file);
    rmdir(dir);
    assert_int_equal(good, VR_OK);
    assert_string_equal(text, "You are a robot.");
    assert_string_equal(ca_file, ca);
    assert_int_equal(missing, VR_INVALID);
    assert_non_null(strstr(problems, ":1: sessions.r.system_prompt_file: "
                                     "cannot open "));
    free(text);
    free(ca_file);
}

static void
files_that_cannot_be_read_say_why(void **state)
{
    (void)state;
    assert_int_equal(config_load("/nonexistent/x.jsonc", &config, &problems),
                     VR_NOT_FOUND);
    assert_string_equal(problems, "/nonexistent/x.jsonc: cannot open "
                                  "/nonexistent/x.jsonc: No such file or "
                                  "directory\n");
    free(problems);
    assert_int_equal(config_load("/dev/zero", &config, &problems), VR_INVALID);
    assert_non_null(strstr(problems, "is no file"));
    free(problems);
    assert_int_equal(config_load("/tmp", &config, &problems), VR_INVALID);
}

/* ---- session.open ---- */

static void
sessions_open_with_parameters_too(void **state)
{
    (void)state;
    struct config_session *session;
    char *wrong;
    expect_valid("{\"bedrock\":{\"model\":\"m\"}}");
    assert_int_equal(config_session_parse(config, "kitchen", NULL,
                                          "params.config", &session, &wrong),
                     VR_OK);
    assert_string_equal(session->model, "m");
    assert_string_equal(session->name, "kitchen");
    config_session_free(&session);
    cJSON *object = cJSON_Parse("{\"voice\":1,\"system_prompt_file\":"
                                "\"/etc/passwd\"}");
    assert_int_equal(config_session_parse(config, "kitchen", object,
                                          "params.config", &session, &wrong),
                     VR_INVALID);
    cJSON_Delete(object);
    assert_null(session);
    assert_string_equal(
        wrong, "params.config.voice: is 1; use a text of 1 to 64 bytes\n"
               "params.config.system_prompt_file: works in the configuration "
               "file only; send the text as system_prompt\n");
    free(wrong);
    assert_int_equal(
        config_session_parse(config, "../x", NULL, "params", &session, &wrong),
        VR_INVALID);
    assert_non_null(strstr(wrong, "\"../x\" names no session; use a name of"));
    free(wrong);
}

/* ---- no memory ---- */

static void
no_allocation_of_json_is_taken_for_granted(void **state)
{
    (void)state;
    static const char text[] =
        "{\"plugins\":{\"path\":[\"/a\"],\"config\":{\"a\":{}}},"
        "\"sessions\":{\"r\":{\"history\":[{\"role\":\"USER\","
        "\"text\":\"x\"}],\"tools\":[\"a\"]}}}";
    expect_no_crash_without_memory(text);
}

/* ---- one list ---- */

/* NAME and TOOL stand for the first entry there is. */
static const cJSON *
at_path(const cJSON *json, const char *path)
{
    char copy[128];
    char *rest = copy;
    snprintf(copy, sizeof copy, "%s", path);
    for (char *word; json && (word = strsep(&rest, "."));) {
        bool any = !strcmp(word, "NAME") || !strcmp(word, "TOOL");
        json = any ? json->child : cJSON_GetObjectItemCaseSensitive(json, word);
    }
    return json;
}

/* Whether the key is an object of entries, whose keys have rows of their own. */
static bool
has_entries(const struct config_key *key)
{
    return strstr(key->type, " by name") != NULL;
}

/* Takes the comment signs from the lines of the example's `mcp`. */
static void
uncomment_mcp(char *text)
{
    char *line = strstr(text, "\n    \"mcp\": {\n");
    assert_non_null(line);
    char *end = strstr(line, "\n    },\n");
    assert_non_null(end);
    for (line++; line < end; line = strchr(line, '\n') + 1) {
        if (!strncmp(line, "        //", 10))
            memset(line, ' ', 10);
    }
}

static void
the_example_documents_every_key_with_its_default(void **state)
{
    (void)state;
    static char text[65536];
    size_t line;
    char wrong[256];
    FILE *f = fopen("gateway/voxring.example.jsonc", "r");
    assert_non_null(f);
    size_t bytes = fread(text, 1, sizeof text, f);
    fclose(f);
    assert_true(bytes < sizeof text);
    uncomment_mcp(text);
    struct jsonc *example =
        jsonc_parse(text, bytes, &line, wrong, sizeof wrong);
    assert_non_null(example);
    const struct config_key *key;
    for (size_t i = 0; (key = config_key_at(i)); i++) {
        const cJSON *shown = at_path(jsonc_root(example), key->path);
        cJSON *fallback = cJSON_Parse(key->fallback);
        bool given = !strcmp(key->path, "mcp.NAME.command");
        if (!shown || (!given && !has_entries(key) &&
                       !cJSON_Compare(shown, fallback, true)))
            fail_msg("%s is %s in the example; its default is %s", key->path,
                     shown ? "different" : "missing", key->fallback);
        assert_true(strlen(key->what) > 4);
        cJSON_Delete(fallback);
    }
    jsonc_free(&example);
    expect_valid(text);
    assert_int_equal(config->mcp.count, 1);
    config_free(&config);
    assert_int_equal(
        config_load("gateway/voxring.example.jsonc", &config, &problems),
        VR_OK);
}

static void
what_is_shown_loads_again_and_matches_the_table(void **state)
{
    (void)state;
    expect_valid("{\"sessions\": {\"robot\": {}},"
                 " \"plugins\": {\"rules\": {\"*\": {}}},"
                 " \"mcp\": {\"files\": {\"command\": \"x\"}},"
                 " \"workers\": {\"rules\": {\"arm\": {}}},"
                 " \"tool_settings\": {\"move\": {}}}");
    cJSON *shown = config_to_json(config);
    const struct config_key *key;
    for (size_t i = 0; (key = config_key_at(i)); i++) {
        const cJSON *value = at_path(shown, key->path);
        cJSON *fallback = cJSON_Parse(key->fallback);
        if (!value)
            fail_msg("%s is not shown", key->path);
        if (!cJSON_IsNull(fallback) && !has_entries(key) &&
            !cJSON_Compare(value, fallback, true))
            fail_msg("%s is shown otherwise than its default %s", key->path,
                     key->fallback);
        cJSON_Delete(fallback);
    }
    char *text = cJSON_Print(shown);
    expect_valid(text);
    cJSON *again = config_to_json(config);
    assert_true(cJSON_Compare(shown, again, true));
    cJSON_Delete(shown);
    cJSON_Delete(again);
    free(text);
}

static void
check_prints_settings_or_problems(void **state)
{
    (void)state;
    char *text = NULL;
    size_t bytes = 0;
    FILE *f = open_memstream(&text, &bytes);
    assert_int_equal(config_check("gateway/voxring.example.jsonc", f), VR_OK);
    assert_int_equal(config_check("/nonexistent", f), VR_NOT_FOUND);
    fclose(f);
    assert_non_null(strstr(text, "is valid"));
    assert_non_null(strstr(text, "\"voice\":\t\"matthew\""));
    assert_non_null(strstr(text, "cannot open /nonexistent"));
    free(text);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, given_setup, given_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_session_has_every_default),
        TEST(an_empty_session_lives_on_by_every_default),
        TEST(null_means_the_default_everywhere),
        TEST(the_region_follows_the_environment),
        TEST(all_values_are_read),
        TEST(bad_values_name_path_line_and_remedy),
        TEST(bad_endpoints_levels_and_names_are_refused),
        TEST(history_must_begin_with_the_user),
        TEST(unknown_keys_get_a_suggestion),
        TEST(every_problem_is_reported_at_once),
        TEST(many_problems_are_counted),
        TEST(syntax_errors_name_the_line),
        TEST(comments_stand_anywhere_and_not_in_texts),
        TEST(lines_are_known_for_every_value),
        TEST(paths_start_at_the_files_folder),
        TEST(files_that_cannot_be_read_say_why),
        TEST(sessions_open_with_parameters_too),
        TEST(no_allocation_of_json_is_taken_for_granted),
        TEST(the_example_documents_every_key_with_its_default),
        TEST(what_is_shown_loads_again_and_matches_the_table),
        TEST(check_prints_settings_or_problems),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

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
#include "gateway/config_entry.h"
#include "gateway/config_provider.h"
#include "tests/base/given_config.h"

/* The same of mcp.m, all on line 1. */
static void
expect_mcp_problem(const char *members, const char *problem)
{
    char text[1024];
    char line[1024];
    snprintf(text, sizeof text, "{\"mcp\":{\"m\":{%s}}}", members);
    snprintf(line, sizeof line, "1: mcp.m%s", problem);
    expect_problem(text, line);
}

/* What is shown of the configuration, as one text; freed by the caller. */
static char *
shown(void)
{
    cJSON *json = config_to_json(config);
    char *text = cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    assert_non_null(text);
    return text;
}

/* ---- defaults ---- */

static void
nothing_is_set_by_default(void **state)
{
    (void)state;
    expect_valid("{}");
    assert_int_equal(config->plugins.watch, CONFIG_ON);
    assert_int_equal(config->plugins.settle_ms, 300);
    assert_int_equal(config->plugins.rules.count, 0);
    assert_int_equal(config->mcp.count, 0);
    assert_int_equal(config->workers.accept, CONFIG_ACCEPT_ANY);
    assert_int_equal(config->workers.rules.count, 0);
    assert_int_equal(config->tool_settings.count, 0);
    assert_null(config_provider_find(&config->plugins.rules, "clock"));
    assert_null(config_tool_find(&config->tool_settings, "clock"));
}

static void
expect_default(const struct config_table *table,
               const struct config_provider *provider,
               enum config_provider_kind kind)
{
    const struct config_provider *fallback = config_provider_default(kind);
    assert_string_equal(fallback->name, "*");
    for (size_t i = 0; i < table->row_count; i++) {
        if (!config_value_same(&table->rows[i], provider, fallback) &&
            strcmp(table->rows[i].path, "command"))
            fail_msg("kind %d: the default of %s is another", kind,
                     table->rows[i].path);
    }
}

static void
an_empty_entry_says_what_no_entry_says(void **state)
{
    (void)state;
    expect_valid("{\"plugins\":{\"rules\":{\"a\":null}},\"mcp\":{\"b\":"
                 "{\"command\":\"x\"}},\"workers\":{\"rules\":{\"c\":{}}}}");
    expect_default(&config_plugin_table, &config->plugins.rules.items[0],
                   CONFIG_PROVIDER_PLUGIN);
    assert_true(config->plugins.rules.items[0].tools.all);
    assert_true(config->plugins.rules.items[0].allow.all);
    assert_true(config->mcp.items[0].tools.all);
    assert_true(config->workers.rules.items[0].allow.all);
    expect_default(&config_mcp_table, &config->mcp.items[0],
                   CONFIG_PROVIDER_MCP);
    expect_default(&config_worker_table, &config->workers.rules.items[0],
                   CONFIG_PROVIDER_WORKER);
    const struct config_provider *p =
        config_provider_default(CONFIG_PROVIDER_PLUGIN);
    assert_int_equal(p->memory_mb, 512);
    assert_true(p->timeout_s == 0);
    assert_int_equal(p->result_bytes, 262144);
    assert_int_equal(p->concurrent_calls, 8);
    assert_int_equal(p->grants, CONFIG_GRANT_PUBLISH);
    assert_int_equal(p->env.count, 0);
    p = config_provider_default(CONFIG_PROVIDER_MCP);
    assert_int_equal(p->memory_mb, 0);
    assert_true(p->allow.all);
    p = config_provider_default(CONFIG_PROVIDER_WORKER);
    assert_int_equal(p->concurrent_calls, 16);
    assert_true(p->tools.all);
    assert_false(p->catch_all);
}

static void
a_tool_says_nothing_by_default(void **state)
{
    (void)state;
    expect_valid("{\"tool_settings\":{\"a\":{},\"b\":{\"mode\":\"sync\","
                 "\"timeout_s\":0,\"cancel_on_interrupt\":false},\"c\":{"
                 "\"mode\":\"async\",\"timeout_s\":1.5,\"description\":\"d\","
                 "\"cancel_on_interrupt\":true}}}");
    const struct config_tool *tool =
        config_tool_find(&config->tool_settings, "a");
    assert_non_null(tool);
    assert_int_equal(tool->mode, 0);
    assert_true(tool->timeout_s < 0);
    assert_int_equal(tool->cancel_on_interrupt, -1);
    assert_null(tool->description);
    tool = config_tool_find(&config->tool_settings, "b");
    assert_int_equal(tool->mode, CONFIG_TOOL_SYNC);
    assert_true(tool->timeout_s == 0);
    assert_int_equal(tool->cancel_on_interrupt, 0);
    tool = config_tool_find(&config->tool_settings, "c");
    assert_int_equal(tool->mode, CONFIG_TOOL_ASYNC);
    assert_true(tool->timeout_s == 1.5);
    assert_int_equal(tool->cancel_on_interrupt, 1);
    assert_string_equal(tool->description, "d");
    assert_null(config_tool_find(&config->tool_settings, "d"));
}

/* ---- values ---- */

static void
all_keys_of_a_server_are_read(void **state)
{
    (void)state;
    expect_valid(
        "{\"mcp\":{\"files\":{\"command\":\"npx\",\"args\":[\"-y\",\"\"],"
        "\"cwd\":\"/srv\",\"prefix\":\"f_\",\"allow\":[\"read file\"],"
        "\"memory_mb\":64,\"timeout_s\":2.5,\"result_bytes\":1024,"
        "\"concurrent_calls\":1,\"grants\":[\"text\",\"end\"],"
        "\"env\":{\"A\":\"b=c\",\"HOME\":null}},"
        "\"web\":{\"url\":\"http://[::1]:80/mcp?x=1\",\"env\":[]}}}");
    const struct config_provider *p =
        config_provider_find(&config->mcp, "files");
    assert_string_equal(p->name, "files");
    assert_string_equal(p->command, "npx");
    assert_null(p->url);
    assert_int_equal(p->args.count, 2);
    assert_string_equal(p->args.items[1], "");
    assert_string_equal(p->cwd, "/srv");
    assert_string_equal(p->prefix, "f_");
    assert_false(p->allow.all);
    assert_string_equal(p->allow.items[0], "read file");
    assert_int_equal(p->memory_mb, 64);
    assert_true(p->timeout_s == 2.5);
    assert_int_equal(p->result_bytes, 1024);
    assert_int_equal(p->concurrent_calls, 1);
    assert_int_equal(p->grants, CONFIG_GRANT_TEXT | CONFIG_GRANT_END);
    assert_int_equal(p->env.count, 2);
    assert_string_equal(p->env.items[0], "A=b=c");
    assert_string_equal(p->env.items[1], "HOME");
    p = config_provider_find(&config->mcp, "web");
    assert_string_equal(p->url, "http://[::1]:80/mcp?x=1");
    assert_null(config_provider_find(&config->mcp, "else"));
}

static void
a_star_is_for_those_not_named(void **state)
{
    (void)state;
    expect_valid("{\"plugins\":{\"watch\":\"off\",\"settle_ms\":10,\"rules\":{"
                 "\"*\":{\"memory_mb\":1},\"clock\":{\"env\":[\"TZ\"]}}},"
                 "\"workers\":{\"accept\":\"listed\",\"rules\":{\"*\":{"
                 "\"tools\":[\"a\"],\"catch_all\":true}}}}");
    const struct config_providers *rules = &config->plugins.rules;
    assert_int_equal(config->plugins.watch, CONFIG_OFF);
    assert_int_equal(config_provider_find(rules, "echo")->memory_mb, 1);
    assert_int_equal(config_provider_find(rules, "clock")->memory_mb, 512);
    assert_string_equal(config_provider_find(rules, "clock")->env.items[0],
                        "TZ");
    assert_int_equal(config->workers.accept, CONFIG_ACCEPT_LISTED);
    rules = &config->workers.rules;
    assert_true(config_provider_find(rules, "arm")->catch_all);
    assert_false(config_provider_find(rules, "arm")->tools.all);
}

/* ---- what is wrong ---- */

static void
keys_and_values_are_checked_as_everywhere(void **state)
{
    (void)state;
    expect_problem("{\"mcp\":{\n\"files\":{\"command\":\"x\",\n"
                   "\"comand\":\"x\"}}}",
                   "3: mcp.files.comand: unknown key; did you mean "
                   "\"command\"?");
    expect_problem("{\"plugins\":{\"rules\":{\"a\":{\"command\":\"x\"}}}}",
                   "1: plugins.rules.a.command: unknown key; remove it, or use "
                   "one of: memory_mb, timeout_s, result_bytes, "
                   "concurrent_calls, grants, env");
    expect_problem("{\"workers\":{\"rules\":{\"a\":{\"catch_all\":\"yes\"}}}}",
                   "1: workers.rules.a.catch_all: is \"yes\"; use true or "
                   "false");
    expect_problem("{\"workers\":{\"rules\":{\"a\":{\"tools\":[\"a b\"]}}}}",
                   "1: workers.rules.a.tools[0]: is \"a b\"; use a tool's "
                   "name, 1 to 64 characters from A-Z, a-z, 0-9, _ and -");
    expect_problem("{\"workers\":{\"accept\":\"some\"}}",
                   "1: workers.accept: is \"some\"; use \"any\", \"listed\" or "
                   "\"none\"");
    expect_problem("{\"plugins\":{\"rules\":{\"a\":{\"grants\":[\"all\"]}}}}",
                   "1: plugins.rules.a.grants: is \"all\"; use a list of "
                   "\"publish\", \"text\", \"update\", \"history\" or \"end\"");
    expect_problem("{\"tool_settings\":{\"t\":{\"timeout_s\":-1}}}",
                   "1: tool_settings.t.timeout_s: is -1; use a number from 0 "
                   "to 86400 s");
    expect_problem("{\"tool_settings\":{\"t\":{\"mode\":\"both\"}}}",
                   "1: tool_settings.t.mode: is \"both\"; use \"sync\" or "
                   "\"async\"");
    expect_problem("{\"mcp\":[]}", "1: mcp: is []; use at most 256 entries, "
                                   "{\"NAME\": { ... }}");
    expect_problem("{\"mcp\":{\"m\":\"npx\"}}",
                   "1: mcp.m: must hold keys and values; use { ... }");
    expect_mcp_problem("\"command\":\"x\",\"args\":\"-y\"",
                       ".args: is \"-y\"; use a list of at most 256 texts");
    expect_mcp_problem("\"command\":\"x\",\"result_bytes\":1000",
                       ".result_bytes: is 1000; use a whole number from 1024 "
                       "to 1048576 bytes");
    expect_mcp_problem("\"command\":\"x\",\"prefix\":\"a.\"",
                       ".prefix: is \"a.\"; use characters of which tools' "
                       "names are made, A-Z, a-z, 0-9, _ and -");
}

static void
names_are_good_and_given_once(void **state)
{
    (void)state;
    expect_problem("{\"mcp\":{\"a.b\":{\"command\":\"x\"}}}",
                   "1: mcp.a.b: \"a.b\" is no name here; use 1 to 32 "
                   "characters from A-Z, a-z, 0-9, _ and -");
    expect_problem("{\"mcp\":{\"*\":{\"command\":\"x\"}}}",
                   "1: mcp.*: \"*\" is no name here; use 1 to 32 characters "
                   "from A-Z, a-z, 0-9, _ and -");
    expect_problem("{\"workers\":{\"rules\":{\"\":{}}}}",
                   "1: workers.rules.: \"\" is no name here; use 1 to 32 "
                   "characters from A-Z, a-z, 0-9, _ and -");
    expect_problem("{\"tool_settings\":{\"*\":{}}}",
                   "1: tool_settings.*: \"*\" is no name here; use a tool's "
                   "name, 1 to 64 characters from A-Z, a-z, 0-9, _ and -");
    expect_problem("{\"mcp\":{\"a\":{\"command\":\"x\"},\n"
                   "\"a\":{\"command\":\"y\"}}}",
                   "2: mcp.a: given twice; keep one, or name it otherwise");
    expect_problem("{\"mcp\":{\"arm\":{\"command\":\"x\"}},\n"
                   "\"workers\":{\"rules\":{\"*\":{},\"arm\":{}}}}",
                   "2: workers.rules.arm: has the name of mcp.arm; each "
                   "provider of tools needs its own, rename one");
    expect_problem("{\"mcp\":{\"arm\":{\"command\":\"x\"}},\n"
                   "\"plugins\":{\"rules\":{\"*\":{},\"arm\":{}}}}",
                   "1: mcp.arm: has the name of plugins.rules.arm; each "
                   "provider of tools needs its own, rename one");
    expect_valid("{\"plugins\":{\"rules\":{\"*\":{}}},\"workers\":{\"rules\":"
                 "{\"*\":{},\"_-Aa0\":{}}}}");
}

static void
a_server_has_a_command_or_a_url(void **state)
{
    (void)state;
    expect_mcp_problem("", ": names no server; give its command, "
                           "{\"command\": \"npx\", \"args\": [...]}, or its "
                           "url");
    expect_problem("{\"mcp\":{\"m\":null}}",
                   "1: mcp.m: names no server; give its command, "
                   "{\"command\": \"npx\", \"args\": [...]}, or its url");
    expect_mcp_problem("\"command\":\"x\",\"url\":\"https://h\"",
                       ".url: stands beside command; keep one of the two");
    expect_mcp_problem("\"url\":\"https://h\",\"args\":[\"a\"]",
                       ".args: is for a command, but a url is given; remove "
                       "one of the two");
    expect_mcp_problem("\"command\":\"x\",\"headers_file\":\"/h\"",
                       ".headers_file: is for a url, but a command is given; "
                       "remove one of the two, or hand secrets over with env");
}

static void
a_url_is_safe_to_send_secrets_to(void **state)
{
    (void)state;
    static const char *const good[] = {
        "https://h",           "https://h.example:8443/mcp?a=b%20c",
        "https://[fe80::1]/x", "http://127.0.0.1:1/",
        "http://localhost",    "http://127.9.9.9",
        "http://[::1]:9/mcp"};
    static const char *const bad[] = {
        "ftp://h",           "https://",         "https://user:pass@h/",
        "https://h:0",       "https://h:65536",  "https://h:",
        "https://h/a b",     "https://h/#x",     "https://[::1",
        "https://[zz]/",     "https://[]/",      "https://h\\u00e9",
        "https://h\\\\@x/y", "https://h/\\u0001"};
    static const char *const remote[] = {"http://h",
                                         "http://10.0.0.1/",
                                         "http://localhost.evil.example",
                                         "http://127.0.0.1.evil.example",
                                         "http://[::2]/",
                                         "http://0x7f.1"};
    char text[256];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        snprintf(text, sizeof text, "{\"mcp\":{\"m\":{\"url\":\"%s\"}}}",
                 good[i]);
        expect_valid(text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text, "\"url\":\"%s\",\"command\":null", bad[i]);
        expect_mcp_problem(
            text, ".url: is no good address; use https://HOST[:PORT]/PATH, "
                  "without a user's name (secrets go into "
                  "headers_file) and without #");
    }
    for (size_t i = 0; i < sizeof remote / sizeof *remote; i++) {
        snprintf(text, sizeof text, "\"url\":\"%s\"", remote[i]);
        expect_mcp_problem(
            text, ".url: is no good address; use https://; plain http:// "
                  "goes to this machine only, 127.0.0.1, [::1] "
                  "or localhost");
    }
}

/* ---- secrets ---- */

static void
variables_are_named_and_their_values_never_said(void **state)
{
    (void)state;
    static const char *const bad[] = {"[\"KEY=hunter2\"]",
                                      "{\"2A\":\"hunter2\"}",
                                      "{\"\":\"hunter2\"}", "[7]"};
    char text[256];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text,
                 "{\"plugins\":{\"rules\":{\"a\":{\"env\":"
                 "%s}}}}",
                 bad[i]);
        assert_int_equal(given_config(text), VR_INVALID);
        assert_null(strstr(problems, "hunter2"));
        assert_non_null(strstr(problems, "is no variable's name; use 1 to"));
    }
    expect_mcp_problem("\"command\":\"x\",\"env\":{\"KEY\":12345}",
                       ".env.KEY: is no text; put quotes around the value, or "
                       "null to pass voxringd's own on");
    expect_mcp_problem("\"command\":\"x\",\"env\":\"hunter2\"",
                       ".env: holds no variables; use a list of names, "
                       "[\"HOME\"], or {\"NAME\": \"value\"}, at most 256");
    expect_mcp_problem("\"command\":\"x\",\"env\":[\"A\",\"AB\",\"A\"]",
                       ".env[2]: is given twice; keep one");
    expect_mcp_problem("\"command\":\"x\",\"env\":{\"A\":\"hunter2\",\"A\":"
                       "\"b\"}",
                       ".env.A: is given twice; keep one");
}

static void
secrets_are_not_shown(void **state)
{
    (void)state;
    expect_valid("{\"mcp\":{\"m\":{\"command\":\"x\",\"env\":{\"KEY\":"
                 "\"hunter2\",\"HOME\":null}},\"u\":{\"url\":"
                 "\"https://h/p?token=hunter2\"},\"l\":{\"command\":\"y\","
                 "\"env\":[\"TZ\"]}},\"plugins\":{\"config\":{\"weather\":{"
                 "\"api_key\":\"hunter2\",\"deep\":[{\"Password\":\"hunter2\"}]"
                 ",\"zone\":\"UTC\",\"url\":\"https://h/?k=hunter2\","
                 "\"proxy\":[\"http://me:hunter2@h/\"]}}}}");
    assert_non_null(strstr(
        cJSON_GetStringValue(cJSON_GetObjectItem(
            cJSON_GetObjectItem(config->plugins.config, "weather"), "api_key")),
        "hunter2"));
    char *text = shown();
    assert_null(strstr(text, "hunter2"));
    assert_non_null(strstr(text, "\"env\":{\"KEY\":\"\xe2\x80\xa6\","
                                 "\"HOME\":null}"));
    assert_non_null(strstr(text, "\"env\":[\"TZ\"]"));
    assert_non_null(strstr(text, "\"https://h/p?...\""));
    assert_non_null(strstr(text, "\"api_key\":\"\xe2\x80\xa6\""));
    assert_non_null(strstr(text, "\"zone\":\"UTC\""));
    expect_valid(text);
    char *again = shown();
    assert_string_equal(text, again);
    free(text);
    free(again);
}

static void
check_prints_no_secret(void **state)
{
    (void)state;
    char path[] = "/tmp/voxring-test-provider-XXXXXX";
    char *text = NULL;
    size_t bytes = 0;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    dprintf(fd, "{\"plugins\":{\"rules\":{\"*\":{\"env\":{\"K\":\"hunter2\"}}}}"
                "}");
    close(fd);
    FILE *f = open_memstream(&text, &bytes);
    enum vr_status status = config_check(path, f);
    fclose(f);
    unlink(path);
    assert_int_equal(status, VR_OK);
    assert_null(strstr(text, "hunter2"));
    assert_non_null(strstr(text, "\"K\":\t\"\xe2\x80\xa6\""));
    free(text);
}

/* ---- files with secrets ---- */

struct files {
    char dir[64];
    char token[128];
    char config[128];
};

static int
files_setup(void **state)
{
    static struct files files;
    given_setup(state);
    files = (struct files){.dir = "/tmp/voxring-test-provider-XXXXXX"};
    assert_non_null(mkdtemp(files.dir));
    snprintf(files.token, sizeof files.token, "%s/token", files.dir);
    snprintf(files.config, sizeof files.config, "%s/robot.jsonc", files.dir);
    FILE *f = fopen(files.token, "w");
    assert_non_null(f);
    fputs("secret", f);
    fclose(f);
    chmod(files.token, 0600);
    *state = &files;
    return 0;
}

static int
files_teardown(void **state)
{
    const struct files *files = *state;
    unlink(files->token);
    unlink(files->config);
    rmdir(files->dir);
    return given_teardown(state);
}

static enum vr_status
load(const struct files *files, const char *text)
{
    FILE *f = fopen(files->config, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    given_teardown(NULL);
    return config_load(files->config, &config, &problems);
}

static void
a_file_of_secrets_is_there_and_closed(void **state)
{
    const struct files *files = *state;
    static const char worker[] =
        "{\"workers\":{\"rules\":{\"w\":{\n\"token_file\":\"token\"}}}}";
    char expected[640];
    assert_int_equal(load(files, worker), VR_OK);
    assert_string_equal(config->workers.rules.items[0].token_file,
                        files->token);
    assert_int_equal(load(files, "{\"mcp\":{\"m\":{\"url\":\"https://h\","
                                 "\"headers_file\":\"token\"}}}"),
                     VR_OK);
    assert_string_equal(config->mcp.items[0].headers_file, files->token);
    chmod(files->token, 0644);
    assert_int_equal(load(files, worker), VR_INVALID);
    snprintf(expected, sizeof expected,
             "%s:2: workers.rules.w.token_file: %s is open to everybody (mode "
             "644); run: chmod o-rwx and its path\n",
             files->config, files->token);
    assert_string_equal(problems, expected);
    chmod(files->token, 0602);
    assert_int_equal(load(files, worker), VR_INVALID);
    chmod(files->token, 0660);
    assert_int_equal(load(files, worker), VR_OK);
    unlink(files->token);
    assert_int_equal(load(files, worker), VR_INVALID);
    snprintf(expected, sizeof expected,
             "%s:2: workers.rules.w.token_file: cannot open %s: No such file "
             "or directory\n",
             files->config, files->token);
    assert_string_equal(problems, expected);
    assert_int_equal(
        load(files, "{\"workers\":{\"rules\":{\"w\":{\"token_file\":\".\"}}}}"),
        VR_INVALID);
    assert_non_null(strstr(problems, "is no file; name a text file"));
}

static void
a_pipe_in_a_files_place_does_not_hang(void **state)
{
    const struct files *files = *state;
    unlink(files->token);
    assert_int_equal(mkfifo(files->token, 0600), 0);
    assert_int_equal(load(files, "{\"workers\":{\"rules\":{\"w\":{"
                                 "\"token_file\":\"token\"}}}}"),
                     VR_INVALID);
    assert_non_null(strstr(problems, "is no file; name a text file"));
}

/* ---- copies ---- */

static void
entries_are_copied_and_compared(void **state)
{
    (void)state;
    expect_valid(
        "{\"plugins\":{\"rules\":{\"a\":{\"env\":{\"A\":\"b\"}},\"b\":{}}},"
        "\"mcp\":{\"c\":{\"command\":\"x\",\"args\":[\"y\"]}},"
        "\"workers\":{\"rules\":{\"d\":{\"catch_all\":true}}},"
        "\"tool_settings\":{\"t\":{\"description\":\"x\"}}}");
    struct config *copy = calloc(1, sizeof *copy);
    assert_non_null(copy);
    size_t entries = 0;
    for (size_t i = 0; i < config_root_table.row_count; i++) {
        const struct config_row *row = &config_root_table.rows[i];
        if (!config_entry_table(row))
            continue;
        entries++;
        assert_false(config_value_same(row, config, copy));
        assert_true(config_value_copy(row, config, copy));
        assert_true(config_value_same(row, config, copy));
    }
    assert_int_equal(entries, 4);
    copy->plugins.rules.items[0].env.items[0][2] = 'c';
    copy->mcp.items[0].args.items[0][0] = 'z';
    copy->workers.rules.items[0].catch_all = false;
    copy->tool_settings.items[0].timeout_s = 0;
    for (size_t i = 0; i < config_root_table.row_count; i++) {
        const struct config_row *row = &config_root_table.rows[i];
        if (config_entry_table(row))
            assert_false(config_value_same(row, config, copy));
    }
    config_free(&copy);
}

/* ---- no memory ---- */

static void
no_allocation_of_json_is_taken_for_granted(void **state)
{
    (void)state;
    static const char text[] =
        "{\"plugins\":{\"rules\":{\"a\":{\"env\":{\"A\":\"b\"}}}},\"mcp\":{"
        "\"c\":{\"url\":\"https://h?a=bc\",\"allow\":[\"y\"]}},"
        "\"tool_settings\":{\"t\":{\"mode\":\"sync\"}}}";
    expect_no_crash_without_memory(text);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, given_setup, given_teardown)
#define FILES(f) cmocka_unit_test_setup_teardown(f, files_setup, files_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_set_by_default),
        TEST(an_empty_entry_says_what_no_entry_says),
        TEST(a_tool_says_nothing_by_default),
        TEST(all_keys_of_a_server_are_read),
        TEST(a_star_is_for_those_not_named),
        TEST(keys_and_values_are_checked_as_everywhere),
        TEST(names_are_good_and_given_once),
        TEST(a_server_has_a_command_or_a_url),
        TEST(a_url_is_safe_to_send_secrets_to),
        TEST(variables_are_named_and_their_values_never_said),
        TEST(secrets_are_not_shown),
        TEST(check_prints_no_secret),
        FILES(a_file_of_secrets_is_there_and_closed),
        FILES(a_pipe_in_a_files_place_does_not_hang),
        TEST(entries_are_copied_and_compared),
        TEST(no_allocation_of_json_is_taken_for_granted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

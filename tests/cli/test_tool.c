/* voxring tool new, tool test, tool list and tool reload. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "ipc/cli/command.h"
#include "tests/cli/played.h"
#include "tests/cli/program.h"

/* Compiles a source into the folder; returns the library's path. */
static const char *
compile(const char *source, const char *library)
{
    const char *cc = getenv("CC");
    char command[1024];
    snprintf(command, sizeof command,
             "%s -shared -fPIC -std=gnu11 -Wall -Wextra -Werror -pthread "
             "-Itools -o '%s/%s' '%s' -lcjson",
             cc ? cc : "cc", program_dir, library, source);
    FILE *shell = popen(command, "r");
    assert_non_null(shell);
    assert_int_equal(pclose(shell), 0);
    return program_path(library);
}

/* The smallest plugin around a call, a schema and an init. */
static const char *
plugin(const char *name, const char *schema, const char *init, const char *call)
{
    char *source, file[64], library[64];
    int bytes = asprintf(
        &source,
        "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n"
        "#include <voxring_tool.h>\n"
        "static const struct voxring_host *host;\n"
        "static int init(const struct voxring_host *h, const char *config,"
        " char *why, size_t n) {"
        " host = h; (void)config; (void)why; (void)n; %s }\n"
        "static void call(const struct voxring_call *c) { %s }\n"
        "static const struct voxring_tool tools[] = {{.name = \"%s\","
        " .description = \"Does something that only a test needs.\","
        " .input_schema = %s, .timeout_ms = 2000, .call = call}};\n"
        "VOXRING_EXPORT const struct voxring_plugin voxring_plugin = {"
        " VOXRING_PLUGIN_HEAD, .name = \"%s\", .version = \"1\","
        " .tools = tools, .tool_count = 1, .tool_bytes = sizeof tools[0],"
        " .init = init};\n",
        init, call, name, schema, name);
    assert_true(bytes > 0);
    snprintf(file, sizeof file, "%s.c", name);
    snprintf(library, sizeof library, "%s.so", name);
    const char *path =
        compile(program_file(file, source, (size_t)bytes), library);
    free(source);
    return path;
}

#define NO_INPUT "\"{\\\"type\\\":\\\"object\\\",\\\"properties\\\":{}}\""
#define DONE "host->complete(c->token, VOXRING_OK, \"{\\\"a\\\":1}\");"

static void
assert_says(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in:\n%s", part, text);
}

/* `tool new`, the build line's warnings as errors, `tool test`. */
static void
write_and_try(const char *name, const char *option, const char *arguments)
{
    char file[64], library[64];
    snprintf(file, sizeof file, "%s.c", name);
    snprintf(library, sizeof library, "%s.so", name);
    char source[256], so[256];
    snprintf(source, sizeof source, "%s", program_path(file));
    struct program *p =
        PROGRAM_RUN("tool", "new", name, "--output", source, option);
    assert_int_equal(p->code, 0);
    assert_says(p->out, "cc -shared -fPIC -Wall -Wextra");
    assert_says(p->out, "tools ");
    p = PROGRAM_RUN("tool", "new", name, "--output", source);
    assert_int_equal(p->code, CLI_BUSY);
    assert_says(p->err, "is there already");
    snprintf(so, sizeof so, "%s", compile(source, library));
    p = PROGRAM_RUN("tool", "test", so, "--repeat", "200");
    assert_int_equal(p->code, 0);
    assert_says(p->out, "0 failures, 0 warnings");
    p = PROGRAM_RUN("tool", "test", so, name, arguments, "--json");
    assert_int_equal(p->code, 0);
    assert_true(p->out[0] == '{');
}

static void
test_new(void **state)
{
    (void)state;
    write_and_try("greet", NULL, "{\"name\":\"Ada\"}");
    write_and_try("take-a-walk_2", "--async", "{\"steps\":1}");
}

static void
test_new_names(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "a b", "gr\303\274n", "a/b"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct program *p = PROGRAM_RUN("tool", "new", bad[i], "--output",
                                        program_path("none.c"));
        assert_int_equal(p->code, CLI_USAGE);
        assert_says(p->err, "cannot be a tool's name");
    }
    assert_int_equal(access(program_path("none.c"), F_OK), -1);
    struct program *p = PROGRAM_RUN("tool", "new", "fine", "--output",
                                    program_path("none/fine.c"));
    assert_int_equal(p->code, CLI_USAGE);
}

/* What is wrong is found, and said with the words given. */
static void
expect_failure(const char *path, const char *check, const char *words)
{
    struct program *p = PROGRAM_RUN("tool", "test", path, "--repeat", "400",
                                    "--timeout", "300");
    if (p->code != CLI_FAILED)
        fail_msg("%s: exit %d\n%s%s", path, p->code, p->out, p->err);
    assert_says(p->out, check);
    assert_says(p->out, words);
}

static void
test_crash(void **state)
{
    (void)state;
    expect_failure(plugin("crash", NO_INPUT, "return 0;", "(void)c; _Exit(9);"),
                   "FAIL crash: call", "exited with status 9");
    expect_failure(
        plugin("frail",
               "\"{\\\"type\\\":\\\"object\\\",\\\"properties\\\":{"
               "\\\"n\\\":{\\\"type\\\":\\\"integer\\\","
               "\\\"description\\\":\\\"n\\\"}},"
               "\\\"required\\\":[\\\"n\\\"]}\"",
               "return 0;",
               "if (!strstr(c->input_json, \"\\\"n\\\"\")) _Exit(8);" DONE),
        "FAIL frail: bad input", "an empty object ends the plugin");
}

static void
test_silence(void **state)
{
    (void)state;
    expect_failure(plugin("silent", NO_INPUT, "return 0;", "(void)c;"),
                   "FAIL silent: call", "not answered within 300 ms");
}

static void
test_leak(void **state)
{
    (void)state;
    if (strstr(getenv("VOXRING_BUILD") ? getenv("VOXRING_BUILD") : "", "san")) {
        print_message("skipped: a sanitizer's memory tells nothing\n");
        skip();
    }
    expect_failure(plugin("leak", NO_INPUT, "return 0;",
                          "void *m = malloc(4000); memset(m, 1, 4000);" DONE),
                   "FAIL leak: repeat", "keeps what it should free");
}

static void
test_twice(void **state)
{
    (void)state;
    expect_failure(plugin("twice", NO_INPUT, "return 0;", DONE DONE),
                   "FAIL answers", "more than once");
}

static void
test_refused(void **state)
{
    (void)state;
    expect_failure(plugin("keyless", NO_INPUT,
                          "snprintf(why, n, \"give it a key\"); return 1;",
                          DONE),
                   "FAIL load", "give it a key");
    expect_failure(program_file("text.so", "no library", 10), "FAIL load",
                   "text.so");
    struct program *p = PROGRAM_RUN("tool", "test", program_path("nothing.so"));
    assert_int_equal(p->code, CLI_USAGE);
}

static void
test_schema(void **state)
{
    (void)state;
    const char *path =
        plugin("shape",
               "\"{\\\"type\\\":\\\"object\\\",\\\"properties\\\":{"
               "\\\"a\\\":{\\\"type\\\":\\\"int\\\"},"
               "\\\"b\\\":{\\\"type\\\":\\\"string\\\",\\\"enum\\\":[]}},"
               "\\\"required\\\":[\\\"z\\\"]}\"",
               "return 0;", DONE);
    struct program *p = PROGRAM_RUN("tool", "test", path, "--no-calls");
    assert_int_equal(p->code, CLI_FAILED);
    assert_says(p->out, "input.a has an unknown type");
    assert_says(p->out, "input.b has an enum without values");
    assert_says(p->out, "requires \"z\"");
    assert_says(p->out, "warn shape: schema: input.a has no description");
}

static void
test_warnings(void **state)
{
    (void)state;
    char path[256];
    snprintf(path, sizeof path, "%s",
             plugin("loud", NO_INPUT, "return 0;",
                    "puts(\"hello out there\"); fflush(stdout);"
                    "host->complete(c->token, VOXRING_OK, \"plain\");"));
    assert_int_equal(chmod(path, 0666), 0);
    struct program *p =
        PROGRAM_RUN("tool", "test", path, "--json", "--repeat", "30");
    assert_int_equal(p->code, CLI_FAILED);
    cJSON *root = cJSON_Parse(p->out);
    assert_non_null(root);
    assert_int_equal(cJSON_GetObjectItem(root, "failures")->valueint, 1);
    assert_true(cJSON_GetObjectItem(root, "warnings")->valueint >= 2);
    cJSON_Delete(root);
    assert_says(p->out, "everybody may write");
    assert_says(p->out, "becomes");
    assert_says(p->out, "hello out there");
    p = PROGRAM_RUN("tool", "test", path, "loud");
    assert_int_equal(p->code, 0);
    assert_string_equal(p->out, "plain\n");
    p = PROGRAM_RUN("tool", "test", path, "other");
    assert_int_equal(p->code, CLI_USAGE);
    p = PROGRAM_RUN("tool", "test", path, "loud", "[1]");
    assert_int_equal(p->code, CLI_USAGE);
}

static void
test_list(void **state)
{
    (void)state;
    static const char *const listed =
        "{\"tools\":[{\"name\":\"clock\",\"kind\":\"plugin\",\"provider\":"
        "\"clock\",\"mode\":\"sync\",\"description\":\"Tells\\u001b it\"}],"
        "\"providers\":[{\"name\":\"clock\",\"kind\":\"plugin\",\"state\":"
        "\"ready\",\"tools\":1,\"pid\":7},{\"name\":\"weather\",\"kind\":"
        "\"plugin\",\"state\":\"refused\",\"tools\":0,\"reason\":\"no url\"}],"
        "\"complete\":true}";
    struct program *p = PLAYED_ASK("tool.list", "{}", listed, "tool", "list");
    assert_int_equal(p->code, 0);
    assert_says(p->out, "clock                plugin  clock            sync");
    assert_says(p->out, "Tells? it");
    assert_says(p->out, "1 tool, pid 7");
    assert_says(p->out, "refused          0 tools: no url");
}

static void
test_reload(void **state)
{
    (void)state;
    struct program *p =
        PLAYED_ASK("tool.reload", "{}", "{\"reloaded\":3}", "tool", "reload");
    assert_int_equal(p->code, 0);
    assert_says(p->out, "3 started anew");
    p = PLAYED_ASK("tool.reload", "{\"provider\":\"clock\"}",
                   "{\"reloaded\":1}", "tool", "reload", "clock", "--json");
    assert_string_equal(p->out, "{\"reloaded\":1}\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new),
        cmocka_unit_test(test_new_names),
        cmocka_unit_test(test_crash),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_leak),
        cmocka_unit_test(test_twice),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_schema),
        cmocka_unit_test(test_warnings),
        cmocka_unit_test_setup_teardown(test_list, played_up, played_down),
        cmocka_unit_test_setup_teardown(test_reload, played_up, played_down),
    };
    return cmocka_run_group_tests(tests, program_up, program_down);
}

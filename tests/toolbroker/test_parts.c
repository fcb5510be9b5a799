/* The parts that need no process: schema, content, messages, lists, calls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "gateway/clock.h"
#include "gateway/toolbroker/provider.h"
#include "gateway/toolbroker/schema.h"
#include "gateway/toolbroker/tool.h"
#include "gateway/toolbroker/tool_content.h"
#include "gateway/toolbroker/tool_set.h"
#include "gateway/toolbroker/toolcall.h"
#include "gateway/toolbroker/worker_message.h"

/* ---- schema ---------------------------------------------------------------- */

/* `fault` NULL: the input passes. */
static void
check(const char *schema_json, const char *input_json, const char *fault)
{
    cJSON *schema = cJSON_Parse(schema_json);
    cJSON *input = cJSON_Parse(input_json);
    char why[300] = "";
    bool good;

    assert_non_null(schema);
    assert_non_null(input);
    good = schema_check(schema, input, why, sizeof why);
    if (good != (fault == NULL) || strcmp(why, fault ? fault : "") != 0)
        fail_msg("%s / %s -> %s", schema_json, input_json, why);
    cJSON_Delete(schema);
    cJSON_Delete(input);
}

#define OBJECT(properties) "{\"type\":\"object\",\"properties\":" properties "}"

static void
each_violation_names_its_member(void **state)
{
    (void)state;
    check("{\"type\":\"object\",\"required\":[\"a\",\"b\"]}", "{\"a\":1}",
          "input lacks the required member b");
    check(OBJECT("{\"a\":{\"type\":\"integer\"}}"), "{\"a\":1.5}",
          "input.a is a number, it must be \"integer\"");
    check(OBJECT("{\"a\":{\"type\":\"boolean\"}}"), "{\"a\":null}",
          "input.a is a null, it must be \"boolean\"");
    check(OBJECT("{\"a\":{\"type\":[\"string\",\"null\"]}}"), "{\"a\":[]}",
          "input.a is a array, it must be [\"string\",\"null\"]");
    check(OBJECT("{\"a\":{\"enum\":[\"x\",2]}}"), "{\"a\":\"X\"}",
          "input.a must be one of [\"x\",2]");
    check(OBJECT("{\"a\":{\"type\":\"object\",\"required\":[\"b\"]}}"),
          "{\"a\":{}}", "input.a lacks the required member b");
    check(OBJECT("{\"a\":{\"type\":\"array\",\"items\":{\"type\":"
                 "\"string\"}}}"),
          "{\"a\":[\"x\",3]}", "input.a[1] is a number, it must be \"string\"");
}

static void
what_fits_passes(void **state)
{
    (void)state;
    check("{}", "{\"any\":1}", NULL);
    check("{\"type\":\"object\"}", "{}", NULL);
    check(OBJECT("{\"a\":{\"type\":\"integer\"}}"), "{\"a\":2.0}", NULL);
    check(OBJECT("{\"a\":{\"type\":[\"string\",\"null\"]}}"), "{\"a\":null}",
          NULL);
    check(OBJECT("{\"a\":{\"enum\":[\"x\",2]}}"), "{\"a\":2,\"b\":3}", NULL);
    check(OBJECT("{\"a\":true}"), "{\"a\":2}", NULL);
    check("{\"type\":7,\"required\":{},\"properties\":[],\"enum\":5}",
          "{\"a\":2}", NULL);
    check("{\"type\":\"object\",\"required\":[7,null]}", "{\"a\":2}", NULL);
}

static void
deep_input_is_bounded(void **state)
{
    cJSON *schema = cJSON_Parse("{\"items\":{}}");
    cJSON *value = cJSON_CreateArray();
    char why[300];

    (void)state;
    for (int i = 0; i < 100; i++) {
        cJSON *outer = cJSON_CreateArray();
        cJSON *inner_schema = schema;
        cJSON_AddItemToArray(outer, value);
        value = outer;
        schema = cJSON_CreateObject();
        cJSON_AddItemToObject(schema, "items", inner_schema);
    }
    assert_false(schema_check(schema, value, why, sizeof why));
    assert_non_null(strstr(why, "nested too deeply"));
    cJSON_Delete(schema);
    cJSON_Delete(value);
}

/* ---- content --------------------------------------------------------------- */

static void
arguments_of_all_kinds(void **state)
{
    static const char *const good[][2] = {
        {NULL, "{}"},     {"", "{}"},      {" \n", "{}"},
        {"null", "{}"},   {"\"\"", "{}"},  {"{\"a\":1}", "{\"a\":1}"},
        {"\"{}\"", "{}"}, {"\" \"", "{}"}, {"\"{\\\"a\\\":[]}\"", "{\"a\":[]}"},
    };
    static const char *const bad[] = {
        "5",     "[]",     "{",    "{}x",
        "\"x\"", "\"[]\"", "true", "{\"a\":\"\xc0\x80\"}"};
    char why[100];
    cJSON *tree;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        char *text = tool_content_arguments(good[i][0], &tree, why, sizeof why);
        assert_string_equal(text, good[i][1]);
        assert_true(cJSON_IsObject(tree));
        cJSON_Delete(tree);
        free(text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_null(tool_content_arguments(bad[i], &tree, why, sizeof why));
        assert_null(tree);
    }
}

static void
read_result(const char *result_json, enum tool_outcome outcome,
            const char *content_json)
{
    cJSON *result = cJSON_Parse(result_json);
    struct tool_content content;

    tool_content_read(result, 64, &content);
    assert_int_equal(content.outcome, outcome);
    assert_string_equal(content.json, content_json);
    assert_true((content.reason[0] != '\0') == (outcome != TOOL_OK));
    free(content.json);
    cJSON_Delete(result);
}

static void
results_of_all_kinds(void **state)
{
    (void)state;
    read_result("{\"content\":[{\"type\":\"text\",\"text\":\"{\\\"n\\\": "
                "12345678901234567890}\"}]}",
                TOOL_OK, "{\"n\": 12345678901234567890}");
    read_result("{\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":"
                "\"image\"},{\"type\":\"text\",\"text\":\"b\"}]}",
                TOOL_OK, "{\"result\":\"a\\nb\",\"omitted\":[\"image\"]}");
    read_result("{\"content\":[],\"structuredContent\":{\"a\":1}}", TOOL_OK,
                "{\"a\":1}");
    read_result("{}", TOOL_OK, "{}");
    read_result("{\"content\":5}", TOOL_OK, "{}");
    read_result("{\"content\":[{\"type\":\"text\",\"text\":\"7\"}]}", TOOL_OK,
                "{\"result\":7}");
    read_result("{\"isError\":true,\"content\":[{\"type\":\"text\",\"text\":"
                "\"bad\"}]}",
                TOOL_ERROR, "{\"error\":\"bad\"}");
    read_result("[]", TOOL_ERROR,
                "{\"error\":\"The tool's answer is not a result object\"}");
    read_result("{\"content\":[{\"type\":\"text\",\"text\":"
                "\"0123456789012345678901234567890123456789"
                "0123456789012345678901234\"}]}",
                TOOL_ERROR,
                "{\"error\":\"The tool's answer has 65 bytes, more than the 64 "
                "allowed\"}");
}

static void
expect_failure(const char *result_json, const char *failure, bool is_too_large)
{
    cJSON *result = cJSON_Parse(result_json);
    struct tool_content content;

    tool_content_read(result, 64, &content);
    assert_string_equal(content.failure, failure);
    assert_int_equal(content.is_too_large, is_too_large);
    free(content.json);
    cJSON_Delete(result);
}

#define MARKED(error, bytes)                                           \
    "{\"isError\":" error ",\"content\":[{\"type\":\"text\",\"text\":" \
    "\"x\"}],\"_meta\":{\"voxring/unsent_bytes\":" bytes "}}"

static void
what_is_unfit_is_told_as_a_failure(void **state)
{
    (void)state;
    expect_failure("{\"isError\":true}", "", false);
    expect_failure("[]", "its answer is not a result object", false);
    expect_failure("{\"content\":[{\"type\":\"text\",\"text\":"
                   "\"0123456789012345678901234567890123456789"
                   "0123456789012345678901234\"}]}",
                   "its answer has 65 bytes", true);
    expect_failure("{\"content\":[{\"type\":\"text\",\"text\":\"\xff\"}]}",
                   "its answer is not UTF-8 text", false);
    expect_failure(MARKED("true", "300000"), "its answer has 300000 bytes",
                   true);
    expect_failure(MARKED("false", "300000"), "", false);
    expect_failure(MARKED("true", "-1"), "", false);
    expect_failure(MARKED("true", "1e300"), "", false);
    expect_failure(MARKED("true", "\"300000\""), "", false);
}

static void
utf8_is_rfc_3629(void **state)
{
    static const char *const good[] = {"",
                                       "a",
                                       "\xc2\x80",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xe2\x28\xa1",
                                      "\xe2\x82"};
    char text[] = "a\xc3\xa4\xffz\xe2\x82";

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(tool_content_is_utf8(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(tool_content_is_utf8(bad[i], strlen(bad[i])));
    tool_content_clean(text);
    assert_string_equal(text, "a\xc3\xa4?z??");
}

/* ---- lists ------------------------------------------------------------------- */

static enum vr_status
read_list(struct tool_list *list, const char *json, char *why, size_t size)
{
    cJSON *result = cJSON_Parse(json);
    enum vr_status status = tool_list_read(list, "p", result, why, size);

    cJSON_Delete(result);
    return status;
}

static void
lists_have_defaults_and_rules(void **state)
{
    static const char *const bad[] = {
        "{}",
        "{\"tools\":{}}",
        "{\"tools\":[5]}",
        "{\"tools\":[{\"name\":\"\"}]}",
        "{\"tools\":[{\"name\":\"a.b\"}]}",
        "{\"tools\":[{\"name\":\"a\",\"inputSchema\":[]}]}",
        "{\"tools\":[{\"name\":\"a\",\"inputSchema\":{\"type\":\"string\"}}]}",
        "{\"tools\":[{\"name\":\"a\"},{\"name\":\"a\"}]}",
    };
    struct tool_list list, other;
    char why[300];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(read_list(&list, bad[i], why, sizeof why),
                         VR_PROTOCOL);
        assert_int_equal(list.count, 0);
        assert_true(why[0] != '\0');
    }
    assert_int_equal(
        read_list(&list,
                  "{\"tools\":[{\"name\":\"a\"},{\"name\":\"b\",\"_meta\":{"
                  "\"voxring/mode\":\"async\",\"voxring/threading\":"
                  "\"parallel\",\"voxring/timeout_ms\":1e99}}]}",
                  why, sizeof why),
        VR_OK);
    assert_string_equal(list.tools[0].description, "a");
    assert_string_equal(list.tools[0].schema_json,
                        "{\"type\":\"object\",\"properties\":{}}");
    assert_int_equal(list.tools[0].timeout_ms, 60000);
    assert_true(list.tools[0].serial);
    assert_int_equal(list.tools[1].mode, TOOL_ASYNC);
    assert_false(list.tools[1].serial);
    assert_int_equal(list.tools[1].timeout_ms, TOOL_TIMEOUT_MAX_MS);
    assert_int_equal(
        read_list(&other, "{\"tools\":[{\"name\":\"a\"}]}", why, sizeof why),
        VR_OK);
    assert_false(tool_list_same(&list, &other));
    assert_true(tool_list_same(&other, &other));
    tool_list_fini(&list);
    tool_list_fini(&other);
}

/* ---- messages ---------------------------------------------------------------- */

static void
message_kinds(void **state)
{
    static const struct {
        const char *text;
        enum worker_message_kind kind;
    } cases[] = {
        {"{\"jsonrpc\":\"2.0\",\"id\":\"5\",\"result\":{}}", WORKER_RESULT},
        {"{\"jsonrpc\":\"2.0\",\"id\":\"5\",\"result\":7}", WORKER_MALFORMED},
        {"{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{}}", WORKER_MALFORMED},
        {"{\"jsonrpc\":\"2.0\",\"id\":\"05\",\"result\":{}}", WORKER_MALFORMED},
        {"{\"jsonrpc\":\"2.0\",\"id\":\"5x\",\"result\":{}}", WORKER_MALFORMED},
        {"{\"jsonrpc\":\"2.0\",\"id\":\"5\",\"error\":{}}", WORKER_FAILED},
        {"{\"jsonrpc\":\"2.0\",\"id\":\"tools/list\",\"result\":{}}",
         WORKER_LISTED},
        {"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}",
         WORKER_NOTIFICATION},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", WORKER_PING},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\"}", WORKER_REQUEST},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\","
         "\"params\":{\"data\":\"x\"}}",
         WORKER_LOG},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\","
         "\"params\":{\"progressToken\":\"7\",\"progress\":1}}",
         WORKER_PROGRESS},
        {"{\"jsonrpc\":\"2.0\",\"method\":7}", WORKER_MALFORMED},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"voxring/hello\","
         "\"params\":{\"name\":\"a\"}}",
         WORKER_HELLO},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"voxring/hello\",\"params\":{"
         "\"name\":\"a\"}}",
         WORKER_MALFORMED},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"voxring/bye\"}", WORKER_BYE},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/"
         "list_changed\"}",
         WORKER_CHANGED},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"voxring/text\"}",
         WORKER_ASK},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"voxring/text\"}", WORKER_MALFORMED},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"voxring/publish\"}", WORKER_ASK},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\","
         "\"params\":{\"progressToken\":\"7\",\"progress\":1e999}}",
         WORKER_MALFORMED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct worker_message m;
        worker_message_read(&m, cases[i].text, strlen(cases[i].text));
        if (m.kind != cases[i].kind)
            fail_msg("%s -> %d", cases[i].text, (int)m.kind);
        worker_message_fini(&m);
    }
}

static void
ids_have_a_limit(void **state)
{
    struct worker_message m;
    char text[300];

    (void)state;
    for (int bytes = 128; bytes <= 129; bytes++) {
        snprintf(text, sizeof text,
                 "{\"jsonrpc\":\"2.0\",\"id\":\"%0*d\",\"method\":\"ping\"}",
                 bytes, 7);
        worker_message_read(&m, text, strlen(text));
        assert_int_equal(m.kind, bytes > 128 ? WORKER_MALFORMED : WORKER_PING);
        assert_int_equal(m.id == NULL, bytes > 128);
        worker_message_fini(&m);
    }
}

static void
a_call_is_what_mcp_says(void **state)
{
    struct broker_caller caller = {"kitchen", NULL, "9"};
    char *text =
        worker_message_call(18446744073709551615ull, "echo",
                            "{\"n\":12345678901234567890}", &caller, 500);

    (void)state;
    assert_string_equal(
        text,
        "{\"jsonrpc\":\"2.0\",\"id\":\"18446744073709551615\",\"method\":"
        "\"tools/call\",\"params\":{\"name\":\"echo\",\"arguments\":{\"n\":"
        "12345678901234567890},\"_meta\":{\"progressToken\":"
        "\"18446744073709551615\",\"voxring/session\":\"kitchen\","
        "\"voxring/turn\":\"9\",\"voxring/timeout_ms\":500}}}");
    free(text);
}

static void
progress_is_cut_between_characters(void **state)
{
    struct worker_message m;
    char text[2000];
    int n = snprintf(text, sizeof text,
                     "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/"
                     "progress\",\"params\":{\"progressToken\":\"7\","
                     "\"progress\":1,\"total\":-3,\"message\":\"x");

    (void)state;
    for (int i = 0; i < 300; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "\xc3\xa9");
    n += snprintf(text + n, sizeof text - (size_t)n, "\"}}");
    worker_message_read(&m, text, (size_t)n);
    assert_int_equal(m.kind, WORKER_PROGRESS);
    assert_int_equal(strlen(m.text), WORKER_PROGRESS_MAX_BYTES - 1);
    assert_true(tool_content_is_utf8(m.text, strlen(m.text)));
    assert_true(m.total == 0);
    worker_message_fini(&m);
}

static void
a_rate_is_of_each_second(void **state)
{
    struct provider_rate rate = {0};
    uint64_t now_ns = 5 * CLOCK_NS_PER_S;

    (void)state;
    for (int second = 0; second < 3; second++) {
        for (int i = 0; i < 50; i++)
            assert_true(provider_rate_take(&rate, 50, now_ns + (uint64_t)i));
        assert_false(
            provider_rate_take(&rate, 50, now_ns + CLOCK_NS_PER_S - 1));
        now_ns += CLOCK_NS_PER_S;
    }
}

/* ---- calls -------------------------------------------------------------------- */

static void
ids_are_never_used_again(void **state)
{
    static struct toolcall_table table;
    uint64_t first;
    struct toolcall *call;

    (void)state;
    toolcall_table_init(&table, 2);
    call = toolcall_new(&table, "a", NULL);
    first = call->id;
    assert_ptr_equal(toolcall_find(&table, first), call);
    toolcall_end(&table, call, TOOL_OK, strdup("{}"), NULL);
    assert_null(toolcall_find(&table, first));
    for (int i = 0; i < 3000; i++) {
        call = toolcall_new(&table, "a", NULL);
        assert_true(toolcall_has_slot(&table, call));
        assert_int_not_equal(call->id, first);
        toolcall_end(&table, call, TOOL_ERROR, NULL, "no");
        assert_string_equal(call->content_json, "{\"error\":\"no\"}");
    }
    assert_null(toolcall_find(&table, first));
    toolcall_new(&table, "a", NULL);
    toolcall_new(&table, "b", NULL);
    call = toolcall_new(&table, "c", NULL);
    assert_false(toolcall_has_slot(&table, call));
    assert_null(toolcall_find(&table, call->id));
    toolcall_end(&table, call, TOOL_ERROR, NULL, "full");
    assert_int_equal(table.count, 2);
    toolcall_table_fini(&table);
}

/* ---- the set of tools ------------------------------------------------------ */

static unsigned clashes;
static const struct provider *clash_holder;

static void
on_clash(void *arg, const struct provider *holder, const struct provider *other,
         const struct tool *refused)
{
    (void)arg;
    (void)other;
    (void)refused;
    clashes++;
    clash_holder = holder;
}

/* A provider with two tools. */
static void
fill(struct provider *p, struct tool *tools, enum broker_provider_kind kind,
     const char *name, const char *first, const char *second)
{
    memset(p, 0, sizeof *p);
    memset(tools, 0, 2 * sizeof *tools);
    p->kind = tools[0].kind = tools[1].kind = kind;
    p->name = tools[0].provider = tools[1].provider = (char *)(uintptr_t)name;
    tools[0].name = (char *)(uintptr_t)first;
    tools[1].name = (char *)(uintptr_t)second;
    p->tools.tools = tools;
    p->tools.count = 2;
}

/* Who offers a tool, "" if nobody does. */
static const char *
owner(const struct tool_set *set, const char *tool)
{
    const struct tool *found = tool_set_find(set, tool);

    return found ? found->provider : "";
}

static void
make_set(struct tool_set *set, struct provider *first,
         const struct tool_set *before)
{
    assert_int_equal(tool_set_make(set, first, before, 3, on_clash, NULL),
                     VR_OK);
}

static void
who_has_a_tool_keeps_it_and_its_room(void **state)
{
    struct provider early, late, worker;
    struct tool tools[3][2];
    struct tool_set alone, both, anew, all;

    (void)state;
    fill(&early, tools[0], BROKER_PROVIDER_PLUGIN, "early", "x", "e");
    fill(&late, tools[1], BROKER_PROVIDER_MCP, "late", "x", "l");
    fill(&worker, tools[2], BROKER_PROVIDER_WORKER, "worker", "e", "w");
    late.next = &worker;
    make_set(&alone, &late, NULL);
    assert_int_equal(alone.count, 3);
    assert_string_equal(owner(&alone, "e"), "worker");
    early.next = &late;
    clashes = 0;
    make_set(&both, &early, &alone);
    assert_string_equal(owner(&both, "x"), "late");
    assert_string_equal(owner(&both, "l"), "late");
    /* what is configured goes before what connects */
    assert_string_equal(owner(&both, "e"), "early");
    assert_string_equal(owner(&both, "w"), "");
    assert_int_equal(both.count, 3);
    /* that the last is one too many was told before */
    assert_int_equal(clashes, 2);
    assert_ptr_equal(clash_holder, &early);
    make_set(&anew, &early, NULL);
    assert_string_equal(owner(&anew, "x"), "early");
    /* room that is taken is not taken away */
    fill(&worker, tools[2], BROKER_PROVIDER_PLUGIN, "a", "n", "m");
    worker.next = &early;
    late.next = NULL;
    clashes = 0;
    make_set(&all, &worker, &both);
    assert_string_equal(owner(&all, "x"), "late");
    assert_string_equal(owner(&all, "e"), "early");
    assert_string_equal(owner(&all, "n"), "");
    assert_string_equal(owner(&all, "m"), "");
    /* two are too many, and one has a holder */
    assert_int_equal(clashes, 3);
    assert_ptr_equal(clash_holder, &late);
    tool_set_fini(&alone);
    tool_set_fini(&both);
    tool_set_fini(&anew);
    tool_set_fini(&all);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_violation_names_its_member),
        cmocka_unit_test(what_fits_passes),
        cmocka_unit_test(deep_input_is_bounded),
        cmocka_unit_test(arguments_of_all_kinds),
        cmocka_unit_test(results_of_all_kinds),
        cmocka_unit_test(what_is_unfit_is_told_as_a_failure),
        cmocka_unit_test(utf8_is_rfc_3629),
        cmocka_unit_test(who_has_a_tool_keeps_it_and_its_room),
        cmocka_unit_test(lists_have_defaults_and_rules),
        cmocka_unit_test(message_kinds),
        cmocka_unit_test(ids_have_a_limit),
        cmocka_unit_test(a_call_is_what_mcp_says),
        cmocka_unit_test(progress_is_cut_between_characters),
        cmocka_unit_test(a_rate_is_of_each_second),
        cmocka_unit_test(ids_are_never_used_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The parts of the bridge that do no I/O: lines, event streams, names,
 * contents, catalogs, messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tools/mcp/catalog.h"
#include "tools/mcp/content.h"
#include "tools/mcp/journal.h"
#include "tools/mcp/lines.h"
#include "tools/mcp/message.h"
#include "tools/mcp/names.h"
#include "tools/mcp/sse.h"
#include "tools/mcp/utf8.h"

static char said[4096];

static bool
keep(void *arg, int level, const char *line)
{
    (void)arg;
    (void)level;
    snprintf(said + strlen(said), sizeof said - strlen(said), "%s\n", line);
    return true;
}

static int
begin(void **state)
{
    (void)state;
    said[0] = '\0';
    journal_to(keep, NULL);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    journal_to(NULL, NULL);
    return 0;
}

/* What came, each in brackets; a skipped one as "[-]". */
static void
collect(void *arg, char *bytes, size_t count)
{
    char *text = arg;
    size_t n = strlen(text);

    snprintf(text + n, 1000 - n, "[%.*s]", bytes ? (int)count : 1,
             bytes ? bytes : "-");
}

static void
lines_are_cut_wherever_the_bytes_are(void **state)
{
    static const char input[] = "one\r\n\ntwo three\n123456789012345\nend\nx";

    (void)state;
    for (size_t cut = 0; cut < sizeof input; cut++) {
        struct lines lines = {.limit_bytes = 10};
        char text[1000] = "";
        lines_feed(&lines, input, cut, collect, text);
        lines_feed(&lines, input + cut, sizeof input - 1 - cut, collect, text);
        assert_string_equal(text, "[one][two three][-][end]");
        assert_int_equal(lines.outline.first, '1');
        lines_fini(&lines);
    }
}

static void
events_are_cut_wherever_the_bytes_are(void **state)
{
    static const char input[] =
        "\xef\xbb\xbf: comment\r\nid: 7\r\ndata: a\r\ndata:b\r\n\r\n"
        "event: ping\ndata: not ours\n\n"
        "data\n\n"
        "event: message\rdata:  c\rretry: 25\r\r"
        "retry: 1x\nid: 8\n\n"
        "data: unfinished\nid: 9\n";

    (void)state;
    for (size_t cut = 0; cut < sizeof input; cut++) {
        struct sse sse;
        char text[1000] = "";
        memset(&sse, 0, sizeof sse);
        sse_feed(&sse, input, cut, collect, text);
        sse_feed(&sse, input + cut, sizeof input - 1 - cut, collect, text);
        assert_string_equal(text, "[a\nb][ c]");
        assert_string_equal(sse.id, "8");
        assert_int_equal(sse.retry_ms, 25);
        sse_end(&sse);
        sse_feed(&sse, "data: new\n\n", 11, collect, text);
        assert_string_equal(text, "[a\nb][ c][new]");
        assert_string_equal(sse.id, "8");
        sse_fini(&sse);
    }
}

static void
an_event_too_long_is_skipped(void **state)
{
    struct sse sse;
    char text[1000] = "";
    char *big = malloc(SSE_LIMIT_BYTES + 1);

    (void)state;
    assert_non_null(big);
    memset(big, 'x', SSE_LIMIT_BYTES + 1);
    memset(&sse, 0, sizeof sse);
    sse_feed(&sse, "data: ", 6, collect, text);
    sse_feed(&sse, big, SSE_LIMIT_BYTES + 1, collect, text);
    sse_feed(&sse, "\n\ndata: next\n\n", 14, collect, text);
    assert_string_equal(text, "[-][next]");
    sse_fini(&sse);
    free(big);
}

static void
events_of_many_long_lines_are_skipped_whole(void **state)
{
    size_t half_bytes = SSE_LIMIT_BYTES / 2 + 1;
    char *half = malloc(half_bytes);
    char text[1000] = "";
    struct sse sse;

    (void)state;
    assert_non_null(half);
    memset(half, 'x', half_bytes);
    memset(&sse, 0, sizeof sse);
    sse_feed(&sse, "data: {\"result\":\"", 17, collect, text);
    for (int i = 0; i < 3; i++)
        sse_feed(&sse, half, half_bytes, collect, text);
    sse_feed(&sse, "\",\ndata: \"id\":7,\ndata: ", 24, collect, text);
    for (int i = 0; i < 3; i++)
        sse_feed(&sse, half, half_bytes, collect, text);
    assert_true(sse.data_bytes > SSE_LIMIT_BYTES);
    assert_string_equal(text, "");
    sse_feed(&sse, "}\n\n", 3, collect, text);
    assert_string_equal(text, "[-]");
    assert_int_equal(outline_kind(&sse.outline), OUTLINE_ANSWER);
    assert_int_equal(outline_id(&sse.outline), 7);
    /* a comment, however long, is none of it */
    sse_feed(&sse, "data: a\n: ", 10, collect, text);
    for (int i = 0; i < 3; i++)
        sse_feed(&sse, half, half_bytes, collect, text);
    sse_feed(&sse, "\ndata: b\n\n", 11, collect, text);
    assert_string_equal(text, "[-][a\nb]");
    sse_fini(&sse);
    free(half);
}

static void
an_outline_tells_whose_answer_it_is(void **state)
{
    static const struct {
        const char *text;
        enum outline_kind kind;
        uint64_t id;
    } cases[] = {
        {"{\"id\":12,\"result\":{}}", OUTLINE_ANSWER, 12},
        {" { \"result\" : {\"id\":3,\"a\":[{\"id\":4}]} , \"id\" : 12 } ",
         OUTLINE_ANSWER, 12},
        {"{\"result\":{\"t\":\"},\\\"id\\\":5,{\"},\"id\":12,\"id\":13}",
         OUTLINE_ANSWER, 12},
        {"{\"a\":\"\\\\\",\"id\":12", OUTLINE_UNKNOWN, 0},
        {"{\"id\":12,\"result\":{\"never\":\"ends", OUTLINE_ANSWER, 12},
        {"{\"x\":\"id\",\"error\":{},\"id\":null}", OUTLINE_UNKNOWN, 0},
        {"{\"result\":{},\"id\":\"12\"}", OUTLINE_UNKNOWN, 0},
        {"{\"result\":{},\"id\":{\"id\":12}}", OUTLINE_UNKNOWN, 0},
        {"{\"result\":{},\"\\u0069d\":12}", OUTLINE_UNKNOWN, 0},
        {"{\"result\":{},\"id\":1"
         "000000000000000000000000000000000000000000000000000000000000000000}",
         OUTLINE_UNKNOWN, 0},
        {"[{\"id\":12,\"result\":{}}]", OUTLINE_UNKNOWN, 0},
        {"{\"x\":\"1\"}", OUTLINE_NO_MESSAGE, 0},
        {"{\"x\":\"1\"", OUTLINE_UNKNOWN, 0},
        {"{\"x\":\"1\"}}", OUTLINE_UNKNOWN, 0},
        {"Hello, {\"id\":12}", OUTLINE_NO_MESSAGE, 0},
        {"{\"id\":12,\"method\":\"x\"}", OUTLINE_BY_ITSELF, 0},
        {"{\"params\":{},\"method\":\"x\"}", OUTLINE_BY_ITSELF, 0},
        {"", OUTLINE_UNKNOWN, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t count = strlen(cases[i].text);
        for (size_t cut = 0; cut <= count; cut++) {
            struct outline o;
            memset(&o, 0, sizeof o);
            outline_feed(&o, cases[i].text, cut);
            outline_feed(&o, cases[i].text + cut, count - cut);
            if (outline_kind(&o) != cases[i].kind)
                fail_msg("%s: %d", cases[i].text, outline_kind(&o));
            if (cases[i].kind == OUTLINE_ANSWER)
                assert_int_equal(outline_id(&o), cases[i].id);
        }
    }
}

static void
names_are_what_a_model_takes(void **state)
{
    char name[NAMES_MAX_BYTES + 1], other[NAMES_MAX_BYTES + 1];
    char long_name[101];

    (void)state;
    assert_true(names_map(NULL, "get-sum_2", name));
    assert_string_equal(name, "get-sum_2");
    assert_true(names_map("fs.", "a/b c\xc3\xbc\xff", name));
    assert_string_equal(name, "fs_a_b_c__");
    assert_false(names_map("fs", "", name));
    memset(long_name, 'x', 100);
    long_name[100] = '\0';
    assert_true(names_map("p_", long_name, name));
    assert_int_equal(strlen(name), NAMES_MAX_BYTES);
    long_name[99] = 'y';
    assert_true(names_map("p_", long_name, other));
    assert_string_not_equal(name, other);
    long_name[64] = '\0';
    assert_true(names_map(NULL, long_name, name));
    assert_string_equal(name, long_name);
}

static void
check_content(const char *result, const char *ours)
{
    cJSON *root = cJSON_Parse(result);
    char *text = content_result(root, 40);

    assert_non_null(root);
    assert_string_equal(text, ours);
    cJSON_free(text);
    cJSON_Delete(root);
}

static void
contents_keep_what_a_model_can_read(void **state)
{
    (void)state;
    check_content("{}", "{\"content\":[],\"isError\":false}");
    check_content("{\"content\":7,\"isError\":true}",
                  "{\"content\":[{\"type\":\"text\",\"text\":\"The tool failed "
                  "and did not say why\"}],\"isError\":true}");
    check_content(
        "{\"content\":[{\"type\":\"text\",\"text\":\"{\\\"a\\\":1}\"}],"
        "\"structuredContent\":{\"a\":1}}",
        "{\"content\":[{\"type\":\"text\",\"text\":\"{\\\"a\\\":1}\"}],"
        "\"structuredContent\":{\"a\":1},\"isError\":false}");
    check_content("{\"structuredContent\":[1]}",
                  "{\"content\":[],\"isError\":false}");
    check_content(
        "{\"content\":[{\"type\":\"resource\",\"resource\":{\"uri\":\"u\","
        "\"text\":\"1234567890123456789012345678901234567890\"}}]}",
        "{\"content\":[{\"type\":\"text\",\"text\":\"The tool's answer has 48 "
        "bytes, more than the 40 allowed\"}],\"isError\":true,"
        "\"_meta\":{\"voxring/unsent_bytes\":48}}");
    check_content(
        "{\"structuredContent\":{\"a\":\"123456789012345678901234567890\"}}",
        "{\"content\":[],\"structuredContent\":{\"a\":"
        "\"123456789012345678901234567890\"},\"isError\":false}");
}

static void
a_catalog_tells_what_it_leaves_out(void **state)
{
    cJSON *allow = cJSON_Parse("[\"a.b\",\"a/b\",\"gone\"]");
    struct catalog *catalog = catalog_new(NULL, allow);
    cJSON *tools = cJSON_Parse("[{\"name\":\"a.b\"},{\"name\":\"a/b\"},"
                               "{\"name\":\"c\"},{},7,{\"name\":\"a.b\"}]");

    (void)state;
    assert_string_equal(catalog_json(catalog), "{\"tools\":[]}");
    catalog_begin(catalog);
    catalog_add(catalog, tools);
    assert_int_equal(catalog_count(catalog), 0);
    assert_true(catalog_end(catalog));
    assert_int_equal(catalog_count(catalog), 1);
    assert_string_equal(catalog_find(catalog, "a_b"), "a.b");
    assert_null(catalog_find(catalog, "c"));
    assert_non_null(strstr(said, "as a_b it would have the name of the server's"
                                 " a.b"));
    assert_non_null(strstr(said, "a tool without a name"));
    assert_non_null(strstr(said, "lists tool a.b twice"));
    assert_non_null(strstr(said, "`allow` names gone"));
    catalog_begin(catalog);
    catalog_add(catalog, tools);
    assert_false(catalog_end(catalog));
    cJSON_Delete(tools);
    cJSON_Delete(allow);
    catalog_free(&catalog);
}

static void
a_catalog_has_room_for_so_many(void **state)
{
    struct catalog *catalog = catalog_new("", NULL);
    cJSON *tools = cJSON_CreateArray();
    char name[20];

    (void)state;
    for (int i = 0; i < CATALOG_MAX + 2; i++) {
        cJSON *tool = cJSON_CreateObject();
        snprintf(name, sizeof name, "t%d", i);
        cJSON_AddStringToObject(tool, "name", name);
        cJSON_AddItemToArray(tools, tool);
    }
    catalog_begin(catalog);
    catalog_add(catalog, tools);
    assert_true(catalog_end(catalog));
    assert_int_equal(catalog_count(catalog), CATALOG_MAX);
    assert_non_null(strstr(said, "2 tools are not offered"));
    cJSON_Delete(tools);
    catalog_free(&catalog);
}

static enum message_kind
kind_of(const char *text)
{
    cJSON *root = cJSON_Parse(text);
    struct message m;
    enum message_kind kind;

    message_read(&m, root);
    kind = m.kind;
    cJSON_Delete(root);
    return kind;
}

static void
messages_are_told_apart(void **state)
{
    (void)state;
    assert_int_equal(kind_of("{\"id\":1,\"result\":{}}"), MESSAGE_RESULT);
    assert_int_equal(kind_of("{\"id\":1,\"error\":{}}"), MESSAGE_ERROR);
    assert_int_equal(kind_of("{\"id\":\"x\",\"method\":\"ping\"}"),
                     MESSAGE_REQUEST);
    assert_int_equal(kind_of("{\"method\":\"x\"}"), MESSAGE_NOTIFICATION);
    assert_int_equal(kind_of("{\"id\":null,\"method\":\"x\"}"),
                     MESSAGE_NOTIFICATION);
    assert_int_equal(kind_of("{\"id\":1,\"method\":7}"), MESSAGE_MALFORMED);
    assert_int_equal(kind_of("{\"id\":1,\"result\":7}"), MESSAGE_MALFORMED);
    assert_int_equal(kind_of("[]"), MESSAGE_MALFORMED);
    assert_int_equal(kind_of("nothing"), MESSAGE_MALFORMED);
}

static void
every_revision_is_understood(void **state)
{
    static const struct {
        const char *version;
        bool known;
    } cases[] = {{"2025-11-25", true},
                 {"2025-06-18", true},
                 {"2025-03-26", true},
                 {"2024-11-05", true},
                 {"2024-10-07", false}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cJSON *root = cJSON_CreateObject();
        struct message_server server;
        char why[200];
        cJSON_AddStringToObject(root, "protocolVersion", cases[i].version);
        assert_int_equal(message_read_server(&server, root, why, sizeof why),
                         cases[i].known);
        cJSON_Delete(root);
    }
}

static void
bytes_that_are_no_text_are_replaced(void **state)
{
    char text[] = "a\xffz\xc3\xbc\xed\xa0\x80\xf4\x90\x80\x80\xe2\x82";

    (void)state;
    utf8_clean(text, strlen(text));
    assert_string_equal(text, "a?z\xc3\xbc?????????");
    assert_int_equal(utf8_cut("a\xc3\xbc", 2), 1);
    assert_int_equal(utf8_cut("a\xc3\xbc", 3), 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lines_are_cut_wherever_the_bytes_are),
        TEST(events_are_cut_wherever_the_bytes_are),
        TEST(an_event_too_long_is_skipped),
        TEST(events_of_many_long_lines_are_skipped_whole),
        TEST(an_outline_tells_whose_answer_it_is),
        TEST(names_are_what_a_model_takes),
        TEST(contents_keep_what_a_model_can_read),
        TEST(a_catalog_tells_what_it_leaves_out),
        TEST(a_catalog_has_room_for_so_many),
        TEST(messages_are_told_apart),
        TEST(every_revision_is_understood),
        TEST(bytes_that_are_no_text_are_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

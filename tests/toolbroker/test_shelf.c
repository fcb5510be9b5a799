/* Plugin files as they are seen: still or not, whole or not, once told; and
 * what a result holds beside text. No processes, and a clock of our own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/clock.h"
#include "gateway/toolbroker/plugin_shelf.h"
#include "gateway/log.h"
#include "gateway/toolbroker/tool.h"
#include "gateway/toolbroker/tool_content.h"
#include "tests/tools/shell.h"

#define SECOND CLOCK_NS_PER_S

static char dir[64];
static struct plugin_shelf shelf;
static unsigned refusals;
static bool last_is_waiting;
static char last_name[128];
static char last_reason[1200];

static void
on_refused(void *arg, const char *name, const char *reason, bool is_waiting)
{
    (void)arg;
    refusals++;
    last_is_waiting = is_waiting;
    snprintf(last_name, sizeof last_name, "%s", name);
    snprintf(last_reason, sizeof last_reason, "%s", reason);
}

static int
start(void **state)
{
    const char *folders[] = {dir};

    (void)state;
    refusals = 0;
    snprintf(dir, sizeof dir, "%.40s/shelf-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(dir));
    assert_int_equal(plugin_shelf_init(&shelf, folders, 1, 300), VR_OK);
    shelf.refused = on_refused;
    return 0;
}

static int
stop(void **state)
{
    char command[128];

    (void)state;
    plugin_shelf_fini(&shelf);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return shell(command);
}

/* A file of the first `count` bytes of this program, which is an ELF file of
 * the kind that libraries are; its own time is now. */
static void
put(const char *name, size_t count)
{
    char path[200];
    char *bytes = malloc(count + 1);
    FILE *from = fopen("/proc/self/exe", "r");
    FILE *to;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_non_null(from);
    count = fread(bytes, 1, count, from);
    fclose(from);
    to = fopen(path, "w");
    assert_non_null(to);
    assert_int_equal(fwrite(bytes, 1, count, to), count);
    fclose(to);
    free(bytes);
}

#define ALL ((size_t)256 * 1024 * 1024)

static void
a_file_must_be_still(void **state)
{
    uint64_t due;

    (void)state;
    put("a.so", 0);
    due = plugin_shelf_look(&shelf, 10 * SECOND, false);
    assert_int_equal(due, 10 * SECOND + 300 * CLOCK_NS_PER_MS);
    assert_false(plugin_shelf_is_settled(&shelf, 10 * SECOND));
    assert_null(plugin_shelf_best(&shelf, "a"));
    put("a.so", 5000);
    due = plugin_shelf_look(&shelf, due, false);
    assert_int_equal(due, 10 * SECOND + 600 * CLOCK_NS_PER_MS);
    put("a.so", 50 * 1024 * 1024);
    due = plugin_shelf_look(&shelf, due, false);
    assert_null(plugin_shelf_best(&shelf, "a"));
    due = plugin_shelf_look(&shelf, due, false);
    assert_int_equal(due, UINT64_MAX);
    assert_non_null(plugin_shelf_best(&shelf, "a"));
    assert_true(plugin_shelf_is_settled(&shelf, 10 * SECOND));
    assert_int_equal(refusals, 0);
}

static void
what_is_not_whole_is_told_once_after_ten_seconds(void **state)
{
    uint64_t now = 10 * SECOND, due;

    (void)state;
    assert_int_equal(plugin_shelf_look(&shelf, now, false), UINT64_MAX);
    now += SECOND;
    put("a.so", 5000);
    plugin_shelf_look(&shelf, now, false);
    for (int i = 0; i < 9; i++) {
        due = plugin_shelf_look(&shelf, now += SECOND, false);
        assert_int_equal(due, now + SECOND);
        assert_int_equal(refusals, 0);
    }
    /* a pause, and more of it: that is no new file */
    put("a.so", 6000);
    plugin_shelf_look(&shelf, now += SECOND / 2, false);
    plugin_shelf_look(&shelf, now += SECOND, false);
    assert_int_equal(refusals, 1);
    assert_true(last_is_waiting);
    assert_string_equal(last_name, "a");
    assert_non_null(strstr(last_reason, "missing from its 6000 bytes"));
    put("a.so", 7000);
    for (int i = 0; i < 30; i++)
        plugin_shelf_look(&shelf, now += SECOND, false);
    assert_int_equal(refusals, 1);
    put("a.so", ALL);
    plugin_shelf_look(&shelf, now += SECOND, true);
    assert_non_null(plugin_shelf_best(&shelf, "a"));
    assert_int_equal(refusals, 1);
}

static void
each_version_is_refused_once(void **state)
{
    char path[200];

    (void)state;
    snprintf(path, sizeof path, "%s/a.so", dir);
    put("a.so", ALL);
    chmod(path, 0666);
    for (int i = 0; i < 5; i++)
        assert_int_equal(plugin_shelf_look(&shelf, 1 + (uint64_t)i, true),
                         UINT64_MAX);
    assert_int_equal(refusals, 1);
    assert_non_null(strstr(last_reason, "chmod o-w"));
    chmod(path, 0600);
    plugin_shelf_look(&shelf, 10, true);
    assert_non_null(plugin_shelf_best(&shelf, "a"));
    /* what is in use stays so, though nobody would load it again */
    chmod(path, 0666);
    plugin_shelf_look(&shelf, 11, true);
    assert_non_null(plugin_shelf_best(&shelf, "a"));
    assert_int_equal(refusals, 1);
    unlink(path);
    plugin_shelf_look(&shelf, 12, true);
    assert_null(shelf.entries);
}

static void
a_file_that_never_comes_does_not_hold_up_the_start(void **state)
{
    (void)state;
    put("a.so", 5000);
    plugin_shelf_look(&shelf, 10 * SECOND, false);
    assert_false(plugin_shelf_is_settled(&shelf, 10 * SECOND));
    assert_true(plugin_shelf_is_settled(&shelf, 11 * SECOND));
}

static void
expect_verdict(enum vr_status status, const char *part)
{
    char path[200], why[700] = "";

    snprintf(path, sizeof path, "%s/x.so", dir);
    assert_int_equal(plugin_file_check(path, why, sizeof why), status);
    if (!strstr(why, part))
        fail_msg("%s", why);
}

static void
patch(long offset, const void *bytes, size_t count)
{
    char path[200];
    int fd;

    put("x.so", ALL);
    snprintf(path, sizeof path, "%s/x.so", dir);
    fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, bytes, count, offset), count);
    close(fd);
}

static void
headers_tell_what_a_file_is(void **state)
{
    static const size_t cuts[] = {0, 1, 15, 16, 63, 64, 100, 4096, 20000};
    unsigned char byte = 9;
    uint16_t word = ET_EXEC;
    uint64_t far = UINT64_MAX - 8;

    (void)state;
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        put("x.so", cuts[i]);
        expect_verdict(VR_AGAIN, "it is not whole");
    }
    put("x.so", ALL);
    expect_verdict(VR_OK, "");
    patch(0, "#!/bin/sh", 9);
    expect_verdict(VR_INVALID, "it is no shared library");
    patch(EI_CLASS, &byte, 1);
    expect_verdict(VR_INVALID, "another kind of machine");
    patch(offsetof(Elf64_Ehdr, e_type), &word, sizeof word);
    expect_verdict(VR_INVALID, "another kind of ELF file");
    patch(offsetof(Elf64_Ehdr, e_shoff), &far, sizeof far);
    expect_verdict(VR_AGAIN, "it is not whole");
    patch(offsetof(Elf64_Ehdr, e_phoff), &far, sizeof far);
    expect_verdict(VR_AGAIN, "it is not whole");
}

/* ---- results -------------------------------------------------------------- */

static void
expect_content(const char *result, enum tool_outcome outcome,
               const char *content)
{
    cJSON *tree = cJSON_Parse(result);
    struct tool_content c;

    assert_non_null(tree);
    tool_content_read(tree, 1000, &c);
    assert_int_equal(c.outcome, outcome);
    assert_string_equal(c.json, content);
    free(c.json);
    cJSON_Delete(tree);
}

static void
what_is_no_text_is_named(void **state)
{
    (void)state;
    expect_content("{\"content\":[{\"type\":\"text\",\"text\":\"a cat\"},"
                   "{\"type\":\"image\",\"mimeType\":\"image/png\","
                   "\"data\":\"AAAAAAAA\"}]}",
                   TOOL_OK,
                   "{\"result\":\"a cat\",\"omitted\":[\"image/png, 6 "
                   "bytes\"]}");
    expect_content(
        "{\"content\":[{\"type\":\"text\",\"text\":\"{\\\"a\\\":1}\"}"
        ",{\"type\":\"audio\"},5]}",
        TOOL_OK, "{\"a\":1,\"omitted\":[\"audio\",\"something\"]}");
    expect_content("{\"content\":[{\"type\":\"resource\",\"resource\":{"
                   "\"uri\":\"file:///x\",\"mimeType\":\"text/plain\","
                   "\"text\":\"abc\"}}]}",
                   TOOL_OK,
                   "{\"omitted\":[\"resource file:///x, text/plain, 3 "
                   "bytes\"]}");
    expect_content("{\"content\":[{\"type\":\"image\"}],"
                   "\"structuredContent\":{\"b\":2}}",
                   TOOL_OK, "{\"b\":2,\"omitted\":[\"image\"]}");
    expect_content("{\"isError\":true,\"content\":[{\"type\":\"text\","
                   "\"text\":\"no\"},{\"type\":\"image\"}]}",
                   TOOL_ERROR, "{\"error\":\"no\",\"omitted\":[\"image\"]}");
}

static void
many_of_them_are_counted(void **state)
{
    cJSON *result = cJSON_CreateObject();
    cJSON *blocks = cJSON_AddArrayToObject(result, "content");
    struct tool_content c;

    (void)state;
    for (int i = 0; i < 1000; i++)
        cJSON_AddItemToArray(blocks, cJSON_CreateObject());
    tool_content_read(result, 1000, &c);
    assert_int_equal(c.outcome, TOOL_OK);
    assert_non_null(strstr(c.json, "\"and 984 more\""));
    free(c.json);
    cJSON_Delete(result);
}

/* ---- lists of tools -------------------------------------------------------- */

static void
what_is_too_long_is_cut_or_left_out(void **state)
{
    char *words = malloc(100000);
    cJSON *result = cJSON_CreateObject();
    cJSON *tools = cJSON_AddArrayToObject(result, "tools");
    cJSON *good = cJSON_CreateObject(), *vast = cJSON_CreateObject();
    struct tool_list list;
    char why[400];

    (void)state;
    /* letters of two bytes, so that the bound falls into one */
    words[0] = 'x';
    for (size_t i = 1; i + 2 < 100000; i += 2)
        memcpy(words + i, "\xc3\xa9", 3);
    cJSON_AddStringToObject(good, "name", "good");
    cJSON_AddStringToObject(good, "description", words);
    cJSON_AddStringToObject(good, "outputSchema", "not for the model");
    cJSON_AddItemToArray(tools, good);
    cJSON_AddStringToObject(vast, "name", "vast");
    cJSON_AddStringToObject(vast, "description", "d");
    cJSON_AddStringToObject(cJSON_AddObjectToObject(vast, "inputSchema"),
                            "type", "object");
    cJSON_AddStringToObject(
        cJSON_GetObjectItemCaseSensitive(vast, "inputSchema"), "title", words);
    cJSON_AddItemToArray(tools, vast);
    assert_int_equal(tool_list_read(&list, "p", result, why, sizeof why),
                     VR_OK);
    assert_int_equal(list.count, 1);
    assert_int_equal(strlen(list.tools[0].description), 4095);
    assert_true(tool_content_is_utf8(list.tools[0].description, 4095));
    assert_string_equal(list.tools[0].schema_json,
                        "{\"type\":\"object\",\"properties\":{}}");
    assert_string_equal(list.left_out, "vast");
    assert_non_null(strstr(list.left_out_why, "more than the 65536"));
    tool_list_fini(&list);
    cJSON_Delete(result);
    free(words);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_must_be_still),
        TEST(what_is_not_whole_is_told_once_after_ten_seconds),
        TEST(each_version_is_refused_once),
        TEST(a_file_that_never_comes_does_not_hold_up_the_start),
        TEST(headers_tell_what_a_file_is),
        cmocka_unit_test(what_is_no_text_is_named),
        cmocka_unit_test(what_is_too_long_is_cut_or_left_out),
        cmocka_unit_test(many_of_them_are_counted),
    };

    log_init(open("/dev/null", O_WRONLY | O_CLOEXEC));
    return cmocka_run_group_tests(tests, NULL, NULL);
}

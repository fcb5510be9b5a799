/* The record of one stream, without a stream. */
#include <errno.h>
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

#include "gateway/local/record.h"
#include "tests/local/client_control.h"

struct place {
    char folder[64];
    char path[96];
};

static int
setup(void **state)
{
    struct place *p = calloc(1, sizeof(*p));
    *state = p;
    snprintf(p->folder, sizeof(p->folder), "/tmp/voxring-record.XXXXXX");
    return mkdtemp(p->folder) != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
    struct place *p = *state;
    client_control_remove_folder(p->folder);
    free(p);
    return 0;
}

static long
size_of(struct place *p, const char *name)
{
    struct stat info;
    snprintf(p->path, sizeof(p->path), "%s/%s", p->folder, name);
    return stat(p->path, &info) == 0 ? (long)info.st_size : -1;
}

static cJSON *
read_json(struct place *p, const char *name)
{
    long bytes = size_of(p, name);
    char *text = calloc(1, (size_t)bytes + 1);
    FILE *file = fopen(p->path, "r");
    assert_non_null(file);
    assert_int_equal(fread(text, 1, (size_t)bytes, file), bytes);
    fclose(file);
    cJSON *json = cJSON_Parse(text);
    free(text);
    assert_non_null(json);
    return json;
}

static void
give_text(struct record *record, enum input_kind kind, enum role role,
          const char *text)
{
    struct input input = {.kind = kind,
                          .role = role,
                          .text = text,
                          .text_bytes = strlen(text),
                          .tool_use_id = "use-1"};
    assert_true(record_take(record, &input));
}

static void
test_texts_and_audio(void **state)
{
    static const int16_t samples[] = {1, -2, 3};
    struct place *p = *state;
    struct record *record = record_open(p->folder, 12, "m");
    struct input audio = {.kind = INPUT_AUDIO, .samples = samples, .frames = 3};
    assert_non_null(record);
    give_text(record, INPUT_CONTEXT, ROLE_SYSTEM, "You are a robot.");
    give_text(record, INPUT_CONTEXT, ROLE_USER, "Hello.");
    give_text(record, INPUT_CONTEXT, ROLE_ASSISTANT, "Hi.");
    give_text(record, INPUT_TEXT, ROLE_USER, "A text.");
    give_text(record, INPUT_TOOL_RESULT, ROLE_USER, "{}");
    assert_true(record_take(record, &audio));
    assert_int_equal(size_of(p, "0012.s16"), 6);
    assert_int_equal(size_of(p, "0012.json"), -1);
    record_close(&record, "sessionEnd");
    assert_null(record);
    cJSON *json = read_json(p, "0012.json");
    char *text = cJSON_PrintUnformatted(json);
    assert_string_equal(
        text, "{\"model\":\"m\",\"rate_hz\":0,\"voice\":\"\",\"tools\":[],"
              "\"history\":[{\"role\":\"USER\",\"text\":\"Hello.\"},"
              "{\"role\":\"ASSISTANT\",\"text\":\"Hi.\"}],\"texts\":["
              "\"A text.\"],\"tool_results\":[{\"id\":\"use-1\",\"content\":"
              "\"{}\"}],\"system\":\"You are a robot.\",\"samples\":3,"
              "\"ended\":\"sessionEnd\",\"whole\":true}");
    cJSON_free(text);
    cJSON_Delete(json);
}

static void
test_an_earlier_run_is_replaced(void **state)
{
    struct place *p = *state;
    struct record *record = record_open(p->folder, 1, "first");
    record_close(&record, "over");
    record = record_open(p->folder, 1, "second");
    assert_int_equal(size_of(p, "0001.json"), -1);
    record_close(&record, "over");
    assert_true(size_of(p, "0001.json") > 0);
}

static void
test_texts_have_a_bound(void **state)
{
    struct place *p = *state;
    struct record *record = record_open(p->folder, 1, "m");
    char *text = malloc(200001);
    memset(text, 'a', 200000);
    text[200000] = '\0';
    for (int i = 0; i < 40; i++)
        give_text(record, INPUT_TEXT, ROLE_USER, text);
    free(text);
    record_close(&record, "over");
    assert_in_range(size_of(p, "0001.json"), 1, RECORD_TEXT_BYTES_MAX + 4096);
    cJSON *json = read_json(p, "0001.json");
    assert_true(cJSON_IsFalse(cJSON_GetObjectItem(json, "whole")));
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(json, "texts")),
                     20);
    cJSON_Delete(json);
}

static void
test_no_folder(void **state)
{
    struct place *p = *state;
    snprintf(p->path, sizeof(p->path), "%s/nowhere", p->folder);
    assert_null(record_open(p->path, 1, "m"));
    assert_int_equal(errno, ENOENT);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_texts_and_audio),
        TEST(test_an_earlier_run_is_replaced),
        TEST(test_texts_have_a_bound),
        TEST(test_no_folder),
    };
    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}

/* The control socket and the record of voxring-local, from outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/local/client_control.h"
#include "tests/local/client_events.h"
#include "tests/local/faulty.h"

/* ---- control ---- */

static void
control_answers_bad_input(void **state)
{
    static const char *const bad[] = {
        "",
        "x",
        "[]",
        "{}",
        "{\"add\":1}",
        "{\"add\":{}}",
        "{\"add\":{\"fault\":\"nothing\"}}",
        "{\"add\":{\"fault\":\"refuse\"}}",
        "{\"add\":{\"fault\":\"refuse\",\"status\":200}}",
        "{\"add\":{\"fault\":\"refuse\",\"status\":429,\"phase\":\"tool\"}}",
        "{\"add\":{\"fault\":\"deaf\",\"phase\":\"request\"}}",
        "{\"add\":{\"fault\":\"deaf\",\"status\":429}}",
        "{\"add\":{\"fault\":\"cut\",\"how\":\"saw\"}}",
        "{\"add\":{\"fault\":\"fin\",\"after_ms\":-1}}",
        "{\"remove\":0}",
        "{\"remove\":999999}",
        "{\"list\":false}",
        "{\"wall_offset_ms\":1e300}",
        "{\"list\":true,\"stats\":true}",
        "{\"list\":true} x",
        "{\"\xff\":true}",
        NULL};
    (void)state;
    int fd = client_control_open(faulty_control);
    for (size_t i = 0; bad[i] != NULL; i++) {
        assert_true(client_control_write(fd, bad[i]));
        assert_true(client_control_write(fd, "\n"));
        cJSON *answer = client_control_read(fd);
        if (!cJSON_IsFalse(cJSON_GetObjectItem(answer, "ok")) ||
            !cJSON_IsString(cJSON_GetObjectItem(answer, "error")))
            fail_msg("%s was not refused", bad[i]);
        cJSON_Delete(answer);
    }
    close(fd);
    fd = client_control_open(faulty_control);
    char *much = malloc(20001);
    memset(much, '{', 20000);
    much[20000] = '\0';
    client_control_write(fd, much);
    free(much);
    cJSON *answer = client_control_read(fd);
    assert_true(cJSON_IsFalse(cJSON_GetObjectItem(answer, "ok")));
    cJSON_Delete(answer);
    assert_null(client_control_read(fd));
    close(fd);
}

static double
number(const cJSON *object, const char *key)
{
    return cJSON_GetNumberValue(cJSON_GetObjectItem(object, key));
}

static void
control_lists_and_removes(void **state)
{
    struct stat info;
    (void)state;
    assert_int_equal(stat(faulty_control, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    cJSON *added = client_control_ask(
        faulty_control, "{\"add\":{\"fault\":\"rst\",\"code\":8,\"count\":3}}");
    char line[64];
    cJSON *list = client_control_ask(faulty_control, "{\"list\":true}");
    const cJSON *faults = cJSON_GetObjectItem(list, "faults");
    assert_int_equal(cJSON_GetArraySize(faults), 1);
    assert_true(number(faults->child, "id") == number(added, "id"));
    assert_true(number(faults->child, "code") == 8);
    assert_true(number(faults->child, "count") == 3);
    snprintf(line, sizeof(line), "{\"remove\":%.0f}", number(added, "id"));
    faulty_ask(line);
    cJSON_Delete(list);
    cJSON_Delete(added);
    list = client_control_ask(faulty_control, "{\"list\":true}");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(list, "faults")),
                     0);
    cJSON_Delete(list);
}

/* ---- the record ---- */

/* The newest stream of the statistics. */
static cJSON *
newest(cJSON **stats)
{
    *stats = client_control_ask(faulty_control, "{\"stats\":true}");
    const cJSON *list = cJSON_GetObjectItem(*stats, "streams");
    return cJSON_GetArrayItem(list, cJSON_GetArraySize(list) - 1);
}

static char *
read_record(const char *ending, unsigned stream, size_t *bytes)
{
    char path[160];
    static char content[65536];
    snprintf(path, sizeof(path), "%s/%04u%s", faulty_record, stream, ending);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return NULL;
    *bytes = fread(content, 1, sizeof(content) - 1, file);
    content[*bytes] = '\0';
    fclose(file);
    return content;
}

static bool
has_spoken_start(const struct client_stream *stream)
{
    return client_find(stream, "userSpeechStart") != NULL;
}

static void
record_keeps_what_came(void **state)
{
    struct faulty *f = *state;
    cJSON *stats;
    size_t bytes = 0;
    faulty_reach(f, "user_speaking");
    faulty_say_text(f, "think about it");
    assert_true(faulty_run(f, has_spoken_start));
    const cJSON *stream = newest(&stats);
    unsigned number_of = (unsigned)number(stream, "stream");
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(stream, "open")));
    assert_true(number(stream, "audio_bytes") == 8058);
    assert_true(number(stats, "highest") >= 1);
    assert_true(number(stats, "opened") >= 1);
    /* While it lives. */
    const char *audio = read_record(".s16", number_of, &bytes);
    assert_non_null(audio);
    assert_int_equal(bytes, 8058);
    assert_int_equal(((const int16_t *)(const void *)audio)[29], -8000);
    assert_null(read_record(".json", number_of, &bytes));
    cJSON_Delete(stats);
    faulty_end(f);
    stream = newest(&stats);
    assert_string_equal(
        cJSON_GetStringValue(cJSON_GetObjectItem(stream, "ended")),
        "sessionEnd");
    cJSON_Delete(stats);
    cJSON *json = cJSON_Parse(read_record(".json", number_of, &bytes));
    assert_non_null(json);
    assert_true(number(json, "samples") == 4029);
    assert_true(number(json, "rate_hz") == 16000);
    assert_string_equal(
        cJSON_GetStringValue(cJSON_GetObjectItem(json, "system")),
        "You are a robot.");
    assert_string_equal(cJSON_GetStringValue(cJSON_GetArrayItem(
                            cJSON_GetObjectItem(json, "texts"), 0)),
                        "think about it");
    assert_string_equal(cJSON_GetStringValue(cJSON_GetArrayItem(
                            cJSON_GetObjectItem(json, "tools"), 0)),
                        "clock");
    cJSON_Delete(json);
}

int
main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, faulty_setup, faulty_teardown)
    const struct CMUnitTest tests[] = {
        TEST(control_answers_bad_input),
        TEST(control_lists_and_removes),
        TEST(record_keeps_what_came),
    };
    return cmocka_run_group_tests_name("control", tests, faulty_start,
                                       faulty_stop);
}

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

/* ---- a program of its own ---- */

/* Runs `test` against a voxring-local with that script and time scale. */
static void
with_program(const char *script, const char *scale,
             void (*test)(struct client_program *program, struct faulty *f))
{
    struct client_program program;
    struct faulty f = {0};
    char folder[] = "/tmp/voxring-script.XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/script", folder);
    FILE *file = fopen(path, "w");
    fputs(script, file);
    fclose(file);
    const char *const arguments[] = {"--script",     path,       "--ear",
                                     "none",         "--record", folder,
                                     "--time-scale", scale,      NULL};
    bool started = client_program_start(&program, arguments);
    if (started) {
        client_signer_init(&f.signer);
        f.client = client_connect(program.port, program.ca_file, "\x02h2");
        test(&program, &f);
        client_free(&f.client);
    }
    int status = client_program_stop(&program);
    client_program_clean(&program);
    client_control_remove_folder(folder);
    assert_true(started);
    assert_int_equal(status, 0);
}

static void
open_model(struct client_program *program, struct faulty *f, const char *model)
{
    client_request_init(&f->request, model, program->port, client_wall_ms(),
                        &f->signer);
    faulty_open(f);
    faulty_begin(f);
}

static void
expect_end_of_life(struct client_program *program, struct faulty *f)
{
    open_model(program, f, "amazon.nova-sonic-v1%3A0");
    assert_true(faulty_run(f, client_has_ended));
    assert_int_equal(f->stream->status, 404);
    assert_string_equal(f->stream->errortype, "ResourceNotFoundException");
    assert_non_null(strstr((char *)f->stream->body,
                           "This model version has reached the end of its "
                           "life."));
    open_model(program, f, "amazon.nova-2-sonic-v1%3A0");
    assert_true(faulty_run(f, client_has_status));
    assert_int_equal(f->stream->status, 200);
}

static void
models_may_be_past_their_end(void **state)
{
    (void)state;
    with_program("{\"lines\":[{\"hear\":\"x\"}],\"models\":{"
                 "\"amazon.nova-sonic-v1:0\":\"end_of_life\"}}",
                 "1", expect_end_of_life);
}

static void
expect_scripted_fault(struct client_program *program, struct faulty *f)
{
    for (int i = 1; i <= 3; i++) {
        open_model(program, f, "amazon.nova-2-sonic-v1%3A0");
        assert_true(faulty_run(f, client_has_status));
        assert_int_equal(f->stream->status, i == 2 ? 503 : 200);
    }
}

static void
script_brings_faults(void **state)
{
    (void)state;
    with_program("{\"lines\":[{\"hear\":\"x\"}],\"faults\":[{\"fault\":"
                 "\"refuse\",\"status\":503,\"stream\":2}]}",
                 "60", expect_scripted_fault);
}

/* Eight minutes are 240 ms, and nothing but them ends the stream. */
static void
expect_the_wall(struct client_program *program, struct faulty *f)
{
    open_model(program, f, "amazon.nova-2-sonic-v1%3A0");
    client_send_event(f->client, f->stream, &f->signer, AUDIO_START);
    int64_t from_ms = client_wall_ms();
    for (int i = 0; i < 3000 && !client_has_ended(f->stream); i++) {
        client_send_event(f->client, f->stream, &f->signer, AUDIO_INPUT);
        client_run(f->client, faulty_never, f->stream, 5);
    }
    assert_true(client_wall_ms() - from_ms >= 200);
    assert_non_null(client_find(f->stream, "modelTimeoutException"));
    assert_true(f->stream->ended);
}

static void
eight_minutes_at_scale_2000(void **state)
{
    (void)state;
    with_program("{\"lines\":[{\"hear\":\"x\"}],\"input_timeout_ms\":"
                 "86400000}",
                 "2000", expect_the_wall);
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
        cmocka_unit_test(models_may_be_past_their_end),
        cmocka_unit_test(script_brings_faults),
        cmocka_unit_test(eight_minutes_at_scale_2000),
    };
    return cmocka_run_group_tests_name("control", tests, faulty_start,
                                       faulty_stop);
}

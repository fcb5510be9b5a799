/* voxring-local as a program: its arguments, its certificate, its folder, its
 * one line, its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/local/certificate.h"
#include "gateway/local/options.h"
#include "gateway/local/statedir.h"
#include "tests/local/client_events.h"
#include "tests/local/client_h2.h"
#include "tests/local/client_program.h"

static char scratch[64];

static int
setup(void **state)
{
    (void)state;
    snprintf(scratch, sizeof(scratch), "/tmp/voxring-test.XXXXXX");
    return mkdtemp(scratch) != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
    struct statedir dir = {.temporary = true};
    (void)state;
    snprintf(dir.path, sizeof(dir.path), "%s", scratch);
    statedir_close(&dir);
    return access(scratch, F_OK) == 0 ? -1 : 0;
}

/* ---- arguments ---- */

static bool
parse(struct options *options, char *problem, const char *a, const char *b)
{
    char *argv[] = {(char *)(uintptr_t) "voxring-local", (char *)(uintptr_t)a,
                    (char *)(uintptr_t)b, NULL};
    return options_parse(options,
                         a == NULL   ? 1
                         : b == NULL ? 2
                                     : 3,
                         argv, problem, 256);
}

static void
good_arguments(void **state)
{
    struct options options;
    char problem[256];
    (void)state;
    assert_true(parse(&options, problem, NULL, NULL));
    assert_int_equal(options.port, 0);
    assert_true(options.time_scale == 1);
    assert_int_equal(options.log, JSONLOG_TEXT);
    assert_true(parse(&options, problem, "--port", "65535"));
    assert_int_equal(options.port, 65535);
    assert_true(parse(&options, problem, "--time-scale=60.5", "--log=quiet"));
    assert_true(options.time_scale == 60.5);
    assert_int_equal(options.log, JSONLOG_QUIET);
    assert_true(parse(&options, problem, "--ear", "script"));
    assert_int_equal(options.ear, EAR_SCRIPT);
    assert_true(parse(&options, problem, "--exit-with-parent", "--version"));
    assert_true(options.exit_with_parent);
    assert_true(options.version);
    assert_true(parse(&options, problem, "--state-dir=/x", "--script=/y"));
    assert_string_equal(options.state_dir, "/x");
    assert_string_equal(options.script, "/y");
}

static void
bad_arguments(void **state)
{
    static const char *const cases[][2] = {{"--port", "65536"},
                                           {"--port", "-1"},
                                           {"--port", "1x"},
                                           {"--port", ""},
                                           {"--port", NULL},
                                           {"--time-scale", "0"},
                                           {"--time-scale", "nan"},
                                           {"--time-scale", "inf"},
                                           {"--time-scale=", NULL},
                                           {"--ear", "left"},
                                           {"--log", "xml"},
                                           {"--state-dir", ""},
                                           {"--help=yes", NULL},
                                           {"--unknown", NULL},
                                           {"--", NULL},
                                           {"file", NULL}};
    struct options options;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char problem[256] = "";
        if (parse(&options, problem, cases[i][0], cases[i][1]))
            fail_msg("%s %s is taken", cases[i][0],
                     cases[i][1] ? cases[i][1] : "");
        assert_true(problem[0] != '\0');
    }
}

static void
credentials_of_the_environment(void **state)
{
    struct options options;
    char problem[256];
    (void)state;
    unsetenv("AWS_SECRET_ACCESS_KEY");
    unsetenv("AWS_SESSION_TOKEN");
    setenv("AWS_ACCESS_KEY_ID", "AKIDHALF", 1);
    assert_false(parse(&options, problem, NULL, NULL));
    assert_non_null(strstr(problem, "AWS_SECRET_ACCESS_KEY is not"));
    setenv("AWS_SECRET_ACCESS_KEY", "whole", 1);
    setenv("AWS_SESSION_TOKEN", "token", 1);
    assert_true(parse(&options, problem, NULL, NULL));
    assert_string_equal(options.keys.access_key_id, "AKIDHALF");
    assert_string_equal(options.keys.session_token, "token");
    unsetenv("AWS_ACCESS_KEY_ID");
    unsetenv("AWS_SECRET_ACCESS_KEY");
    assert_true(parse(&options, problem, NULL, NULL));
    assert_string_equal(options.keys.access_key_id, OPTIONS_TEST_ACCESS_KEY_ID);
    assert_string_equal(options.keys.session_token, "");
    unsetenv("AWS_SESSION_TOKEN");
}

static void
help_and_version_and_errors(void **state)
{
    char out[8192];
    const char *const help[] = {"--help", NULL};
    const char *const version[] = {"--version", NULL};
    const char *const wrong[] = {"--port", "many", NULL};
    const char *const no_script[] = {"--script", "/nonexistent", NULL};
    (void)state;
    assert_int_equal(client_program_once(help, out, sizeof(out)), 0);
    assert_non_null(strstr(out, "--time-scale X"));
    assert_non_null(strstr(out, OPTIONS_TEST_SECRET_ACCESS_KEY));
    assert_int_equal(client_program_once(version, out, sizeof(out)), 0);
    assert_string_equal(out, "voxring-local " VOXRING_VERSION "\n");
    assert_int_equal(client_program_once(wrong, out, sizeof(out)), 2);
    assert_string_equal(out, "voxring-local: 'many' is not good for --port: "
                             "give 0 to 65535\n");
    assert_int_equal(client_program_once(no_script, out, sizeof(out)), 2);
}

/* ---- state ---- */

static void
certificate_is_kept(void **state)
{
    struct certificate c;
    struct stat first, again, key;
    char problem[512];
    (void)state;
    assert_true(certificate_prepare(&c, scratch, problem, sizeof(problem)));
    assert_int_equal(stat(c.ca_file, &first), 0);
    assert_int_equal(stat(c.key_file, &key), 0);
    assert_int_equal(key.st_mode & 0777, 0600);
    assert_true(certificate_prepare(&c, scratch, problem, sizeof(problem)));
    assert_int_equal(stat(c.ca_file, &again), 0);
    assert_int_equal(first.st_ino, again.st_ino);
}

static void
broken_certificate_is_made_anew(void **state)
{
    struct certificate c;
    struct stat first, again;
    char problem[512];
    (void)state;
    assert_true(certificate_prepare(&c, scratch, problem, sizeof(problem)));
    const char *const files[] = {c.ca_file, c.leaf_file, c.key_file};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(stat(c.leaf_file, &first), 0);
        FILE *file = fopen(files[i], "w");
        fputs("-----BEGIN nonsense", file);
        fclose(file);
        assert_true(certificate_prepare(&c, scratch, problem, sizeof(problem)));
        assert_int_equal(stat(c.leaf_file, &again), 0);
        assert_true(first.st_ino != again.st_ino ||
                    first.st_mtim.tv_nsec != again.st_mtim.tv_nsec);
    }
    chmod(c.key_file, 0644);
    assert_true(certificate_prepare(&c, scratch, problem, sizeof(problem)));
    assert_int_equal(stat(c.key_file, &again), 0);
    assert_int_equal(again.st_mode & 0777, 0600);
}

static void
certificate_needs_its_folder(void **state)
{
    struct certificate c;
    char problem[512] = "";
    (void)state;
    assert_false(certificate_prepare(&c, "/nonexistent/folder", problem,
                                     sizeof(problem)));
    assert_non_null(strstr(problem, "/nonexistent/folder"));
}

static void
folders(void **state)
{
    struct statedir dir;
    struct stat info;
    char problem[2048], path[STATEDIR_PATH_BYTES], runtime[128];
    (void)state;
    snprintf(path, sizeof(path), "%s/a", scratch);
    assert_true(statedir_open(&dir, path, problem, sizeof(problem)));
    assert_false(dir.temporary);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    chmod(path, 0777);
    assert_false(statedir_open(&dir, path, problem, sizeof(problem)));
    assert_non_null(strstr(problem, "mode 0700"));
    rmdir(path);
    snprintf(runtime, sizeof(runtime), "%s/voxring-local", scratch);
    setenv("XDG_RUNTIME_DIR", scratch, 1);
    assert_true(statedir_open(&dir, NULL, problem, sizeof(problem)));
    assert_string_equal(dir.path, runtime);
    rmdir(runtime);
    unsetenv("XDG_RUNTIME_DIR");
    setenv("TMPDIR", scratch, 1);
    assert_true(statedir_open(&dir, NULL, problem, sizeof(problem)));
    assert_true(dir.temporary);
    assert_int_equal(strncmp(dir.path, scratch, strlen(scratch)), 0);
    snprintf(path, sizeof(path), "%s", dir.path);
    statedir_close(&dir);
    assert_int_equal(access(path, F_OK), -1);
    unsetenv("TMPDIR");
}

/* ---- life ---- */

static void
port_in_use(void **state)
{
    struct client_program program;
    char out[1024], port[16];
    (void)state;
    assert_true(client_program_start(&program, NULL));
    snprintf(port, sizeof(port), "%d", program.port);
    const char *const same[] = {"--port", port, "--state-dir", program.folder,
                                NULL};
    assert_int_equal(client_program_once(same, out, sizeof(out)), 1);
    assert_non_null(strstr(out, "cannot listen on 127.0.0.1:"));
    assert_int_equal(client_program_stop(&program), 0);
    client_program_clean(&program);
}

/* The program with one client that has opened a stream. */
struct life {
    struct client_program program;
    struct client_signer signer;
    struct client *client;
    struct client_stream *stream;
};

static void
life_begin(struct life *life, const char *time_scale)
{
    struct client_request request;
    const char *const arguments[] = {"--time-scale", time_scale, "--ear",
                                     "none", NULL};
    assert_true(client_program_start(&life->program, arguments));
    client_signer_init(&life->signer);
    life->client =
        client_connect(life->program.port, life->program.ca_file, "\x02h2");
    assert_non_null(life->client);
    client_request_init(&request, "amazon.nova-2-5-sonic", life->program.port,
                        client_wall_ms(), &life->signer);
    client_request_sign(&request, &life->signer, "host");
    life->stream = client_open(life->client, &request, false);
}

static void
life_end(struct life *life)
{
    client_free(&life->client);
    if (life->program.pid > 0)
        assert_int_equal(client_program_stop(&life->program), 0);
    client_program_clean(&life->program);
}

/* A client with an open stream is told by GOAWAY, and the program ends. */
static void
ends_with_streams_open(void **state)
{
    struct life life;
    (void)state;
    life_begin(&life, "1");
    assert_false(client_run(life.client, client_has_status, life.stream, 100));
    assert_int_equal(client_program_stop(&life.program), 0);
    assert_true(client_run(life.client, NULL, life.stream, 5000));
    assert_true(client_said_goaway(life.client));
    assert_false(client_alive(life.client));
    life_end(&life);
}

/* Twenty seconds without an event pass in a fifth of one. */
static void
no_event_in_time(void **state)
{
    struct life life;
    (void)state;
    life_begin(&life, "100");
    assert_true(client_run(life.client, client_has_ended, life.stream, 10000));
    assert_int_equal(life.stream->status, 400);
    assert_non_null(strstr((char *)life.stream->body,
                           "Timed out waiting for input events"));
    life_end(&life);
}

/* An idle stream ends with an exception frame. */
static void
no_more_events_in_time(void **state)
{
    struct life life;
    (void)state;
    life_begin(&life, "50");
    client_send_event(life.client, life.stream, &life.signer, SESSION_START);
    assert_true(client_run(life.client, client_has_ended, life.stream, 10000));
    assert_int_equal(life.stream->status, 200);
    assert_non_null(client_find(life.stream,
                                "validationException {\"message\":"
                                "\"Timed out waiting for input events"));
    life_end(&life);
}

/* Five minutes without a stream pass in a tenth of a second. */
static void
unused_connection_is_closed(void **state)
{
    struct client_program program;
    const char *const fast[] = {"--time-scale", "3000", NULL};
    (void)state;
    assert_true(client_program_start(&program, fast));
    struct client *client =
        client_connect(program.port, program.ca_file, "\x02h2");
    assert_non_null(client);
    assert_true(client_run(client, NULL, NULL, 10000));
    assert_false(client_alive(client));
    assert_true(client_said_goaway(client));
    client_free(&client);
    assert_int_equal(client_program_stop(&program), 0);
    client_program_clean(&program);
}

/* Starts the program from a process that dies at once; gives its place. */
static bool
start_orphan(struct client_program *program)
{
    int pipes[2];
    if (pipe(pipes) != 0)
        return false;
    pid_t middle = fork();
    if (middle == 0) {
        bool started = client_program_start(program, NULL);
        ssize_t written = write(pipes[1], program, sizeof(*program));
        _exit(started && written == sizeof(*program) ? 0 : 1);
    }
    int status;
    ssize_t count = read(pipes[0], program, sizeof(*program));
    waitpid(middle, &status, 0);
    close(pipes[0]);
    close(pipes[1]);
    return count == sizeof(*program) && status == 0;
}

static void
ends_with_its_parent(void **state)
{
    struct client_program program;
    bool gone = false;
    (void)state;
    assert_true(start_orphan(&program));
    for (int i = 0; i < 1000 && !gone; i++) {
        struct client *client =
            client_connect(program.port, program.ca_file, "\x02h2");
        gone = client == NULL;
        if (!gone)
            client_run(client, NULL, NULL, 10);
        client_free(&client);
    }
    assert_true(gone);
    program.pid = 0;
    client_program_clean(&program);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_arguments),
        cmocka_unit_test(bad_arguments),
        cmocka_unit_test(credentials_of_the_environment),
        cmocka_unit_test(help_and_version_and_errors),
        cmocka_unit_test_setup_teardown(certificate_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_certificate_is_made_anew, setup,
                                        teardown),
        cmocka_unit_test(certificate_needs_its_folder),
        cmocka_unit_test_setup_teardown(folders, setup, teardown),
        cmocka_unit_test(port_in_use),
        cmocka_unit_test(ends_with_streams_open),
        cmocka_unit_test(no_event_in_time),
        cmocka_unit_test(no_more_events_in_time),
        cmocka_unit_test(unused_connection_is_closed),
        cmocka_unit_test(ends_with_its_parent)};
    return cmocka_run_group_tests_name("local/program", tests, NULL, NULL);
}

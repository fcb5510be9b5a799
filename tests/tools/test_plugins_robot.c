/* The plugin robot, against the example's simulated base and a bad one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <zmq.h>

#include "tests/tools/plugin_rig.h"

static const struct voxring_plugin *robot;
static char dir[64];
static char endpoint[128];
static pid_t base;

static void
start_base(const char *speed)
{
    static char program[] = "tools/examples/robot_base.py";
    char line[200], rate[16];
    char *args[] = {program, endpoint, rate, NULL};

    snprintf(rate, sizeof rate, "%s", speed);
    base = rig_spawn(args, line, sizeof line);
}

static void
stop_base(void)
{
    if (base > 0)
        rig_kill(base);
    base = 0;
}

static void
use_timeout(unsigned timeout_ms)
{
    char config[300];

    snprintf(config, sizeof config,
             "{\"endpoint\":\"%s\",\"timeout_ms\":%u,\"max_distance_m\":20}",
             endpoint, timeout_ms);
    rig_start(robot, config);
}

static int
setup(void **state)
{
    const char *tmp = getenv("TMPDIR");

    (void)state;
    snprintf(dir, sizeof dir, "%.30s/robot-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(dir));
    snprintf(endpoint, sizeof endpoint, "ipc://%s/base", dir);
    robot = rig_load("robot");
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    robot->fini();
    stop_base();
    unlink(endpoint + strlen("ipc://"));
    assert_int_equal(rmdir(dir), 0);
    return 0;
}

static double
base_x(void)
{
    cJSON *out = rig_ask(robot, "robot_pose", "{}", VOXRING_OK);
    double x =
        cJSON_GetObjectItem(cJSON_GetObjectItem(out, "pose"), "x")->valuedouble;

    cJSON_Delete(out);
    return x;
}

/* Soon two looks in a row see the same; moving, the base would be elsewhere for
 * minutes. */
static void
expect_stands(void)
{
    struct timespec between = {.tv_nsec = 120000000};
    double before, now = base_x();

    for (int i = 0; i < 50; i++) {
        before = now;
        nanosleep(&between, NULL);
        now = base_x();
        if (fabs(now - before) < 1e-9)
            return;
    }
    fail_msg("the base goes on moving");
}

static void
tells_battery_and_pose(void **state)
{
    (void)state;
    start_base("100");
    use_timeout(5000);
    rig_expect(robot, "robot_battery", "{}", VOXRING_OK,
               "My battery is at 87 percent.");
    rig_expect(robot, "robot_pose", "{}", VOXRING_OK,
               "I am 0.0 meters along x and 0.0 along y, and look to 0 "
               "degrees.");
}

static void
moves_and_tells_how_far(void **state)
{
    uint64_t token;
    cJSON *out;

    (void)state;
    start_base("10");
    use_timeout(5000);
    token = rig_begin(robot, "robot_move", "main", "{\"distance_m\":4}");
    assert_true(rig_progress(token, 1) >= 1);
    out = rig_end(token, VOXRING_OK);
    assert_string_equal(rig_text(out, "text"), "I have arrived.");
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(out, "arrived")));
    cJSON_Delete(out);
    assert_true(fabs(base_x() - 4) < 1e-6);
    rig_expect(robot, "robot_move", "{\"x\":1,\"y\":-1,\"heading_deg\":90}",
               VOXRING_OK, "arrived");
    rig_expect(robot, "robot_move", "{\"heading_deg\":-45}", VOXRING_OK,
               "arrived");
    rig_expect(robot, "robot_pose", "{}", VOXRING_OK,
               "1.0 meters along x and -1.0 along y, and look to -45");
}

static void
expect_stopped(uint64_t token)
{
    cJSON *out = rig_end(token, VOXRING_OK);

    assert_non_null(strstr(rig_text(out, "text"), "stopped on the way"));
    cJSON_Delete(out);
    assert_true(base_x() < 19);
    expect_stands();
}

static void
stops_when_told_to(void **state)
{
    uint64_t token;

    (void)state;
    start_base("0.1");
    use_timeout(5000);
    token = rig_begin(robot, "robot_move", "main", "{\"distance_m\":20}");
    rig_progress(token, 1);
    rig_expect(robot, "robot_move", "{\"distance_m\":1}", VOXRING_ERROR,
               "I am moving already");
    rig_expect(robot, "robot_stop", "{}", VOXRING_OK, "I stand.");
    expect_stopped(token);
    rig_expect(robot, "robot_stop", "{}", VOXRING_OK, "I stand.");
}

static void
stops_when_the_call_is_cancelled(void **state)
{
    uint64_t token;

    (void)state;
    start_base("0.1");
    use_timeout(5000);
    token = rig_begin(robot, "robot_move", "main", "{\"distance_m\":20}");
    rig_progress(token, 1);
    rig_cancel(token);
    /* the next waits until the one that is not wanted any more stands */
    rig_expect(robot, "robot_move", "{\"distance_m\":0}", VOXRING_OK,
               "arrived");
    expect_stopped(token);
}

/* A stop that comes before the movement has begun counts as well. */
static void
stops_at_once(void **state)
{
    (void)state;
    start_base("0.1");
    use_timeout(5000);
    for (int i = 0; i < 20; i++) {
        uint64_t token =
            rig_begin(robot, "robot_move", "main", "{\"distance_m\":20}");
        rig_expect(robot, "robot_stop", "{}", VOXRING_OK, "I stand.");
        cJSON_Delete(rig_end(token, -1));
    }
    assert_true(base_x() < 19);
    expect_stands();
}

static void
says_that_the_base_is_not_there(void **state)
{
    (void)state;
    use_timeout(150);
    rig_expect(robot, "robot_battery", "{}", VOXRING_ERROR,
               "My base does not answer");
    rig_expect(robot, "robot_move", "{\"distance_m\":5}", VOXRING_ERROR,
               "My base does not answer");
    /* and what was asked for then is not done when it comes */
    start_base("100");
    use_timeout(5000);
    assert_true(fabs(base_x()) < 1e-9);
    expect_stands();
}

static void
says_that_the_base_fell_silent(void **state)
{
    uint64_t token;
    cJSON *out;

    (void)state;
    start_base("0.1");
    use_timeout(1500);
    token = rig_begin(robot, "robot_move", "main", "{\"distance_m\":20}");
    rig_progress(token, 1);
    kill(base, SIGSTOP);
    rig_expect(robot, "robot_battery", "{}", VOXRING_ERROR,
               "My base does not answer");
    out = rig_end(token, VOXRING_ERROR);
    assert_non_null(strstr(rig_text(out, "error"), "fell silent"));
    cJSON_Delete(out);
    /* back again, it reads what it was told meanwhile, the last word is stop */
    kill(base, SIGCONT);
    use_timeout(5000);
    expect_stands();
    token = rig_begin(robot, "robot_move", "main", "{\"distance_m\":20}");
    rig_progress(token, 1);
    robot->fini();
    use_timeout(1500);
    expect_stopped(token);
    token = rig_begin(robot, "robot_move", "main", "{\"distance_m\":20}");
    rig_progress(token, 1);
    stop_base();
    cJSON_Delete(rig_end(token, VOXRING_ERROR));
}

static void
says_which_input_is_wrong(void **state)
{
    static const char *const wrong[][2] = {
        {"{}", "Where to?"},
        {"{\"distance_m\":21}", "from -20 to 20 meters"},
        {"{\"distance_m\":-1e308}", "from -20 to 20 meters"},
        {"{\"x\":1}", "Give either"},
        {"{\"x\":1e9,\"y\":0}", "x and y must"},
        {"{\"distance_m\":1,\"heading_deg\":0}", "Give either"},
        {"{\"heading_deg\":1000}", "heading_deg must"},
    };

    (void)state;
    use_timeout(150);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        rig_expect(robot, "robot_move", wrong[i][0], VOXRING_ERROR,
                   wrong[i][1]);
}

static void
refuses_without_its_config(void **state)
{
    static const char *const wrong[][2] = {
        {"{}", "plugins.config.robot.endpoint is missing; set it to where"},
        {"{\"endpoint\":5}", "endpoint is no text"},
        {"{\"endpoint\":\"nonsense\"}", "endpoint \"nonsense\" cannot be used"},
        {"{\"endpoint\":\"tcp://127.0.0.1:5\",\"timeout_ms\":1}", "timeout_ms"},
        {"{\"endpoint\":\"tcp://127.0.0.1:5\",\"max_distance_m\":0}",
         "max_distance_m"},
    };
    char why[400];

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_not_equal(rig_init(robot, wrong[i][0], why), 0);
        if (!strstr(why, wrong[i][1]))
            fail_msg("%s: %s", wrong[i][0], why);
    }
}

/* A base that answers everything but what it was asked, then `last`. */
struct bad_base {
    void *router;
    const char *last; /* with %s for the id */
    unsigned commands;
};

static void
say_badly(void *router, zmq_msg_t *peer, const char *text, bool more)
{
    zmq_send(router, zmq_msg_data(peer), zmq_msg_size(peer), ZMQ_SNDMORE);
    zmq_send(router, text, strlen(text), more ? ZMQ_SNDMORE : 0);
    if (more)
        zmq_send(router, "more", 4, 0);
}

static void *
bad_base_main(void *arg)
{
    struct bad_base *bad = arg;

    for (unsigned i = 0; i < bad->commands; i++) {
        char text[300] = "", answer[400];
        zmq_msg_t peer;
        cJSON *command;
        zmq_msg_init(&peer);
        zmq_msg_recv(&peer, bad->router, 0);
        zmq_recv(bad->router, text, sizeof text - 1, 0);
        command = cJSON_Parse(text);
        say_badly(bad->router, &peer, "no JSON {", false);
        say_badly(bad->router, &peer, "[[[[1]]]]", false);
        say_badly(bad->router, &peer, "", false);
        say_badly(bad->router, &peer, "{\"id\":7}", false);
        say_badly(bad->router, &peer, "{\"id\":\"x\",\"ok\":true}", false);
        say_badly(bad->router, &peer, "{\"id\":\"x\"}", true);
        snprintf(answer, sizeof answer, "{\"id\":\"%s\",%s}",
                 rig_text(command, "id"), bad->last);
        say_badly(bad->router, &peer, answer, false);
        cJSON_Delete(command);
        zmq_msg_close(&peer);
    }
    return NULL;
}

static void
bears_a_base_that_talks_nonsense(void **state)
{
    static const char *const cases[][2] = {
        {"\"percent\":\"x\"", "I do not understand"},
        {"\"percent\":101,\"pose\":5", "I do not understand"},
        {"\"error\":null", "My base says that it cannot do that"},
        {"\"error\":\"The lid is open\"", "The lid is open"},
    };
    void *context = zmq_ctx_new();

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bad_base bad = {.router = zmq_socket(context, ZMQ_ROUTER),
                               .last = cases[i][0],
                               .commands = 2};
        int now = 0;
        pthread_t thread;
        zmq_setsockopt(bad.router, ZMQ_LINGER, &now, sizeof now);
        assert_int_equal(zmq_bind(bad.router, endpoint), 0);
        use_timeout(5000);
        pthread_create(&thread, NULL, bad_base_main, &bad);
        rig_expect(robot, "robot_battery", "{}", VOXRING_ERROR, cases[i][1]);
        rig_expect(robot, "robot_pose", "{}", VOXRING_ERROR, cases[i][1]);
        pthread_join(thread, NULL);
        zmq_close(bad.router);
    }
    zmq_ctx_term(context);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(tells_battery_and_pose),
        TEST(moves_and_tells_how_far),
        TEST(stops_when_told_to),
        TEST(stops_when_the_call_is_cancelled),
        TEST(stops_at_once),
        TEST(says_that_the_base_is_not_there),
        TEST(says_that_the_base_fell_silent),
        TEST(says_which_input_is_wrong),
        TEST(refuses_without_its_config),
        TEST(bears_a_base_that_talks_nonsense),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

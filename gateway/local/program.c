#include "gateway/local/program.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <uv.h>

#include "gateway/local/certificate.h"
#include "gateway/local/options.h"
#include "gateway/local/server.h"
#include "gateway/local/statedir.h"

#define PROBLEM_BYTES 2048

struct program {
    struct options options;
    struct statedir dir;
    struct certificate certificate;
    struct script *script;
    struct tls_context *tls;
    struct jsonlog log;
    struct call_config config;
    uv_loop_t loop;
    uv_signal_t on_term;
    uv_signal_t on_int;
    struct server *server;
};

static int
complain(const char *problem, int status)
{
    fprintf(stderr, "voxring-local: %s\n", problem);
    return status;
}

static void
on_signal(uv_signal_t *handle, int number)
{
    struct program *program = handle->data;
    (void)number;
    if (program->server == NULL)
        return;
    server_stop(&program->server);
    uv_close((uv_handle_t *)&program->on_term, NULL);
    uv_close((uv_handle_t *)&program->on_int, NULL);
}

/* A signal before the loop runs waits until the loop can clean up after it. */
static void
hold_signals(int how)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(how, &set, NULL);
}

static void
watch_signals(struct program *program)
{
    uv_signal_init(&program->loop, &program->on_term);
    uv_signal_init(&program->loop, &program->on_int);
    program->on_term.data = program;
    program->on_int.data = program;
    uv_signal_start(&program->on_term, on_signal, SIGTERM);
    uv_signal_start(&program->on_int, on_signal, SIGINT);
    hold_signals(SIG_UNBLOCK);
}

/* False when whoever started us is gone already. */
static bool
announce(const struct program *program)
{
    printf("voxring-local listening https://127.0.0.1:%d ca=%s\n",
           server_port(program->server), program->certificate.ca_file);
    return fflush(stdout) == 0;
}

static int
serve(struct program *program, char *problem)
{
    uv_loop_init(&program->loop);
    program->server =
        server_new(&program->loop, program->options.port, program->tls,
                   &program->config, problem, PROBLEM_BYTES);
    watch_signals(program);
    int status = 0;
    if (program->server == NULL) {
        status = complain(problem, 1);
    } else if (!announce(program)) {
        status = complain("cannot write to stdout", 1);
        server_stop(&program->server);
    }
    if (status != 0) {
        uv_close((uv_handle_t *)&program->on_term, NULL);
        uv_close((uv_handle_t *)&program->on_int, NULL);
    }
    uv_run(&program->loop, UV_RUN_DEFAULT);
    uv_loop_close(&program->loop);
    return status;
}

/* The real ear where it was asked for or works; without being asked for, the
 * script's own where it does not. */
static bool
prepare_ear(struct program *program, char *problem)
{
    struct options *options = &program->options;
    struct jsonlog_place nowhere = {0};
    if (options->ear != EAR_REAL ||
        script_prepare_ear(program->script, problem, PROBLEM_BYTES))
        return true;
    if (options->ear_given)
        return false;
    jsonlog_note(&program->log, nowhere, "note",
                 "no real ear, the script's is used: %s", problem);
    options->ear = EAR_SCRIPT;
    return true;
}

static int
prepare_and_serve(struct program *program, char *problem)
{
    const struct options *options = &program->options;
    program->log = (struct jsonlog){options->log, STDERR_FILENO};
    if (!prepare_ear(program, problem) ||
        !statedir_open(&program->dir, options->state_dir, problem,
                       PROBLEM_BYTES) ||
        !certificate_prepare(&program->certificate, program->dir.path, problem,
                             PROBLEM_BYTES))
        return complain(problem, 1);
    program->tls =
        tls_context_new(program->certificate.leaf_file,
                        program->certificate.key_file, problem, PROBLEM_BYTES);
    if (program->tls == NULL)
        return complain(problem, 1);
    program->config = (struct call_config){.keys = &options->keys,
                                           .script = program->script,
                                           .ear = options->ear,
                                           .time_scale = options->time_scale,
                                           .log = &program->log};
    return serve(program, problem);
}

int
program_run(int argc, char **argv)
{
    static struct program program;
    char problem[PROBLEM_BYTES];
    program = (struct program){0};
    if (!options_parse(&program.options, argc, argv, problem, sizeof(problem)))
        return complain(problem, 2);
    if (program.options.help) {
        options_help(stdout);
        return 0;
    }
    if (program.options.version) {
        printf("voxring-local %s\n", VOXRING_VERSION);
        return 0;
    }
    signal(SIGPIPE, SIG_IGN);
    hold_signals(SIG_BLOCK);
    if (program.options.exit_with_parent)
        prctl(PR_SET_PDEATHSIG, SIGTERM);
    program.script =
        script_load(program.options.script, problem, sizeof(problem));
    if (program.script == NULL)
        return complain(problem, 2);
    int status = prepare_and_serve(&program, problem);
    tls_context_free(&program.tls);
    statedir_close(&program.dir);
    script_free(&program.script);
    return status;
}

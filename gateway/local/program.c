#include "gateway/local/program.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <uv.h>

#include "gateway/local/certificate.h"
#include "gateway/local/control.h"
#include "gateway/local/options.h"
#include "gateway/local/script.h"
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
    struct faults faults;
    struct ledger ledger;
    struct control *control;
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
    control_stop(&program->control);
    uv_close((uv_handle_t *)&program->on_term, NULL);
    uv_close((uv_handle_t *)&program->on_int, NULL);
}

static void
on_control(void *arg)
{
    struct program *program = arg;
    server_poke(program->server);
}

static void
on_refuse_connections(void *arg, uint64_t ms)
{
    struct program *program = arg;
    if (program->server != NULL)
        server_refuse(program->server, ms);
}

/* The faults of the script are there from the start. */
static void
prepare_faults(struct program *program)
{
    program->faults.time_scale = program->options.time_scale;
    program->faults.refuse_connections = on_refuse_connections;
    program->faults.arg = program;
    for (size_t i = 0; i < program->script->fault_count; i++)
        faults_add(&program->faults, &program->script->faults[i]);
}

/* False with the reason when the control socket was asked for and cannot be
 * made. */
static bool
open_control(struct program *program, char *problem)
{
    struct control_config config = {
        .target = {&program->faults, &program->ledger},
        .log = &program->log,
        .on_change = on_control,
        .arg = program};
    if (program->options.control == NULL)
        return true;
    program->control = control_new(&program->loop, program->options.control,
                                   &config, problem, PROBLEM_BYTES);
    return program->control != NULL;
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
    } else if (!open_control(program, problem)) {
        status = complain(problem, 1);
        server_stop(&program->server);
    } else if (!announce(program)) {
        status = complain("cannot write to stdout", 1);
        server_stop(&program->server);
        control_stop(&program->control);
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

static bool
check_record(const struct program *program, char *problem)
{
    const char *dir = program->options.record;
    if (dir == NULL || access(dir, W_OK | X_OK) == 0)
        return true;
    snprintf(problem, PROBLEM_BYTES, "cannot record into %s: %s", dir,
             strerror(errno));
    return false;
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
    prepare_faults(program);
    if (!ledger_init(&program->ledger))
        return complain("no memory for the ledger", 1);
    if (!check_record(program, problem))
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
                                           .log = &program->log,
                                           .faults = &program->faults,
                                           .ledger = &program->ledger,
                                           .record_dir = options->record};
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
    ledger_fini(&program.ledger);
    statedir_close(&program.dir);
    script_free(&program.script);
    return status;
}

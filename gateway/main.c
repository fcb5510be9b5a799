/* voxringd's command line. */
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/config.h"
#include "gateway/log.h"
#include "gateway/runtime.h"
#include "gateway/session/clip.h"
#include "gateway/session/daemon.h"
#include "gateway/sonic/family.h"
#include "ipc/standard_fds.h"

#define SYSTEM_CONFIG "/etc/voxring/voxring.jsonc"

static const char help[] =
    "voxringd: a voice gateway for robots. It owns the speech-to-speech\n"
    "streams to Amazon Nova Sonic; other processes write the microphone into\n"
    "one shared-memory ring, read the model's voice from another, and find\n"
    "everything else on ZeroMQ.\n"
    "\n"
    "usage: voxringd [--config FILE] [--local] [options]\n"
    "       voxringd --check-config FILE\n"
    "\n"
    "  --config FILE       settings (JSON with comments); otherwise\n"
    "                      $VOXRING_CONFIG, then " SYSTEM_CONFIG ".\n"
    "                      `sessions: {\"robot\": {}}` is complete\n"
    "  --check-config FILE say what is wrong with it, or every setting in\n"
    "                      force; exit 0 or 2\n"
    "  --local             no AWS account needed: start voxring-local and "
    "talk\n"
    "                      to it; without --config, one session \"robot\"\n"
    "  --script FILE       with --local: the conversation it knows\n"
    "  --ear none|script|real\n"
    "                      with --local: how it listens\n"
    "  --time-scale X      with --local: X times shorter time-outs\n"
    "  --log LEVELS        such as info or info,bedrock=debug,wire=trace\n"
    "  --version, --help\n"
    "\n"
    "Sockets, doorbells and rings.json are in the runtime folder: the setting\n"
    "`runtime_dir`, else $VOXRING_RUNTIME_DIR, else $XDG_RUNTIME_DIR/voxring,\n"
    "/run/voxring for root, /tmp/voxring-UID.\n"
    "\n"
    "Prints `voxringd ready` once its sockets are bound and its sessions are\n"
    "connecting. Stop it with SIGTERM or `voxring shutdown`.\n"
    "\n"
    "exit code: 0 stopped in order, 1 failed (the log says why), 2 wrong\n"
    "arguments or settings.\n"
    "\n"
    "Try: voxringd --local &\n"
    "     voxring text robot 'what time is it'\n";

struct arguments {
    const char *config;
    const char *check;
    const char *log;
    struct daemon_options options;
};

enum { OPT_LOCAL = 256, OPT_SCRIPT, OPT_EAR, OPT_TIME_SCALE };

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"check-config", required_argument, NULL, 'C'},
    {"local", no_argument, NULL, OPT_LOCAL},
    {"script", required_argument, NULL, OPT_SCRIPT},
    {"ear", required_argument, NULL, OPT_EAR},
    {"time-scale", required_argument, NULL, OPT_TIME_SCALE},
    {"log", required_argument, NULL, 'l'},
    {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool
take(struct arguments *a, int option)
{
    struct local_child_config *local = &a->options.local_config;
    switch (option) {
    case 'c':
        a->config = optarg;
        return true;
    case 'C':
        a->check = optarg;
        return true;
    case 'l':
        a->log = optarg;
        return true;
    case OPT_LOCAL:
        a->options.local = true;
        return true;
    case OPT_SCRIPT:
        local->script = optarg;
        return true;
    case OPT_EAR:
        local->ear = optarg;
        return true;
    case OPT_TIME_SCALE:
        local->time_scale = optarg;
        return true;
    default:
        return false;
    }
}

/* -1: go on; otherwise the exit code. */
static int
parse_arguments(int argc, char **argv, struct arguments *a)
{
    int option;
    while ((option = getopt_long(argc, argv, "hV", long_options, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            return 0;
        }
        if (option == 'V') {
            puts("voxringd " VOXRING_VERSION);
            return 0;
        }
        if (!take(a, option)) {
            fputs("Try voxringd --help\n", stderr);
            return 2;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "voxringd: \"%s\" is no option; try --help\n",
                argv[optind]);
        return 2;
    }
    const struct local_child_config *l = &a->options.local_config;
    if (!a->options.local && (l->script || l->ear || l->time_scale)) {
        fputs("voxringd: --script, --ear and --time-scale are for --local\n",
              stderr);
        return 2;
    }
    return -1;
}

static const char *
config_path(const struct arguments *a)
{
    if (a->config)
        return a->config;
    const char *named = getenv("VOXRING_CONFIG");
    if (named && named[0])
        return named;
    return a->options.local ? NULL : SYSTEM_CONFIG;
}

static enum vr_status
load(const struct arguments *a, struct config **config)
{
    static const char robot[] = "{\"sessions\": {\"robot\": {}}}";
    const char *path = config_path(a);
    char *problems = NULL;
    enum vr_status status =
        path ? config_load(path, config, &problems)
             : config_parse(robot, sizeof robot - 1, "built-in settings",
                            config, &problems);
    if (status != VR_OK)
        fprintf(stderr, "voxringd: the settings cannot be used:\n%s%s",
                problems ? problems : vr_status_text(status),
                path && !a->config ? "\n(give --config FILE, or --local to try "
                                     "without any)\n"
                                   : "\n");
    free(problems);
    return status;
}

/* Where this program lies: its siblings are there. */
static void
find_program_dir(char *dir, size_t size)
{
    ssize_t bytes = readlink("/proc/self/exe", dir, size - 1);
    dir[bytes > 0 ? bytes : 0] = '\0';
    char *slash = strrchr(dir, '/');
    if (slash)
        *slash = '\0';
}

static void
find_plugin_dir(const char *program_dir, char *dir, size_t size)
{
    snprintf(dir, size, "%s/plugins", program_dir);
    if (access(dir, R_OK) != 0)
        snprintf(dir, size, "%s/../lib/voxring/plugins", program_dir);
}

/* NULL if voxring was built without it. */
static const char *
find_ready_clip(const char *program_dir, char *path, size_t size)
{
    snprintf(path, size, "%s/share/voxring/ready.wav", program_dir);
    if (access(path, R_OK) != 0)
        snprintf(path, size, "%s/../share/voxring/ready.wav", program_dir);
    return access(path, R_OK) == 0 ? path : NULL;
}

static int
run(struct arguments *a, struct config *config)
{
    char program_dir[PATH_MAX], plugin_dir[PATH_MAX + 32];
    char ready_clip[PATH_MAX + 64];
    char local_program[PATH_MAX + 32], wrong[64];
    find_program_dir(program_dir, sizeof program_dir);
    find_plugin_dir(program_dir, plugin_dir, sizeof plugin_dir);
    snprintf(local_program, sizeof local_program, "%s/voxring-local",
             program_dir);
    a->options.config = config;
    a->options.program_dir = program_dir;
    a->options.plugin_dir = plugin_dir;
    a->options.ready_clip =
        find_ready_clip(program_dir, ready_clip, sizeof ready_clip);
    a->options.local_config.program = local_program;
    log_init(STDERR_FILENO);
    runtime_raise_descriptors();
    const char *levels = a->log ? a->log : config->log;
    if (levels && log_levels(levels, wrong, sizeof wrong) != VR_OK) {
        log_error(config, NULL,
                  "--log: \"%s\" is no level or topic; use for example "
                  "info,bedrock=debug",
                  wrong);
        log_fini();
        return 2;
    }
    int code = daemon_run(&a->options);
    log_fini();
    return code;
}

static void
warn_of_clip(const struct config_session *s, const char *path)
{
    char why[CLIP_WHY_BYTES];
    struct clip clip = {0};
    if (s->trigger_clip &&
        clip_load(&clip, s->trigger_clip, s->model_input_rate_hz, why,
                  sizeof why) != VR_OK)
        fprintf(stderr, "%s: sessions.%s.trigger_clip: warning: %s\n", path,
                s->name, why);
    clip_fini(&clip);
}

/* What is no error and yet worth a look. */
static void
warn_of(const struct config_session *s, const char *path)
{
    bool known;
    const struct sonic_family *named =
        s->model_family ? sonic_family_named(s->model_family) : NULL;
    const struct sonic_family *family = sonic_family_of_model(s->model, &known);
    if (!known && !named)
        fprintf(stderr,
                "%s: sessions.%s: warning: model %s is not known; treated as "
                "%s\n",
                path, s->name, s->model, family->title);
    if (!sonic_family_voice(named ? named : family, s->voice))
        fprintf(stderr,
                "%s: sessions.%s: warning: voice %s is not known for %s\n",
                path, s->name, s->voice, (named ? named : family)->title);
    warn_of_clip(s, path);
}

static int
check(const char *path)
{
    struct config *config = NULL;
    char *problems = NULL;
    if (config_check(path, stdout) != VR_OK)
        return 2;
    if (config_load(path, &config, &problems) == VR_OK) {
        for (size_t i = 0; i < config->session_count; i++)
            warn_of(config->sessions[i], path);
    }
    free(problems);
    config_free(&config);
    return 0;
}

int
main(int argc, char **argv)
{
    struct arguments a = {0};
    struct config *config = NULL;
    standard_fds_fill();
    int code = parse_arguments(argc, argv, &a);
    if (code >= 0)
        return code;
    if (a.check)
        return check(a.check);
    if (load(&a, &config) != VR_OK)
        return 2;
    code = run(&a, config);
    config_free(&config);
    return code;
}

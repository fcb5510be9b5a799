#include "gateway/local/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum option {
#define OPTION(name, value, help) OPTION_##name,
#include "gateway/local/options.tbl.h"
#undef OPTION
    OPTION_COUNT
};

static const struct {
    const char *name; /* with _ for - */
    const char *value;
    const char *help;
} table[] = {
#define OPTION(name, value, help) {#name, value, help},
#include "gateway/local/options.tbl.h"
#undef OPTION
};

/* Finds the option that `argument` names; `*value` is what follows its =, or
 * NULL. */
static enum option
find_option(const char *argument, const char **value)
{
    const char *name = argument + 2;
    size_t size = strcspn(name, "=");
    *value = name[size] == '=' ? name + size + 1 : NULL;
    for (int i = 0; i < OPTION_COUNT; i++) {
        size_t n = 0;
        while (n < size && (name[n] == '-' ? '_' : name[n]) == table[i].name[n])
            n++;
        if (n == size && table[i].name[n] == '\0')
            return (enum option)i;
    }
    return OPTION_COUNT;
}

#define NAME_BYTES 32

/* The name as users write it. */
static void
write_name(enum option option, char name[NAME_BYTES])
{
    snprintf(name, NAME_BYTES, "--%s", table[option].name);
    for (char *c = name; *c != '\0'; c++)
        *c = *c == '_' ? '-' : *c;
}

static bool
parse_port(const char *text, int *port)
{
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    *port = (int)number;
    return errno == 0 && end != text && *end == '\0' && number >= 0 &&
           number <= 65535;
}

static bool
parse_scale(const char *text, double *scale)
{
    char *end;
    errno = 0;
    *scale = strtod(text, &end);
    return errno == 0 && end != text && *end == '\0' && *scale >= 0.001 &&
           *scale <= 100000;
}

/* The place of `text` in a NULL-terminated list; -1 if it is not there. */
static int
one_of(const char *text, const char *const *names)
{
    for (int i = 0; names[i] != NULL; i++) {
        if (strcmp(text, names[i]) == 0)
            return i;
    }
    return -1;
}

/* Takes one option; NULL, or what would be right. */
static const char *
apply(struct options *options, enum option option, const char *value)
{
    static const char *const ears[] = {"none", "script", "real", NULL};
    static const char *const logs[] = {"quiet", "text", "json", NULL};
    int index;
    switch (option) {
    case OPTION_port:
        return parse_port(value, &options->port) ? NULL : "0 to 65535";
    case OPTION_script:
        options->script = value;
        return NULL;
    case OPTION_state_dir:
        options->state_dir = value;
        return value[0] != '\0' ? NULL : "a folder";
    case OPTION_control:
        options->control = value;
        return value[0] != '\0' ? NULL : "the path of a socket to make";
    case OPTION_record:
        options->record = value;
        return value[0] != '\0' ? NULL : "a folder that exists";
    case OPTION_time_scale:
        return parse_scale(value, &options->time_scale) ? NULL
                                                        : "0.001 to 100000";
    case OPTION_ear:
        index = one_of(value, ears);
        options->ear_given = true;
        options->ear = index == 2   ? EAR_REAL
                       : index == 1 ? EAR_SCRIPT
                                    : EAR_NONE;
        if (index == 2 && !VR_HAVE_POCKETSPHINX)
            return "none or script (built without pocketsphinx)";
        return index >= 0 ? NULL : "none, script or real";
    case OPTION_region:
        options->keys.region = value;
        return value[0] != '\0' ? NULL : "a region such as us-east-1";
    case OPTION_log:
        index = one_of(value, logs);
        options->log = (enum jsonlog_mode)index;
        return index >= 0 ? NULL : "text, json or quiet";
    case OPTION_exit_with_parent:
        options->exit_with_parent = true;
        return NULL;
    case OPTION_help:
        options->help = true;
        return NULL;
    case OPTION_version:
        options->version = true;
        return NULL;
    case OPTION_COUNT:
        break;
    }
    return "an option";
}

static bool
parse_arguments(struct options *options, int argc, char **argv, char *problem,
                size_t problem_size)
{
    for (int i = 1; i < argc; i++) {
        const char *value = NULL;
        enum option option = strncmp(argv[i], "--", 2) == 0
                                 ? find_option(argv[i], &value)
                                 : OPTION_COUNT;
        if (option == OPTION_COUNT) {
            snprintf(problem, problem_size, "'%s' is no option (see --help)",
                     argv[i]);
            return false;
        }
        bool wants = table[option].value != NULL;
        if (wants && value == NULL && i + 1 < argc)
            value = argv[++i];
        if (wants != (value != NULL)) {
            snprintf(problem, problem_size, "%s %s", argv[i],
                     wants ? "needs a value" : "takes no value");
            return false;
        }
        const char *right = apply(options, option, value);
        if (right != NULL) {
            char name[NAME_BYTES];
            write_name(option, name);
            snprintf(problem, problem_size, "'%s' is not good for %s: give %s",
                     value, name, right);
            return false;
        }
    }
    return true;
}

static const char *
environment(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

static bool
read_keys(struct verify_keys *keys, char *problem, size_t problem_size)
{
    const char *id = environment("AWS_ACCESS_KEY_ID");
    const char *secret = environment("AWS_SECRET_ACCESS_KEY");
    const char *token = environment("AWS_SESSION_TOKEN");
    if ((id == NULL) != (secret == NULL)) {
        snprintf(problem, problem_size,
                 "%s is set but %s is not; set both or neither",
                 id ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
                 id ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
        return false;
    }
    keys->access_key_id = id ? id : OPTIONS_TEST_ACCESS_KEY_ID;
    keys->secret_access_key = secret ? secret : OPTIONS_TEST_SECRET_ACCESS_KEY;
    keys->session_token = id && token ? token : "";
    if (strlen(keys->access_key_id) < 132 &&
        strlen(keys->secret_access_key) < 256)
        return true;
    snprintf(problem, problem_size,
             "AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY is too long");
    return false;
}

bool
options_parse(struct options *options, int argc, char **argv, char *problem,
              size_t problem_size)
{
    *options =
        (struct options){.time_scale = 1,
                         .ear = VR_HAVE_POCKETSPHINX ? EAR_REAL : EAR_SCRIPT,
                         .log = JSONLOG_TEXT};
    return parse_arguments(options, argc, argv, problem, problem_size) &&
           read_keys(&options->keys, problem, problem_size);
}

void
options_help(FILE *out)
{
    fprintf(out,
            "Usage: voxring-local [OPTIONS]\n"
            "A local endpoint that speaks the Bedrock protocol of Nova Sonic,\n"
            "for tests and demonstrations without an AWS account. It listens\n"
            "on 127.0.0.1 only and prints, once it does,\n"
            "  voxring-local listening https://127.0.0.1:PORT ca=FILE\n\n");
    for (int i = 0; i < OPTION_COUNT; i++) {
        char name[NAME_BYTES], whole[NAME_BYTES + 8];
        write_name((enum option)i, name);
        snprintf(whole, sizeof(whole), "%s %s", name,
                 table[i].value ? table[i].value : "");
        fprintf(out, "  %-20s %s\n", whole, table[i].help);
    }
    fprintf(out,
            "\nClients must sign with AWS_ACCESS_KEY_ID, "
            "AWS_SECRET_ACCESS_KEY and\nAWS_SESSION_TOKEN as they are set "
            "here; where they are not set, with the test keys\n"
            "  AWS_ACCESS_KEY_ID=%s\n  AWS_SECRET_ACCESS_KEY=%s\n\n"
            "Exit status: 0 after SIGTERM or SIGINT, 1 when it could not "
            "start, 2 for bad arguments.\n",
            OPTIONS_TEST_ACCESS_KEY_ID, OPTIONS_TEST_SECRET_ACCESS_KEY);
}

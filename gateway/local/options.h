/* What voxring-local was told: command line and environment. */
#ifndef GATEWAY_LOCAL_OPTIONS_H
#define GATEWAY_LOCAL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "gateway/local/conversation.h"
#include "gateway/local/jsonlog.h"
#include "gateway/local/verify.h"

/* The credentials that are expected where the environment has none. */
#define OPTIONS_TEST_ACCESS_KEY_ID "AKIDVOXRINGLOCAL01234"
#define OPTIONS_TEST_SECRET_ACCESS_KEY \
    "voxring-local/documented+test+secret+key"

struct options {
    int port;
    const char *script;    /* NULL: built in */
    const char *state_dir; /* NULL: default */
    const char *control;   /* NULL: none */
    const char *record;    /* NULL: nothing is recorded */
    double time_scale;
    enum conversation_ear ear;
    bool ear_given; /* not just the default */
    enum jsonlog_mode log;
    bool exit_with_parent;
    bool help;
    bool version;
    struct verify_keys keys;
};

/* Reads arguments and environment; strings point into them. False with what
 * was wrong, and what is right, in `problem`. [any] */
bool options_parse(struct options *options, int argc, char **argv,
                   char *problem, size_t problem_size);

/* The text of --help. [any] */
void options_help(FILE *out);

#endif

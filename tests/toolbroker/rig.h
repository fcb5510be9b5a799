/* What the broker's tests share: a broker with real children on a loop of its
 * own, plugins compiled on the spot, and proof that nothing is left behind.
 *
 * Programs and plugins come from the folder in the variable VOXRING_BUILD
 * ("build" if it is not set); sources are found from the root of the
 * checkout, where tests run. */
#ifndef TESTS_TOOLBROKER_RIG_H
#define TESTS_TOOLBROKER_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "gateway/toolbroker/broker.h"

#define RIG_ENDS 256
#define RIG_NOTICES 512

struct rig_end {
    uint64_t id;
    enum tool_outcome outcome;
    char content[1024];
    char reason[512];
    char failure[200]; /* "" if its provider did not fail */
    char next[200];
    uint64_t duration_ns;
};

struct rig_notice {
    enum broker_notice_kind kind;
    char provider[64];
    char tool[65];
    char reason[512];
};

struct rig {
    char dir[64];
    uv_loop_t loop;
    uv_timer_t guard;
    bool late;
    int fds_before;
    struct broker *broker;
    struct broker_config config;
    const char *toolhost;      /* NULL: the one that was built */
    const char *second_folder; /* in the rig's; NULL: there is none */
    cJSON *plugin_config;
    bool closed;
    bool ready;
    unsigned changes;
    struct rig_end ends[RIG_ENDS];
    unsigned end_count;
    struct rig_notice notices[RIG_NOTICES];
    unsigned notice_count;
    /* may be set before rig_open(); its arg is the rig */
    enum vr_status (*on_ask)(void *arg, const struct broker_ask *ask,
                             cJSON **answer, char *why, size_t why_size);
    unsigned progress_count;
    double progress_done;
};

/* A folder with an empty plugin folder, and defaults for a quick broker. */
void rig_init(struct rig *rig);

/* Compiles tests/tools/plugins/SOURCE.c with `flags` to NAME.so in the plugin
 * folder. */
void rig_compile(struct rig *rig, const char *source, const char *name,
                 const char *flags);

/* Copies a product's plugin into the plugin folder. */
void rig_install(struct rig *rig, const char *name);

/* Opens the broker and runs the loop until it is ready. */
void rig_open(struct rig *rig);

/* Runs the loop until done(rig) or, failing the test, half a minute. */
void rig_until(struct rig *rig, bool (*done)(const struct rig *rig));

/* Runs the loop until `count` results have come in all. */
void rig_until_ends(struct rig *rig, unsigned count);

/* Starts a call; the result is added to rig->ends. */
uint64_t rig_call(struct rig *rig, const char *tool, const char *json,
                  uint32_t timeout_ms);

/* Calls and waits for this call's end. */
const struct rig_end *rig_ask(struct rig *rig, const char *tool,
                              const char *json, uint32_t timeout_ms);

/* The end of a call, or NULL. */
const struct rig_end *rig_end(const struct rig *rig, uint64_t id);

/* The first notice of a kind (and provider, unless NULL), or NULL. */
const struct rig_notice *rig_notice(const struct rig *rig,
                                    enum broker_notice_kind kind,
                                    const char *provider);

/* The process of the only child, by its argument; 0 if there is none. */
int rig_child(const struct rig *rig, const char *plugin);

/* Runs a command line in the rig's folder; it must succeed. */
void rig_shell(const struct rig *rig, const char *command);

/* Closes the broker, runs the loop until all is gone and checks that nothing
 * was left: no child, no descriptor, no socket file, no second end. */
void rig_fini(struct rig *rig);

#endif

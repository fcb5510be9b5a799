/* The inside of the rules, for rules*.c. */
#ifndef GATEWAY_LOCAL_RULES_STATE_H
#define GATEWAY_LOCAL_RULES_STATE_H

#include "gateway/local/block.h"
#include "gateway/local/names.h"
#include "gateway/local/rules.h"
#include "gateway/local/samples.h"

#include <stdbool.h>
#include <stddef.h>

/* Where the stream is in its order of events. */
enum order {
    ORDER_START,     /* nothing yet: sessionStart */
    ORDER_SESSION,   /* promptStart, or sessionEnd */
    ORDER_SYSTEM,    /* the first block must be SYSTEM */
    ORDER_HISTORY,   /* more context, or the AUDIO block */
    ORDER_STREAMING, /* the AUDIO block is open */
    ORDER_CLOSING,   /* the AUDIO block has ended: promptEnd */
    ORDER_ENDED
};

struct rules {
    enum family family;
    shape_note_fn *note;
    void *arg;
    enum order order;
    const char *message;

    struct prompt prompt;
    char *prompt_name;
    char *audio_name;
    struct block block;    /* the one that may be open */
    struct block finished; /* what the last input points into */

    struct names names;
    struct names prompts;
    struct names open_tools;
    size_t history_bytes;
    size_t history_blocks;
    enum role last_role;
    bool prompt_had_audio;

    struct samples samples;
};

/* A copy of `text`; NULL and a failure when memory is out. Caller frees.
 * [loop] */
char *rules_keep(struct shape *s, const char *text);

/* Fails with a wording of the service's own. [loop] */
void rules_breach(struct shape *s, const char *message, const char *problem);

/* The event is the open prompt's; else it fails. [loop] */
bool rules_is_prompt(const struct rules *r, struct shape *s,
                     const cJSON *object);

/* A contentStart: its block is open, or it fails. [loop] */
void rules_content_start(struct rules *r, struct shape *s, const cJSON *object,
                         struct input *input);

#endif

/* The rules of the input events: order, members, sizes, names, atomic blocks,
 * tool results. Takes JSON and says what it means for the conversation, or
 * which exception the service would answer with and why. */
#ifndef GATEWAY_LOCAL_RULES_H
#define GATEWAY_LOCAL_RULES_H

#include "gateway/local/block.h"
#include "gateway/local/inference.h"

#include <stdint.h>

/* The wordings clients classify errors by. */
#define MESSAGE_INVALID \
    "Invalid input request, please fix your input and try again."
#define MESSAGE_SYSTEM_FIRST "First content must have SYSTEM role"
#define MESSAGE_HISTORY \
    "Chat history should be sent completely before streaming audio."
#define MESSAGE_TOOL_RESULT "Tool Response parsing error"

enum input_kind {
    INPUT_NONE, /* in order, nothing to do */
    INPUT_SESSION,
    INPUT_PROMPT,
    INPUT_CONTEXT, /* a whole SYSTEM or history block */
    INPUT_AUDIO_START,
    INPUT_AUDIO,
    INPUT_AUDIO_END,
    INPUT_TEXT, /* a whole interactive text */
    INPUT_TOOL_RESULT,
    INPUT_PROMPT_END,
    INPUT_SESSION_END
};

/* What an accepted event means. Pointers live until the next event. */
struct input {
    enum input_kind kind;
    enum sensitivity sensitivity; /* SESSION */
    struct prompt *prompt;        /* PROMPT: the caller may take its contents */
    long rate_hz;                 /* AUDIO_START */
    const int16_t *samples;       /* AUDIO */
    size_t frames;                /* AUDIO */
    enum role role;               /* CONTEXT */
    const char *text;        /* CONTEXT, TEXT, TOOL_RESULT: the result's JSON */
    size_t text_bytes;       /* CONTEXT, TEXT, TOOL_RESULT */
    const char *tool_use_id; /* TOOL_RESULT */
};

struct rules;

/* `note` is told each breach, fatal or not, in words. NULL without memory.
 * [any] */
struct rules *rules_new(enum family family, shape_note_fn *note, void *arg);
void rules_free(struct rules **rules);

/* Judges one event. False: the stream must end with a validationException and
 * the message rules_message() gives. [any] */
bool rules_on_event(struct rules *rules, const char *json, size_t json_bytes,
                    struct input *input);
const char *rules_message(const struct rules *rules);

/* A tool use was sent: its id may be answered once. False: no memory. [any] */
bool rules_on_tool_use(struct rules *rules, const char *tool_use_id);

/* Whether sessionEnd was seen, so that the client may end its side. [any] */
bool rules_ended(const struct rules *rules);

#endif

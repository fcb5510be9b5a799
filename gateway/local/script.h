/* What the emulated model knows: which utterance brings which transcript,
 * tool calls and answer, and how fast and how strictly it behaves. Loaded once
 * by script_load() (conversation.h), read only afterwards. */
#ifndef GATEWAY_LOCAL_SCRIPT_H
#define GATEWAY_LOCAL_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cjson/cJSON.h>

#include "gateway/local/conversation.h"
#include "gateway/local/faults.h"

#define SCRIPT_ON_SPEECH 1u
#define SCRIPT_ON_TEXT 2u
#define SCRIPT_ON_SILENCE 4u
#define SCRIPT_ON_TRIGGER 8u

#define BARGE_MARKER 1u
#define BARGE_STOP_REASON 2u
#define BARGE_SPEECH_START 4u

struct script_call {
    const char *name;
    const cJSON *arguments; /* an object, or NULL for {} */
    bool double_encoded;    /* content is JSON text inside a JSON string */
};

/* One utterance and what follows it. Strings are the script's. */
struct script_line {
    const cJSON *hear;       /* array of phrases, NULL: none */
    const cJSON *transcript; /* array of texts, NULL: what was heard */
    struct script_call *calls;
    size_t call_count;
    bool parallel; /* all calls at once instead of one after another */
    const char *say_before, *say_while, *say, *say_error; /* "" if not set */
    uint32_t slow_ms;
    uint32_t after_ms; /* with SCRIPT_ON_SILENCE */
    unsigned on;
};

struct script_numbers {
#define SCRIPT_NUMBER(key, standard, least, most, what) int32_t key;
#include "gateway/local/script.tbl.h"
#undef SCRIPT_NUMBER
};

struct voice;
struct ear_pool;

struct script {
    struct script_numbers numbers;
    unsigned barge_in;
    struct script_line *lines;
    size_t line_count;
    struct script_line unknown;
    const cJSON *models; /* ids and what became of them; NULL: all live */
    struct fault *faults;
    size_t fault_count;
    struct voice *voice;   /* shared, with its cache */
    struct ear_pool *ears; /* shared, once script_prepare_ear() made them */
    cJSON *root;           /* owns every string */
};

/* The text of the built-in script. */
extern const char script_builtin[];

/* The line whose phrase equals the text, compared without case, punctuation
 * and repeated spaces; a phrase may hold * for any words. `on` is
 * SCRIPT_ON_SPEECH or SCRIPT_ON_TEXT. script->unknown when none does. [any] */
const struct script_line *script_match(const struct script *script,
                                       const char *text, unsigned on);

/* The next line at or after *cursor that speech may bring; moves *cursor past
 * it and begins again at the end. NULL when there is none. [any] */
const struct script_line *script_next(const struct script *script,
                                      size_t *cursor);

/* The first line for the clip that makes the model speak first; NULL when
 * there is none. [any] */
const struct script_line *script_trigger(const struct script *script);

/* Whether the script says that the model is past its end of life. [any] */
bool script_model_ended(const struct script *script, const char *model_id);

/* The first phrase of a line, "" when it has none. [any] */
const char *script_phrase(const struct script_line *line);

/* Writes the text in lower case, words parted by one space, nothing but
 * letters, digits, ', * and bytes above 127. [any] */
void script_normalise(const char *text, char *out, size_t out_bytes);

/* Puts values into {tool.member} and {text}; malloc'ed, NULL without memory.
 * `results` maps tool names to result objects. Missing values read
 * "unknown". [any] */
char *script_render(const char *text, const cJSON *results, const char *heard);

#endif

/* The assistant's turns: one has the floor and speaks, others wait for their
 * tool results or for the floor. Each goes through the steps of its script
 * line: pause, filler, tool uses, words meanwhile, answer, FINAL texts. */
#ifndef GATEWAY_LOCAL_TURNS_H
#define GATEWAY_LOCAL_TURNS_H

#include "gateway/local/prompt.h"
#include "gateway/local/speech.h"

struct turn;

struct turns_config {
    const struct script *script;
    struct emit *emit;
    /* A tool use goes out under this id; false: no memory. */
    bool (*on_tool_use)(void *arg, const char *tool_use_id);
    void (*note)(void *arg, const char *text);
    void *arg;
};

struct turns {
    struct turns_config config;
    struct speech speech;
    const struct prompt *prompt;
    bool tools_block; /* v1: nothing is said before the result is there */
    bool held;        /* the user has the floor */
    struct turn *current;
    struct turn *ready;   /* in order, want the floor */
    struct turn *waiting; /* for tool results, off the floor */
};

/* What the config points to is borrowed for life. [loop] */
void turns_init(struct turns *t, const struct turns_config *config);
/* Forgets every turn without a word. [loop] */
void turns_fini(struct turns *t);

/* A prompt began; borrowed until turns_stop(). [loop] */
void turns_set_prompt(struct turns *t, const struct prompt *prompt,
                      enum family family);

/* The user said or wrote something that brings this line. Not more than a few
 * turns wait; beyond, it is noted and dropped. [loop] */
void turns_add(struct turns *t, const struct script_line *line,
               const char *heard, uint64_t now_ms);

/* The result of a tool use, text of a JSON object. [loop] */
void turns_on_result(struct turns *t, const char *tool_use_id,
                     const char *result, uint64_t now_ms);

/* The user speaks up: whatever speaks or is still heard ends, with the signals
 * the script chose. An answer that has not begun is kept. False: nothing was
 * to interrupt. [loop] */
bool turns_interrupt(struct turns *t, uint64_t now_ms);

/* While held, no turn begins or goes on; the user is speaking. [loop] */
void turns_hold(struct turns *t, bool held);

/* Whether there is something that turns_interrupt() would end. [loop] */
bool turns_is_heard(const struct turns *t, uint64_t now_ms);

/* Whether the assistant speaks, is heard, or is about to. [loop] */
bool turns_busy(const struct turns *t, uint64_t now_ms);

/* How many tool uses wait for their result. [loop] */
size_t turns_open_calls(const struct turns *t);

/* Whether a turn has the floor or wants it. [loop] */
bool turns_due(const struct turns *t);

/* Sends a tool use that waits for its result once more, under the same id.
 * False: none waits. [loop] */
bool turns_repeat_call(struct turns *t);

/* Sends what is due; when the next is due, UINT64_MAX: nothing. [loop] */
void turns_tick(struct turns *t, uint64_t now_ms);
uint64_t turns_deadline_ms(const struct turns *t);

/* The prompt ends: every turn is dropped, an open AUDIO block closed. [loop] */
void turns_stop(struct turns *t);

#endif

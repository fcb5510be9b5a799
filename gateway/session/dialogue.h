/* The turns and responses of one conversation: who spoke, what belongs
 * together, when it is over. Sans-IO: what the model said and the time go in,
 * callbacks come out.
 *
 * A turn is opened by the user (speech or text) or, when the model speaks
 * unasked, by the model. A response is what the model says and calls for one
 * turn: it has one start and exactly one end. Ids are the gateway's own and
 * count from 1, because completionStart comes once per prompt (PROTOCOL 3.2). */
#ifndef GATEWAY_SESSION_DIALOGUE_H
#define GATEWAY_SESSION_DIALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/strbuf.h"

#define DIALOGUE_TOOLS_MAX 16
#define DIALOGUE_TEXT_BYTES_MAX (32u * 1024)

enum response_status {
    RESPONSE_OPEN,
    RESPONSE_COMPLETE,
    RESPONSE_INTERRUPTED,
    RESPONSE_ERROR
};

struct token_counts {
    uint64_t input_speech, input_text, output_speech, output_text;
};

struct response {
    uint64_t id;
    uint64_t turn_id;
    enum response_status status; /* final once it is not RESPONSE_OPEN */
    bool interrupted;            /* also after a complete generation */
    bool discarding;             /* the rest is not to be heard */
    bool has_audio;
    bool generated; /* AUDIO END_TURN, or its equal without audio */
    bool played;
    const char *reason; /* of an error end; static storage */
    unsigned planned_count, spoken_count;
    struct strbuf planned; /* SPECULATIVE texts */
    struct strbuf spoken;  /* FINAL texts */
    uint64_t started_ns, first_text_ns, first_audio_ns, generated_ns, ended_ns;
    uint64_t last_activity_ns;
    unsigned tools_pending;
    double heard_ms;
    bool heard_estimated;
};

struct turn {
    uint64_t id;
    bool user_done; /* the model has begun to answer */
    bool published;
    bool kept;       /* its stream is lost, it goes on with the next */
    bool text_input; /* by session.text or greeting, not by voice */
    bool trigger;    /* by the clip that makes the model speak first */
    struct strbuf user_text;
    uint64_t speech_started_ns, speech_ended_ns; /* 0: not heard of */
    bool speech_end_measured; /* by userSpeechEnd, not by the first text */
    uint64_t opened_ns;
    uint64_t response_id;                  /* 0: none yet */
    const char *tools[DIALOGUE_TOOLS_MAX]; /* owned copies */
    size_t tool_count;
    struct token_counts tokens;
};

/* One piece of what somebody said. */
struct dialogue_text {
    bool user;
    bool final;
    bool trigger;                  /* nobody said it: the clip */
    uint64_t turn_id, response_id; /* response 0 for the user */
    const char *text;              /* this fragment */
    const char *turn_text;         /* the turn so far, same role and stage */
};

struct dialogue_ops {
    void (*on_text)(void *arg, const struct dialogue_text *text);
    void (*on_response_started)(void *arg, const struct response *response);
    /* Exactly once for each started response. */
    void (*on_response_ended)(void *arg, const struct response *response);
    /* Exactly once for each turn that was not empty; `response` may be NULL. */
    void (*on_turn)(void *arg, const struct turn *turn,
                    const struct response *response);
};

struct dialogue;

/* NULL when memory is out. [loop] */
struct dialogue *dialogue_new(const struct dialogue_ops *ops, void *arg);

/* Ends nothing and publishes nothing: see dialogue_stream_ended(). [loop] */
void dialogue_free(struct dialogue **dialogue);

/* The user began, or ended, to speak. `ended_ns` is when speech stopped, which
 * is earlier than when the model noticed. [loop] */
void dialogue_speech_started(struct dialogue *dialogue, uint64_t now_ns);
void dialogue_speech_ended(struct dialogue *dialogue, uint64_t ended_ns);

/* What the model heard the user say, NUL-terminated; empty text changes
 * nothing. [loop] */
void dialogue_user_text(struct dialogue *dialogue, const char *text,
                        size_t bytes, uint64_t now_ns);

/* Text that the gateway sends for the user (or, with `silent`, on its own
 * behalf: it opens a turn and is not part of it). [loop] */
void dialogue_text_input(struct dialogue *dialogue, const char *text,
                         bool silent, uint64_t now_ns);

/* A clip is spoken to the model so that it speaks first: opens a turn that
 * nobody's words join, and returns its id. [loop] */
uint64_t dialogue_trigger(struct dialogue *dialogue, uint64_t now_ns);

/* What the model heard of that clip: it is told, and no part of the turn's
 * user_text. [loop] */
void dialogue_trigger_text(struct dialogue *dialogue, uint64_t turn_id,
                           const char *text);

/* What the assistant plans to say (SPECULATIVE), or said (FINAL). A first plan
 * starts a response. [loop] */
void dialogue_planned(struct dialogue *dialogue, const char *text, size_t bytes,
                      uint64_t now_ns);
void dialogue_spoken(struct dialogue *dialogue, const char *text, size_t bytes,
                     uint64_t now_ns);

/* A FINAL text's block ended, and not by an interruption. Only then is the
 * response over: the sign of a barge-in comes behind its last text. [loop] */
void dialogue_spoken_end(struct dialogue *dialogue, uint64_t now_ns);

/* An AUDIO block of the assistant begins: returns the response it belongs to,
 * started if there was none. [loop] */
struct response *dialogue_audio_begin(struct dialogue *dialogue,
                                      uint64_t now_ns);

/* Audio of a response arrived. [loop] */
void dialogue_audio(struct dialogue *dialogue, struct response *response,
                    uint64_t now_ns);

/* The model is done generating this response (AUDIO END_TURN, completionEnd);
 * NULL: whichever is open. [loop] */
void dialogue_generated(struct dialogue *dialogue, struct response *response,
                        uint64_t now_ns);

/* A text block of the assistant ended with END_TURN: without audio within a
 * second that was all. [loop] */
void dialogue_text_end_turn(struct dialogue *dialogue, uint64_t now_ns);

/* The model calls a tool; starts a response if there is none. [loop] */
struct response *dialogue_tool_called(struct dialogue *dialogue,
                                      const char *name, uint64_t now_ns);
void dialogue_tool_answered(struct dialogue *dialogue, uint64_t response_id,
                            uint64_t now_ns);

/* A response was cut off at `heard_ms`. With `model_stopped` the model itself
 * has stopped; else what it still generates for it is to be discarded. False
 * if that was known already. [loop] */
bool dialogue_interrupted(struct dialogue *dialogue, struct response *response,
                          bool model_stopped, double heard_ms, bool estimated,
                          uint64_t now_ns);

/* The last audio of a response was played. [loop] */
void dialogue_played(struct dialogue *dialogue, uint64_t response_id,
                     uint64_t now_ns);

void dialogue_usage(struct dialogue *dialogue,
                    const struct token_counts *delta); /* [loop] */

/* The stream is gone: an open response that was not generated to its end ends
 * with an error (interrupted, if `normal`), and every turn is published. With
 * `goes_on` the turn that dialogue_unanswered_turn() gives stays open, and its
 * answer is still to come. [loop] */
void dialogue_stream_ended(struct dialogue *dialogue, bool normal, bool goes_on,
                           uint64_t now_ns);

/* Nothing more comes of the response being generated: its stream was left, or
 * what it waits for is refused. It ends with an error, and what comes next is
 * another. `reason` is as short as "stream_lost", static storage. [loop] */
void dialogue_left(struct dialogue *dialogue, const char *reason,
                   uint64_t now_ns);

/* The newest turn, if the user is in it or nothing of its answer was heard yet;
 * else NULL. [loop] */
const struct turn *dialogue_unanswered_turn(struct dialogue *dialogue);

/* Nothing of this response counts as heard: its sound is taken back. [loop] */
void dialogue_unheard(struct dialogue *dialogue, struct response *response);

/* What the user said in this turn will be heard anew. [loop] */
void dialogue_unsay(struct dialogue *dialogue, uint64_t turn_id);

/* Lets time pass; call at dialogue_deadline_ns() (UINT64_MAX: never).
 * [loop] */
void dialogue_tick(struct dialogue *dialogue, uint64_t now_ns);
uint64_t dialogue_deadline_ns(const struct dialogue *dialogue);

/* The response being generated, or NULL; the one by id while it is remembered;
 * the newest one. [loop] */
struct response *dialogue_current(struct dialogue *dialogue);
struct response *dialogue_response(struct dialogue *dialogue, uint64_t id);
struct response *dialogue_latest(struct dialogue *dialogue);

/* The one being generated, if it has said all it can before its tools answer,
 * and the user has asked for something else meanwhile: what the model says now
 * is about that, and what comes of the tools will be a response of its own.
 * NULL: it is not so. [loop] */
struct response *dialogue_left_aside(struct dialogue *dialogue);

/* The one that a FINAL text which comes now most likely belongs to, NULL if
 * there is none. [loop] */
struct response *dialogue_speaker(struct dialogue *dialogue);
struct turn *dialogue_turn(struct dialogue *dialogue, uint64_t id);

/* The turn that the user is in, NULL if the model has the word. [loop] */
const struct turn *dialogue_user_turn(struct dialogue *dialogue);

/* The newest turn's id; and the id that turns go on from, for a conversation
 * that was held before. [loop] */
uint64_t dialogue_last_turn_id(const struct dialogue *dialogue);
void dialogue_go_on_from(struct dialogue *dialogue, uint64_t turn_id);

/* "complete", "interrupted", "error", "open". [any] */
const char *response_status_name(enum response_status status);

#endif

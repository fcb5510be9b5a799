/* One emulated Nova Sonic conversation: the rules of the input events, the
 * ear, the script, the voice. Sans-IO: JSON events and time in, JSON events
 * out; the wire around it (TLS, HTTP/2, framing, signatures) is another file's.
 *
 * Written apart from gateway/bedrock and gateway/sonic and sharing no code
 * with them, so that one mistake cannot hide on both sides. */
#ifndef GATEWAY_LOCAL_CONVERSATION_H
#define GATEWAY_LOCAL_CONVERSATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conversation;
struct input;  /* rules.h */
struct script; /* loaded once, shared by every conversation, read only */

enum conversation_ear { EAR_NONE, EAR_SCRIPT, EAR_REAL };

struct conversation_config {
    const struct script *script;
    const char *model_id; /* decoded from the request's path; not kept */
    enum conversation_ear ear;
    double time_scale; /* 60: a minute of timeouts passes in a second */
    uint64_t now_ms;   /* monotonic, at open */
};

struct conversation_ops {
    /* One JSON event {"event":{...}} to the client; lives during the call. */
    void (*emit)(void *arg, const char *json, size_t json_bytes);
    /* The stream ends with this exception, given by the wire's name, such as
     * "validationException"; nothing is emitted afterwards. */
    void (*fail)(void *arg, const char *exception, const char *message);
    /* A normal end: the server may close its side. Nothing is emitted
     * afterwards. Neither fail() nor end() may free the conversation. */
    void (*end)(void *arg);
    /* Something broke a rule or is worth a line in --log json: `kind` is
     * "violation", "heard", "endpoint", "turn". `text` lives during the
     * call. */
    void (*note)(void *arg, const char *kind, const char *text);
    /* What each good event meant, before anything comes of it; NULL: not
     * wanted. The input lives during the call. */
    void (*hear)(void *arg, const struct input *input);
};

/* What a conversation is in; several at once are possible. */
#define CONVERSATION_SETUP 1u     /* no audio has come yet */
#define CONVERSATION_LISTENING 2u /* audio came, and none of the following */
#define CONVERSATION_USER_SPEAKING 4u /* until the user's turn ends */
#define CONVERSATION_THINKING 8u      /* a turn is due, nothing is said yet */
#define CONVERSATION_SPEAKING 16u     /* from the first audio of an answer */
#define CONVERSATION_TOOL 32u         /* a tool use waits for its result */

/* Loads a script file (JSON with comments); NULL path gives the built-in one.
 * On failure NULL, and `problem` says file, line and what is right. [loop] */
struct script *script_load(const char *path, char *problem,
                           size_t problem_size);
/* Makes what --ear real needs: a grammar of the script's phrases and a first
 * decoder. Due before a conversation with EAR_REAL; false: `problem` says
 * which word has no pronunciation, or what to install. [loop] */
bool script_prepare_ear(struct script *script, char *problem,
                        size_t problem_size);
/* Every conversation with it must be freed before. [loop] */
void script_free(struct script **script);

/* NULL when memory is out, or with EAR_REAL before script_prepare_ear().
 * [loop] */
struct conversation *conversation_new(const struct conversation_config *config,
                                      const struct conversation_ops *ops,
                                      void *arg);
/* Accepts NULL; sets the caller's to NULL. [loop] */
void conversation_free(struct conversation **conversation);

/* Takes one client event, already unwrapped and verified. [loop] */
void conversation_on_event(struct conversation *conversation, const char *json,
                           size_t json_bytes, uint64_t now_ms);

/* The client ended its side (the signed empty frame and END_STREAM). [loop] */
void conversation_on_end(struct conversation *conversation, uint64_t now_ms);

/* Lets time pass: timeouts, paced output, slow tools. [loop] */
void conversation_tick(struct conversation *conversation, uint64_t now_ms);

/* What it is in now. [loop] */
unsigned conversation_phases(struct conversation *conversation);

/* From now on audio and texts of the user are taken and ignored. [loop] */
void conversation_deafen(struct conversation *conversation);

/* Sends a tool use that waits for its result once more, with the same id.
 * False: none waits. [loop] */
bool conversation_repeat_tool_use(struct conversation *conversation);

/* When conversation_tick() must run next, on the clock of now_ms;
 * UINT64_MAX: never. [loop] */
uint64_t conversation_deadline_ms(const struct conversation *conversation);

#endif

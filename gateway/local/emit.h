/* The events Nova Sonic sends, in its shapes. Out of memory is kept in
 * `failed`, so that callers check once. */
#ifndef GATEWAY_LOCAL_EMIT_H
#define GATEWAY_LOCAL_EMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EMIT_ID_BYTES 37

typedef void emit_fn(void *arg, const char *json, size_t json_bytes);

struct emit_tokens {
    uint64_t speech_in, text_in, speech_out, text_out;
};

struct emit {
    emit_fn *send;
    void *arg;
    bool failed;
    char session_id[EMIT_ID_BYTES];
    char completion_id[EMIT_ID_BYTES];
    char *prompt_name;
    bool completion_open;
    char audio_id[EMIT_ID_BYTES]; /* "" when no AUDIO block is open */
    unsigned role_count;          /* some events lack their role, as in life */
    struct emit_tokens tokens;    /* so far, in the whole session */
    struct emit_tokens reported;  /* of these, told by usageEvents */
};

/* `send` gets each event; the session gets its id. [loop] */
void emit_init(struct emit *e, emit_fn *send, void *arg);
/* Frees what the prompt left. [loop] */
void emit_fini(struct emit *e);

/* A random version 4 UUID. [any] */
void emit_new_id(char id[EMIT_ID_BYTES]);

/* The prompt that later events belong to. [loop] */
void emit_prompt(struct emit *e, const char *prompt_name);
/* Sent once per prompt, before its first content; later calls do nothing.
 * [loop] */
void emit_completion_start(struct emit *e);
/* Sent only when a completion is open. [loop] */
void emit_completion_end(struct emit *e);

/* A whole TEXT block. `content` NULL leaves out the textOutput. [loop] */
void emit_text(struct emit *e, const char *role, const char *stage,
               const char *content, const char *stop_reason);
/* A whole TOOL block. [loop] */
void emit_tool_use(struct emit *e, const char *tool_use_id, const char *name,
                   const char *content);

/* One AUDIO block: its start, its chunks (s16 mono), its end; the end does
 * nothing when no block is open. [loop] */
void emit_audio_start(struct emit *e, long rate_hz);
void emit_audio(struct emit *e, const int16_t *samples, size_t frames);
void emit_audio_end(struct emit *e, const char *stop_reason);

/* Offsets are milliseconds of input audio. [loop] */
void emit_speech_start(struct emit *e, uint64_t offset_ms);
void emit_speech_end(struct emit *e, uint64_t offset_ms,
                     uint64_t detection_offset_ms);

/* Tells what `tokens` has grown by since the last time, if it has. [loop] */
void emit_usage(struct emit *e);

#endif

/* What Nova Sonic says to us: JSON events in, typed events out (PROTOCOL 3).
 * No I/O.
 *
 * Nothing the model sends is fatal: unknown events and keys, wrong types and
 * texts that are not JSON are counted, reported, and passed over. Audio is read
 * by a scanner of our own with no allocation; whatever it is not sure of goes
 * the long way through cJSON with the same result. */
#ifndef GATEWAY_SONIC_DECODE_H
#define GATEWAY_SONIC_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/sonic/encode.h"
#include "ipc/status.h"

enum sonic_event_type {
#define SONIC_EVENT(code, wire, keys, what) SONIC_##code,
#include "gateway/sonic/event.tbl.h"
#undef SONIC_EVENT
    SONIC_EVENT_TYPE_COUNT
};

/* The event's name on the wire, such as "textOutput"; "interrupted" and
 * "unknown" for the two that have none. Static. [any] */
const char *sonic_event_name(enum sonic_event_type type);

enum sonic_content {
    SONIC_CONTENT_NONE, /* not said, or a name we do not know */
    SONIC_CONTENT_TEXT,
    SONIC_CONTENT_AUDIO,
    SONIC_CONTENT_TOOL
};

enum sonic_stage {
    SONIC_STAGE_NONE, /* not said: audio, tools, or left out */
    SONIC_STAGE_SPECULATIVE,
    SONIC_STAGE_FINAL
};

enum sonic_stop {
    SONIC_STOP_NONE,
    SONIC_STOP_PARTIAL_TURN,
    SONIC_STOP_END_TURN,
    SONIC_STOP_INTERRUPTED,
    SONIC_STOP_TOOL_USE,
    SONIC_STOP_OTHER /* a reason we do not know: see reason_text */
};

/* "FINAL", "END_TURN", ...; "" for NONE. Static. [any] */
const char *sonic_content_name(enum sonic_content content);
const char *sonic_stage_name(enum sonic_stage stage);
const char *sonic_stop_name(enum sonic_stop stop);

/* Valid UTF-8, NUL-terminated as well, "" and 0 when absent, never NULL.
 * Except inside SONIC_AUDIO events, whose ids are not NUL-terminated. */
struct sonic_span {
    const char *text;
    size_t bytes;
};

struct sonic_tokens {
    uint64_t speech;
    uint64_t text;
};

struct sonic_usage {
    bool has_delta; /* since the usage event before */
    bool has_total; /* of this stream so far, by kind */
    struct sonic_tokens delta_input, delta_output;
    struct sonic_tokens total_input, total_output;
    uint64_t input_tokens, output_tokens, tokens; /* of this stream so far */
};

/* One thing the model said. Everything pointed to lives until the callback
 * returns. */
struct sonic_event {
    enum sonic_event_type type;
    struct sonic_span session_id, prompt_name, completion_id, content_id;
    /* Of the event, or else of the open content with its id. */
    enum sonic_role role;
    enum sonic_content content;
    enum sonic_stage stage;
    union {
        struct {
            uint32_t rate_hz; /* AUDIO; 0 if not said */
        } content_start;
        struct sonic_span text; /* SONIC_TEXT; may be empty */
        struct {
            const int16_t *samples; /* mono */
            size_t count;           /* at least 1 */
        } audio;
        struct {
            struct sonic_span id,
                name; /* id may be empty: cannot be answered */
            struct sonic_span arguments; /* JSON text, always an object */
        } tool_use;
        struct {
            enum sonic_stop reason;
            struct sonic_span reason_text;
        } end; /* SONIC_CONTENT_END, SONIC_COMPLETION_END */
        struct sonic_usage usage;
        struct {
            int64_t offset_ms;           /* in the input audio; -1: not said */
            int64_t detection_offset_ms; /* of an end; -1: not said */
        } speech;                  /* SONIC_SPEECH_START, SONIC_SPEECH_END */
        struct sonic_span unknown; /* SONIC_UNKNOWN: the event's name */
    } u;
};

enum sonic_problem_kind {
    SONIC_PROBLEM_MALFORMED,     /* not JSON, or not an event */
    SONIC_PROBLEM_WRONG_TYPE,    /* a member is not what it should be */
    SONIC_PROBLEM_UNKNOWN_EVENT, /* also delivered as SONIC_UNKNOWN */
    SONIC_PROBLEM_UNKNOWN_KEY
};

/* Reported the first time for each path, counted every time. */
struct sonic_problem {
    enum sonic_problem_kind kind;
    const char *path;     /* "event.textOutput.content"; UTF-8, cut if long */
    const char *expected; /* "a string"; "" where nothing was expected */
};

struct sonic_counters {
    uint64_t events;         /* typed events delivered */
    uint64_t audio_scanned;  /* audioOutput read by the scanner */
    uint64_t audio_fallback; /* audioOutput read the long way */
    uint64_t malformed;
    uint64_t wrong_type;
    uint64_t unknown_events;
    uint64_t unknown_keys;
    uint64_t contents_forgotten; /* open contents dropped from a full table */
};

/* `on_problem` may be NULL. Neither may call back into the decoder. */
struct sonic_decoder_ops {
    void (*on_event)(void *arg, const struct sonic_event *event);
    void (*on_problem)(void *arg, const struct sonic_problem *problem);
};

struct sonic_decoder;

/* One for each stream: it remembers which contents are open. NULL when memory
 * is out. [loop] */
struct sonic_decoder *sonic_decoder_new(const struct sonic_decoder_ops *ops,
                                        void *arg);

/* Accepts NULL inside. [loop] */
void sonic_decoder_free(struct sonic_decoder **decoder);

/* Reads one JSON text {"event":{...}} and calls on_event for each known member
 * of the event object, in the order of event.tbl.h. VR_CORRUPT: the text is
 * no event (counted and reported); VR_NO_MEMORY: it was passed over. The next
 * text may be read after either. No allocation for audio, unless a chunk is
 * larger than any before. [loop] */
enum vr_status sonic_decode(struct sonic_decoder *decoder, const char *json,
                            size_t bytes);

/* Running totals. [loop] */
const struct sonic_counters *
sonic_decoder_counters(const struct sonic_decoder *decoder);

#endif

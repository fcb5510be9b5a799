/* The inside of a session, for the files of this folder. Members are grouped
 * by who sets them. */
#ifndef GATEWAY_SESSION_SELF_H
#define GATEWAY_SESSION_SELF_H

#include <uv.h>

#include "gateway/capture/capture.h"
#include "gateway/playback/playback.h"
#include "gateway/session/calls.h"
#include "gateway/session/dialogue.h"
#include "gateway/session/latency.h"
#include "gateway/session/link.h"
#include "gateway/session/machine.h"
#include "gateway/session/session.h"
#include "gateway/session/texts.h"
#include "gateway/sonic/family.h"
#include "gateway/uuid.h"
#include "ipc/ring_host.h"

/* Contents of the model that are open at once, with room for late events. */
#define SESSION_CONTENTS 16

/* Chunks that wait to be handed to TLS: more than the send buffer holds. */
#define SESSION_LEAVING 512

struct open_content {
    uint64_t id_hash; /* 0: unused */
    uint64_t response_id;
};

struct leaving_chunk {
    uint64_t leaves_at; /* link_sent_bytes() to reach */
    struct capture_chunk chunk;
};

/* Responses whose audio was played, told by playback, which must not be called
 * back from there. */
#define SESSION_PLAYED 8

struct session {
    /* Constant from session_new() on. */
    const struct services *services;
    const struct config_session *settings;
    const struct sonic_family *family;
    bool model_known;
    const struct session_ops *ops;
    void *arg;
    char conversation[SESSION_CONVERSATION_BYTES];
    char context[SESSION_CONVERSATION_BYTES + CONFIG_NAME_BYTES];
    struct event_subject subject;
    struct ring_host *in_ring, *out_ring;
    struct capture *capture;
    struct playback *playback;
    struct dialogue *dialogue;
    struct calls *calls;
    struct session_handles *handles;
    int16_t *held_samples;

    /* Set by the state machine's actions. */
    enum session_state state;
    uint32_t generation;
    struct link *link; /* the current stream; old ones are freed at their end */
    bool begun;        /* the set-up was sent: it has to be ended */
    bool draining;     /* closing: the last audio leaves before the ends */
    bool answered;     /* maybe before the set-up was sent */
    bool greeted;      /* the greeting is for the first open only */
    uint64_t opened_ns, state_since_ns;
    uint64_t tools_deadline_ns, drain_deadline_ns, close_deadline_ns;
    char request_id[64];
    cJSON *last_error; /* as published; NULL since the last good start */

    /* Set while the conversation runs. */
    bool muted;
    bool producer_seen;
    struct texts texts;
    struct open_content contents[SESSION_CONTENTS];
    size_t content_next;
    struct leaving_chunk leaving[SESSION_LEAVING];
    size_t leaving_first, leaving_count;
    struct capture_chunk held; /* polled, not taken by the network yet */
    bool holding;
    uint64_t stream_chunks; /* given to the current stream */
    bool poll_again;        /* a chunk is ready; let the loop turn first */
    uint64_t played[SESSION_PLAYED];
    size_t played_count;
    uint64_t loud_until_ns; /* when_quiet: not listening before */
    uint64_t next_check_ns, next_metrics_ns;
    struct token_counts tokens_total;
    struct latency mic_to_wire;
    struct {
        uint64_t responses, interruptions, turns, texts, tool_calls,
            unknown_events, missing_edges, audio_events, streams, errors;
    } counters;
};

struct session_handles;

/* machine (session.c): the only writer of `state`. False without an edge.
 * [loop] */
bool session_move(struct session *s, enum session_event event,
                  const char *reason); /* [loop] */

/* What every entry point ends with: send what can be sent, let time pass, set
 * the timer (tick.c). The session may be closed afterwards, not freed.
 * [loop] */
void session_turn(struct session *s);

/* Goes on from preparing if the tools are there or the wait is over (tick.c).
 * [loop] */
void session_check_tools(struct session *s, uint64_t now_ns);

/* Audio from the ring to the stream (pump.c): [rt] and [loop] as marked. */
void pump_audio(struct session *s, uint64_t now_ns);  /* [rt] */
void pump_settle(struct session *s, uint64_t now_ns); /* [rt] */
bool pump_drain(struct session *s);  /* true: all of it is given. [loop] */
void pump_forget(struct session *s); /* [loop] */

/* The orderly end of a stream (closing.c): what was begun is ended, after the
 * audio that is still in the ring. closing_go_on() when there is room or its
 * deadline has passed. [loop] */
void closing_begin(struct session *s);
void closing_go_on(struct session *s, uint64_t now_ns);

/* Handles of the loop (timer.c). The bell must be unwatched before its
 * descriptor is closed. [loop] */
struct session_handles *handles_new(struct session *s); /* [loop] */
void handles_free(struct session_handles **handles);    /* [loop] */
void handles_schedule(struct session *s, uint64_t now_ns,
                      uint64_t due_ns);       /* [loop] */
void handles_watch_bell(struct session *s);   /* [loop] */
void handles_unwatch_bell(struct session *s); /* [loop] */

/* What the model said (model.c). [loop] */
void model_event(struct session *s, const struct sonic_event *event);

/* Ends what is being said (cut.c). [loop] */
enum cut_signal {
    CUT_MARKER,
    CUT_STOP_REASON,
    CUT_SPEECH_START,
    CUT_USER_TEXT,
    CUT_CONTROL
};

/* `meant` is the response that the signal is about, NULL if it does not say: a
 * late sign for one must not cut the next. [loop] */
bool cut_signalled(struct session *s, enum cut_signal signal,
                   const struct response *meant);
struct response *cut_target(struct session *s); /* [loop] */

/* {name: count} in the manner of Prometheus (describe.c). Caller frees.
 * [loop] */
cJSON *session_counters(const struct session *s);

/* What the bus is told (report.c). [loop] */
extern const struct dialogue_ops report_dialogue_ops;
extern const struct playback_ops report_playback_ops;
extern const struct capture_ops report_capture_ops;
void report_state(struct session *s, enum session_state previous,
                  const char *reason);
void report_usage(struct session *s, const struct token_counts *delta);
void report_speech(struct session *s, bool started, int64_t offset_ms);
void report_interruption(struct session *s, const struct response *r,
                         const char *reason, double heard_ms, bool estimated,
                         uint64_t flush_to);
void report_metrics(struct session *s);
void report_producer(struct session *s, bool attached);

struct session_fault {
    const char *class_; /* retry, closed, peer, config, bug */
    const char *code;
    const char *message;
    const char *remedy;
    const char *component;
    const char *request_id; /* may be NULL */
    int http_status;        /* 0: none */
    bool recoverable;       /* the session goes on by itself */
};

/* One event and one log line. [loop] */
void report_fault(struct session *s, const struct session_fault *fault);

#endif

/* The inside of a session, for the files of this folder. Members are grouped
 * by who sets them. */
#ifndef GATEWAY_SESSION_SELF_H
#define GATEWAY_SESSION_SELF_H

#include <uv.h>

#include "gateway/capture/capture.h"
#include "gateway/playback/playback.h"
#include "gateway/session/bell.h"
#include "gateway/session/calls.h"
#include "gateway/session/dialogue.h"
#include "gateway/session/ending.h"
#include "gateway/session/handover.h"
#include "gateway/session/history.h"
#include "gateway/session/latency.h"
#include "gateway/session/leg.h"
#include "gateway/session/machine.h"
#include "gateway/session/parting.h"
#include "gateway/session/report.h"
#include "gateway/session/retry.h"
#include "gateway/session/rings.h"
#include "gateway/session/rotation.h"
#include "gateway/session/session.h"
#include "gateway/session/texts.h"
#include "gateway/session/trigger.h"
#include "gateway/session/utterance.h"
#include "gateway/sonic/family.h"
#include "gateway/uuid.h"
#include "ipc/ring_host.h"

/* Contents of the model that are open at once, with room for late events. */
#define SESSION_CONTENTS 16

/* Chunks that wait to be handed to TLS: more than the send buffer holds. */
#define SESSION_LEAVING 256

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
    const struct session_ops *ops;
    void *arg;
    bool by_control;         /* opened by session.open, not by the file */
    bool conversation_given; /* its id is the caller's */
    char conversation[SESSION_CONVERSATION_BYTES];
    char context[SESSION_CONVERSATION_BYTES + CONFIG_NAME_BYTES];
    struct event_subject subject;
    struct ring_host *in_ring, *out_ring;
    struct capture *capture;
    struct playback *playback;
    struct dialogue *dialogue;
    struct calls *calls;
    struct history *history;
    struct history_file *history_file; /* NULL: it is not kept */
    struct remember_end *history_end;  /* its last write is under way */
    struct session_handles *handles;
    int16_t *held_samples;

    /* Changed by session.update only. */
    const struct config_session *settings;
    struct config_session *own_settings; /* NULL: the file's or the caller's */
    uint64_t settings_serial;            /* counts changes for a new stream */
    const struct sonic_family *family;
    bool model_known;

    /* Set by the state machine's actions. */
    enum session_state state;
    uint32_t generation;
    struct leg leg; /* the current stream */
    struct rotation rotation;
    struct handover handover;
    struct parting parting[PARTING_MAX];
    struct slot_ticket tickets[2 + PARTING_MAX]; /* of the legs */
    struct credentials credentials;              /* the newest leg's */
    bool draining; /* closing: the last audio leaves before the ends */
    bool greeted;  /* the greeting is for the first stream only */
    uint64_t created_ns, state_since_ns;
    uint64_t tools_deadline_ns, drain_deadline_ns, close_deadline_ns;
    cJSON *last_error; /* as published; NULL since the last good start */

    /* Between two streams. */
    struct retry retry;
    size_t target;           /* where the next current stream goes */
    uint64_t fallback_ns;    /* since when it is a fallback */
    uint64_t retry_ns;       /* waiting: when the next one is tried */
    uint64_t gap_since_ns;   /* without a stream since then; 0: not */
    bool slow;               /* the budget is spent, and that was told */
    bool waiting_loss_told;  /* that audio waits too long for a stream */
    bool clock_corrected;    /* once for each answered stream */
    bool answered_once;      /* some stream was: what failed may come back */
    enum replay replay;      /* of what was being said when it was lost */
    uint64_t replay_frame;   /* where in the input ring that begins */
    const char *next_reason; /* what the coming stream is for */
    struct utterance utterance;
    uint64_t speech_ns;  /* when the newest speech was noticed by its energy */
    uint64_t deaf_frame; /* speech that a stream was given up for */
    unsigned deaf_count; /* streams given up so since the model gave a sign */

    /* Without a stream by its mode. */
    uint64_t activity_ns;  /* the last of anybody */
    uint64_t attached_ns;  /* a producer or reader was there */
    uint64_t next_look_ns; /* whether one is */
    bool abandoned;        /* asleep until one comes */
    const char *sleep_why; /* static storage */

    /* Set while the conversation runs. */
    bool muted;
    struct rings rings;
    struct doorbell doorbell;
    struct lost_news lost_news[CAPTURE_LOSS_COUNT];
    struct trigger trigger;
    struct ending ending;
    struct texts texts;
    struct open_content contents[SESSION_CONTENTS];
    size_t content_next;
    struct leaving_chunk leaving[SESSION_LEAVING];
    size_t leaving_first, leaving_count;
    struct capture_chunk held; /* polled, not taken by the network yet */
    bool holding;
    bool poll_again; /* a chunk is ready; let the loop turn first */
    uint64_t played[SESSION_PLAYED];
    size_t played_count;
    uint64_t loud_until_ns; /* when_quiet: not listening before */
    uint64_t next_metrics_ns;
    struct token_counts tokens_total;
    struct latency mic_to_wire, first_text, first_audio;
    struct {
        uint64_t response_id; /* 0: none */
        unsigned pieces;      /* FINAL texts that say what is kept already */
    } kept_ahead;             /* by remember_unfinished() */
    struct {
        uint64_t responses, interruptions, turns, texts, tool_calls,
            unknown_events, missing_edges, audio_events, streams, errors,
            rotations, reconnects, replays, deaf, refused_next, late_results;
    } counters;
};

/* The only writer of `state` (move.c). False without an edge. [loop] */
bool session_move(struct session *s, enum session_event event,
                  const char *reason);

/* It is the conversation of this id that goes on (session.c). [loop] */
void session_go_on_as(struct session *s, const char *conversation);

/* A stream is gone: what hung on it is told before its end is (move.c).
 * `goes_on`: an unanswered turn waits for the next stream. [loop] */
void session_end_dialogue(struct session *s, bool normal, bool goes_on);

/* What every entry point ends with: send what can be sent, let time pass, set
 * the timer (tick.c). The session may be closed afterwards, not freed.
 * [loop] */
void session_turn(struct session *s);

/* Goes on from preparing if the tools are there or the wait is over (tick.c).
 * [loop] */
void session_check_tools(struct session *s, uint64_t now_ns);

/* Audio from the ring to the stream (pump.c): [rt] and [loop] as marked. */
/* A stream takes audio: the microphone's from now on, or after what is said to
 * make the model speak first. [loop] */
void pump_begin(struct session *s, uint64_t now_ns);
void pump_audio(struct session *s, uint64_t now_ns);  /* [rt] */
void pump_settle(struct session *s, uint64_t now_ns); /* [rt] */
bool pump_drain(struct session *s); /* true: all of it is given. [loop] */
/* The stream is gone: what it has not sent is lost, or capture_rewind() has
 * taken it back. [loop] */
void pump_forget(struct session *s);
void pump_clear(struct session *s); /* [loop] */

/* The stream, if there is one, is ended in order: what it was given and has not
 * left yet goes out before its end, and counts as sent. [loop] */
void pump_leave_behind(struct session *s);

/* The orderly end of a stream (closing.c): what was begun is ended, after the
 * audio that is still in the ring. closing_go_on() when there is room or its
 * deadline has passed. [loop] */
void closing_begin(struct session *s);
void closing_go_on(struct session *s, uint64_t now_ns);
void closing_send_ends(struct session *s, struct link *link);

/* The timer on the loop (timer.c). [loop] */
struct session_handles *handles_new(struct session *s); /* [loop] */
void handles_free(struct session_handles **handles);    /* [loop] */
void handles_schedule(struct session *s, uint64_t now_ns,
                      uint64_t due_ns); /* [loop] */

/* What the model said (model.c). [loop] */
void model_event(struct session *s, const struct leg *leg,
                 const struct sonic_event *event);

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

/* What happens to a stream (streams.c). */
extern const struct link_ops streams_link_ops;

/* Opens a stream for a session that has none, or queues for one. False if its
 * state has no way there. [loop] */
bool streams_want(struct session *s, const char *reason);

/* How many there are: current, next and parting. [loop] */
size_t streams_open(const struct session *s);

/* A queued session has its slot now. [loop] */
bool streams_granted(const struct session *s);
void streams_on_slot(void *arg, struct slot_ticket *ticket); /* [loop] */

/* A free place for a leg's ticket; there is always one. [loop] */
struct slot_ticket *streams_ticket(struct session *s);

#endif

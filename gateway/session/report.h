/* What bus and log are told about a session. */
#ifndef GATEWAY_SESSION_REPORT_H
#define GATEWAY_SESSION_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/capture/capture.h"
#include "gateway/playback/playback.h"
#include "gateway/session/dialogue.h"
#include "gateway/session/leg.h"
#include "gateway/session/machine.h"

struct session;

extern const struct dialogue_ops report_dialogue_ops;
extern const struct playback_ops report_playback_ops;
extern const struct capture_ops report_capture_ops;

/* `retry_in_ms` negative: not to be told. [loop] */
void report_state(struct session *s, enum session_state previous,
                  const char *reason, int64_t retry_in_ms);
void report_usage(struct session *s,
                  const struct token_counts *delta); /* [loop] */
void report_speech(struct session *s, bool started,
                   int64_t offset_ms); /* [loop] */

/* Where in the input ring the model's own time falls; `offset_ms` negative: it
 * did not say. [loop] */
uint64_t report_in_ring_frame(const struct session *s, int64_t offset_ms);
void report_interruption(struct session *s, const struct response *r,
                         const char *reason, double heard_ms, bool estimated,
                         uint64_t flush_to);            /* [loop] */
void report_metrics(struct session *s);                 /* [loop] */
void report_producer(struct session *s, bool attached); /* [loop] */

/* Who was told to be stopped goes on, or is gone. [loop] */
void report_continued(struct session *s, enum vr_ring which, bool present);

/* Lost frames of the input ring, of one reason, that are not told yet. */
struct lost_news {
    uint64_t frames, frame;
    uint64_t told_ns; /* 0: never */
};

/* Tells what is not told yet, where a second has passed. [loop] */
void report_losses(struct session *s, uint64_t now_ns);

/* What was said again on a new stream. */
enum replay { REPLAY_NONE, REPLAY_TEXT, REPLAY_AUDIO };

/* What is told of a stream beside its phase and the reason. */
struct stream_news {
    uint64_t boundary_frame; /* UINT64_MAX: nothing to tell */
    uint64_t resent_from_frame;
    enum replay replay;
    uint64_t gap_ns; /* without a stream */
    size_t history_messages, history_bytes;
};

/* `phase`: opening, current, ending, ended or dropped. [loop] */
void report_stream(struct session *s, const struct leg *leg, const char *phase,
                   const char *reason);
/* The same, with what is known of a stream that is current now. [loop] */
void report_current(struct session *s, const struct stream_news *news,
                    const char *reason);

struct session_fault {
    const char *class_; /* retry, closed, peer, config, bug */
    const char *code;
    const char *message;
    const char *remedy;
    const char *component;
    const char *ring;       /* the ring it is about, may be NULL */
    const char *request_id; /* may be NULL */
    int http_status;        /* 0: none */
    bool recoverable;       /* the session goes on by itself */
    bool retries;           /* and tries again in retry_in_ms */
    int64_t retry_in_ms;
};

/* One event and one log line. [loop] */
void report_fault(struct session *s, const struct session_fault *fault);

#endif

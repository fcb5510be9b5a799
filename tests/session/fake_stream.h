/* Bedrock streams that the test plays: they stand in for gateway/bedrock's at
 * link time, so that a whole session runs with no network. Each one opened is
 * kept, with what it was told, until fake_stream_reset(). */
#ifndef TESTS_SESSION_FAKE_STREAM_H
#define TESTS_SESSION_FAKE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/bedrock/stream.h"

#define FAKE_EVENTS_MAX 4096

/* More are never open at once: current, next, and two that part. */
#define FAKE_OPEN_MAX 4

struct fake_wire {
    /* What it did. */
    bool open, finished;
    size_t event_count;
    char *events[FAKE_EVENTS_MAX]; /* JSON, audio left out */
    char order[8192]; /* their names; a run of audio is one "audio" */
    int16_t *samples;
    size_t sample_count, sample_room;
    size_t left_count; /* of these, handed to TLS: nobody receives the rest */
    unsigned refused;  /* sends answered by VR_AGAIN */
    /* What it is told to do. */
    bool full;   /* takes nothing until fake_stream_room() */
    bool choked; /* takes events, and hands nothing to TLS, until then */
    /* As handed to bedrock_stream_open(). */
    const struct bedrock_stream_ops *ops;
    void *arg;
    char model[96], region[64], key[136];
    int64_t clock_offset_ms;
    bool connected;
    uint64_t queued_bytes, sent_bytes;
};

/* All of them together. */
struct fake_endpoint {
    unsigned opened, closed;
    unsigned open_now, open_most;
    bool refuse_open;
};

extern struct fake_endpoint fake_endpoint;

/* The stream that the functions below are about: the newest one opened, or the
 * one selected. Before the first is opened, one that was never open. */
#define fake_stream (*fake_stream_selected())
struct fake_wire *fake_stream_selected(void);

/* Stream number `number`, counted from 1 in the order of opening. */
struct fake_wire *fake_stream_at(unsigned number);

/* From now on it is about this one; 0: about the newest again. */
void fake_stream_select(unsigned number);

/* Forgets everything; before and after each test. */
void fake_stream_reset(void);

/* The endpoint's side. What comes after the stream was closed is ignored. */
void fake_stream_connect(void);
void fake_stream_answer(void);
void fake_stream_room(void);
void fake_stream_say(const char *format, ...) VR_PRINTF(1, 2);
void fake_stream_end(enum bedrock_end_cause cause, bool normal);

/* It ends, or goes on with an exception, as the endpoint says. */
void fake_stream_end_as(const struct bedrock_end *end);
void fake_stream_except(const struct bedrock_end *end);

/* It ends for a reason that only a person can do something about. */
void fake_stream_refuse(void);

/* An error that AWS names. */
struct bedrock_end fake_stream_error(const char *code, const char *message);

/* The last event sent whose name is `name`, NULL if there is none. */
const char *fake_stream_last(const char *name);

/* Forgets what was sent so far. */
void fake_stream_forget(void);

#endif

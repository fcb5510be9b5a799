/* A Bedrock stream that the test plays: it stands in for gateway/bedrock's at
 * link time, so that a whole session runs with no network. One at a time. */
#ifndef TESTS_SESSION_FAKE_STREAM_H
#define TESTS_SESSION_FAKE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/bedrock/stream.h"

#define FAKE_EVENTS_MAX 4096
#define FAKE_SAMPLES_MAX (1u << 20)

struct fake_stream {
    /* What it did. */
    bool open, finished;
    unsigned opened, closed;
    size_t event_count;
    char *events[FAKE_EVENTS_MAX]; /* JSON, audio left out */
    char order[8192]; /* their names; a run of audio is one "audio" */
    int16_t samples[FAKE_SAMPLES_MAX];
    size_t sample_count;
    unsigned refused; /* sends answered by VR_AGAIN */
    /* What it is told to do. */
    bool refuse_open;
    bool full; /* takes nothing until fake_stream_room() */
    /* As handed to bedrock_stream_open(). */
    const struct bedrock_stream_ops *ops;
    void *arg;
    bool connected;
    uint64_t queued_bytes;
};

extern struct fake_stream fake_stream;

/* Forgets everything; before and after each test. */
void fake_stream_reset(void);

/* The endpoint's side. What comes after the stream was closed is ignored. */
void fake_stream_connect(void);
void fake_stream_answer(void);
void fake_stream_room(void);
void fake_stream_say(const char *format, ...) VR_PRINTF(1, 2);
void fake_stream_end(enum bedrock_end_cause cause, bool normal);

/* The last event sent whose name is `name`, NULL if there is none. */
const char *fake_stream_last(const char *name);

/* Forgets what was sent so far. */
void fake_stream_forget(void);

#endif

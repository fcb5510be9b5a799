/* A whole session on a loop, with real rings and a real JSON-RPC server, and a
 * stream, a broker and a bus that the test plays. */
#ifndef TESTS_SESSION_RIG_H
#define TESTS_SESSION_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "gateway/session/session.h"
#include "gateway/session/slots.h"
#include "ipc/voxring.h"
#include "tests/session/fake_broker.h"
#include "tests/session/fake_bus.h"
#include "tests/session/fake_stream.h"

/* For what must come; a test never waits so long. */
#define RIG_WAIT_MS 10000

struct rig {
    uv_loop_t loop;
    uv_timer_t tick;
    struct services services;
    struct credentials credentials;
    struct config *config;
    struct config_session *settings;
    struct session *session;
    struct rpc *rpc;
    struct vr_writer *mic;
    struct vr_reader *player;
    unsigned states;   /* moves told by on_state */
    uint64_t contents; /* the model's content ids so far */
    int64_t clock_offset_ms;
    char dir[64];
    char answers[16384]; /* of the rpc, one line each */
};

extern const struct session_ops rig_session_ops;

/* Settings of the file's `bedrock`, in JSON, for the next rig_prepare() or
 * rig_open(); else the pauses between retries are some milliseconds. */
void rig_bedrock(const char *json);

/* All but the session and the clients of its rings. */
void rig_prepare(struct rig *rig, const char *settings);

/* The session alone; false if it cannot be made. */
bool rig_make_session(struct rig *rig, bool by_control);

/* A session of these settings (JSON, NULL: all defaults), not opened. */
void rig_open(struct rig *rig, const char *settings);
void rig_close(struct rig *rig);

/* As by session.open, with clients at its rings only if it is asked for. */
void rig_open_by_control(struct rig *rig, const char *settings, bool clients);

/* Clients at the session's rings, if there are none yet. */
void rig_attach(struct rig *rig);

/* Opened, connected and answered; what was sent is forgotten. */
void rig_start(struct rig *rig);

/* The stream being opened, whatever for, is connected and answered. */
void rig_accept(void);

/* ---- several streams, one after the other ---- */

/* rig_open() and rig_start(). */
void rig_begin(struct rig *rig, const char *settings);

/* How many were opened so far; they are numbered from 1. */
unsigned rig_opened(void);

/* The number of the last one that this phase was told of; 0: none. */
unsigned rig_told(const char *phase);
bool rig_changed_to(unsigned number);

/* A next one is asked for and accepted. */
void rig_rotate(struct rig *rig);

/* One step, in which a stream that is being opened is accepted. */
void rig_accept_opened(struct rig *rig);

/* How many events that stream `number` was sent have both texts in them. */
size_t rig_sent(unsigned number, const char *name, const char *text);

/* The current stream is lost, and the next one accepted. */
void rig_lose(struct rig *rig);

/* A member of the tool.result of call `call` ("1"), "" if it has none. */
const char *rig_result(const char *call, const char *member);

/* The session's counter of this name. */
uint64_t rig_counter(struct rig *rig, const char *name);

/* ---- time ---- */

/* Lets the loop turn once, waiting at most a millisecond. */
void rig_step(struct rig *rig);

/* Lets it turn for a time. */
void rig_run(struct rig *rig, unsigned ms);

#define RIG_UNTIL(rig, condition)                                 \
    do {                                                          \
        uint64_t rig_end_ = uv_hrtime() / 1000000 + RIG_WAIT_MS;  \
        while (!(condition) && uv_hrtime() / 1000000 < rig_end_)  \
            rig_step(rig);                                        \
        if (!(condition))                                         \
            fail_msg("never: %s\ntold: %s\nsent: %s", #condition, \
                     fake_bus_story(), fake_stream.order);        \
    } while (0)

/* A JSON-RPC request to the session; its answer comes in rig->answers. */
void rig_ask(struct rig *rig, int id, const char *params);

/* session.update; its answer comes in rig->answers. */
void rig_update(struct rig *rig, int id, const char *config);

/* Frames of the microphone's ring, numbered from 1: too even to be speech. */
void rig_mic(struct rig *rig, size_t frames);

/* As many of speech, each of them different, too. */
void rig_talk(struct rig *rig, size_t frames);

/* What was written as frame `frame`, counted from 0; never 0. */
int16_t rig_sample(uint64_t frame);

/* How many samples of the microphone stream `number` was given, inserted
 * silence left out; whether they are frames [from, to), each once. */
size_t rig_heard(unsigned number);
void rig_assert_heard(unsigned number, uint64_t from, uint64_t to);

/* Frames written so far. */
uint64_t rig_written(struct rig *rig);

/* The account's member, such as "sent" of "input_frames". */
uint64_t rig_frames(struct rig *rig, const char *side, const char *member);

/* Every frame has one fate. */
void rig_assert_balanced(struct rig *rig);

/* ---- the model speaks: each returns the content's id ---- */

uint64_t rig_user_says(struct rig *rig, const char *text);
uint64_t rig_plans(struct rig *rig, const char *text);
uint64_t rig_said(struct rig *rig, const char *text, const char *stop_reason);
uint64_t rig_audio_begins(struct rig *rig);
void rig_audio(uint64_t content, unsigned ms);
void rig_content_ends(uint64_t content, const char *type,
                      const char *stop_reason);
void rig_marker(struct rig *rig);
void rig_speech(bool started);
void rig_tool_use(const char *id, const char *name, const char *arguments);

#endif

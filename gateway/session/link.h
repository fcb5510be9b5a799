/* One stream of a session: a Bedrock stream, what we say on it and what is
 * said to us, with the generation that tells an old stream's events from the
 * current one's. It outlives nothing: the session owns it. */
#ifndef GATEWAY_SESSION_LINK_H
#define GATEWAY_SESSION_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/bedrock/stream.h"
#include "gateway/sonic/audio_input.h"
#include "gateway/sonic/batch.h"
#include "gateway/sonic/decode.h"
#include "gateway/uuid.h"
#include "ipc/status.h"

/* Control events that may wait for the network, in bytes of JSON. */
#define LINK_OUTBOX_BYTES_MAX (4u * 1024 * 1024)

struct link;

struct link_ops {
    void (*on_open)(void *arg, struct link *link);
    void (*on_answer)(void *arg, struct link *link, const char *request_id);
    void (*on_event)(void *arg, struct link *link,
                     const struct sonic_event *event);
    /* An exception after which the stream goes on. */
    void (*on_exception)(void *arg, struct link *link,
                         const struct bedrock_end *end);
    void (*on_writable)(void *arg, struct link *link);
    /* The stream is over: all that is left to do is link_free(). */
    void (*on_end)(void *arg, struct link *link, const struct bedrock_end *end);
};

struct link_config {
    struct bedrock_client *client;
    const struct bedrock_target *target;
    const struct credentials *credentials;
    uint32_t generation;
    const char *context; /* for log lines; outlives the link */
    size_t chunk_samples_max;
};

/* Starts a stream. NULL on failure, `problem` says why. [loop] */
struct link *link_open(const struct link_config *config,
                       const struct link_ops *ops, void *arg, char *problem,
                       size_t problem_size);

/* Drops the stream at once; nothing is called any more. Allowed inside every
 * callback. Accepts NULL inside. [loop] */
void link_free(struct link **link);

/* Counts from 1 in each session. [loop] */
uint32_t link_generation(const struct link *link);

/* The names of its one prompt and one audio block. [loop] */
const char *link_prompt_name(const struct link *link);
const char *link_audio_name(const struct link *link);

/* Where events wait that must go out in order and without audio in between;
 * the encoders append here, link_flush() sends. [loop] */
struct sonic_batch *link_outbox(struct link *link);

/* Whether the outbox is empty. [rt] */
bool link_clear(const struct link *link);

/* Whether the outbox's events from number `first` on are small enough for the
 * endpoint. One that is not must be taken back: it would never leave. [loop] */
bool link_fits(const struct link *link, size_t first);

/* Sends what the network takes of the outbox. VR_LIMIT when the outbox has
 * grown beyond its bound: the stream is not being read and must be given up.
 * [loop] */
enum vr_status link_flush(struct link *link) VR_NODISCARD;

/* Sends one chunk of audio; VR_AGAIN while the outbox or the network is full.
 * `leaves_at` gets the value that link_sent_bytes() must reach for the chunk
 * to have been handed to TLS. [rt] */
enum vr_status link_send_audio(struct link *link, const int16_t *samples,
                               size_t count, uint64_t *leaves_at) VR_NODISCARD;
uint64_t link_sent_bytes(const struct link *link);

/* Ends our side once the outbox has left; nothing may be added to it any more.
 * [loop] */
void link_finish(struct link *link);
bool link_finishing(const struct link *link); /* [loop] */

/* What its decoder has counted. [loop] */
const struct sonic_counters *link_counters(const struct link *link);

#endif

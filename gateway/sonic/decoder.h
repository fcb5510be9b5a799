/* The decoder's inside, shared by the files that make it up: decode.c (an
 * event object and its members), read.c (each kind of event), audio_output.c
 * (the scanner), decoder.c (memory of problems and of open contents). Not for
 * other stations. */
#ifndef GATEWAY_SONIC_DECODER_H
#define GATEWAY_SONIC_DECODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cjson/cJSON.h>

#include "gateway/sonic/decode.h"

/* Blocks come one after the other; this many leave room for surprises. */
#define DECODER_CONTENTS_MAX 16
/* Different problems that are told; any more are only counted. */
#define DECODER_PROBLEMS_MAX 128
#define DECODER_PATH_BYTES 160

/* An open content: what its contentStart said. */
struct decoder_content {
    bool open;
    uint64_t id_hash;
    size_t id_bytes;
    uint64_t opened; /* a running number: the lowest is the oldest */
    enum sonic_role role;
    enum sonic_content content;
    enum sonic_stage stage;
};

struct sonic_decoder {
    struct sonic_decoder_ops ops;
    void *arg;
    struct sonic_counters counters;

    struct decoder_content contents[DECODER_CONTENTS_MAX];
    uint64_t contents_opened;

    uint64_t problems[DECODER_PROBLEMS_MAX]; /* hashes of those told */
    size_t problem_count;

    int16_t *samples; /* one chunk of audio */
    size_t samples_bytes;
};

/* Counts a problem and reports it if it is new. The path is made by format.
 * [loop] */
void decoder_problem(struct sonic_decoder *decoder,
                     enum sonic_problem_kind kind, const char *expected,
                     const char *format, ...) VR_PRINTF(4, 5);

/* Opens the content of a SONIC_CONTENT_START, in place of one with the same
 * id, or of the oldest in a full table. [loop] */
void decoder_content_open(struct sonic_decoder *decoder,
                          const struct sonic_event *event);

/* Forgets a content. [loop] */
void decoder_content_close(struct sonic_decoder *decoder,
                           struct sonic_span content_id);

/* Takes from the open content what the event itself did not say. [rt] */
void decoder_complete(const struct sonic_decoder *decoder,
                      struct sonic_event *event);

/* Counts and delivers. [loop] */
void decoder_deliver(struct sonic_decoder *decoder,
                     const struct sonic_event *event);

/* The role with this name, SONIC_ROLE_NONE if there is none. [rt] */
enum sonic_role decoder_role(const char *name, size_t bytes);

/* Whether `key` is one we know in this event. [rt] */
bool decoder_knows_key(enum sonic_event_type type, const char *key,
                       size_t bytes);

/* The kind of event with this name on the wire, SONIC_UNKNOWN if there is
 * none. [rt] */
enum sonic_event_type decoder_event_type(const char *name);

/* Room for `bytes` bytes of samples in decoder->samples; false when memory is
 * out. [loop] */
bool decoder_reserve_samples(struct sonic_decoder *decoder, size_t bytes);

/* Delivers `bytes` bytes that lie in decoder->samples as the audio of `event`.
 * [loop] */
void decoder_deliver_audio(struct sonic_decoder *decoder,
                           struct sonic_event *event, size_t bytes);

/* Reads one member of the event object, which is a JSON object, and delivers
 * what it says. [loop] */
enum vr_status decoder_read(struct sonic_decoder *decoder,
                            enum sonic_event_type type, const cJSON *body);

/* Reads the text if it is one audioOutput and nothing unusual; otherwise false
 * and nothing has happened. [loop] */
bool decoder_scan_audio(struct sonic_decoder *decoder, const char *json,
                        size_t bytes);

/* Reads any text, audio too, by way of cJSON. [loop] */
enum vr_status decoder_read_text(struct sonic_decoder *decoder,
                                 const char *json, size_t bytes);

#endif

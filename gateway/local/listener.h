/* The input side of a conversation: audio in, utterances out. Endpointing by
 * energy, the ear fed while the user speaks (with a little from before, so
 * that no first consonant is lost), the pace of the audio watched. Holds 400
 * ms of audio, however long the stream. */
#ifndef GATEWAY_LOCAL_LISTENER_H
#define GATEWAY_LOCAL_LISTENER_H

#include "gateway/local/ear.h"
#include "gateway/local/endpoint.h"
#include "gateway/local/resample.h"

struct listener_ops {
    void (*on_speech)(void *arg, uint64_t offset_ms);
    /* The voice stopped: where, and where that was noticed. */
    void (*on_pause)(void *arg, uint64_t offset_ms, uint64_t noticed_ms);
    void (*on_resume)(void *arg, uint64_t offset_ms);
    /* The turn is over. `heard` is "" without an ear, or when no phrase of
     * the script was recognised; it lives during the call. */
    void (*on_utterance)(void *arg, const char *heard);
    /* More than three seconds ahead of real time, and faster than twice real
     * time after a burst of so much; once for each time. */
    void (*on_hurry)(void *arg);
    void (*on_deaf)(void *arg); /* no decoder could be made */
};

struct listener {
    struct listener_ops ops;
    void *arg;
    struct ear_pool *ears; /* NULL: endpointing only */
    double time_scale;
    bool open;
    bool speaking; /* an utterance is under way */
    bool paused;
    bool hurried;
    long rate_hz;
    uint64_t frames;
    uint64_t since_ms; /* the clock at listener_open() */
    uint64_t fed_ms;   /* the clock at the last audio */
    double credit_ms;  /* audio that may come at once */
    uint64_t speech_frames;
    struct endpoint endpoint;
    struct resample to_ear;
    struct ear *ear;
    int16_t *preroll; /* a ring, at rate_hz */
    size_t preroll_room, preroll_at, preroll_used;
};

/* Audio begins; false without memory. listener_close() is due. [loop] */
bool listener_open(struct listener *l, const struct endpoint_config *config,
                   uint64_t now_ms);
/* Forgets an utterance under way. Harmless when not open. [loop] */
void listener_close(struct listener *l);

void listener_feed(struct listener *l, const int16_t *samples, size_t frames,
                   uint64_t now_ms);
/* The audio is over: an utterance under way ends here. [loop] */
void listener_finish(struct listener *l);

/* How much of the audio since listener_open() was speech. [loop] */
uint64_t listener_speech_ms(const struct listener *l);

#endif

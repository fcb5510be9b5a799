/* Finds where speech begins and ends, by its energy. Works in the time of the
 * audio itself: ten-millisecond steps, whatever the pace it arrives at. */
#ifndef GATEWAY_LOCAL_ENDPOINT_H
#define GATEWAY_LOCAL_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum endpoint_event {
    ENDPOINT_NOTHING,
    ENDPOINT_START,  /* someone speaks */
    ENDPOINT_PAUSE,  /* the voice stopped; the turn may go on */
    ENDPOINT_RESUME, /* it did */
    ENDPOINT_TURN    /* the turn is over */
};

struct endpoint_config {
    long rate_hz;
    int threshold_dbfs;
    uint32_t pause_ms; /* silence until ENDPOINT_PAUSE */
    uint32_t turn_ms;  /* silence until ENDPOINT_TURN */
    uint32_t utterance_max_ms;
};

enum endpoint_state { ENDPOINT_QUIET, ENDPOINT_SPEECH, ENDPOINT_SILENCE };

struct endpoint {
    struct endpoint_config config;
    enum endpoint_state state;
    double threshold; /* mean square */
    double floor;     /* of the room, mean square */
    double sum;       /* of squares in this step */
    size_t step_frames;
    size_t in_step;
    uint64_t now_ms;     /* of the audio, up to the last whole step */
    uint64_t start_ms;   /* first loud step of the utterance */
    uint64_t loud_ms;    /* end of the last loud step */
    uint32_t loud_steps; /* a bit for each of the last 32 steps */
};

/* Quiet, at the audio's beginning. [any] */
void endpoint_init(struct endpoint *e, const struct endpoint_config *config);

/* Takes frames up to the end of a step and tells what that step brought;
 * moves *samples and *frames past them. Call it until *frames is 0. [any] */
enum endpoint_event endpoint_feed(struct endpoint *e, const int16_t **samples,
                                  size_t *frames);

/* Ends an utterance that has begun: the audio is over. False: none had. [any] */
bool endpoint_finish(struct endpoint *e);

#endif

/* The producer of a session's ring, with a pace. */
#ifndef IPC_CLI_MIC_H
#define IPC_CLI_MIC_H

#include "ipc/cli/command.h"
#include "ipc/voxring.h"

enum mic_pace {
    MIC_REAL_TIME, /* each 10 ms when a microphone would give them */
    MIC_FAST,      /* whenever the gateway has room */
    MIC_LIVE       /* at once: what is written comes in real time itself */
};

struct mic {
    struct cli *cli;
    struct vr_writer *writer; /* the mic's from mic_open() to mic_close() */
    struct vr_format format;
    enum mic_pace pace;
    int64_t stall_ms;        /* longest wait without any progress */
    uint64_t clock_ns;       /* MIC_REAL_TIME: when frame clock_frame begins */
    uint64_t clock_frame;    /* frames written up to there */
    uint64_t frames;         /* given to the ring */
    uint64_t overrun_frames; /* MIC_LIVE: the gateway had no room for them */
};

/* Becomes the producer of `session`. An exit code. [any] */
int mic_open(struct mic *mic, struct cli *cli, const char *session,
             enum mic_pace pace);

/* Writes frames in the ring's format at the pace. CLI_DONE; CLI_TIMEOUT or
 * CLI_ABSENT after a line: for stall_ms nobody has read; CLI_INTERRUPTED.
 * [any] */
int mic_write(struct mic *mic, const int16_t *samples, size_t frames);

/* Writes `ms` of silence; as mic_write(). [any] */
int mic_silence(struct mic *mic, int64_t ms);

/* Waits until the gateway has read all; as mic_write(). [any] */
int mic_drain(struct mic *mic);

/* Frames written to nobody, or over what was not read. [any] */
uint64_t mic_lost_frames(const struct mic *mic);

/* Gives the ring back. [any] */
void mic_close(struct mic *mic);

#endif

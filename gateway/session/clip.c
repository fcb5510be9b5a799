#include "gateway/session/clip.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/resampler.h"

#define RATE_MIN_HZ 8000u
#define RATE_MAX_HZ 48000u

/* The longest clip, and room for what else such files hold. */
#define FILE_BYTES_MAX (CLIP_SECONDS_MAX * RATE_MAX_HZ * 4 + 256 * 1024)

#define CHUNK_HEAD_BYTES 8u
#define FORMAT_BYTES 16u
#define FORMAT_PCM 1u
#define FORMAT_EXTENSIBLE 0xfffeu

struct wav {
    const uint8_t *data;
    size_t data_bytes;
    uint32_t rate_hz;
    unsigned channels, bits, format;
};

static uint32_t
u16_of(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8;
}

static uint32_t
u32_of(const uint8_t *p)
{
    return u16_of(p) | u16_of(p + 2) << 16;
}

/* ---- the file ---- */

static ssize_t
read_whole(int fd, uint8_t *bytes, size_t size)
{
    size_t got = 0;
    while (got < size) {
        ssize_t n = read(fd, bytes + got, size - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        got += (size_t)n;
    }
    return (ssize_t)got;
}

static enum vr_status
refuse(char *why, size_t why_size, const char *path, const char *sentence)
{
    snprintf(why, why_size, "%s: %s", path, sentence);
    return VR_INVALID;
}

/* The file's bytes; the caller frees them. */
static enum vr_status
read_fd(int fd, const char *path, uint8_t **bytes, size_t *count, char *why,
        size_t why_size)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return refuse(why, why_size, path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return refuse(why, why_size, path, "it is no plain file");
    if (st.st_size > (off_t)FILE_BYTES_MAX)
        return refuse(why, why_size, path,
                      "it is larger than 10 seconds of speech can be");
    *bytes = malloc((size_t)st.st_size + 1);
    if (!*bytes) {
        snprintf(why, why_size, "%s: %s", path, vr_status_text(VR_NO_MEMORY));
        return VR_NO_MEMORY;
    }
    ssize_t got = read_whole(fd, *bytes, (size_t)st.st_size);
    if (got < 0)
        return refuse(why, why_size, path, strerror(errno));
    *count = (size_t)got;
    return VR_OK;
}

static enum vr_status
read_file(const char *path, uint8_t **bytes, size_t *count, char *why,
          size_t why_size)
{
    /* O_NONBLOCK: opening a FIFO must not wait for its other end. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return refuse(why, why_size, path, strerror(errno));
    enum vr_status status = read_fd(fd, path, bytes, count, why, why_size);
    close(fd);
    return status;
}

/* ---- what is in it ---- */

static void
take_format(struct wav *w, const uint8_t *body, size_t bytes)
{
    if (bytes < FORMAT_BYTES)
        return;
    w->format = u16_of(body);
    w->channels = u16_of(body + 2);
    w->rate_hz = u32_of(body + 4);
    w->bits = u16_of(body + 14);
    /* The true format is the beginning of a GUID. */
    if (w->format == FORMAT_EXTENSIBLE && bytes >= 26)
        w->format = u16_of(body + 24);
}

/* A length beyond the file's end is that of a writer that could not go back to
 * fill it in: then the chunk is what is there. */
static bool
parse(const uint8_t *bytes, size_t count, struct wav *w)
{
    memset(w, 0, sizeof *w);
    if (count < 12 || memcmp(bytes, "RIFF", 4) != 0 ||
        memcmp(bytes + 8, "WAVE", 4) != 0)
        return false;
    size_t at = 12;
    while (!w->data && count - at >= CHUNK_HEAD_BYTES) {
        const uint8_t *head = bytes + at;
        size_t left = count - at - CHUNK_HEAD_BYTES;
        size_t size = u32_of(head + 4);
        if (size > left)
            size = left;
        if (memcmp(head, "fmt ", 4) == 0)
            take_format(w, head + CHUNK_HEAD_BYTES, size);
        if (memcmp(head, "data", 4) == 0) {
            w->data = head + CHUNK_HEAD_BYTES;
            w->data_bytes = size;
        }
        at += CHUNK_HEAD_BYTES + size + (size & 1 && size < left);
    }
    return w->data != NULL;
}

static const char *
problem_of(const struct wav *w, size_t frames)
{
    if (!w->channels)
        return "its format does not stand before its data";
    if (w->format != FORMAT_PCM || w->bits != 16)
        return "its samples are not 16-bit PCM";
    if (w->channels > 2)
        return "it has more than two channels";
    if (w->rate_hz < RATE_MIN_HZ || w->rate_hz > RATE_MAX_HZ)
        return "its rate is not between 8000 and 48000 Hz";
    if (frames == 0)
        return "it holds no audio";
    if (frames > (size_t)w->rate_hz * CLIP_SECONDS_MAX)
        return "it is longer than 10 seconds";
    return NULL;
}

static size_t
frames_of(const struct wav *w)
{
    return w->channels ? w->data_bytes / (2 * w->channels) : 0;
}

static void
mix(const struct wav *w, size_t frames, int16_t *mono)
{
    for (size_t i = 0; i < frames; i++) {
        int sum = 0;
        for (unsigned c = 0; c < w->channels; c++)
            sum += (int16_t)u16_of(w->data + 2 * (i * w->channels + c));
        mono[i] = (int16_t)(sum / (int)w->channels);
    }
}

/* ---- as the model takes it ---- */

static bool
resample(struct clip *clip, const int16_t *mono, size_t frames,
         struct resampler *r)
{
    size_t tail = resampler_latency_frames(r);
    clip->samples =
        calloc(resampler_bound(r, frames) + resampler_bound(r, tail),
               sizeof *clip->samples);
    if (!clip->samples)
        return false;
    clip->count = resampler_run(r, mono, frames, clip->samples);
    clip->count += resampler_run(r, NULL, tail, clip->samples + clip->count);
    return true;
}

static enum vr_status
convert(struct clip *clip, const struct wav *w, uint32_t rate_hz)
{
    size_t frames = frames_of(w);
    int16_t *mono = calloc(frames, sizeof *mono);
    struct resampler *r = resampler_new(w->rate_hz, rate_hz);
    bool good = mono && r;
    if (good) {
        mix(w, frames, mono);
        good = resample(clip, mono, frames, r);
    }
    resampler_free(&r);
    free(mono);
    return good ? VR_OK : VR_NO_MEMORY;
}

enum vr_status
clip_load(struct clip *clip, const char *path, uint32_t rate_hz, char *why,
          size_t why_size)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    struct wav wav;
    memset(clip, 0, sizeof *clip);
    enum vr_status status = read_file(path, &bytes, &count, why, why_size);
    if (status == VR_OK && !parse(bytes, count, &wav))
        status = refuse(why, why_size, path, "it is no WAV file");
    if (status == VR_OK) {
        const char *problem = problem_of(&wav, frames_of(&wav));
        if (problem)
            status = refuse(why, why_size, path, problem);
    }
    if (status == VR_OK) {
        status = convert(clip, &wav, rate_hz);
        if (status != VR_OK)
            snprintf(why, why_size, "%s: %s", path, vr_status_text(status));
    }
    free(bytes);
    return status;
}

void
clip_fini(struct clip *clip)
{
    free(clip->samples);
    memset(clip, 0, sizeof *clip);
}

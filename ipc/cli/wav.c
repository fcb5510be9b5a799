#include "ipc/cli/wav.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ipc/status.h"

#define FORMAT_PCM 1
#define FORMAT_FLOAT 3
#define FORMAT_EXTENSIBLE 0xfffe
#define FMT_BYTES 16
#define FMT_EXTENSIBLE_BYTES 40
#define DS64_BYTES 28
/* Pictures and cue lists are smaller; more is no header. */
#define HEADER_MAX_BYTES (64 << 20)

/* What follows the two bytes of the format in an extensible sub-format. */
static const uint8_t sub_format[14] = {0x00, 0x00, 0x00, 0x00, 0x10,
                                       0x00, 0x80, 0x00, 0x00, 0xaa,
                                       0x00, 0x38, 0x9b, 0x71};

static uint32_t
get16(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

static uint32_t
get32(const uint8_t *at)
{
    return get16(at) | get16(at + 2) << 16;
}

static uint64_t
get64(const uint8_t *at)
{
    return get32(at) | (uint64_t)get32(at + 4) << 32;
}

static void
next(struct wav *wav, enum wav_state state, size_t want_bytes)
{
    wav->state = state;
    wav->have_bytes = 0;
    wav->want_bytes = want_bytes;
}

VR_PRINTF(2, 3)
static void
refuse(struct wav *wav, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(wav->problem, sizeof wav->problem, format, list);
    va_end(list);
    next(wav, WAV_BAD, 0);
}

void
wav_init(struct wav *wav)
{
    memset(wav, 0, sizeof *wav);
    next(wav, WAV_RIFF, 12);
}

static void
on_riff(struct wav *wav)
{
    const uint8_t *p = wav->part;
    if (memcmp(p, "RIFX", 4) == 0)
        refuse(wav, "a big-endian WAV (RIFX); convert it to RIFF");
    else if ((memcmp(p, "RIFF", 4) != 0 && memcmp(p, "RF64", 4) != 0) ||
             memcmp(p + 8, "WAVE", 4) != 0)
        refuse(wav, "no WAV; for audio without a header give --raw "
                    "RATE,CHANNELS");
    else
        next(wav, WAV_CHUNK, 8);
    wav->riff_bytes = get32(p + 4);
}

static bool
check_shape(struct wav *wav)
{
    if (wav->channels < 1 || wav->channels > WAV_CHANNELS_MAX)
        refuse(wav, "%u channels; use 1 to %d", wav->channels,
               WAV_CHANNELS_MAX);
    else if (wav->rate_hz < WAV_RATE_MIN_HZ || wav->rate_hz > WAV_RATE_MAX_HZ)
        refuse(wav, "%u Hz; use %d to %d", wav->rate_hz, WAV_RATE_MIN_HZ,
               WAV_RATE_MAX_HZ);
    return wav->state != WAV_BAD;
}

static bool
check_coding(struct wav *wav, uint32_t format)
{
    uint32_t bits = wav->bits;
    if (format == FORMAT_FLOAT && (bits == 32 || bits == 64))
        wav->is_float = true;
    else if (format != FORMAT_PCM ||
             (bits != 8 && bits != 16 && bits != 24 && bits != 32))
        refuse(wav,
               "coded as format %u with %u bits; use PCM of 8, 16, 24 or 32 "
               "bits, or float",
               format, bits);
    return wav->state != WAV_BAD;
}

static void
skip_to_next_chunk(struct wav *wav, uint64_t bytes)
{
    wav->skip_bytes = bytes;
    if (bytes)
        next(wav, WAV_SKIP, 0);
    else
        next(wav, WAV_CHUNK, 8);
}

static void
on_fmt(struct wav *wav)
{
    const uint8_t *p = wav->part;
    uint32_t format = get16(p);
    if (wav->has_fmt) {
        refuse(wav, "two format chunks");
        return;
    }
    if (format == FORMAT_EXTENSIBLE) {
        if (wav->want_bytes < FMT_EXTENSIBLE_BYTES ||
            memcmp(p + 26, sub_format, sizeof sub_format) != 0) {
            refuse(wav, "an extensible format that is neither PCM nor float");
            return;
        }
        format = get16(p + 24);
    }
    wav->has_fmt = true;
    wav->channels = get16(p + 2);
    wav->rate_hz = get32(p + 4);
    wav->bits = get16(p + 14);
    wav->is_float = false;
    if (!check_shape(wav) || !check_coding(wav, format))
        return;
    wav->frame_bytes = (size_t)wav->channels * (wav->bits / 8);
    if (get16(p + 12) != wav->frame_bytes)
        refuse(wav, "%u bytes a frame, but %u channels of %u bits take %zu",
               get16(p + 12), wav->channels, wav->bits, wav->frame_bytes);
    else
        skip_to_next_chunk(wav, wav->skip_bytes);
}

static void
on_ds64(struct wav *wav)
{
    wav->data64_bytes = get64(wav->part + 8);
    wav->has_ds64 = true;
    skip_to_next_chunk(wav, wav->skip_bytes);
}

/* A writer into a pipe leaves 0 or -1 where the sizes should be. */
static void
on_data(struct wav *wav, uint32_t size)
{
    bool open_ended = wav->riff_bytes == 0 || wav->riff_bytes == UINT32_MAX;
    if (!wav->has_fmt) {
        refuse(wav, "audio before its format");
        return;
    }
    if (size == UINT32_MAX && wav->has_ds64)
        wav->data_bytes = wav->data64_bytes;
    else if (size == UINT32_MAX || (size == 0 && open_ended))
        wav->data_bytes = UINT64_MAX;
    else
        wav->data_bytes = size;
    next(wav, WAV_DATA, 0);
}

static void
on_chunk(struct wav *wav)
{
    const uint8_t *p = wav->part;
    uint32_t size = get32(p + 4);
    uint64_t padded = (uint64_t)size + (size & 1);
    bool fmt = memcmp(p, "fmt ", 4) == 0;
    if (memcmp(p, "data", 4) == 0) {
        on_data(wav, size);
    } else if (fmt && size < FMT_BYTES) {
        refuse(wav, "a format chunk of %u bytes; it has at least %d", size,
               FMT_BYTES);
    } else if (fmt) {
        size_t want =
            size < FMT_EXTENSIBLE_BYTES ? FMT_BYTES : FMT_EXTENSIBLE_BYTES;
        wav->skip_bytes = padded - want;
        next(wav, WAV_FMT, want);
    } else if (memcmp(p, "ds64", 4) == 0 && size >= DS64_BYTES) {
        wav->skip_bytes = padded - DS64_BYTES;
        next(wav, WAV_DS64, DS64_BYTES);
    } else {
        skip_to_next_chunk(wav, padded);
    }
}

static void
on_part(struct wav *wav)
{
    switch (wav->state) {
    case WAV_RIFF:
        on_riff(wav);
        break;
    case WAV_CHUNK:
        on_chunk(wav);
        break;
    case WAV_FMT:
        on_fmt(wav);
        break;
    default:
        on_ds64(wav);
        break;
    }
}

/* One step; returns the bytes taken, at least one. */
static size_t
step(struct wav *wav, const uint8_t *bytes, size_t count)
{
    if (wav->state == WAV_SKIP) {
        size_t take = count < wav->skip_bytes ? count : (size_t)wav->skip_bytes;
        wav->skip_bytes -= take;
        if (wav->skip_bytes == 0)
            next(wav, WAV_CHUNK, 8);
        return take;
    }
    size_t lack = wav->want_bytes - wav->have_bytes;
    size_t take = count < lack ? count : lack;
    memcpy(wav->part + wav->have_bytes, bytes, take);
    wav->have_bytes += take;
    if (wav->have_bytes == wav->want_bytes)
        on_part(wav);
    return take;
}

size_t
wav_feed(struct wav *wav, const void *bytes, size_t count)
{
    size_t used = 0;
    while (used < count && wav->state != WAV_DATA && wav->state != WAV_BAD) {
        size_t take = step(wav, (const uint8_t *)bytes + used, count - used);
        used += take;
        wav->header_bytes += take;
        if (wav->header_bytes > HEADER_MAX_BYTES && wav->state != WAV_BAD)
            refuse(wav, "no audio within its first %d MiB",
                   HEADER_MAX_BYTES >> 20);
    }
    return used;
}

static int16_t
from_float(double value)
{
    if (isnan(value))
        return 0;
    if (value >= 1)
        return INT16_MAX;
    if (value <= -1)
        return INT16_MIN;
    long scaled = lrint(value * 32768);
    return (int16_t)(scaled > INT16_MAX ? INT16_MAX : scaled);
}

static int16_t
decode_sample(const struct wav *wav, const uint8_t *at)
{
    if (wav->is_float && wav->bits == 32) {
        uint32_t raw = get32(at);
        float value;
        memcpy(&value, &raw, sizeof value);
        return from_float((double)value);
    }
    if (wav->is_float) {
        uint64_t raw = get64(at);
        double value;
        memcpy(&value, &raw, sizeof value);
        return from_float(value);
    }
    if (wav->bits == 8)
        return (int16_t)((at[0] - 128) * 256);
    /* the two highest bytes are the sample in 16 bits */
    return (int16_t)(uint16_t)get16(at + wav->bits / 8 - 2);
}

void
wav_decode(const struct wav *wav, const void *bytes, size_t frames,
           int16_t *samples)
{
    const uint8_t *at = bytes;
    size_t sample_bytes = wav->bits / 8;
    for (size_t i = 0; i < frames * wav->channels; i++)
        samples[i] = decode_sample(wav, at + i * sample_bytes);
}

bool
wav_set_raw(struct wav *wav, uint32_t rate_hz, uint32_t channels)
{
    wav_init(wav);
    wav->rate_hz = rate_hz;
    wav->channels = channels;
    wav->bits = 16;
    wav->frame_bytes = 2 * (size_t)channels;
    wav->data_bytes = UINT64_MAX;
    if (!check_shape(wav))
        return false;
    next(wav, WAV_DATA, 0);
    return true;
}

static void
put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

static void
put32(uint8_t *at, uint64_t value)
{
    uint32_t word = value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
    put16(at, word);
    put16(at + 2, word >> 16);
}

void
wav_header(uint8_t header[WAV_HEADER_BYTES], uint32_t rate_hz,
           uint32_t channels, uint64_t data_bytes)
{
    memcpy(header, "RIFF....WAVEfmt ", 16);
    put32(header + 4, data_bytes > UINT32_MAX ? UINT32_MAX : data_bytes + 36);
    put32(header + 16, FMT_BYTES);
    put16(header + 20, FORMAT_PCM);
    put16(header + 22, channels);
    put32(header + 24, rate_hz);
    put32(header + 28, (uint64_t)rate_hz * channels * 2);
    put16(header + 32, channels * 2);
    put16(header + 34, 16);
    memcpy(header + 36, "data", 4);
    put32(header + 40, data_bytes);
}

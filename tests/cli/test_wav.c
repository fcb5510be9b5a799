/* WAV headers of every kind that is read, in pieces of every size, and those
 * that are refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ipc/cli/wav.h"

struct file {
    uint8_t bytes[512];
    size_t count;
};

static void
put(struct file *f, const void *bytes, size_t count)
{
    memcpy(f->bytes + f->count, bytes, count);
    f->count += count;
}

static void
put_number(struct file *f, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        f->bytes[f->count++] = (uint8_t)(value >> (8 * i));
}

static void
put_chunk(struct file *f, const char *id, uint32_t size)
{
    put(f, id, 4);
    put_number(f, size, 4);
}

static void
put_riff(struct file *f, const char *id, uint32_t size)
{
    f->count = 0;
    put_chunk(f, id, size);
    put(f, "WAVE", 4);
}

static void
put_fmt(struct file *f, uint32_t format, uint32_t channels, uint32_t rate_hz,
        uint32_t bits)
{
    put_chunk(f, "fmt ", 16);
    put_number(f, format, 2);
    put_number(f, channels, 2);
    put_number(f, rate_hz, 4);
    put_number(f, rate_hz * channels * bits / 8, 4);
    put_number(f, channels * bits / 8, 2);
    put_number(f, bits, 2);
}

/* Feeds it in pieces of `piece` bytes; returns the bytes taken. */
static size_t
feed(struct wav *wav, const struct file *f, size_t piece)
{
    size_t at = 0;
    wav_init(wav);
    while (at < f->count && wav->state != WAV_DATA && wav->state != WAV_BAD) {
        size_t count = f->count - at < piece ? f->count - at : piece;
        at += wav_feed(wav, f->bytes + at, count);
    }
    return at;
}

static void
expect_refused(const struct file *f, const char *word)
{
    struct wav wav;
    feed(&wav, f, 512);
    assert_int_equal(wav.state, WAV_BAD);
    assert_non_null(strstr(wav.problem, word));
}

static void
test_own_header(void **state)
{
    struct file f = {.count = WAV_HEADER_BYTES};
    struct wav wav;
    (void)state;
    wav_header(f.bytes, 24000, 2, 4000);
    for (size_t piece = 1; piece <= WAV_HEADER_BYTES; piece++) {
        assert_int_equal(feed(&wav, &f, piece), WAV_HEADER_BYTES);
        assert_int_equal(wav.state, WAV_DATA);
        assert_int_equal(wav.rate_hz, 24000);
        assert_int_equal(wav.channels, 2);
        assert_int_equal(wav.bits, 16);
        assert_int_equal(wav.frame_bytes, 4);
        assert_int_equal(wav.data_bytes, 4000);
    }
    wav_header(f.bytes, 24000, 1, UINT64_C(5000000000));
    feed(&wav, &f, 7);
    assert_true(wav.data_bytes == UINT64_MAX);
}

static void
test_other_chunks_are_passed_over(void **state)
{
    struct file f;
    struct wav wav;
    (void)state;
    put_riff(&f, "RIFF", 400);
    put_chunk(&f, "LIST", 5); /* an odd size is padded */
    put(&f, "fmt \0\0", 6);
    put_fmt(&f, 1, 1, 16000, 16);
    put_chunk(&f, "junk", 0);
    put_chunk(&f, "data", 10);
    for (size_t piece = 1; piece < 40; piece++) {
        assert_int_equal(feed(&wav, &f, piece), f.count);
        assert_int_equal(wav.state, WAV_DATA);
        assert_int_equal(wav.data_bytes, 10);
    }
}

static void
test_extensible(void **state)
{
    static const uint8_t tail[14] = {0x00, 0x00, 0x00, 0x00, 0x10, 0x00, 0x80,
                                     0x00, 0x00, 0xaa, 0x00, 0x38, 0x9b, 0x71};
    struct file f;
    struct wav wav;
    (void)state;
    for (int format = 1; format <= 3; format++) {
        put_riff(&f, "RIFF", 400);
        put_fmt(&f, 0xfffe, 6, 48000, 32);
        f.bytes[16] = 40;
        put_number(&f, 22, 2);
        put_number(&f, 32, 2);
        put_number(&f, 0x3f, 4);
        put_number(&f, (uint64_t)format, 2);
        put(&f, tail, sizeof tail);
        put_chunk(&f, "data", 240);
        if (format == 2) {
            expect_refused(&f, "format 2");
            continue;
        }
        feed(&wav, &f, 3);
        assert_int_equal(wav.state, WAV_DATA);
        assert_int_equal(wav.is_float, format == 3);
        assert_int_equal(wav.frame_bytes, 24);
    }
    f.bytes[50] ^= 1;
    expect_refused(&f, "neither PCM nor float");
}

static void
test_sizes_of_those_who_do_not_know_them(void **state)
{
    struct file f;
    struct wav wav;
    (void)state;
    put_riff(&f, "RIFF", UINT32_MAX);
    put_fmt(&f, 1, 1, 22050, 16);
    put_chunk(&f, "data", UINT32_MAX);
    feed(&wav, &f, 512);
    assert_true(wav.data_bytes == UINT64_MAX);
    put_riff(&f, "RIFF", 0);
    put_fmt(&f, 1, 1, 22050, 16);
    put_chunk(&f, "data", 0);
    feed(&wav, &f, 512);
    assert_true(wav.data_bytes == UINT64_MAX);
    put_riff(&f, "RIFF", 36);
    put_fmt(&f, 1, 1, 22050, 16);
    put_chunk(&f, "data", 0);
    feed(&wav, &f, 512);
    assert_true(wav.data_bytes == 0);
    put_riff(&f, "RF64", UINT32_MAX);
    put_chunk(&f, "ds64", 28);
    put_number(&f, 5000000100, 8);
    put_number(&f, 5000000000, 8);
    put_number(&f, 1, 8);
    put_number(&f, 0, 4);
    put_fmt(&f, 1, 1, 22050, 16);
    put_chunk(&f, "data", UINT32_MAX);
    feed(&wav, &f, 512);
    assert_true(wav.data_bytes == 5000000000);
}

static void
test_refusals(void **state)
{
    static const struct {
        uint32_t format, channels, rate_hz, bits;
        const char *word;
    } cases[] = {
        {2, 1, 16000, 16, "format 2"},  {1, 1, 16000, 12, "12 bits"},
        {3, 1, 16000, 16, "format 3"},  {1, 0, 16000, 16, "0 channels"},
        {1, 33, 16000, 16, "channels"}, {1, 1, 999, 16, "999 Hz"},
        {1, 1, 400000, 16, "400000"},   {7, 1, 8000, 8, "format 7"},
    };
    struct file f;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put_riff(&f, "RIFF", 100);
        put_fmt(&f, cases[i].format, cases[i].channels, cases[i].rate_hz,
                cases[i].bits);
        expect_refused(&f, cases[i].word);
    }
    put_riff(&f, "RIFX", 100);
    expect_refused(&f, "big-endian");
    put_riff(&f, "OggS", 100);
    expect_refused(&f, "--raw");
    put_riff(&f, "RIFF", 100);
    put_chunk(&f, "data", 100);
    expect_refused(&f, "before its format");
    put_riff(&f, "RIFF", 100);
    put_chunk(&f, "fmt ", 15);
    expect_refused(&f, "15 bytes");
    put_riff(&f, "RIFF", 100);
    put_fmt(&f, 1, 1, 16000, 16);
    put_fmt(&f, 1, 1, 16000, 16);
    expect_refused(&f, "two format");
    put_riff(&f, "RIFF", 100);
    put_fmt(&f, 1, 2, 16000, 16);
    f.bytes[32] = 2;
    expect_refused(&f, "bytes a frame");
}

static void
test_endless_header_is_refused(void **state)
{
    static uint8_t zeros[1 << 20];
    struct file f;
    struct wav wav;
    (void)state;
    put_riff(&f, "RIFF", 100);
    put_chunk(&f, "LIST", UINT32_MAX);
    feed(&wav, &f, 512);
    for (int i = 0; i < 65 && wav.state != WAV_BAD; i++)
        wav_feed(&wav, zeros, sizeof zeros);
    assert_int_equal(wav.state, WAV_BAD);
}

static void
expect_samples(uint32_t format, uint32_t bits, const uint8_t *bytes,
               const int16_t *samples, size_t count)
{
    struct file f;
    struct wav wav;
    int16_t decoded[8];
    put_riff(&f, "RIFF", 100);
    put_fmt(&f, format, 1, 16000, bits);
    put_chunk(&f, "data", 100);
    feed(&wav, &f, 512);
    assert_int_equal(wav.state, WAV_DATA);
    wav_decode(&wav, bytes, count, decoded);
    assert_memory_equal(decoded, samples, count * sizeof *samples);
}

static void
test_samples(void **state)
{
    float floats[6] = {0, 1, -1, 0.5f, NAN, 1e30f};
    double doubles[3] = {-0.25, INFINITY, -INFINITY};
    (void)state;
    expect_samples(1, 8, (const uint8_t[]){0, 128, 255},
                   (const int16_t[]){-32768, 0, 32512}, 3);
    expect_samples(1, 16, (const uint8_t[]){0x34, 0x12, 0xff, 0xff},
                   (const int16_t[]){0x1234, -1}, 2);
    expect_samples(1, 24, (const uint8_t[]){0xaa, 0x34, 0x12, 0, 0, 0x80},
                   (const int16_t[]){0x1234, -32768}, 2);
    expect_samples(1, 32, (const uint8_t[]){1, 2, 0x34, 0x12},
                   (const int16_t[]){0x1234}, 1);
    expect_samples(3, 32, (const uint8_t *)floats,
                   (const int16_t[]){0, 32767, -32768, 16384, 0, 32767}, 6);
    expect_samples(3, 64, (const uint8_t *)doubles,
                   (const int16_t[]){-8192, 32767, -32768}, 3);
}

static void
test_raw(void **state)
{
    struct wav wav;
    (void)state;
    assert_true(wav_set_raw(&wav, 16000, 2));
    assert_int_equal(wav.frame_bytes, 4);
    assert_int_equal(wav.state, WAV_DATA);
    assert_false(wav_set_raw(&wav, 0, 2));
    assert_false(wav_set_raw(&wav, 16000, 0));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_header),
        cmocka_unit_test(test_other_chunks_are_passed_over),
        cmocka_unit_test(test_extensible),
        cmocka_unit_test(test_sizes_of_those_who_do_not_know_them),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_endless_header_is_refused),
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_raw),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Audio from the model: what the scanner takes, what it leaves, and that
 * nobody can tell the difference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/base64.h"
#include "gateway/sonic/decode.h"
#include "gateway/sonic/scan.h"
#include "tests/sonic/differential.h"

#define AUDIO(body) "{\"event\":{\"audioOutput\":" body "}}"

static const char *const taken[] = {
    AUDIO("{\"sessionId\":\"s\",\"promptName\":\"P\",\"completionId\":\"c\","
          "\"contentId\":\"k\",\"content\":\"AQACAP//\",\"role\":"
          "\"ASSISTANT\"}"),
    AUDIO("{\"content\":\"AQACAP//\"}"),
    AUDIO("{\"content\":\"AQACAP\\/\\/\",\"contentId\":\"k\"}"),
    AUDIO("{\"role\":null,\"content\":\"AQA=\",\"contentId\":\"k\"}"),
    AUDIO("{\"content\":\"\"}"),
    AUDIO("{\"content\":null}"),
    AUDIO("{}"),
    AUDIO("{\"content\":\"AQAC\"}"),
    AUDIO("{\"content\":\"AQ==\"}"),
    AUDIO("{\"x\":[{\"y\":[1.5e-3,true,null,\"\\ud83d\\ude00\"]},{},[]],"
          "\"content\":\"AQA=\",\"p\":\"\xC3\xA9\"}"),
    " { \"event\" :\t{ \"audioOutput\" : { \"content\" : \"AQA=\" , "
    "\"contentId\" : \"k\" } } } \r\n",
};

static const char *const left[] = {
    AUDIO("{\"content\":\"AQA\"}"),
    AUDIO("{\"content\":\"AQ A=\"}"),
    AUDIO("{\"content\":\"A===\"}"),
    AUDIO("{\"content\":\"AR==\"}"),
    AUDIO("{\"content\":\"AQ\\u0041=\"}"),
    AUDIO("{\"content\":\"AQA\\\"\"}"),
    AUDIO("{\"content\":7}"),
    AUDIO("{\"content\":\"AQA=\",\"content\":\"AgA=\"}"),
    AUDIO("{\"x\":1,\"x\":2,\"content\":\"AgA=\"}"),
    AUDIO("{\"content\":\"AQA=\",\"role\":\"NOBODY\"}"),
    AUDIO("{\"content\":\"AQA=\",\"role\":{}}"),
    AUDIO("{\"content\":\"AQA=\",\"contentId\":\"\\u006b\"}"),
    AUDIO("{\"content\":\"AQA=\",\"contentId\":\"k\xC3\xA9\"}"),
    AUDIO("{\"content\":\"AQA=\",\"x\":01}"),
    AUDIO("{\"content\":\"AQA=\",\"x\":\"\\ud800\"}"),
    AUDIO("{\"content\":\"AQA=\",\"x\":\"\n\"}"),
    AUDIO("{\"content\":\"AQA=\"},\"usageEvent\":{}"),
    AUDIO("null"),
    AUDIO("[]"),
    "{\"p\":1,\"event\":{\"audioOutput\":{\"content\":\"AQA=\"}}}",
    "{\"event\":{\"audioOutput\":{\"content\":\"AQA=\"}}}x",
    "{\"event\":{\"audioOutput\":{\"content\":\"AQA=\"}}",
    "\xEF\xBB\xBF{\"event\":{\"audioOutput\":{\"content\":\"AQA=\"}}}",
    "{\"event\":{\"textOutput\":{\"content\":\"AQA=\"}}}",
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void
test_what_the_scanner_takes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(taken); i++) {
        bool scanned;
        assert_true(differential_check(taken[i], strlen(taken[i]), &scanned));
        if (!scanned)
            fail_msg("not scanned: %s", taken[i]);
    }
}

static void
test_what_the_scanner_leaves(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(left); i++) {
        bool scanned;
        assert_true(differential_check(left[i], strlen(left[i]), &scanned));
        if (scanned)
            fail_msg("scanned: %s", left[i]);
    }
}

/* A small generator of our own, so that a failure can be repeated. */
static uint32_t seed;

static uint32_t
next(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static void
mutate(char *text, size_t *bytes)
{
    static const char spice[] = "{}[]\",:\\/u0A= \n\xFF\x00nulltrue-1.e";
    size_t at = *bytes ? next((uint32_t)*bytes) : 0;
    switch (next(4)) {
    case 0:
        text[at] = spice[next(sizeof spice - 1)];
        break;
    case 1:
        if (*bytes > 0) {
            memmove(text + at, text + at + 1, *bytes - at - 1);
            --*bytes;
        }
        break;
    case 2:
        memmove(text + at + 1, text + at, *bytes - at);
        text[at] = spice[next(sizeof spice - 1)];
        ++*bytes;
        break;
    default:
        text[at] = (char)next(256);
    }
}

static void
test_mutations_give_the_same_both_ways(void **state)
{
    (void)state;
    for (seed = 1; seed < 20000; seed++) {
        uint32_t start = seed;
        const char *from =
            next(2) ? taken[next(COUNT(taken))] : left[next(COUNT(left))];
        size_t bytes = strlen(from);
        char *text = malloc(bytes + 8);
        memcpy(text, from, bytes);
        for (uint32_t n = next(4); n > 0; n--)
            mutate(text, &bytes);
        char *exact = malloc(bytes + 1);
        memcpy(exact, text, bytes);
        exact = realloc(exact, bytes ? bytes : 1);
        if (!differential_check(exact, bytes, NULL))
            fail_msg("seed %u", start);
        free(exact);
        free(text);
        seed = start;
    }
}

/* ---- samples ---- */

struct heard {
    int16_t samples[70000];
    size_t count;
    int events;
};

static void
hear(void *arg, const struct sonic_event *event)
{
    struct heard *heard = arg;
    assert_int_equal(event->type, SONIC_AUDIO);
    heard->count = event->u.audio.count;
    memcpy(heard->samples, event->u.audio.samples, 2 * heard->count);
    heard->events++;
}

static void
test_samples_come_through(void **state)
{
    (void)state;
    static struct heard heard;
    static int16_t samples[70000];
    static char json[200000];
    static const struct sonic_decoder_ops ops = {hear, NULL};
    struct sonic_decoder *decoder = sonic_decoder_new(&ops, &heard);
    for (size_t i = 0; i < COUNT(samples); i++)
        samples[i] = (int16_t)(i * 7919);
    static const size_t counts[] = {1, 2, 3, 960, 8192, 8193, 70000, 5};
    for (size_t i = 0; i < COUNT(counts); i++) {
        size_t at = (size_t)snprintf(json, sizeof json,
                                     "{\"event\":{\"audioOutput\":"
                                     "{\"content\":\"");
        at += base64_encode((uint8_t *)samples, 2 * counts[i], json + at);
        memcpy(json + at, "\"}}}", 4);
        assert_int_equal(sonic_decode(decoder, json, at + 4), VR_OK);
        assert_int_equal(heard.count, counts[i]);
        assert_memory_equal(heard.samples, samples, 2 * counts[i]);
    }
    assert_int_equal(heard.events, COUNT(counts));
    assert_int_equal(sonic_decoder_counters(decoder)->audio_scanned,
                     COUNT(counts));
    assert_int_equal(sonic_decoder_counters(decoder)->audio_fallback, 0);
    sonic_decoder_free(&decoder);
}

/* A megabyte of what used to be slow in other readers must not be here. */
static void
test_hostile_text_is_read_in_linear_time(void **state)
{
    (void)state;
    size_t bytes = 1 << 20;
    char *json = malloc(bytes);
    for (int kind = 0; kind < 3; kind++) {
        int n = snprintf(json, bytes, "%s",
                         "{\"event\":{\"audioOutput\":{\"content\":\"");
        memset(json + n,
               kind == 0   ? '\\'
               : kind == 1 ? 'A'
                           : '"',
               bytes - (size_t)n);
        json[bytes - 1] = '"';
        assert_true(differential_check(json, bytes, NULL));
    }
    free(json);
}

static void
test_objects(void **state)
{
    (void)state;
    static const char *const good[] = {
        "{}", " {\"a\":[]} ", "{\"a\":{\"b\":[[],{}]},\"c\":\"\\u00e9\"}",
        "{\"a\":-0.5e+10,\"b\":0}"};
    static const char *const bad[] = {"",
                                      "[]",
                                      "{",
                                      "{}}",
                                      "{\"a\"}",
                                      "{\"a\":}",
                                      "{\"a\":1,}",
                                      "{,}",
                                      "{\"a\":[1,]}",
                                      "{a:1}",
                                      "{\"a\":01}",
                                      "{\"a\":.5}",
                                      "{\"a\":1.}",
                                      "{\"a\":+1}",
                                      "{\"a\":1e}",
                                      "{\"a\":nul}",
                                      "{\"a\":\"\\x\"}",
                                      "{\"a\":\"\\u12\"}",
                                      "{\"a\":[}",
                                      "{\"a\":[1}",
                                      "{\"a\":\"\t\"}",
                                      "{\"a\":1]",
                                      "{\"a\":\"\\u0000\"}",
                                      "{\"a\":\"\\udc00\"}"};
    for (size_t i = 0; i < COUNT(good); i++)
        assert_true(scan_is_object(good[i], strlen(good[i])));
    for (size_t i = 0; i < COUNT(bad); i++)
        if (scan_is_object(bad[i], strlen(bad[i])))
            fail_msg("accepted: %s", bad[i]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_the_scanner_takes),
        cmocka_unit_test(test_what_the_scanner_leaves),
        cmocka_unit_test(test_mutations_give_the_same_both_ways),
        cmocka_unit_test(test_samples_come_through),
        cmocka_unit_test(test_hostile_text_is_read_in_linear_time),
        cmocka_unit_test(test_objects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

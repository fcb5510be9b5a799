/* What happens for every chunk of audio allocates nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/bedrock/eventstream.h"
#include "tests/shared/starve.h"

#define EVENT_BYTES 1500

static struct signer *
make_signer(void)
{
    static const struct credentials credentials = {
        .access_key_id = "AKIDEXAMPLE", .secret_access_key = "secret"};
    struct signer *signer = signer_new(&credentials, "us-east-1", "bedrock");

    assert_non_null(signer);
    return signer;
}

static void
test_counting_works(void **state)
{
    unsigned long before = starve_count();
    void *volatile block;

    (void)state;
    if (!starve_works())
        skip();
    block = malloc(10);
    free(block);
    assert_int_equal(starve_count(), before + 1);
}

/* Also over midnight, when the key is derived again. */
static void
test_encoding_allocates_nothing(void **state)
{
    struct signer *signer = make_signer();
    char json[EVENT_BYTES];
    uint8_t *out = malloc(eventstream_event_bound(EVENT_BYTES));
    unsigned long before;
    size_t bytes = 0;

    (void)state;
    assert_non_null(out);
    memset(json, 'j', sizeof json);
    before = starve_count();
    for (int64_t i = 0; i < 100; i++)
        bytes += eventstream_encode_event(signer, 1772323190000 + i * 200, json,
                                          sizeof json, out,
                                          eventstream_event_bound(EVENT_BYTES));
    bytes += eventstream_encode_end(signer, 1772323200000, out,
                                    EVENTSTREAM_END_BYTES);
    assert_int_equal(starve_count(), before);
    assert_int_equal(bytes, 100 * eventstream_event_bound(EVENT_BYTES) +
                                EVENTSTREAM_END_BYTES);
    free(out);
    signer_free(&signer);
}

static void
on_message(void *arg, const struct eventstream_message *message)
{
    uint8_t event[4096];

    assert_true(message->payload_bytes <= sizeof event);
    assert_int_equal(eventstream_payload_decode(message->payload,
                                                message->payload_bytes, event),
                     3);
    ++*(int *)arg;
}

/* Messages that arrive whole need no buffer; split ones need one, once. */
static void
test_decoding_allocates_no_more(void **state)
{
    static const char payload[] = "{\"bytes\":\"Zm9v\",\"p\":\"abc\"}";
    struct eventstream_decoder *decoder = eventstream_decoder_new(65536);
    uint8_t frame[128];
    unsigned long before;
    int messages = 0;
    size_t bytes = eventstream_encode(NULL, 0, (const uint8_t *)payload,
                                      sizeof payload - 1, frame, sizeof frame);

    (void)state;
    assert_non_null(decoder);
    assert_true(bytes > 0);
    before = starve_count();
    for (int i = 0; i < 100; i++)
        assert_int_equal(
            eventstream_decode(decoder, frame, bytes, on_message, &messages),
            VR_OK);
    assert_int_equal(starve_count(), before);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(
            eventstream_decode(decoder, frame, 20, on_message, &messages),
            VR_OK);
        assert_int_equal(eventstream_decode(decoder, frame + 20, bytes - 20,
                                            on_message, &messages),
                         VR_OK);
    }
    assert_true(starve_count() - before <= 2);
    assert_int_equal(messages, 200);
    eventstream_decoder_free(&decoder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counting_works),
        cmocka_unit_test(test_encoding_allocates_nothing),
        cmocka_unit_test(test_decoding_allocates_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

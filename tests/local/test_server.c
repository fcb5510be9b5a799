/* voxring-local as clients see it: whole streams over TLS and HTTP/2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/local/client_events.h"
#include "tests/local/client_h2.h"
#include "tests/local/client_program.h"

#define MODEL "amazon.nova-2-sonic-v1%3A0"
#define WAIT_MS 15000

static struct client_program program;

/* What one test works with. */
struct fixture {
    struct client *client;
    struct client_signer signer;
    struct client_request request;
};

static int
start_program(void **state)
{
    const char *const arguments[] = {"--ear", "none", NULL};
    (void)state;
    return client_program_start(&program, arguments) ? 0 : -1;
}

static int
stop_program(void **state)
{
    (void)state;
    int status = client_program_stop(&program);
    if (status != 0)
        fprintf(stderr, "voxring-local exits with %d\n", status);
    client_program_clean(&program);
    return status;
}

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    client_signer_init(&f->signer);
    f->client = client_connect(program.port, program.ca_file, "\x02h2");
    client_request_init(&f->request, MODEL, program.port, client_wall_ms(),
                        &f->signer);
    *state = f;
    return f->client != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    client_free(&f->client);
    free(f);
    return 0;
}

static struct client_stream *
open_signed(struct fixture *f)
{
    client_request_sign(&f->request, &f->signer, "host");
    return client_open(f->client, &f->request, false);
}

static void
send_all(struct fixture *f, struct client_stream *stream,
         struct client_signer *signer, const char *const *events)
{
    for (; *events != NULL; events++)
        client_send_event(f->client, stream, signer, *events);
}

/* ---- good streams ---- */

static const char *const beginning[] = {CLIENT_BEGINNING, AUDIO_INPUT, NULL};
static const char *const ending[] = {CLIENT_ENDING, NULL};

static void
assert_good_end(const struct client_stream *stream)
{
    assert_int_equal(stream->status, 200);
    assert_true(stream->ended);
    assert_false(stream->reset);
    assert_null(client_find(stream, "xception"));
}

static void
good_stream(void **state)
{
    struct fixture *f = *state;
    struct client_stream *stream = open_signed(f);
    /* Nothing comes back before the first event. */
    assert_false(client_run(f->client, client_has_status, stream, 150));
    send_all(f, stream, &f->signer, beginning);
    assert_true(client_run(f->client, client_has_status, stream, WAIT_MS));
    assert_int_equal(stream->status, 200);
    assert_string_equal(stream->content_type,
                        "application/vnd.amazon.eventstream");
    assert_string_equal(stream->errortype, "");
    assert_int_equal(strlen(stream->request_id), 36);
    assert_non_null(strstr(stream->date, " GMT"));
    send_all(f, stream, &f->signer, ending);
    client_send_end(f->client, stream, &f->signer);
    client_finish(f->client, stream);
    assert_true(client_run(f->client, client_has_ended, stream, WAIT_MS));
    assert_good_end(stream);
    assert_true(client_program_logged(&program, "\"type\":\"sessionEnd\""));
    assert_true(client_program_logged(&program, "\"audio_bytes\":"));
}

static void
authority_may_be_signed(void **state)
{
    struct fixture *f = *state;
    client_request_sign(&f->request, &f->signer, ":authority");
    struct client_stream *stream = client_open(f->client, &f->request, false);
    send_all(f, stream, &f->signer, beginning);
    assert_true(client_run(f->client, client_has_status, stream, WAIT_MS));
    assert_int_equal(stream->status, 200);
}

static void
several_streams(void **state)
{
    enum { STREAMS = 8 };
    struct fixture *f = *state;
    struct client_signer signers[STREAMS];
    struct client_stream *streams[STREAMS];
    for (int i = 0; i < STREAMS; i++) {
        client_signer_init(&signers[i]);
        client_request_init(&f->request, MODEL, program.port, client_wall_ms(),
                            &signers[i]);
        client_request_sign(&f->request, &signers[i], "host");
        streams[i] = client_open(f->client, &f->request, false);
    }
    for (int i = 0; i < STREAMS; i++)
        send_all(f, streams[i], &signers[i], beginning);
    for (int i = 0; i < STREAMS; i++) {
        assert_true(
            client_run(f->client, client_has_status, streams[i], WAIT_MS));
        send_all(f, streams[i], &signers[i], ending);
        client_send_end(f->client, streams[i], &signers[i]);
        client_finish(f->client, streams[i]);
    }
    for (int i = 0; i < STREAMS; i++) {
        assert_true(
            client_run(f->client, client_has_ended, streams[i], WAIT_MS));
        assert_good_end(streams[i]);
    }
}

/* More than any window holds: they are opened again as data is taken. */
static void
much_audio(void **state)
{
    enum { EVENTS = 350, TEXT_BYTES = 16384 };
    struct fixture *f = *state;
    struct client_stream *stream = open_signed(f);
    char *event = malloc(TEXT_BYTES + 256);
    int used = snprintf(event, 256,
                        "{\"event\":{\"audioInput\":{\"promptName\":\"P\","
                        "\"contentName\":\"A\",\"content\":\"");
    memset(event + used, 'A', TEXT_BYTES);
    snprintf(event + used + TEXT_BYTES, 16, "\"}}}");
    send_all(f, stream, &f->signer, beginning);
    for (int i = 0; i < EVENTS; i++)
        client_send_event(f->client, stream, &f->signer, event);
    free(event);
    assert_true(stream->out_bytes > 5 * 1024 * 1024);
    assert_true(client_run(f->client, client_has_sent, stream, WAIT_MS));
    send_all(f, stream, &f->signer, ending);
    client_send_end(f->client, stream, &f->signer);
    client_finish(f->client, stream);
    assert_true(client_run(f->client, client_has_ended, stream, WAIT_MS));
    assert_good_end(stream);
}

/* The body arrives a byte at a time, each in a DATA frame of its own. */
static void
split_everywhere(void **state)
{
    struct fixture *f = *state;
    struct client_stream *stream = open_signed(f);
    size_t inner_bytes, frame_bytes;
    uint8_t *inner =
        client_inner(SESSION_START, strlen(SESSION_START), &inner_bytes);
    uint8_t *frame = client_sign_frame(&f->signer, client_wall_ms(), inner,
                                       inner_bytes, &frame_bytes);
    for (size_t i = 0; i < frame_bytes; i++) {
        assert_int_equal(stream->status, 0);
        client_send(f->client, stream, frame + i, 1);
        assert_true(client_run(f->client, client_has_sent, stream, WAIT_MS));
    }
    free(inner);
    free(frame);
    assert_true(client_run(f->client, client_has_status, stream, WAIT_MS));
    assert_int_equal(stream->status, 200);
}

/* ---- refused requests ---- */

static void
assert_refused(struct fixture *f, struct client_stream *stream, int status,
               const char *errortype, const char *message)
{
    assert_true(client_run(f->client, client_has_ended, stream, WAIT_MS));
    assert_int_equal(stream->status, status);
    assert_string_equal(stream->errortype, errortype);
    assert_string_equal(stream->content_type, "application/json");
    assert_int_equal(strlen(stream->request_id), 36);
    assert_true(stream->ended);
    assert_non_null(strstr((char *)stream->body, "{\"message\":\""));
    if (strstr((char *)stream->body, message) == NULL)
        fail_msg("'%s' is not in %s", message, (char *)stream->body);
}

static void
refuses(struct fixture *f, const char *errortype, const char *message)
{
    struct client_stream *stream = client_open(f->client, &f->request, false);
    assert_refused(f, stream, 403, errortype, message);
}

static void
wrong_route(void **state)
{
    struct fixture *f = *state;
    snprintf(f->request.path, sizeof(f->request.path), "/model/a/invoke");
    struct client_stream *stream = open_signed(f);
    assert_refused(f, stream, 404, "UnknownOperationException", "No operation");
}

static void
wrong_method(void **state)
{
    struct fixture *f = *state;
    f->request.method = "GET";
    client_request_sign(&f->request, &f->signer, "host");
    struct client_stream *stream = client_open(f->client, &f->request, true);
    assert_refused(f, stream, 405, "UnknownOperationException", "use POST");
}

static void
no_authorization(void **state)
{
    refuses(*state, "MissingAuthenticationTokenException",
            "Missing Authentication Token");
}

static void
bearer(void **state)
{
    struct fixture *f = *state;
    client_request_set(&f->request, "authorization", "Bearer abc");
    refuses(f, "AccessDeniedException", "API keys are not supported");
}

static void
unknown_key(void **state)
{
    struct fixture *f = *state;
    f->signer.access_key_id = "AKIAIOSFODNN7EXAMPLE";
    client_request_sign(&f->request, &f->signer, "host");
    refuses(f, "UnrecognizedClientException",
            "The security token included in the request is invalid.");
}

static void
unexpected_token(void **state)
{
    struct fixture *f = *state;
    client_request_set(&f->request, "x-amz-security-token", "abc");
    client_request_sign(&f->request, &f->signer, "host");
    refuses(f, "UnrecognizedClientException", "security token");
}

static void
wrong_secret(void **state)
{
    struct fixture *f = *state;
    f->signer.secret = "wrong";
    client_request_sign(&f->request, &f->signer, "host");
    refuses(f, "InvalidSignatureException",
            "The Canonical String for this request should have been\\n'POST\\n"
            "/model/amazon.nova-2-sonic-v1%253A0/");
}

static void
changed_header(void **state)
{
    struct fixture *f = *state;
    client_request_set(&f->request, "x-amz-user-agent", "a");
    client_request_sign(&f->request, &f->signer, "host");
    client_request_set(&f->request, "x-amz-user-agent", "b");
    refuses(f, "InvalidSignatureException", "does not match the signature");
}

static void
unsigned_amz_header(void **state)
{
    struct fixture *f = *state;
    client_request_sign(&f->request, &f->signer, "host");
    client_request_set(&f->request, "x-amz-user-agent", "b");
    refuses(f, "InvalidSignatureException",
            "'x-amz-user-agent' must be a 'SignedHeader'");
}

static void
missing_signed_header(void **state)
{
    struct fixture *f = *state;
    client_request_set(&f->request, "x-extra", "b");
    client_request_sign(&f->request, &f->signer, "host");
    client_request_set(&f->request, "x-extra", NULL);
    refuses(f, "InvalidSignatureException", "'x-extra' is a 'SignedHeader'");
}

static void
refuses_at(struct fixture *f, int64_t wall_ms, const char *message)
{
    client_request_init(&f->request, MODEL, program.port, wall_ms, &f->signer);
    client_request_sign(&f->request, &f->signer, "host");
    refuses(f, "InvalidSignatureException", message);
}

static void
old_and_early_dates(void **state)
{
    struct fixture *f = *state;
    refuses_at(f, client_wall_ms() - 6 * 60 * 1000, "Signature expired: ");
    refuses_at(f, client_wall_ms() + 6 * 60 * 1000,
               "Signature not yet current: ");
}

static void
wrong_scope(void **state)
{
    struct fixture *f = *state;
    f->signer.service = "bedrock-runtime";
    client_request_sign(&f->request, &f->signer, "host");
    refuses(f, "InvalidSignatureException", "correct service: 'bedrock'");
    f->signer.service = "bedrock";
    f->signer.region = "nowhere";
    client_request_sign(&f->request, &f->signer, "host");
    refuses(f, "InvalidSignatureException", "valid region");
}

static void
malformed_authorization(void **state)
{
    struct fixture *f = *state;
    static const char *const values[] = {
        "AWS4-HMAC-SHA256 x", "AWS4-HMAC-SHA256 Credential=a", "Basic abc",
        "AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=0"};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        client_request_set(&f->request, "authorization", values[i]);
        refuses(f, "IncompleteSignatureException", "");
    }
}

static void
wrong_body_kind(void **state)
{
    struct fixture *f = *state;
    client_request_set(&f->request, "x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    client_request_sign(&f->request, &f->signer, "host");
    refuses(f, "InvalidSignatureException", "x-amz-content-sha256 must be");
    client_request_set(&f->request, "content-type", "application/json");
    struct client_stream *stream = client_open(f->client, &f->request, false);
    assert_refused(f, stream, 415, "UnsupportedMediaTypeException",
                   "content-type must be");
}

static void
wrong_models(void **state)
{
    static const char *const models[] = {
        "amazon.nova-lite-v1%3A0", "us.amazon.nova-2-sonic-v1%3A0",
        "amazon.nova-2.5-sonic-v1%3A0", "%3", "a%00b"};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
        client_request_init(&f->request, models[i], program.port,
                            client_wall_ms(), &f->signer);
        struct client_stream *stream = open_signed(f);
        assert_refused(f, stream, 400, "ValidationException",
                       "The provided model identifier is invalid.");
    }
}

static void
good_models(void **state)
{
    static const char *const models[] = {
        "amazon.nova-sonic-v1%3A0", "amazon.nova-2-5-sonic",
        "arn%3Aaws%3Abedrock%3Aus-east-1%3A%3Afoundation-model%2F" MODEL};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
        client_signer_init(&f->signer);
        client_request_init(&f->request, models[i], program.port,
                            client_wall_ms(), &f->signer);
        struct client_stream *stream = open_signed(f);
        client_send_event(f->client, stream, &f->signer, SESSION_START);
        assert_true(client_run(f->client, client_has_status, stream, WAIT_MS));
        assert_int_equal(stream->status, 200);
    }
}

/* ---- broken streams ---- */

static void
bad_first_chunk_signature(void **state)
{
    struct fixture *f = *state;
    struct client_stream *stream = open_signed(f);
    f->signer.prior[0] = f->signer.prior[0] == '0' ? '1' : '0';
    client_send_event(f->client, stream, &f->signer, SESSION_START);
    assert_refused(f, stream, 403, "InvalidSignatureException",
                   "chunk signature");
}

/* Sends one good event and waits for its 200. */
static struct client_stream *
open_talking(struct fixture *f)
{
    struct client_stream *stream = open_signed(f);
    client_send_event(f->client, stream, &f->signer, SESSION_START);
    assert_true(client_run(f->client, client_has_status, stream, WAIT_MS));
    assert_int_equal(stream->status, 200);
    return stream;
}

/* The stream ends with the exception, END_STREAM and, as the client has not
 * ended its side, RST_STREAM with NO_ERROR. */
static void
assert_exception(struct fixture *f, struct client_stream *stream,
                 const char *text)
{
    assert_true(client_run(f->client, client_has_ended, stream, WAIT_MS));
    assert_true(stream->ended);
    if (stream->reset)
        assert_int_equal(stream->error, 0);
    const char *found = client_find(stream, text);
    if (found == NULL)
        fail_msg("no exception with '%s'", text);
    assert_non_null(strstr(found, "validationException {\"message\":\""));
    assert_true(client_program_logged(&program, "\"kind\":\"violation\""));
}

static void
bad_later_signature(void **state)
{
    struct fixture *f = *state;
    struct client_stream *stream = open_talking(f);
    f->signer.prior[0] = f->signer.prior[0] == '0' ? '1' : '0';
    client_send_event(f->client, stream, &f->signer, PROMPT_START);
    assert_exception(f, stream, "chunk signature");
}

static void
swapped_chunks(void **state)
{
    struct fixture *f = *state;
    struct client_stream *stream = open_talking(f);
    size_t inner_bytes, first_bytes, second_bytes;
    uint8_t *inner =
        client_inner(PROMPT_START, strlen(PROMPT_START), &inner_bytes);
    uint8_t *first = client_sign_frame(&f->signer, client_wall_ms(), inner,
                                       inner_bytes, &first_bytes);
    uint8_t *second = client_sign_frame(&f->signer, client_wall_ms(), inner,
                                        inner_bytes, &second_bytes);
    client_send(f->client, stream, second, second_bytes);
    client_send(f->client, stream, first, first_bytes);
    free(inner);
    free(first);
    free(second);
    assert_exception(f, stream, "chunk signature");
}

static void
stale_chunk(void **state)
{
    struct fixture *f = *state;
    struct client_stream *stream = open_talking(f);
    size_t inner_bytes, frame_bytes;
    uint8_t *inner =
        client_inner(PROMPT_START, strlen(PROMPT_START), &inner_bytes);
    uint8_t *frame =
        client_sign_frame(&f->signer, client_wall_ms() - 6 * 60 * 1000, inner,
                          inner_bytes, &frame_bytes);
    client_send(f->client, stream, frame, frame_bytes);
    free(inner);
    free(frame);
    assert_exception(f, stream, "Signature expired");
}

static void
bad_crc(void **state)
{
    struct fixture *f = *state;
    struct client_stream *stream = open_talking(f);
    uint8_t zeros[64] = {0, 0, 0, 64};
    client_send(f->client, stream, zeros, sizeof(zeros));
    assert_exception(f, stream, "CRC");
}

static void
unsigned_chunk(void **state)
{
    struct fixture *f = *state;
    struct client_stream *stream = open_talking(f);
    size_t inner_bytes;
    uint8_t *inner =
        client_inner(SESSION_END, strlen(SESSION_END), &inner_bytes);
    client_send(f->client, stream, inner, inner_bytes);
    free(inner);
    assert_exception(f, stream, "every frame must be signed");
}

static void
send_inner(struct fixture *f, struct client_stream *stream, const void *inner,
           size_t inner_bytes)
{
    size_t frame_bytes;
    uint8_t *frame = client_sign_frame(&f->signer, client_wall_ms(), inner,
                                       inner_bytes, &frame_bytes);
    client_send(f->client, stream, frame, frame_bytes);
    free(frame);
}

static void
bad_inner(void **state)
{
    struct fixture *f = *state;
    struct client_stream *stream = open_talking(f);
    send_inner(f, stream, "not a frame", 11);
    assert_exception(f, stream, "inside a signed frame is malformed");
    client_signer_init(&f->signer);
    stream = open_talking(f);
    static const uint8_t headers[] = "\x0d:message-type\x07\x00\x05"
                                     "event";
    size_t inner_bytes;
    uint8_t *inner =
        client_frame(headers, sizeof(headers) - 1, "{}", 2, &inner_bytes);
    send_inner(f, stream, inner, inner_bytes);
    free(inner);
    assert_exception(f, stream, ":event-type of a chunk is missing");
}

static void
too_large_event(void **state)
{
    struct fixture *f = *state;
    struct client_stream *stream = open_talking(f);
    size_t size = 1000001, inner_bytes;
    char *json = malloc(size);
    memset(json, ' ', size);
    uint8_t *inner = client_inner(json, size, &inner_bytes);
    send_inner(f, stream, inner, inner_bytes);
    free(inner);
    free(json);
    assert_exception(f, stream, "1000000 is most");
}

static void
announced_too_large(void **state)
{
    struct fixture *f = *state;
    struct client_stream *stream = open_talking(f);
    /* 16 MiB - 1 of total, no headers, and the CRC of that. */
    static const uint8_t prelude[12] = {0x00, 0xff, 0xff, 0xff, 0,    0,
                                        0,    0,    0xd9, 0xb4, 0xf9, 0x19};
    client_send(f->client, stream, prelude, sizeof(prelude));
    assert_exception(f, stream, "16777215 bytes are announced");
}

static void
end_without_end_frame(void **state)
{
    struct fixture *f = *state;
    struct client_stream *stream = open_talking(f);
    client_finish(f->client, stream);
    assert_exception(f, stream, "without the signed empty frame");
}

static void
end_in_a_frame(void **state)
{
    struct fixture *f = *state;
    struct client_stream *stream = open_talking(f);
    client_send(f->client, stream, "\0\0\0", 3);
    client_finish(f->client, stream);
    assert_exception(f, stream, "in the middle of a frame");
}

static void
end_at_once(void **state)
{
    struct fixture *f = *state;
    client_request_sign(&f->request, &f->signer, "host");
    struct client_stream *stream = client_open(f->client, &f->request, true);
    assert_refused(f, stream, 400, "ValidationException",
                   "ended before its first event");
}

static void
event_after_end_frame(void **state)
{
    struct fixture *f = *state;
    struct client_stream *stream = open_signed(f);
    send_all(f, stream, &f->signer, beginning);
    send_all(f, stream, &f->signer, ending);
    client_send_end(f->client, stream, &f->signer);
    client_send_event(f->client, stream, &f->signer, SESSION_END);
    assert_true(client_run(f->client, client_has_ended, stream, WAIT_MS));
    assert_true(
        client_program_logged(&program, "came after the signed empty frame"));
}

/* ---- connections ---- */

static void
alpn_required(void **state)
{
    (void)state;
    enum { NO_APPLICATION_PROTOCOL = 120 };
    assert_null(client_connect(program.port, program.ca_file, NULL));
    assert_int_equal(client_last_alert(), NO_APPLICATION_PROTOCOL);
    assert_null(client_connect(program.port, program.ca_file, "\x08http/1.1"));
    assert_int_equal(client_last_alert(), NO_APPLICATION_PROTOCOL);
}

static void
client_goes_away(void **state)
{
    struct fixture *f = *state;
    open_talking(f);
    client_free(&f->client);
    assert_true(client_program_logged(&program, "opened for"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(good_stream),
        TEST(authority_may_be_signed),
        TEST(several_streams),
        TEST(much_audio),
        TEST(split_everywhere),
        TEST(wrong_route),
        TEST(wrong_method),
        TEST(no_authorization),
        TEST(bearer),
        TEST(unknown_key),
        TEST(unexpected_token),
        TEST(wrong_secret),
        TEST(changed_header),
        TEST(unsigned_amz_header),
        TEST(missing_signed_header),
        TEST(old_and_early_dates),
        TEST(wrong_scope),
        TEST(malformed_authorization),
        TEST(wrong_body_kind),
        TEST(wrong_models),
        TEST(good_models),
        TEST(bad_first_chunk_signature),
        TEST(bad_later_signature),
        TEST(swapped_chunks),
        TEST(stale_chunk),
        TEST(bad_crc),
        TEST(unsigned_chunk),
        TEST(bad_inner),
        TEST(too_large_event),
        TEST(announced_too_large),
        TEST(end_without_end_frame),
        TEST(end_in_a_frame),
        TEST(end_at_once),
        TEST(event_after_end_frame),
        TEST(alpn_required),
        TEST(client_goes_away),
#undef TEST
    };
    return cmocka_run_group_tests_name("local/server", tests, start_program,
                                       stop_program);
}

/* What a hostile endpoint can answer: headers, a body of frames or of JSON,
 * split anywhere. The verdict comes at most once and its text is UTF-8.
 *
 * Of the input, lines up to an empty one are "name: value" headers; the rest
 * is the body.
 *
 * fuzz-module: gateway/bedrock/response.c gateway/bedrock/end.c
 * fuzz-module: gateway/bedrock/date.c
 * fuzz-module: gateway/bedrock/crc32.c gateway/bedrock/digest.c
 * fuzz-module: gateway/bedrock/sigv4.c gateway/bedrock/sigv4_canonical.c
 * fuzz-module: gateway/bedrock/signer.c gateway/bedrock/eventstream.c
 * fuzz-module: gateway/bedrock/eventstream_decoder.c
 * fuzz-module: gateway/bedrock/eventstream_payload.c gateway/base64.c
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/bedrock/h2.h"
#include "gateway/bedrock/response.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    unsigned accepts, verdicts, exceptions;
    size_t json_bytes;
};

/* The only thing that end.c asks of HTTP/2. */
const char *
h2_error_name(uint32_t error)
{
    (void)error;
    return "";
}

static void
check(bool good)
{
    if (!good)
        abort();
}

static void
on_accept(void *arg, const char *request_id)
{
    struct seen *seen = arg;
    check(++seen->accepts == 1 && strlen(request_id) < 64);
}

static void
on_event(void *arg, const char *json, size_t json_bytes)
{
    struct seen *seen = arg;

    check(!seen->verdicts);
    for (size_t i = 0; i < json_bytes; i++)
        seen->json_bytes += (uint8_t)json[i] != 0;
}

static void
on_verdict(void *arg)
{
    struct seen *seen = arg;
    check(++seen->verdicts == 1);
}

/* Every other exception is outlived. */
static bool
on_exception(void *arg, const struct bedrock_end *end)
{
    struct seen *seen = arg;

    check(!seen->verdicts && end->cause == BEDROCK_END_exception);
    check(memchr(end->message, 0, sizeof(end->message)) &&
          memchr(end->code, 0, sizeof(end->code)));
    return ++seen->exceptions % 2;
}

static const struct response_ops ops = {on_accept, on_event, on_verdict,
                                        on_exception};

/* Returns what follows the headers. */
static const uint8_t *
headers_take(struct response *response, const uint8_t *at, const uint8_t *end)
{
    while (at < end) {
        const uint8_t *line = memchr(at, '\n', (size_t)(end - at));
        const uint8_t *colon;
        if (!line || line == at)
            return line ? line + 1 : end;
        colon = memchr(at + 1, ':', (size_t)(line - at - 1));
        if (colon)
            response_header(response, (const char *)at, (size_t)(colon - at),
                            (const char *)colon + 1,
                            (size_t)(line - colon - 1));
        at = line + 1;
    }
    return at;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen seen = {0};
    struct bedrock_end end = {0};
    struct response *response = response_new(&ops, &seen);
    const uint8_t *last = data + size;
    size_t step = size ? data[0] % 61 + 1u : 1;

    check(response != NULL);
    const uint8_t *at = headers_take(response, data + (size > 0), last);
    if (response_headers_end(response)) {
        for (; at < last; at += step) {
            if (step > (size_t)(last - at))
                step = (size_t)(last - at);
            response_body(response, at, step);
        }
    }
    bool verdict = response_end(response, &end);
    check(verdict == response_end(response, &end));
    check(verdict || !seen.verdicts);
    check(end.retry_after_ms <= RESPONSE_RETRY_AFTER_MS);
    check(memchr(end.message, 0, sizeof(end.message)) &&
          memchr(end.code, 0, sizeof(end.code)));
    response_free(&response);
    return 0;
}

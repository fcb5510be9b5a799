#include "gateway/bedrock/response.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "gateway/bedrock/date.h"
#include "gateway/bedrock/end.h"
#include "gateway/bedrock/eventstream.h"

struct response {
    const struct response_ops *ops;
    void *arg;
    struct eventstream_decoder *decoder;
    uint8_t *json; /* of the event being delivered; grows to the largest */
    size_t json_capacity;
    char *body; /* of a refusal, allocated when one comes */
    size_t body_bytes;
    bool body_lost;         /* there was no memory for it */
    struct bedrock_end end; /* what is known so far */
    char content_type[64];
    char retry_after[32];
    bool headers_done; /* what comes later are trailers */
    bool verdict;
    uint64_t ignored;
};

struct response *
response_new(const struct response_ops *ops, void *arg)
{
    struct response *response = calloc(1, sizeof(*response));
    if (!response)
        return NULL;
    response->ops = ops;
    response->arg = arg;
    response->decoder = eventstream_decoder_new(RESPONSE_MESSAGE_BYTES);
    if (!response->decoder)
        response_free(&response);
    return response;
}

void
response_free(struct response **response)
{
    struct response *r = *response;
    if (!r)
        return;
    eventstream_decoder_free(&r->decoder);
    free(r->json);
    free(r->body);
    free(r);
    *response = NULL;
}

/* ---- headers ---- */

/* "ValidationException:http://..." and "com.amazon#ValidationException" are
 * ValidationException. */
static void
code_copy(char *out, size_t out_size, const char *text, size_t bytes)
{
    const char *hash = memchr(text, '#', bytes);
    if (hash) {
        bytes -= (size_t)(hash + 1 - text);
        text = hash + 1;
    }
    const char *colon = memchr(text, ':', bytes);
    end_copy(out, out_size, text, colon ? (size_t)(colon - text) : bytes);
}

static int
status_parse(const char *value, size_t bytes)
{
    int status = 0;

    for (size_t i = 0; i < bytes; i++) {
        if (bytes != 3 || value[i] < '0' || value[i] > '9')
            return 0;
        status = status * 10 + value[i] - '0';
    }
    return status;
}

void
response_header(struct response *r, const char *name, size_t name_bytes,
                const char *value, size_t value_bytes)
{
    struct bedrock_end *end = &r->end;

    if (r->headers_done)
        return;
#define IS(literal) \
    (name_bytes == sizeof(literal) - 1 && !memcmp(name, literal, name_bytes))
    if (IS(":status"))
        end->http_status = status_parse(value, value_bytes);
    else if (IS("x-amzn-requestid"))
        end_copy(end->request_id, sizeof(end->request_id), value, value_bytes);
    else if (IS("x-amzn-errortype"))
        code_copy(end->code, sizeof(end->code), value, value_bytes);
    else if (IS("content-type"))
        end_copy(r->content_type, sizeof(r->content_type), value, value_bytes);
    else if (IS("date"))
        end->server_date_ms = date_http_ms(value, value_bytes);
    else if (IS("retry-after"))
        end_copy(r->retry_after, sizeof(r->retry_after), value, value_bytes);
#undef IS
}

/* Seconds, or a date, which only the endpoint's own clock is compared with. */
static uint32_t
retry_after_ms(const struct response *r)
{
    const char *text = r->retry_after;
    size_t digits = strspn(text, "0123456789");
    int64_t ms;

    if (digits && !text[digits])
        ms = digits > 9 ? INT64_MAX : strtol(text, NULL, 10) * INT64_C(1000);
    else
        ms = r->end.server_date_ms
                 ? date_http_ms(text, strlen(text)) - r->end.server_date_ms
                 : 0;
    return ms <= 0                        ? 0
           : ms > RESPONSE_RETRY_AFTER_MS ? RESPONSE_RETRY_AFTER_MS
                                          : (uint32_t)ms;
}

static void
verdict_give(struct response *r)
{
    r->verdict = true;
    r->ops->on_verdict(r->arg);
}

static bool
is_eventstream(const char *content_type)
{
    static const char expected[] = "application/vnd.amazon.eventstream";
    size_t bytes = sizeof(expected) - 1;

    return !*content_type || (!strncasecmp(content_type, expected, bytes) &&
                              strchr("; ", content_type[bytes]));
}

bool
response_headers_end(struct response *r)
{
    if (r->headers_done)
        return true;
    if (r->end.http_status >= 100 && r->end.http_status < 200) {
        r->end = (struct bedrock_end){0};
        r->content_type[0] = r->retry_after[0] = '\0';
        return false;
    }
    r->headers_done = true;
    if (r->end.http_status != 200)
        r->end.retry_after_ms = retry_after_ms(r);
    if (r->end.http_status != 200)
        return true;
    r->end.code[0] = '\0';
    if (is_eventstream(r->content_type)) {
        r->ops->on_accept(r->arg, r->end.request_id);
        return true;
    }
    end_set(&r->end, BEDROCK_END_bad_frame,
            "The endpoint answered 200 with content-type \"%s\" instead of "
            "application/vnd.amazon.eventstream; check that it is a Bedrock "
            "runtime endpoint",
            r->content_type);
    verdict_give(r);
    return true;
}

/* ---- a refusal ---- */

static void
refusal_keep(struct response *r, const uint8_t *bytes, size_t count)
{
    size_t room = RESPONSE_BODY_BYTES - r->body_bytes;

    if (!r->body && !r->body_lost)
        r->body = malloc(RESPONSE_BODY_BYTES);
    r->body_lost = !r->body;
    if (r->body_lost)
        return;
    if (count > room)
        count = room;
    memcpy(r->body + r->body_bytes, bytes, count);
    r->body_bytes += count;
}

static const char *
string_member(const cJSON *object, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

static const char *
message_member(const cJSON *object)
{
    const char *message = string_member(object, "message");
    return message ? message : string_member(object, "Message");
}

static void
refusal_read(struct response *r)
{
    struct bedrock_end *end = &r->end;
    cJSON *json =
        r->body ? cJSON_ParseWithLength(r->body, r->body_bytes) : NULL;
    const char *message = message_member(json);
    const char *type = string_member(json, "__type");

    if (type && !*end->code)
        code_copy(end->code, sizeof(end->code), type, strlen(type));
    if (message && *message)
        end_set(end, BEDROCK_END_http_status, "%s", message);
    else if (r->body_bytes && !json)
        end_set(end, BEDROCK_END_http_status, "HTTP %d, body: %.*s",
                end->http_status,
                (int)(r->body_bytes < 300 ? r->body_bytes : 300), r->body);
    else if (r->body_lost && !*end->code) /* the status alone says too little */
        end_by_memory(end, "the endpoint's refusal");
    else
        end_set(end, BEDROCK_END_http_status,
                "The endpoint answered HTTP %d %s", end->http_status,
                r->body_lost ? "and there was no memory for the message"
                             : "without a message");
    cJSON_Delete(json);
}

/* ---- events ---- */

static void
header_text(const struct eventstream_message *message, const char *name,
            char *out, size_t out_size)
{
    const struct eventstream_header *header = eventstream_find(message, name);

    *out = '\0';
    if (header && header->type == EVENTSTREAM_STRING)
        end_copy(out, out_size, (const char *)header->value,
                 header->value_bytes);
}

/* Payload {"message":"..."}; anything else is shown as it is. */
static void
exception_read(struct bedrock_end *end,
               const struct eventstream_message *message)
{
    const char *payload = (const char *)message->payload;
    cJSON *json = cJSON_ParseWithLength(payload, message->payload_bytes);
    const char *text = message_member(json);

    header_text(message, ":exception-type", end->code, sizeof(end->code));
    if (text)
        end_set(end, BEDROCK_END_exception, "%s", text);
    else
        end_copy(end->message, sizeof(end->message), payload,
                 message->payload_bytes);
    cJSON_Delete(json);
}

static void
error_read(struct bedrock_end *end, const struct eventstream_message *message)
{
    header_text(message, ":error-code", end->code, sizeof(end->code));
    header_text(message, ":error-message", end->message, sizeof(end->message));
}

static void
take_exception(struct response *r, const struct eventstream_message *message,
               void (*parse)(struct bedrock_end *end,
                             const struct eventstream_message *message))
{
    struct bedrock_end end = r->end;

    end.cause = BEDROCK_END_exception;
    parse(&end, message);
    if (r->ops->on_exception && r->ops->on_exception(r->arg, &end))
        return;
    r->end = end;
    verdict_give(r);
}

static bool
json_reserve(struct response *r, size_t bytes)
{
    if (bytes <= r->json_capacity)
        return true;
    size_t capacity = 8192;
    while (capacity < bytes)
        capacity *= 2;
    uint8_t *json = realloc(r->json, capacity);
    if (!json)
        return false;
    r->json = json;
    r->json_capacity = capacity;
    return true;
}

static void
take_chunk(struct response *r, const struct eventstream_message *message)
{
    if (!json_reserve(r, message->payload_bytes)) {
        end_by_memory(&r->end, "an event");
        verdict_give(r);
        return;
    }
    long bytes = eventstream_payload_decode(message->payload,
                                            message->payload_bytes, r->json);
    if (bytes >= 0) {
        r->ops->on_event(r->arg, (const char *)r->json, (size_t)bytes);
        return;
    }
    end_set(&r->end, BEDROCK_END_bad_frame,
            "The payload of a chunk (%zu bytes) is not an object with base64 "
            "in its member \"bytes\"",
            message->payload_bytes);
    verdict_give(r);
}

static void
on_message(void *arg, const struct eventstream_message *message)
{
    struct response *r = arg;
    const struct eventstream_header *type =
        eventstream_find(message, ":message-type");
    const struct eventstream_header *event =
        eventstream_find(message, ":event-type");

    if (r->verdict)
        return;
    if (type && eventstream_header_is(type, "exception"))
        take_exception(r, message, exception_read);
    else if (type && eventstream_header_is(type, "error"))
        take_exception(r, message, error_read);
    else if (type && eventstream_header_is(type, "event") && event &&
             eventstream_header_is(event, "chunk"))
        take_chunk(r, message);
    else
        r->ignored++;
}

static void
events_take(struct response *r, const uint8_t *bytes, size_t count)
{
    enum vr_status status =
        eventstream_decode(r->decoder, bytes, count, on_message, r);
    if (status == VR_OK || r->verdict)
        return;
    if (status == VR_NO_MEMORY)
        end_by_memory(&r->end, "an event");
    else
        end_set(&r->end, BEDROCK_END_bad_frame, "Malformed event stream: %s",
                eventstream_decoder_error(r->decoder));
    verdict_give(r);
}

void
response_body(struct response *r, const uint8_t *bytes, size_t count)
{
    if (r->verdict)
        return;
    if (r->end.http_status == 200)
        events_take(r, bytes, count);
    else
        refusal_keep(r, bytes, count);
}

bool
response_end(struct response *r, struct bedrock_end *end)
{
    if (!r->headers_done)
        return false;
    if (!r->verdict && r->end.http_status && r->end.http_status != 200) {
        refusal_read(r);
        r->verdict = true;
    }
    end->http_status = r->end.http_status;
    end->server_date_ms = r->end.server_date_ms;
    end->retry_after_ms = r->end.retry_after_ms;
    memcpy(end->request_id, r->end.request_id, sizeof(end->request_id));
    if (!r->verdict)
        return false;
    end->cause = r->end.cause;
    memcpy(end->code, r->end.code, sizeof(end->code));
    memcpy(end->message, r->end.message, sizeof(end->message));
    return true;
}

int
response_status(const struct response *r)
{
    return r->end.http_status;
}

bool
response_midway(const struct response *r)
{
    return r->end.http_status == 200 && eventstream_decoder_midway(r->decoder);
}

uint64_t
response_ignored(const struct response *r)
{
    return r->ignored;
}

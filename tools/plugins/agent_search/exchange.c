#include "tools/plugins/agent_search/exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <curl/curl.h>

#define BODY_MAX_BYTES (1u << 20)    /* of an answer, and of one event */
#define STREAM_MAX_BYTES (16u << 20) /* of all events of a stream */
#define CONNECT_MS 10000L
#define WAIT_MS 200 /* how soon a stop is noticed */

struct exchange {
    CURL *easy;
    CURLM *multi;
};

/* What the write callback needs. */
struct sink {
    CURL *easy;
    const struct exchange_request *request;
    struct exchange_response *response;
    struct sse sse;
    size_t stream_bytes;
    bool began;
    char error[CURL_ERROR_SIZE];
};

uint64_t
exchange_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

struct exchange *
exchange_new(void)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);

    if (!exchange)
        return NULL;
    exchange->easy = curl_easy_init();
    exchange->multi = curl_multi_init();
    if (!exchange->easy || !exchange->multi)
        exchange_free(&exchange);
    return exchange;
}

void
exchange_free(struct exchange **exchange)
{
    if (!*exchange)
        return;
    if ((*exchange)->easy)
        curl_easy_cleanup((*exchange)->easy);
    if ((*exchange)->multi)
        curl_multi_cleanup((*exchange)->multi);
    free(*exchange);
    *exchange = NULL;
}

void
exchange_response_fini(struct exchange_response *response)
{
    free(response->body);
    memset(response, 0, sizeof *response);
}

static bool
count_event(void *arg, const char *data, size_t bytes)
{
    struct sink *sink = arg;

    sink->response->events++;
    return sink->request->on_event(sink->request->arg, data, bytes);
}

static bool
is_event_stream(CURL *easy, long status)
{
    static const char type[] = "text/event-stream";
    char *given = NULL;

    curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &given);
    return status == 200 && given &&
           strncasecmp(given, type, sizeof type - 1) == 0;
}

static bool
take_body(struct exchange_response *response, const char *bytes, size_t n)
{
    char *larger;

    if (n > BODY_MAX_BYTES - response->body_bytes) {
        snprintf(response->why, sizeof response->why,
                 "its answer has more than %u bytes", BODY_MAX_BYTES);
        return false;
    }
    larger = realloc(response->body, response->body_bytes + n + 1);
    if (!larger) {
        snprintf(response->why, sizeof response->why,
                 "there is no memory for its answer");
        return false;
    }
    memcpy(larger + response->body_bytes, bytes, n);
    response->body = larger;
    response->body_bytes += n;
    larger[response->body_bytes] = '\0';
    return true;
}

static bool
take_stream(struct sink *sink, const char *bytes, size_t n)
{
    sink->stream_bytes += n;
    switch (sse_feed(&sink->sse, bytes, n)) {
    case SSE_ENOUGH:
        sink->response->end = EXCHANGE_ENOUGH;
        return false;
    case SSE_TOO_LARGE:
        snprintf(sink->response->why, sizeof sink->response->why,
                 "it sent an event of more than %u bytes", BODY_MAX_BYTES);
        return false;
    case SSE_MORE:
        break;
    }
    if (sink->stream_bytes <= STREAM_MAX_BYTES)
        return true;
    snprintf(sink->response->why, sizeof sink->response->why,
             "it sent more than %u bytes of events", STREAM_MAX_BYTES);
    return false;
}

static size_t
on_bytes(char *bytes, size_t size, size_t count, void *arg)
{
    struct sink *sink = arg;
    size_t n = size * count;
    bool good;

    if (!sink->began) {
        sink->began = true;
        curl_easy_getinfo(sink->easy, CURLINFO_RESPONSE_CODE,
                          &sink->response->status);
        sink->response->is_stream =
            sink->request->on_event &&
            is_event_stream(sink->easy, sink->response->status);
    }
    good = sink->response->is_stream ? take_stream(sink, bytes, n)
                                     : take_body(sink->response, bytes, n);
    return good ? n : 0;
}

static bool
add_header(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);

    if (longer)
        *list = longer;
    return longer != NULL;
}

/* A header without a value is dropped by libcurl unless it ends with a
 * semicolon instead of the colon. */
static bool
add_agents_header(struct curl_slist **list, const char *line)
{
    const char *colon = strchr(line, ':');
    char bare[128];

    if (colon[1 + strspn(colon + 1, " \t")] != '\0')
        return add_header(list, line);
    snprintf(bare, sizeof bare, "%.*s;", (int)(colon - line), line);
    return add_header(list, bare);
}

static bool
add_headers(struct curl_slist **list, const struct exchange_request *request)
{
    const struct headers *more = request->headers;
    char version[40];
    bool good;

    snprintf(version, sizeof version, "A2A-Version: %s", request->version);
    good = add_header(list, version) &&
           add_header(list, request->on_event
                                ? "Accept: text/event-stream, application/json"
                                : "Accept: application/json") &&
           add_header(list, "Expect:");
    if (request->body)
        good = good && add_header(list, "Content-Type: application/json");
    for (size_t i = 0; more && good && i < more->count; i++)
        good = add_agents_header(list, more->lines[i]);
    return good;
}

static void
set_options(CURL *easy, const struct exchange_request *request,
            struct curl_slist *list, struct sink *sink)
{
    curl_easy_reset(easy);
    curl_easy_setopt(easy, CURLOPT_URL, request->url);
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "voxring-agent_search/1.0");
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, sink->error);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, sink);
    if (request->ca_file)
        curl_easy_setopt(easy, CURLOPT_CAINFO, request->ca_file);
    if (request->body)
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body);
}

/* Whether nobody waits any more; the response says which way. */
static bool
is_over(const struct exchange_request *request,
        struct exchange_response *response)
{
    if (request->is_stopped && request->is_stopped(request->arg))
        response->end = EXCHANGE_STOPPED;
    else if (exchange_now_ns() >= request->deadline_ns)
        response->end = EXCHANGE_LATE;
    else
        return false;
    return true;
}

/* The transfer's own result, once it has one. */
static bool
result_of(CURLM *multi, CURLcode *result)
{
    int left;
    CURLMsg *message = curl_multi_info_read(multi, &left);

    if (!message || message->msg != CURLMSG_DONE)
        return false;
    *result = message->data.result;
    return true;
}

static void
fail(struct exchange_response *response, const char *why, const char *otherwise)
{
    response->end = EXCHANGE_FAILED;
    if (!response->why[0])
        snprintf(response->why, sizeof response->why, "%.190s",
                 why[0] ? why : otherwise);
}

/* Runs what was added to the multi handle. */
static void
transfer(struct exchange *exchange, struct sink *sink)
{
    struct exchange_response *response = sink->response;
    CURLcode result = CURLE_OK;
    int running = 0;

    for (;;) {
        CURLMcode code = curl_multi_perform(exchange->multi, &running);
        if (code != CURLM_OK) {
            fail(response, curl_multi_strerror(code), "");
            return;
        }
        if (result_of(exchange->multi, &result))
            break;
        if (is_over(sink->request, response))
            return;
        curl_multi_poll(exchange->multi, NULL, 0, WAIT_MS, NULL);
    }
    curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE,
                      &response->status);
    if (result != CURLE_OK && response->end != EXCHANGE_ENOUGH)
        fail(response, sink->error, curl_easy_strerror(result));
}

void
exchange_run(struct exchange *exchange, const struct exchange_request *request,
             struct exchange_response *response)
{
    struct sink sink = {
        .easy = exchange->easy, .request = request, .response = response};
    struct curl_slist *list = NULL;

    memset(response, 0, sizeof *response);
    response->end = EXCHANGE_DONE;
    sse_init(&sink.sse, BODY_MAX_BYTES, count_event, &sink);
    if (!add_headers(&list, request)) {
        fail(response, "there is no memory for the request", "");
    } else {
        set_options(exchange->easy, request, list, &sink);
        if (curl_multi_add_handle(exchange->multi, exchange->easy) == CURLM_OK)
            transfer(exchange, &sink);
        else
            fail(response, "libcurl takes no request", "");
        curl_multi_remove_handle(exchange->multi, exchange->easy);
    }
    sse_fini(&sink.sse);
    curl_slist_free_all(list);
}

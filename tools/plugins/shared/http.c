#include "tools/plugins/shared/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#define REDIRECTS 3L
#define CONNECT_MIN_MS 1000L

/* One transfer while it runs. */
struct transfer {
    const struct http_request *request;
    struct http_answer *answer;
    bool too_much;
    bool no_memory;
};

bool
http_init(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

static bool
is_https(const char *url)
{
    return strncasecmp(url, "https://", 8) == 0;
}

bool
http_is_url(const char *url)
{
    const char *host = is_https(url)                         ? url + 8
                       : strncasecmp(url, "http://", 7) == 0 ? url + 7
                                                             : NULL;

    return host && host[0] != '\0' && host[0] != '/' && host[0] != '?' &&
           !strpbrk(url, " \t\r\n");
}

void
http_host(const char *url, char *out, size_t size)
{
    CURLU *parsed = curl_url();
    char *host = NULL;

    snprintf(out, size, "?");
    if (parsed && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK)
        snprintf(out, size, "%s", host);
    curl_free(host);
    curl_url_cleanup(parsed);
}

static size_t
on_body(char *data, size_t one, size_t count, void *arg)
{
    struct transfer *transfer = arg;
    struct http_answer *answer = transfer->answer;
    size_t bytes = one * count;
    char *grown;

    if (bytes > transfer->request->body_max_bytes - answer->body_bytes) {
        transfer->too_much = true;
        return 0;
    }
    grown = realloc(answer->body, answer->body_bytes + bytes + 1);
    if (!grown) {
        transfer->no_memory = true;
        return 0;
    }
    memcpy(grown + answer->body_bytes, data, bytes);
    answer->body = grown;
    answer->body_bytes += bytes;
    grown[answer->body_bytes] = '\0';
    return bytes;
}

static int
on_progress(void *arg, curl_off_t down_total, curl_off_t down,
            curl_off_t up_total, curl_off_t up)
{
    const struct http_request *request = ((struct transfer *)arg)->request;

    (void)down_total;
    (void)down;
    (void)up_total;
    (void)up;
    return request->cancelled && request->cancelled(request->arg);
}

/* Only the web's own protocols, and no way from https back to http. */
static void
set_protocols(CURL *curl, bool https)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR,
                     https ? "https" : "http,https");
#else
    long both = CURLPROTO_HTTP | CURLPROTO_HTTPS;

    curl_easy_setopt(curl, CURLOPT_PROTOCOLS, both);
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS,
                     https ? (long)CURLPROTO_HTTPS : both);
#endif
}

static void
set_options(CURL *curl, struct transfer *transfer)
{
    const struct http_request *request = transfer->request;
    long half_ms = request->timeout_ms / 2;

    set_protocols(curl, is_https(request->url));
    curl_easy_setopt(curl, CURLOPT_URL, request->url);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, REDIRECTS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, request->timeout_ms);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
                     half_ms > CONNECT_MIN_MS ? half_ms : CONNECT_MIN_MS);
    curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "voxring/" VOXRING_VERSION);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, transfer);
#if LIBCURL_VERSION_NUM >= 0x075700
    curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);
#endif
}

/* Says what went wrong, naming the host and never the rest of the URL. */
static void
explain(const struct transfer *transfer, CURLcode code)
{
    struct http_answer *answer = transfer->answer;
    char host[128];

    http_host(transfer->request->url, host, sizeof host);
    if (transfer->too_much)
        snprintf(answer->error, sizeof answer->error,
                 "%s sent more than %zu bytes", host,
                 transfer->request->body_max_bytes);
    else if (transfer->no_memory)
        snprintf(answer->error, sizeof answer->error, "There is no memory");
    else if (code == CURLE_ABORTED_BY_CALLBACK)
        snprintf(answer->error, sizeof answer->error, "The call was cancelled");
    else if (code == CURLE_OPERATION_TIMEDOUT)
        snprintf(answer->error, sizeof answer->error,
                 "%s did not answer within %.3g seconds", host,
                 (double)transfer->request->timeout_ms / 1e3);
    else
        snprintf(answer->error, sizeof answer->error, "Asking %s failed: %s",
                 host, curl_easy_strerror(code));
}

bool
http_get(const struct http_request *request, struct http_answer *answer)
{
    struct transfer transfer = {.request = request, .answer = answer};
    CURL *curl = curl_easy_init();
    CURLcode code;

    memset(answer, 0, sizeof *answer);
    if (!curl) {
        snprintf(answer->error, sizeof answer->error, "There is no memory");
        return false;
    }
    set_options(curl, &transfer);
    code = curl_easy_perform(curl);
    if (code == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
    else
        explain(&transfer, code);
    curl_easy_cleanup(curl);
    return code == CURLE_OK;
}

void
http_answer_fini(struct http_answer *answer)
{
    free(answer->body);
    memset(answer, 0, sizeof *answer);
}

char *
http_escape(const char *text)
{
    char *escaped = curl_easy_escape(NULL, text, 0);
    char *copy = escaped ? strdup(escaped) : NULL;

    curl_free(escaped);
    return copy;
}

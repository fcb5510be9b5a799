#include "tools/mcp/exchange.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cjson/cJSON.h>

#include "tools/mcp/message.h"
#include "tools/mcp/utf8.h"

#define CONNECT_MS 10000L
#define EXCERPT_BYTES 200

/* ---- what comes ---------------------------------------------------------------- */

/* The value in `line`, without blanks around it, if it is that header's. */
static bool
header_value(const char *line, size_t count, const char *name, char *value,
             size_t value_size)
{
    size_t n = strlen(name);

    if (count <= n || line[n] != ':' || strncasecmp(line, name, n) != 0)
        return false;
    for (n++; n < count && (line[n] == ' ' || line[n] == '\t'); n++)
        continue;
    while (count > n && isspace((unsigned char)line[count - 1]))
        count--;
    if (count - n >= value_size)
        return false;
    memcpy(value, line + n, count - n);
    value[count - n] = '\0';
    return true;
}

/* A session's id has visible ASCII characters only (2025-11-25, "Session
 * Management"). */
static bool
is_session_id(const char *value)
{
    for (const char *p = value; *p; p++) {
        if (*p < 0x21 || *p > 0x7e)
            return false;
    }
    return value[0] != '\0';
}

static size_t
on_header(char *bytes, size_t size, size_t count, void *arg)
{
    struct exchange *e = arg;
    char value[EXCHANGE_SESSION_BYTES];

    (void)size;
    if (count >= 5 && memcmp(bytes, "HTTP/", 5) == 0) {
        /* one more answer: that before was informational */
        e->type = EXCHANGE_OTHER;
        e->session[0] = '\0';
    } else if (header_value(bytes, count, "content-type", value,
                            sizeof value)) {
        value[strcspn(value, "; \t")] = '\0';
        e->type = strcasecmp(value, "application/json") == 0 ? EXCHANGE_JSON
                  : strcasecmp(value, "text/event-stream") == 0
                      ? EXCHANGE_STREAM
                      : EXCHANGE_OTHER;
    } else if (header_value(bytes, count, "mcp-session-id", value,
                            sizeof value) &&
               is_session_id(value)) {
        memcpy(e->session, value, strlen(value) + 1);
    }
    return count;
}

static size_t
on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct exchange *e = arg;

    (void)size;
    if (e->inbox.count + count > MESSAGE_MAX_BYTES ||
        !buffer_add(&e->inbox, bytes, count)) {
        e->overlong = true;
        return 0;
    }
    return count;
}

/* ---- what goes out ------------------------------------------------------------- */

static bool
add_headers(struct exchange *e, const struct exchange_terms *terms)
{
    struct headers *h = &e->headers;
    bool good = headers_add(h, "Accept",
                            e->kind == EXCHANGE_POST && e->text
                                ? "application/json, text/event-stream"
                                : "text/event-stream");

    if (e->text)
        good = good && headers_add(h, "Content-Type", "application/json") &&
               /* no round trip before the body */
               headers_add(h, "Expect", "");
    if (terms->session[0])
        good = good && headers_add(h, "Mcp-Session-Id", terms->session);
    if (terms->version)
        good = good && headers_add(h, "MCP-Protocol-Version", terms->version);
    if (e->sse.id[0] && !e->text)
        good = good && headers_add(h, "Last-Event-ID", e->sse.id);
    return good;
}

static bool
set_options(struct exchange *e, const char *url)
{
    CURL *easy = e->easy;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, url);

    curl_easy_setopt(easy, CURLOPT_PRIVATE, e);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    /* what follows a redirect would carry the headers to somebody else */
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "voxring/" VOXRING_VERSION);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, e->headers.list);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, e);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, e);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    if (e->kind == EXCHANGE_DELETE)
        code = curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "DELETE");
    if (e->text && code == CURLE_OK) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                         (curl_off_t)strlen(e->text));
        code = curl_easy_setopt(easy, CURLOPT_POSTFIELDS, e->text);
    }
    return code == CURLE_OK;
}

bool
exchange_prepare(struct exchange *e, const struct exchange_terms *terms,
                 char *why, size_t why_size)
{
    if (!headers_read(&e->headers, terms->headers_file, why, why_size))
        return false;
    e->had_session = terms->session[0] != '\0';
    e->easy = curl_easy_init();
    if (e->easy && add_headers(e, terms) && set_options(e, terms->url))
        return true;
    snprintf(why, why_size,
             "the request cannot be made: its URL is wrong or "
             "memory is out");
    exchange_reset(e);
    return false;
}

/* ---- how it went --------------------------------------------------------------- */

long
exchange_status(const struct exchange *e)
{
    long status = 0;

    if (e->easy)
        curl_easy_getinfo(e->easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

/* What an error's body says, in one line: the message of a JSON-RPC error, or
 * its first bytes. */
static void
excerpt(struct exchange *e, char text[EXCERPT_BYTES + 1])
{
    cJSON *root = e->inbox.count > 0
                      ? message_parse(e->inbox.bytes, e->inbox.count)
                      : NULL;
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(root, "error");
    const cJSON *said = cJSON_GetObjectItemCaseSensitive(error, "message");
    const char *from = cJSON_IsString(said) ? said->valuestring
                       : e->inbox.count > 0 ? e->inbox.bytes
                                            : "";
    size_t n = utf8_cut(from, EXCERPT_BYTES);

    memcpy(text, from, n);
    text[n] = '\0';
    for (char *p = text; *p; p++) {
        if ((unsigned char)*p < ' ')
            *p = ' ';
    }
    cJSON_Delete(root);
}

void
exchange_explain(struct exchange *e, CURLcode code, char *why, size_t why_size)
{
    long status = exchange_status(e);
    char text[EXCERPT_BYTES + 1] = "";

    if (status >= 400)
        excerpt(e, text);
    if (e->overlong)
        snprintf(why, why_size,
                 "the MCP server's answer has more than %zu bytes",
                 MESSAGE_MAX_BYTES);
    else if (code != CURLE_OK)
        snprintf(why, why_size, "the MCP server cannot be reached: %s",
                 curl_easy_strerror(code));
    else if (status == 401 || status == 403)
        snprintf(why, why_size,
                 "the MCP server answered HTTP %ld: it wants other "
                 "credentials than headers_file has%s%s",
                 status, text[0] ? "; " : "", text);
    else if (status >= 300 && status < 400)
        snprintf(why, why_size,
                 "the MCP server answered HTTP %ld: it is at another address; "
                 "correct the url",
                 status);
    else if (status >= 200 && status < 300)
        snprintf(why, why_size,
                 "the MCP server's answer ended without a result");
    else
        snprintf(why, why_size, "the MCP server answered HTTP %ld%s%s", status,
                 text[0] ? ": " : "", text);
}

void
exchange_reset(struct exchange *e)
{
    if (e->easy)
        curl_easy_cleanup(e->easy);
    e->easy = NULL;
    headers_fini(&e->headers);
    buffer_clear(&e->inbox);
    sse_end(&e->sse);
    e->type = EXCHANGE_OTHER;
    e->overlong = false;
    e->session[0] = '\0';
}

void
exchange_free(struct exchange **exchange)
{
    struct exchange *e = *exchange;

    *exchange = NULL;
    if (!e)
        return;
    exchange_reset(e);
    buffer_fini(&e->inbox);
    sse_fini(&e->sse);
    free(e->text);
    free(e);
}

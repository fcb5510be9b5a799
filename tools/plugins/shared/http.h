/* One HTTP GET with every bound that a guest needs: time, bytes, redirects,
 * protocols, and somebody who may call it off. Thread-safe; no signals. */
#ifndef TOOLS_PLUGINS_SHARED_HTTP_H
#define TOOLS_PLUGINS_SHARED_HTTP_H

#include <stdbool.h>
#include <stddef.h>

/* Asked about once a second while the transfer runs; true ends it. [worker] */
typedef bool http_cancelled_fn(void *arg);

struct http_request {
    const char *url;       /* http:// or https://; a key in it stays secret:
                                no message has more than its host */
    long timeout_ms;       /* for all of it; connecting gets half, at least
                                1 s of it */
    size_t body_max_bytes; /* more is an error */
    http_cancelled_fn *cancelled; /* NULL: nobody calls it off */
    void *arg;                    /* for cancelled */
};

struct http_answer {
    long status;       /* of HTTP; 0 if none came */
    char *body;        /* ends with a NUL; NULL if empty */
    size_t body_bytes; /* without the NUL */
    char error[256];   /* a sentence, if http_get() failed */
};

/* Once for the process, before any thread uses this; false: curl cannot be
 * used. [worker] */
bool http_init(void);

/* Whether it is a URL that http_get() takes. [any] */
bool http_is_url(const char *url);

/* The host of a URL for a message, "?" if it has none. [any] */
void http_host(const char *url, char *out, size_t size);

/* Gets the URL and waits for it. True: an answer of whatever status came
 * whole. False: answer->error says why not. Either way http_answer_fini() it.
 * [any] */
bool http_get(const struct http_request *request, struct http_answer *answer);

/* Frees what the answer holds. [any] */
void http_answer_fini(struct http_answer *answer);

/* The text escaped for a query, to be freed with free(); NULL: no memory.
 * [any] */
char *http_escape(const char *text);

#endif

/* A broker whose tools and results the test makes. It stands in for
 * gateway/toolbroker's at link time, as far as a session uses it. */
#ifndef TESTS_SESSION_FAKE_BROKER_H
#define TESTS_SESSION_FAKE_BROKER_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/toolbroker/broker.h"

#define FAKE_CALLS_MAX 256

struct fake_call {
    uint64_t id;
    char name[80];
    char arguments[256];
    char turn[24];
    broker_result_fn *on_result; /* NULL once it has ended */
    void *arg;
    bool cancelled;
};

struct fake_broker {
    bool ready;
    bool closing; /* takes no call */
    struct tool tools[256];
    size_t tool_count;
    struct fake_call calls[FAKE_CALLS_MAX];
    size_t call_count;
    /* What a builtin tool does when it is called; NULL: nothing. */
    void (*on_call)(const struct broker_caller *caller);
    /* Told with the next results. */
    const char *failure, *next;
};

extern struct fake_broker fake_broker;

/* Ready, with no tools. */
void fake_broker_reset(void);

/* A plugin's sync tool, to be changed at will. `name` lives on. */
struct tool *fake_broker_offer(const char *name, const char *schema);

/* The same of an asynchronous one. */
struct tool *fake_broker_offer_async(const char *name);

/* Ends a call, counted from 0, as the broker would: once. */
void fake_broker_end(size_t index, enum tool_outcome outcome,
                     const char *content_json, const char *reason);

/* How many have not ended. */
size_t fake_broker_running(void);

/* Ends every call that was cancelled, as the loop would do later. */
void fake_broker_deliver_cancelled(void);

#endif

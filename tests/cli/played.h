/* A gateway that a test plays: a ROUTER for control, an XPUB for events, which
 * tells of subscribers. */
#ifndef TESTS_CLI_PLAYED_H
#define TESTS_CLI_PLAYED_H

#include "tests/cli/program.h"

/* Its sockets, between set-up and tear-down. Who closes one sets it to NULL. */
extern void *played_control, *played_events;

/* cmocka set-up and tear-down of a test. */
int played_up(void **state);
int played_down(void **state);

/* Waits for the next request, and insists on its method and params. */
void played_expect(const char *method, const char *params);

/* Answers it: with any text, a result in JSON, an error. */
void played_reply(const char *text);
void played_result(const char *result);
void played_error(int code, const char *message);

/* One command, one request, one answer; the command has ended, and says nothing
 * on stderr unless it failed. */
#define PLAYED_ASK(method, params, result, ...) \
    played_ask(method, params, result, (const char *const[]){__VA_ARGS__, NULL})
struct program *played_ask(const char *method, const char *params,
                           const char *result, const char *const *arguments);

#endif

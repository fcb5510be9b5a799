/* Talks to the process that drives the robot's base, over ZeroMQ.
 *
 * The base has a ROUTER, each link is a DEALER of its own, so calls share
 * nothing. Messages are JSON objects, one frame each:
 *
 *     to the base    {"id": "7", "command": "move", "distance_m": 1, ...}
 *     from the base  {"id": "7", "progress": 0.4}          any number of them
 *                    {"id": "7", "ok": true, ...}          the end
 *                    {"id": "7", "error": "a sentence"}    the end
 *
 * README.md here has the commands. */
#ifndef TOOLS_PLUGINS_ROBOT_BASE_H
#define TOOLS_PLUGINS_ROBOT_BASE_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

#define BASE_ENDPOINT_BYTES 256
#define BASE_WHY_BYTES 256

struct base_link {
    void *socket;    /* NULL: closed */
    char id[32];     /* of the command that was sent last */
    long timeout_ms; /* how long the base may be silent */
};

/* Checks that the endpoint is one that ZeroMQ takes, and keeps it for all
 * links. False: `why` says what is wrong. [worker] */
bool base_init(const char *endpoint, long timeout_ms, char *why,
               size_t why_bytes);

/* Gives back what base_init() took; all links are closed. [worker] */
void base_fini(void);

/* Opens a link and sends a command (an object, which it takes and gives its
 * id). A command that the base cannot take now is not kept for later: a robot
 * must not begin to move when nobody expects it any more. False: `why` says
 * what is wrong; close the link either way. [any] */
bool base_send(struct base_link *link, cJSON *command,
               char why[BASE_WHY_BYTES]);

/* Sends a further command for the same id on an open link; what the base does
 * not take at once is dropped. [any] */
void base_add(struct base_link *link, const char *command);

/* Waits at most `wait_ms` for the next message about the link's command.
 * Returns an object for the caller to delete, or NULL if there is none. What
 * is no JSON object or is about another command is skipped. [any] */
cJSON *base_receive(struct base_link *link, long wait_ms);

/* Sends a command and waits for its end: the object, to be deleted, or NULL
 * after writing a sentence to `why`. [any] */
cJSON *base_ask(cJSON *command, char why[BASE_WHY_BYTES]);

/* The sentence of an answer with "error" into `why`; false: it has none.
 * [any] */
bool base_error(const cJSON *answer, char why[BASE_WHY_BYTES]);

/* Closes a link; what is still to be sent gets half a second. [any] */
void base_close(struct base_link *link);

#endif

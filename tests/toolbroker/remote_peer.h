/* Workers that a test plays itself: real ZeroMQ sockets at a rig's broker. */
#ifndef TESTS_TOOLBROKER_REMOTE_PEER_H
#define TESTS_TOOLBROKER_REMOTE_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/toolbroker/rig.h"

#define REMOTE_PEERS 64

/* One worker; zero before remote_peer_open(). */
struct remote_peer {
    struct rig *rig;
    void *socket;
    bool silent;      /* sends no heartbeat */
    char text[16384]; /* the last message, answers to heartbeats apart */
};

/* Connects to an endpoint. While a rig runs in these functions, every open
 * peer that is not silent sends heartbeats. */
void remote_peer_open(struct remote_peer *peer, struct rig *rig,
                      const char *endpoint);
void remote_peer_close(struct remote_peer *peer);

/* Closes those a failed test has left open. */
void remote_peer_close_all(void);

/* Sends a text made as by printf(). */
void remote_peer_say(struct remote_peer *peer, const char *format, ...)
    VR_PRINTF(2, 3);

/* Runs the loop until a message with `part` in it has come. */
void remote_peer_await(struct remote_peer *peer, const char *part);

/* Whether a message is there now; it is then in peer->text. */
bool remote_peer_take(struct remote_peer *peer);

/* As rig_until(), and peers live meanwhile. */
void remote_peer_until(struct rig *rig, bool (*done)(const struct rig *rig));

/* Runs the loop until so many results have come in all. */
void remote_peer_until_ends(struct rig *rig, unsigned count);

/* Runs the loop until the broker has so many tools. */
void remote_peer_until_tools(struct rig *rig, size_t count);

/* Says hello; `more` is put into params, "" or ",\"instance\":\"x\"". */
void remote_peer_hello(struct remote_peer *peer, const char *name,
                       const char *more);

/* Says hello, is welcomed, and lists `tools`, an array's inside. */
void remote_peer_offer(struct remote_peer *peer, const char *name,
                       const char *more, const char *tools);

/* Answers the tools/list that is asked next. */
void remote_peer_list(struct remote_peer *peer, const char *tools);

/* Waits for the next tools/call and returns its id. */
uint64_t remote_peer_call(struct remote_peer *peer);

/* Answers a call with a text. */
void remote_peer_answer(struct remote_peer *peer, uint64_t id,
                        const char *text);

#endif

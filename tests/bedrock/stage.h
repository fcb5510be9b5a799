/* A loop, a client, a server and a resolver for tests over real sockets. */
#ifndef TESTS_BEDROCK_STAGE_H
#define TESTS_BEDROCK_STAGE_H

#include "tests/bedrock/fake_server.h"
#include "tests/bedrock/fake_wire.h"

struct stage {
    uv_loop_t loop;
    uv_timer_t watchdog, pause;
    struct bedrock_client *client;
    struct fake_server server;
    struct bedrock_target target; /* of the server */
    size_t descriptors;           /* open before */
    unsigned long turns;
};

/* Starts all; NULL options: a plain h2 server. The test fails if it is not
 * stopped in 30 s. */
void stage_start(struct stage *stage,
                 const struct fake_server_options *options);

/* Stops all, and fails the test if a handle or a descriptor is left, or if a
 * SIGPIPE was raised. */
void stage_stop(struct stage *stage);

/* Turns the loop until `done(arg)`. */
void stage_until(struct stage *stage, bool (*done)(void *arg), void *arg);
/* Turns the loop for a time. */
void stage_for(struct stage *stage, unsigned ms);

/* Opens a stream to `target`, NULL: the stage's. */
void stage_open(struct stage *stage, struct record *record,
                const struct bedrock_target *target);
void stage_until_open(struct stage *stage, struct record *record);
void stage_until_end(struct stage *stage, struct record *record);
void stage_until_event(struct stage *stage, struct record *record,
                       unsigned count);

/* The newest connection, once its request came. */
struct fake_peer *stage_until_request(struct stage *stage);
/* Sends the 200. */
void stage_accept(struct fake_peer *peer);
/* Sends one event. */
void stage_serve(struct fake_peer *peer, const char *json);

/* The resolver of these tests: good.test and bad.test are 127.0.0.1,
 * missing.test is nothing, hang.test waits until stage_release_resolver(),
 * which returns when libcurl's threads are gone. */
void stage_release_resolver(struct stage *stage);

#endif

/* A voxring-local with a control socket and a record, for tests of faults: one
 * for all tests of a program, and a client for each. */
#ifndef TESTS_LOCAL_FAULTY_H
#define TESTS_LOCAL_FAULTY_H

#include <stdbool.h>

#include "tests/local/client_h2.h"
#include "tests/local/client_program.h"

#define MODEL "amazon.nova-2-sonic-v1%3A0"
#define WAIT_MS 15000
#define QUIET_MS 200

extern struct client_program faulty_program;
extern char faulty_control[96], faulty_record[96];

struct faulty {
    struct client *client;
    struct client_signer signer;
    struct client_request request;
    struct client_stream *stream;
};

/* cmocka's fixtures: the program for a group, a client for a test, whose
 * faults are cleared at its end. [any] */
int faulty_start(void **state);
int faulty_stop(void **state);
int faulty_setup(void **state);
int faulty_teardown(void **state);

/* A line to the control socket that must be answered with ok; adds a fault
 * that way. [any] */
void faulty_ask(const char *line);
void faulty_add(const char *fault);

/* Opens a signed stream; sends events; sends those before the audio. [any] */
void faulty_open(struct faulty *f);
void faulty_send(struct faulty *f, const char *const *events);
void faulty_begin(struct faulty *f);

/* A live text; a quarter of a second of loud audio at 16 kHz. [any] */
void faulty_say_text(struct faulty *f, const char *text);
void faulty_say_sound(struct faulty *f);

/* Opens a stream and sends what brings it into the phase. [any] */
void faulty_reach(struct faulty *f, const char *phase);

/* client_run() with the stream; for a while; what is never done. [any] */
bool faulty_run(struct faulty *f,
                bool (*done)(const struct client_stream *stream));
void faulty_wait(struct faulty *f);
bool faulty_never(const struct client_stream *stream);

/* Ends the stream in order, and it does end. [any] */
void faulty_end(struct faulty *f);

#endif

/* A stream over a fake wire, and what tests do with it. */
#ifndef TESTS_BEDROCK_SCENE_H
#define TESTS_BEDROCK_SCENE_H

#include "tests/bedrock/fake_wire.h"

struct scene {
    struct fake_wire wire;
    struct record record;
};

/* Header fields of a 200: request id req-1, a date in 1994. */
extern const char *const scene_ok_fields[];

/* Not yet connected; NULL options: a plain server. */
void scene_open_with(struct scene *s, const struct fake_h2_options *options,
                     const struct bedrock_target *target);
/* Connected, the request sent. */
void scene_start(struct scene *s);
/* The same, up to the 200. */
void scene_accept(struct scene *s);
void scene_close(struct scene *s);

/* Sends one control event, which must be taken. */
void scene_say(struct scene *s, const char *json);
/* The server sends one event; it is not delivered yet. */
void scene_serve(struct scene *s, const char *json);

/* The events that the server got, as body_events() writes them. */
void scene_assert_body(struct scene *s, const char *expected);
/* The stream has ended, and the end's message holds `words`. */
void scene_assert_ended(struct scene *s, enum bedrock_end_cause cause,
                        bool normal, const char *words);

#endif

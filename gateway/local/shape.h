/* Checks the members of one input event: what must be there, of what type and
 * value. The first failure is kept with its path; what is merely odd is told
 * as a note and the check goes on. */
#ifndef GATEWAY_LOCAL_SHAPE_H
#define GATEWAY_LOCAL_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <cjson/cJSON.h>

typedef void shape_note_fn(void *arg, const char *text);

struct shape {
    const char *event; /* name of the event under check */
    shape_note_fn *note;
    void *arg;
    bool failed;
    const char *message; /* AWS's wording, where the failure has its own */
    char problem[320];
};

/* Keeps the first problem, preceded by the event's name. [any] */
void shape_fail(struct shape *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Tells a breach that does not end the stream. [any] */
void shape_odd(struct shape *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The member as an object, a string, an integer; missing or of another type
 * fails and gives NULL, or `otherwise`. Strings must not be empty. Borrowed
 * from `object`. [any] */
const cJSON *shape_object(struct shape *s, const cJSON *object,
                          const char *key);
const char *shape_string(struct shape *s, const cJSON *object, const char *key);
/* Strings that may be empty, such as content. [any] */
const char *shape_text(struct shape *s, const cJSON *object, const char *key);
long shape_integer(struct shape *s, const cJSON *object, const char *key,
                   long otherwise);
bool shape_bool(struct shape *s, const cJSON *object, const char *key);
/* An optional number within low..high; absent is fine. [any] */
void shape_range(struct shape *s, const cJSON *object, const char *key,
                 double low, double high);
/* The member must be exactly this string, this integer. [any] */
void shape_is(struct shape *s, const cJSON *object, const char *key,
              const char *expected);
void shape_is_integer(struct shape *s, const cJSON *object, const char *key,
                      long expected);
/* An audio configuration's constant members, and its rate: 8000, 16000 or
 * 24000; 0 on failure. [any] */
long shape_audio_format(struct shape *s, const cJSON *object);
/* Notes each member of `object` that is not in the list, space separated,
 * and each that stands there twice. [any] */
void shape_only(struct shape *s, const cJSON *object, const char *names);

#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/bedrock/scene.h"

const char *const scene_ok_fields[] = {"content-type",
                                       "application/vnd.amazon.eventstream",
                                       "x-amzn-requestid",
                                       "req-1",
                                       "date",
                                       "Sun, 06 Nov 1994 08:49:37 GMT",
                                       NULL};

void
scene_open_with(struct scene *s, const struct fake_h2_options *options,
                const struct bedrock_target *target)
{
    char problem[256];

    fake_wire_init(&s->wire, options);
    memset(&s->record, 0, sizeof(s->record));
    s->record.stream =
        bedrock_stream_over(&s->wire.wire, target, &test_credentials,
                            &record_ops, &s->record, problem, sizeof(problem));
    assert_non_null(s->record.stream);
}

void
scene_start(struct scene *s)
{
    scene_open_with(s, NULL, &test_target);
    fake_wire_connected(&s->wire);
    fake_wire_deliver(&s->wire);
    assert_int_equal(s->record.opened, 1);
}

/* Up to the 200. */
void
scene_accept(struct scene *s)
{
    scene_start(s);
    fake_h2_respond(s->wire.h2, "200", scene_ok_fields, false);
    fake_wire_deliver(&s->wire);
    assert_int_equal(s->record.responses, 1);
}

void
scene_close(struct scene *s)
{
    record_fini(&s->record);
    fake_wire_fini(&s->wire);
}

void
scene_say(struct scene *s, const char *json)
{
    assert_int_equal(
        bedrock_stream_send(s->record.stream, json, strlen(json), true), VR_OK);
}

void
scene_serve(struct scene *s, const char *json)
{
    static uint8_t frame[200000];
    size_t bytes = frame_event(json, frame, sizeof(frame));

    assert_true(bytes > 0);
    fake_h2_data(s->wire.h2, frame, bytes);
}

void
scene_assert_body(struct scene *s, const char *expected)
{
    struct fake_bytes events = body_events(&s->wire.h2->body);
    assert_string_equal((const char *)events.at, expected);
    fake_bytes_free(&events);
}

void
scene_assert_ended(struct scene *s, enum bedrock_end_cause cause, bool normal,
                   const char *words)
{
    const struct bedrock_end *end = &s->record.end;

    assert_int_equal(s->record.ends, 1);
    assert_string_equal(bedrock_end_name(end->cause), bedrock_end_name(cause));
    assert_int_equal(end->normal, normal);
    if (!strstr(end->message, words))
        fail_msg("\"%s\" lacks \"%s\"", end->message, words);
    assert_true(s->wire.closed);
    assert_true(!s->record.stream || bedrock_stream_send(s->record.stream, "{}",
                                                         2, true) == VR_CLOSED);
}

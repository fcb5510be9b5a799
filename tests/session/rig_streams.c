#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/jsonx.h"
#include "tests/session/rig.h"

void
rig_begin(struct rig *rig, const char *settings)
{
    rig_open(rig, settings);
    rig_start(rig);
}

unsigned
rig_opened(void)
{
    return fake_endpoint.opened;
}

unsigned
rig_told(const char *phase)
{
    return (unsigned)jsonx_number(fake_bus_last("stream", "phase", phase),
                                  "stream", 0);
}

bool
rig_changed_to(unsigned number)
{
    return rig_told("current") == number;
}

void
rig_rotate(struct rig *rig)
{
    unsigned number = rig_opened() + 1;
    assert_true(session_rotate(rig->session));
    RIG_UNTIL(rig, rig_opened() == number);
    rig_accept();
}

void
rig_accept_opened(struct rig *rig)
{
    if (fake_stream.open && !fake_stream.connected)
        rig_accept();
    rig_step(rig);
}

size_t
rig_sent(unsigned number, const char *name, const char *text)
{
    const struct fake_wire *f = fake_stream_at(number);
    size_t count = 0;
    for (size_t i = 0; i < f->event_count; i++)
        count += strstr(f->events[i], name) && strstr(f->events[i], text);
    return count;
}

void
rig_lose(struct rig *rig)
{
    unsigned number = rig_opened() + 1;
    fake_stream_end(BEDROCK_END_rst_stream, false);
    RIG_UNTIL(rig, rig_opened() == number);
    rig_accept();
}

const char *
rig_result(const char *call, const char *member)
{
    const cJSON *result = fake_bus_last("tool_result", "call", call);
    if (!result)
        fail_msg("call %s has no result; told: %s", call, fake_bus_story());
    return jsonx_text(result, member, "");
}

uint64_t
rig_counter(struct rig *rig, const char *name)
{
    cJSON *stats = session_stats(rig->session);
    uint64_t value =
        (uint64_t)jsonx_number(cJSON_GetObjectItem(stats, "counters"), name, 0);
    cJSON_Delete(stats);
    return value;
}

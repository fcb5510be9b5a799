#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
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

uint64_t
rig_counter(struct rig *rig, const char *name)
{
    cJSON *stats = session_stats(rig->session);
    uint64_t value =
        (uint64_t)jsonx_number(cJSON_GetObjectItem(stats, "counters"), name, 0);
    cJSON_Delete(stats);
    return value;
}

#include "ipc/cli/ring.h"

#include <stdio.h>

#include "ipc/cli/control.h"
#include "ipc/cli/say.h"
#include "ipc/cli/stop.h"

#define LOOK_MS 50

typedef enum vr_status open_fn(void *arg, const char *session,
                               const struct vr_options *options, char *why);

static enum vr_status
open_writer(void *arg, const char *session, const struct vr_options *options,
            char *why)
{
    return vr_writer_open(arg, session, options, why, VR_ERROR_BYTES);
}

static enum vr_status
open_reader(void *arg, const char *session, const struct vr_options *options,
            char *why)
{
    return vr_reader_open(arg, session, options, why, VR_ERROR_BYTES);
}

static int
open_ring(struct cli *cli, open_fn *fn, void *arg, const char *session,
          struct vr_options *options)
{
    char why[VR_ERROR_BYTES] = "", name[64];
    uint64_t limit_ns = stop_deadline_ns(cli->options.connect_timeout_ms);
    snprintf(name, sizeof name, "voxring %s", cli->command->name);
    options->struct_bytes = sizeof *options;
    options->runtime_dir = cli->runtime_dir;
    options->name = name;
    for (;;) {
        enum vr_status status = fn(arg, session, options, why);
        if (status == VR_OK)
            return CLI_DONE;
        if (stop_wanted())
            return CLI_INTERRUPTED;
        if (status != VR_NOT_FOUND || vr_now_ns() >= limit_ns ||
            !control_starting(cli))
            return say_fail(cli, say_exit_of(status), "%s (session %s, %s)",
                            *why ? why : vr_status_text(status), session,
                            cli->runtime_dir);
        stop_sleep_until(stop_deadline_ns(LOOK_MS));
    }
}

int
ring_open_writer(struct cli *cli, const char *session,
                 struct vr_writer **writer)
{
    struct vr_options options = {.log = say_library, .log_arg = cli};
    return open_ring(cli, open_writer, writer, session, &options);
}

int
ring_open_reader(struct cli *cli, const char *session,
                 struct vr_options *options, struct vr_reader **reader)
{
    return open_ring(cli, open_reader, reader, session, options);
}

#include "gateway/session/methods.h"

#include "gateway/jsonx.h"
#include "gateway/log.h"
#include "gateway/session/daemon.h"

struct daemon_session *
methods_find(struct daemon *d, struct rpc_call *call, const cJSON *params)
{
    const char *name = jsonx_text(params, "session", "");
    struct daemon_session *entry = daemon_find(d, name);
    if (!entry)
        rpc_fail(call, RPC_NOT_FOUND, NULL,
                 "There is no session \"%s\"; session.list shows those there "
                 "are, session.open makes one",
                 name);
    return entry;
}

void
methods_register(struct daemon *d)
{
    static const struct {
        const char *name;
        rpc_handler_fn *handler;
    } methods[] = {
#define CONTROL_METHOD(symbol, name, params, what) {name, methods_##symbol},
#include "gateway/control/control.tbl.h"
#undef CONTROL_METHOD
    };
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        enum vr_status status = control_register(d->control, methods[i].name,
                                                 methods[i].handler, d);
        if (status != VR_OK)
            log_error(control, NULL, "%s has no handler: %s", methods[i].name,
                      vr_status_text(status));
    }
}

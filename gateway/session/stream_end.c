#include "gateway/session/stream_end.h"

#include <stdio.h>

#include "gateway/bedrock/classify.h"
#include "gateway/session/self.h"

/* What to do, as an error event's class says it. */
static const char *
class_of(const struct classification *c)
{
    if (c->recoverable)
        return "retry";
    return c->action == CLASSIFY_ACTION_give_up ? "config" : "peer";
}

void
stream_end_report(struct session *s, const struct bedrock_end *end)
{
    const struct classification *c = classify_end(end);
    char remedy[512];
    snprintf(remedy, sizeof remedy, "%s. Then session.open again", c->remedy);
    struct session_fault fault = {
        .class_ = class_of(c),
        .code = end->code[0] ? end->code : bedrock_end_name(end->cause),
        .message = end->message,
        .remedy = remedy,
        .component = "bedrock",
        .request_id = end->request_id[0] ? end->request_id : s->request_id,
        .http_status = end->http_status};
    report_fault(s, &fault);
}

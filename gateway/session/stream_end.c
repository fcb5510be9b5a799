#include "gateway/session/stream_end.h"

#include <ctype.h>
#include <stdio.h>

#include "gateway/bedrock/classify.h"
#include "gateway/clock.h"
#include "gateway/session/self.h"

/* What to do, as an error event's class says it. */
static const char *
class_of(const struct classification *c)
{
    if (c->recoverable)
        return "retry";
    return c->action == CLASSIFY_ACTION_give_up ? "config" : "peer";
}

/* In a stream AWS spells validationException what it calls ValidationException
 * elsewhere (PROTOCOL 5.1): one name for one thing. */
static void
name_code(const struct bedrock_end *end, char *code, size_t size)
{
    snprintf(code, size, "%s",
             end->code[0] ? end->code : bedrock_end_name(end->cause));
    if (end->code[0])
        code[0] = (char)toupper((unsigned char)code[0]);
}

void
stream_end_report(struct session *s, const struct bedrock_end *end,
                  bool goes_on, uint64_t delay_ns)
{
    const struct classification *c = classify_end(end);
    bool stays = c->action == CLASSIFY_ACTION_stay;
    char remedy[512], code[sizeof end->code];
    name_code(end, code, sizeof code);
    snprintf(remedy, sizeof remedy, "%s%s", c->remedy,
             goes_on ? "" : ". Then session.open again");
    struct session_fault fault = {
        .class_ = class_of(c),
        .code = code,
        .message = end->message,
        .remedy = remedy,
        .component = "bedrock",
        .request_id = end->request_id[0] ? end->request_id : s->leg.request_id,
        .http_status = end->http_status,
        .recoverable = goes_on,
        .retries = goes_on && !stays,
        .retry_in_ms = (int64_t)(delay_ns / CLOCK_NS_PER_MS)};
    report_fault(s, &fault);
}

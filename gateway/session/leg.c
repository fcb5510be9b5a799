#include "gateway/session/leg.h"

#include <stdio.h>
#include <string.h>

#include "gateway/clock.h"
#include "gateway/log.h"
#include "gateway/session/report.h"
#include "gateway/session/self.h"

static const struct config *
config_of(const struct session *s)
{
    return s->services->config;
}

size_t
leg_target_count(const struct session *s)
{
    return 1 + config_of(s)->bedrock.fallback.count;
}

struct leg_target
leg_target(const struct session *s, size_t index)
{
    const struct services *services = s->services;
    const struct config *c = config_of(s);
    struct leg_target own = {
        .region = c->bedrock.region,
        .model = s->settings->model,
        .endpoint =
            services->endpoint ? services->endpoint : c->bedrock.endpoint,
        .ca_file = services->ca_file ? services->ca_file : c->bedrock.ca_file};
    if (index == 0)
        return own;
    const struct config_target *t = &c->bedrock.fallback.items[index - 1];
    return (struct leg_target){
        .region = t->region ? t->region : own.region,
        .model = t->model,
        .endpoint = t->endpoint ? t->endpoint : services->endpoint,
        .ca_file = t->ca_file ? t->ca_file : own.ca_file};
}

/* ---- opening ---- */

static bool
find_credentials(struct session *s, bool quietly)
{
    char tried[512];
    if (s->services->credentials) {
        s->credentials = *s->services->credentials;
        return true;
    }
    if (credentials_load(config_of(s)->bedrock.profile, &s->credentials, tried,
                         sizeof tried) == VR_OK)
        return true;
    struct session_fault fault = {
        .class_ = "config",
        .code = "no_credentials",
        .message = tried,
        .remedy = "session.open tries again once they are there",
        .component = "bedrock",
        .recoverable = s->answered_once};
    if (quietly)
        log_warn(bedrock, s->context, "%s", tried);
    else
        report_fault(s, &fault);
    return false;
}

static bool
open_link(struct session *s, struct leg *leg, bool quietly)
{
    struct leg_target t = leg_target(s, leg->target);
    struct bedrock_target target = {
        .region = t.region,
        .endpoint = t.endpoint,
        .ca_file = t.ca_file,
        .model_id = t.model,
        .context = s->context,
        .connect_timeout_ms = config_of(s)->bedrock.connect_timeout_ms,
        .clock_offset_ms = *s->services->clock_offset_ms};
    struct link_config link = {.client = s->services->client,
                               .target = &target,
                               .credentials = &s->credentials,
                               .generation = leg->generation,
                               .context = s->context,
                               .chunk_samples_max =
                                   capture_chunk_samples(s->capture)};
    char problem[512];
    leg->link = link_open(&link, &streams_link_ops, s, problem, sizeof problem);
    if (leg->link)
        return true;
    struct session_fault fault = {
        .class_ = "config",
        .code = "cannot_connect",
        .message = problem,
        .remedy = "Check bedrock.endpoint and bedrock.region",
        .component = "bedrock"};
    if (quietly)
        log_warn(bedrock, s->context, "%s", problem);
    else
        report_fault(s, &fault);
    return false;
}

enum leg_problem
leg_open(struct session *s, struct leg *leg, size_t target, bool quietly)
{
    struct slot_ticket *ticket = leg->ticket;
    *leg = (struct leg){.generation = ++s->generation,
                        .target = target,
                        .opened_ns = clock_mono_ns(),
                        .ticket = ticket};
    snprintf(leg->model, sizeof leg->model, "%s", leg_target(s, target).model);
    s->counters.streams++;
    if (!find_credentials(s, quietly))
        return LEG_NO_CREDENTIALS;
    leg->expires_ms = s->credentials.expires_ms;
    log_debug(bedrock, s->context, "key %s from %s",
              log_key_id(s->credentials.access_key_id), s->credentials.source);
    if (!open_link(s, leg, quietly))
        return LEG_BAD_TARGET;
    report_stream(s, leg, "opening", "a stream is wanted");
    return LEG_OK;
}

/* ---- ending ---- */

void
leg_drop(struct session *s, struct leg *leg, const char *phase,
         const char *reason)
{
    if (leg->link && reason)
        report_stream(s, leg, phase, reason);
    link_free(&leg->link);
    if (leg->ticket)
        slots_release(s->services->slots, leg->ticket);
    memset(leg, 0, sizeof *leg);
}

struct leg *
leg_of(struct session *s, const struct link *link)
{
    if (s->leg.link == link)
        return &s->leg;
    if (s->handover.next.link == link)
        return &s->handover.next;
    for (size_t i = 0; i < PARTING_MAX; i++) {
        if (s->parting[i].leg.link == link)
            return &s->parting[i].leg;
    }
    return NULL;
}

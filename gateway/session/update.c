/* session.update, session.reset and what else is asked of a conversation that
 * runs: applied at once, or by a next stream that nobody notices. */
#include <stdlib.h>
#include <string.h>

#include "gateway/clock.h"
#include "gateway/jsonx.h"
#include "gateway/log.h"
#include "gateway/session/recovery.h"
#include "gateway/session/remember.h"
#include "gateway/session/rest.h"
#include "gateway/session/self.h"
#include "gateway/session/setup.h"

/* ---- session.update ---- */

struct changes {
    cJSON *live, *rotation, *reopen; /* names of keys */
};

static void
note_change(void *arg, const char *path, enum config_applies applies)
{
    struct changes *c = arg;
    cJSON *list = applies == CONFIG_APPLIES_LIVE       ? c->live
                  : applies == CONFIG_APPLIES_ROTATION ? c->rotation
                                                       : c->reopen;
    jsonx_put(list, NULL, cJSON_CreateString(path));
}

static void
drop_changes(struct changes *c)
{
    cJSON_Delete(c->live);
    cJSON_Delete(c->rotation);
    cJSON_Delete(c->reopen);
}

static void
refuse_reopen(struct rpc_call *call, const struct changes *c)
{
    cJSON *data = cJSON_CreateObject();
    jsonx_put(data, "reopen", cJSON_Duplicate(c->reopen, true));
    rpc_fail(call, RPC_STATE, data,
             "params.config: %s cannot change while the session is open, and "
             "nothing was changed; close it and open it with the new settings",
             cJSON_GetStringValue(cJSON_GetArrayItem(c->reopen, 0)));
}

static void
take_settings(struct session *s, struct config_session *settings)
{
    struct config_session *old = s->own_settings;
    s->own_settings = settings;
    s->settings = settings;
    s->subject.session = settings->name;
    config_session_free(&old);
    if (!s->leg.link)
        s->family = setup_family(settings, settings->model, &s->model_known);
}

static const char *
how_applied(const struct session *s, const struct changes *c)
{
    if (!cJSON_GetArraySize(c->rotation))
        return "done";
    return s->leg.begun ? "at the next turn boundary" : "with the next stream";
}

static void
apply(struct session *s, struct config_session *settings, struct changes *c,
      struct rpc_call *call)
{
    bool rotation = cJSON_GetArraySize(c->rotation) > 0;
    take_settings(s, settings);
    remember_limits(s);
    if (rotation) {
        s->settings_serial++;
        setup_warn(settings, s->family, s->model_known,
                   s->services->config->bedrock.region, s->context);
    }
    if (rotation && s->leg.begun)
        rotation_want(s, ROTATION_CHANGE);
    if (s->state == SESSION_streaming)
        rotation_arm(s, clock_mono_ns());
    cJSON *result = cJSON_CreateObject();
    jsonx_add_text(result, "applied", how_applied(s, c));
    jsonx_put(result, "live", c->live);
    jsonx_put(result, "rotation", c->rotation);
    cJSON_Delete(c->reopen);
    rpc_reply(call, result);
}

void
session_update(struct session *s, const cJSON *config, struct rpc_call *call)
{
    struct config_session *merged = NULL;
    char *problems = NULL;
    if (config_session_merge(s->services->config, s->settings, config,
                             "params.config", &merged, &problems) != VR_OK) {
        rpc_fail_lines(call, problems);
        free(problems);
        return;
    }
    struct changes c = {cJSON_CreateArray(), cJSON_CreateArray(),
                        cJSON_CreateArray()};
    config_session_changes(s->settings, merged, note_change, &c);
    if (cJSON_GetArraySize(c.reopen)) {
        refuse_reopen(call, &c);
        drop_changes(&c);
        config_session_free(&merged);
        return;
    }
    apply(s, merged, &c, call);
    session_turn(s);
}

/* ---- session.reset, rotate, sleep ---- */

void
session_reset(struct session *s, bool keep_history)
{
    cut_signalled(s, CUT_CONTROL, NULL);
    calls_cancel_all(s->calls, "The conversation was reset");
    texts_fail(&s->texts, "The conversation was reset before an answer");
    s->utterance.open = false;
    if (!keep_history) {
        history_clear(s->history, true);
        calls_forget(s->calls);
        s->greeted = false;
        remember_tell(s, "replaced", "session.reset", 0);
    }
    if (s->state == SESSION_streaming || s->state == SESSION_starting)
        rotation_want(s, ROTATION_RESET);
    session_turn(s);
}

bool
session_rotate(struct session *s)
{
    bool live = s->state == SESSION_streaming;
    if (live)
        rotation_want(s, ROTATION_ASKED);
    session_turn(s);
    return live;
}

bool
session_sleep(struct session *s)
{
    bool moved = rest_sleep(s, "session.sleep");
    session_turn(s);
    return moved;
}

/* ---- history ---- */

cJSON *
session_history(const struct session *s)
{
    return history_to_json(s->history);
}

enum vr_status
session_history_append(struct session *s, const struct history_message *message,
                       uint64_t revision, char *why, size_t why_size)
{
    enum vr_status status =
        history_append(s->history, message, revision, why, why_size);
    if (status != VR_OK)
        return status;
    remember_tell(s, "added", "history.append", 0);
    if (s->leg.begun)
        rotation_want(s, ROTATION_HISTORY);
    session_turn(s);
    return VR_OK;
}

enum vr_status
session_history_replace(struct session *s,
                        const struct history_message *messages, size_t count,
                        uint64_t revision, size_t *dropped, char *why,
                        size_t why_size)
{
    uint64_t before = history_totals(s->history)->dropped_messages;
    enum vr_status status =
        history_replace(s->history, messages, count, revision, why, why_size);
    if (status != VR_OK)
        return status;
    *dropped = (size_t)(history_totals(s->history)->dropped_messages - before);
    remember_tell(s, "replaced", "history.replace", *dropped);
    if (s->leg.begun)
        rotation_want(s, ROTATION_HISTORY);
    session_turn(s);
    return VR_OK;
}

uint64_t
session_history_revision(const struct session *s)
{
    return history_revision(s->history);
}

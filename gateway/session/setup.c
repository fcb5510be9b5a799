#include "gateway/session/setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/log.h"
#include "gateway/sonic/encode.h"
#include "gateway/strbuf.h"
#include "gateway/uuid.h"
#include "ipc/fnv.h"

/* Of names of asynchronous tools in the system prompt: of all that can be
 * offered, the longest, with what parts them. */
#define GUIDANCE_NAMES_BYTES (SETUP_TOOLS_MAX * (64 + 2))

const struct sonic_family *
setup_family(const struct config_session *settings, const char *model,
             bool *known)
{
    bool own = strcmp(model, settings->model) == 0;
    const struct sonic_family *named =
        own && settings->model_family
            ? sonic_family_named(settings->model_family)
            : NULL;
    const struct sonic_family *by_id = sonic_family_of_model(model, known);
    *known = *known || named;
    return named ? named : by_id;
}

bool
setup_tool_allowed(const struct config_session *settings, const char *name,
                   const struct tool *tool)
{
    if (tool && tool->kind == BROKER_PROVIDER_BUILTIN)
        return settings->end_conversation == CONFIG_ON;
    if (settings->tools.all)
        return true;
    for (size_t i = 0; i < settings->tools.count; i++) {
        if (strcmp(settings->tools.items[i], name) == 0)
            return true;
    }
    return false;
}

bool
setup_tools_ready(const struct config_session *settings,
                  const struct broker *broker)
{
    if (settings->tools.all)
        return broker_ready(broker);
    for (size_t i = 0; i < settings->tools.count; i++) {
        if (!broker_find(broker, settings->tools.items[i]))
            return false;
    }
    return true;
}

/* ---- warnings ---- */

/* Two things want to be the first that the model answers, or none can be. */
static void
warn_unanswered(const struct config_session *settings,
                const struct sonic_family *family, const char *context)
{
    const struct config_history *h = &settings->history;
    if (!h->count || strcmp(h->items[h->count - 1].role, "USER") != 0)
        return;
    bool clip = settings->greeting || settings->trigger_clip;
    if (!family->features.interactive_text && !clip)
        log_warn(session, context,
                 "the history ends with USER, and %s cannot be made to answer "
                 "it: it waits to be spoken to",
                 family->title);
    else if (settings->greeting && family->features.interactive_text)
        log_warn(session, context,
                 "the greeting is not sent: the history ends with USER, and "
                 "that is what the model answers first");
}

static void
warn_lacks(const struct config_session *settings,
           const struct sonic_family *family, const char *context)
{
    const struct sonic_features *can = &family->features;
    struct strbuf lacks;
    strbuf_init(&lacks, 256);
    if (settings->endpointing_sensitivity && !can->endpointing_sensitivity)
        strbuf_append_words(&lacks, "endpointing_sensitivity", 23);
    if (settings->tool_choice && !can->tool_choice)
        strbuf_append_words(&lacks, "tool_choice", 11);
    if (lacks.bytes)
        log_warn(session, context, "%s has no such setting, not sent: %s",
                 family->title, strbuf_text(&lacks));
    strbuf_fini(&lacks);
    if (settings->interrupt_on & CONFIG_INTERRUPT_SPEECH_START &&
        !can->speech_events)
        log_warn(session, context,
                 "%s does not tell when the user begins to speak: speech_start "
                 "in interrupt_on never comes",
                 family->title);
}

void
setup_warn(const struct config_session *settings,
           const struct sonic_family *family, bool model_known,
           const char *region, const char *context)
{
    if (!model_known)
        log_warn(session, context,
                 "model %s is not known; treated as %s. Check the id if the "
                 "endpoint refuses it",
                 settings->model, family->title);
    else if (!sonic_family_has_region(family, region))
        log_warn(session, context, "%s is not known to be offered in %s",
                 family->title, region);
    if (!sonic_family_voice(family, settings->voice))
        log_warn(session, context, "voice %s is not known for %s",
                 settings->voice, family->title);
    warn_lacks(settings, family, context);
    warn_unanswered(settings, family, context);
}

void
setup_warn_tools(const struct config_session *settings,
                 const struct broker *broker, const char *context)
{
    struct strbuf missing;
    strbuf_init(&missing, 1024);
    for (size_t i = 0; !settings->tools.all && i < settings->tools.count; i++) {
        const char *name = settings->tools.items[i];
        if (!broker_find(broker, name))
            strbuf_append_words(&missing, name, strlen(name));
    }
    if (missing.bytes)
        log_warn(session, context,
                 "going on without these tools, which nobody offers: %s",
                 strbuf_text(&missing));
    else if (settings->tools.all && !broker_ready(broker))
        log_warn(session, context,
                 "going on without the tools of plugins still starting");
    strbuf_fini(&missing);
}

/* ---- sessionStart and promptStart ---- */

static bool
offers(const struct sonic_tool_spec *specs, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(specs[i].name, name) == 0)
            return true;
    }
    return false;
}

/* A choice among tools that are not there would be refused. */
static cJSON *
tool_choice(const struct setup *s, const struct sonic_tool_spec *specs,
            size_t count)
{
    const char *choice = s->settings->tool_choice;
    if (!choice || !s->family->features.tool_choice)
        return NULL;
    bool word = strcmp(choice, "auto") == 0 || strcmp(choice, "any") == 0;
    if (!count || (!word && !offers(specs, count, choice))) {
        log_warn(session, s->context,
                 "tool_choice %s is not sent: there is no such tool", choice);
        return NULL;
    }
    cJSON *object = cJSON_CreateObject();
    cJSON *body = cJSON_AddObjectToObject(object, word ? choice : "tool");
    if (!word)
        cJSON_AddStringToObject(body, "name", choice);
    return object;
}

static enum vr_status
encode_session_start(const struct setup *s, struct sonic_batch *batch,
                     bool tools)
{
    const struct config_session *c = s->settings;
    bool greedy = tools && c->inference.for_tools == CONFIG_FOR_TOOLS_GREEDY;
    struct sonic_session_start start = {
        .max_tokens = (int)c->inference.max_tokens,
        .top_p = greedy ? 1 : c->inference.top_p,
        .temperature = greedy ? 1 : c->inference.temperature,
        .endpointing_sensitivity = s->family->features.endpointing_sensitivity
                                       ? c->endpointing_sensitivity
                                       : NULL,
        .extra = c->extra.session_start,
    };
    return sonic_encode_session_start(batch, &start);
}

static size_t
offered_tools(const struct setup *s, struct sonic_tool_spec *specs)
{
    size_t count = 0;
    for (size_t i = 0; i < broker_tool_count(s->broker); i++) {
        const struct tool *t = broker_tool_at(s->broker, i);
        if (!setup_tool_allowed(s->settings, t->name, t))
            continue;
        if (count == SETUP_TOOLS_MAX) {
            log_warn(session, s->context,
                     "only the first %d tools are offered to the model; name "
                     "those that matter in the session's `tools`",
                     SETUP_TOOLS_MAX);
            break;
        }
        specs[count++] = (struct sonic_tool_spec){.name = t->name,
                                                  .description = t->description,
                                                  .schema = t->schema_json};
    }
    return count;
}

static enum vr_status
encode_prompt_start(const struct setup *s, struct sonic_batch *batch,
                    const struct sonic_tool_spec *specs, size_t count)
{
    cJSON *choice = tool_choice(s, specs, count);
    struct sonic_prompt_start start = {
        .prompt_name = s->prompt_name,
        .output_rate_hz = s->settings->model_output_rate_hz,
        .voice = s->settings->voice,
        .tools = specs,
        .tool_count = count,
        .tool_choice = choice,
        .extra = s->settings->extra.prompt_start,
    };
    enum vr_status status = sonic_encode_prompt_start(batch, &start);
    cJSON_Delete(choice);
    return status;
}

/* ---- texts ---- */

static enum vr_status
encode_text(const struct setup *s, struct sonic_batch *batch,
            enum sonic_role role, const char *text)
{
    char name[UUID_TEXT_BYTES];
    uuid_make(name);
    struct sonic_text_block block = {
        .prompt_name = s->prompt_name,
        .content_name = name,
        .role = role,
        .text = text,
        .text_bytes = strlen(text),
        .piece_bytes = s->settings->history_limits.piece_bytes};
    return sonic_encode_text(batch, &block);
}

/* What was said before is never interactive: the model would answer it again
 * (PROTOCOL 2.3). */
static enum vr_status
encode_history(const struct setup *s, struct sonic_batch *batch)
{
    const struct history_selection *h = s->history;
    enum vr_status status = VR_OK;
    for (size_t i = 0; i < h->count && status == VR_OK; i++)
        status = encode_text(s, batch,
                             h->blocks[i].role == HISTORY_USER
                                 ? SONIC_ROLE_USER
                                 : SONIC_ROLE_ASSISTANT,
                             h->blocks[i].text);
    return status;
}

/* ---- the system prompt ---- */

/* Names of the offered tools that answer later, parted by commas. */
static bool
name_async_tools(const struct setup *s, const struct sonic_tool_spec *specs,
                 size_t count, struct strbuf *names)
{
    bool whole = true;
    for (size_t i = 0; whole && i < count; i++) {
        const struct tool *t = broker_find(s->broker, specs[i].name);
        if (!t || t->mode != TOOL_ASYNC)
            continue;
        whole = (!names->bytes || strbuf_append(names, ", ", 2)) &&
                strbuf_append(names, t->name, strlen(t->name));
    }
    return whole;
}

/* A model that is silent while a tool runs gets a placeholder, and must know
 * how to ask again (PROTOCOL 7). */
static bool
add_guidance(const struct setup *s, const struct sonic_tool_spec *specs,
             size_t count, struct strbuf *prompt)
{
    static const char before[] = "\n\nThese tools take long: ";
    static const char after[] =
        ". Their first answer only says that they have begun: tell the user "
        "so, and go on talking. When the user asks what came of it, call the "
        "same tool again with exactly the same input. It then answers with "
        "the result, or that it still runs.";
    struct strbuf names;
    if (s->family->features.async_tools ||
        s->settings->async_guidance != CONFIG_ON)
        return true;
    strbuf_init(&names, GUIDANCE_NAMES_BYTES);
    bool whole = name_async_tools(s, specs, count, &names);
    if (whole && names.bytes)
        whole = strbuf_append(prompt, before, strlen(before)) &&
                strbuf_append(prompt, names.text, names.bytes) &&
                strbuf_append(prompt, after, strlen(after));
    strbuf_fini(&names);
    return whole;
}

static enum vr_status
encode_prompt(const struct setup *s, struct sonic_batch *batch,
              const struct sonic_tool_spec *specs, size_t count)
{
    const char *given = s->settings->system_prompt;
    const char *prompt = given && given[0] ? given : SETUP_DEFAULT_PROMPT;
    struct strbuf text;
    strbuf_init(&text, strlen(prompt) + GUIDANCE_NAMES_BYTES + 512);
    enum vr_status status = VR_NO_MEMORY;
    if (strbuf_append(&text, prompt, strlen(prompt)) &&
        add_guidance(s, specs, count, &text))
        status = encode_text(s, batch, SONIC_ROLE_SYSTEM, strbuf_text(&text));
    strbuf_fini(&text);
    return status;
}

enum vr_status
setup_encode_head(const struct setup *s, struct sonic_batch *batch)
{
    struct sonic_tool_spec specs[SETUP_TOOLS_MAX];
    size_t count = offered_tools(s, specs);
    enum vr_status status = encode_session_start(s, batch, count > 0);
    if (status == VR_OK)
        status = encode_prompt_start(s, batch, specs, count);
    if (status == VR_OK)
        status = encode_prompt(s, batch, specs, count);
    return status;
}

enum vr_status
setup_encode_tail(const struct setup *s, struct sonic_batch *batch)
{
    enum vr_status status = encode_history(s, batch);
    if (status == VR_OK)
        status = sonic_encode_audio_start(batch, s->prompt_name, s->audio_name,
                                          s->settings->model_input_rate_hz);
    return status;
}

/* With its end, so that what follows begins there. */
static uint64_t
mix(uint64_t hash, const char *text)
{
    return fnv_bytes(hash, text, strlen(text) + 1);
}

uint64_t
setup_tools_mark(const struct config_session *settings,
                 const struct sonic_family *family, const struct broker *broker)
{
    uint64_t mark = 0;
    for (size_t i = 0; i < broker_tool_count(broker); i++) {
        const struct tool *t = broker_tool_at(broker, i);
        if (setup_tool_allowed(settings, t->name, t))
            mark += mix(mix(mix(FNV_BASIS, t->name), t->description),
                        t->schema_json) +
                    (family->features.async_tools ? 0 : t->mode);
    }
    return mark;
}

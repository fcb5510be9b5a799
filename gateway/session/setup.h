/* What a stream is begun with: sessionStart, promptStart with tools, the
 * system prompt, the history, and the AUDIO block (PROTOCOL 2). Builds events
 * from settings; sends nothing. */
#ifndef GATEWAY_SESSION_SETUP_H
#define GATEWAY_SESSION_SETUP_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/config.h"
#include "gateway/sonic/batch.h"
#include "gateway/sonic/family.h"
#include "gateway/toolbroker/broker.h"

/* Sent when no system prompt is given: the model insists on one. */
#define SETUP_DEFAULT_PROMPT                                                  \
    "You are the voice of a robot. You and the user talk by speech, so keep " \
    "your answers short: two or three sentences, in plain words, without "    \
    "lists or symbols. When a tool can answer, use it. Say so when you do "   \
    "not know something."

/* Tools offered at most. */
#define SETUP_TOOLS_MAX 128

/* History sent at most, in bytes of text (PROTOCOL 2.6). */
#define SETUP_HISTORY_BYTES_MAX 40960

struct setup {
    const struct config_session *settings;
    const struct sonic_family *family;
    const struct broker *broker;
    const char *prompt_name;
    const char *audio_name;
    const char *context; /* for log lines */
};

/* Appends every event up to AUDIO contentStart. `pending_text` gets a copy of
 * the history's last message if that is the user's and the model can be given
 * it as live text instead, so that it answers; NULL if not, and on failure.
 * The caller frees it. [loop] */
enum vr_status setup_encode(const struct setup *setup,
                            struct sonic_batch *batch,
                            char **pending_text) VR_NODISCARD;

/* The family of the settings' model: named by them, or known from its id.
 * Static storage. [any] */
const struct sonic_family *setup_family(const struct config_session *settings,
                                        bool *known);

/* Whether every tool that the settings name is there; with "*", whether the
 * broker has heard of all its plugins. [loop] */
bool setup_tools_ready(const struct config_session *settings,
                       const struct broker *broker);

/* Whether the settings let the model call a tool of this name. [any] */
bool setup_tool_allowed(const struct config_session *settings,
                        const char *name);

/* One warning for what is not known or not offered: model, region, voice,
 * settings that the family lacks, tools that are missing. [loop] */
void setup_warn(const struct config_session *settings,
                const struct sonic_family *family, bool model_known,
                const char *region, const char *context);
void setup_warn_tools(const struct config_session *settings,
                      const struct broker *broker, const char *context);

#endif

/* What a stream is begun with: sessionStart, promptStart with tools, the
 * system prompt, the history, and the AUDIO block (PROTOCOL 2). Builds events
 * from settings; sends nothing. */
#ifndef GATEWAY_SESSION_SETUP_H
#define GATEWAY_SESSION_SETUP_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/config.h"
#include "gateway/session/history.h"
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

struct setup {
    const struct config_session *settings;
    const struct sonic_family *family;
    const struct broker *broker;
    const char *prompt_name;
    const char *audio_name;
    const struct history_selection *history;
    const char *context; /* for log lines */
};

/* Appends sessionStart, promptStart and the system prompt: what the endpoint
 * accepts a stream for. `history` is not looked at. [loop] */
enum vr_status setup_encode_head(const struct setup *setup,
                                 struct sonic_batch *batch) VR_NODISCARD;

/* Appends the history and the AUDIO block's contentStart; audio may follow.
 * [loop] */
enum vr_status setup_encode_tail(const struct setup *setup,
                                 struct sonic_batch *batch) VR_NODISCARD;

/* A number that differs when other tools would be offered. [loop] */
uint64_t setup_tools_mark(const struct config_session *settings,
                          const struct sonic_family *family,
                          const struct broker *broker);

/* The family of a model: named by the settings if it is theirs, or known from
 * its id. Static storage. [any] */
const struct sonic_family *setup_family(const struct config_session *settings,
                                        const char *model, bool *known);

/* Whether every tool that the settings name is there; with "*", whether the
 * broker has heard of all its plugins. [loop] */
bool setup_tools_ready(const struct config_session *settings,
                       const struct broker *broker);

/* Whether the settings let the model call a tool of this name; `tool` is the
 * one there is, NULL if nobody offers it by that name. [any] */
bool setup_tool_allowed(const struct config_session *settings, const char *name,
                        const struct tool *tool);

/* One warning for what is not known or not offered: model, region, voice,
 * settings that the family lacks, tools that are missing. [loop] */
void setup_warn(const struct config_session *settings,
                const struct sonic_family *family, bool model_known,
                const char *region, const char *context);
void setup_warn_tools(const struct config_session *settings,
                      const struct broker *broker, const char *context);

#endif

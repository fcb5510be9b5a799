/* A conversation that comes from outside: session.open's `history`,
 * history.replace's `messages`, a history_file, the settings.
 *
 * A message is {role, text} or {role, content}; content is a text, or an array
 * of texts and parts. What is read, as AWS's samples, LiveKit and Pipecat do,
 * is what the user and the assistant said, in words:
 *
 *  - role user and assistant, in any case of letters;
 *  - system and developer are dropped: the prompt is the session's setting;
 *  - tool and function, messages that only call a tool, and items whose `type`
 *    is there and not "message" (LiveKit's function_call) are dropped: a call's
 *    id means nothing to another stream;
 *  - any other role is refused: it is most likely misspelt;
 *  - parts {text} of no type or of type text, input_text or output_text are
 *    taken, and what was said aloud ({transcript}, the words of an audio part);
 *    other parts are dropped;
 *  - messages of white space only, or left without words, are dropped;
 *  - a text beyond HISTORY_TEXT_BYTES_MAX is cut with HISTORY_TRUNCATED;
 *  - bytes that are no UTF-8 are refused.
 *
 * `pinned`, `interrupted` and `trigger` (true or false), `id`, `turn` (64-bit
 * numbers, best as text) and `time` (RFC 3339) are read as session.history
 * shows them, null as absent; other members are not looked at. What is dropped
 * is counted; what is refused is told with its place. Each dropped message or
 * part is of the first kind above that fits. */
#ifndef GATEWAY_SESSION_HISTORY_IMPORT_H
#define GATEWAY_SESSION_HISTORY_IMPORT_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

#include "gateway/config.h"
#include "gateway/session/history.h"
#include "ipc/status.h"

#define HISTORY_IMPORT_MESSAGES_MAX 4096
#define HISTORY_IMPORT_PARTS_MAX 1024 /* of one message */
#define HISTORY_IMPORT_BYTES_MAX (1024u * 1024u)
#define HISTORY_IMPORT_SUMMARY_BYTES 320

struct history_import {
    struct history_message *messages; /* owned, as their texts are */
    size_t count;
    size_t system_dropped; /* messages, by kind */
    size_t tool_dropped;
    size_t empty_dropped;
    size_t parts_dropped;
    size_t cut;
    /* What was dropped or cut, as a sentence; "" if all was taken. */
    char summary[HISTORY_IMPORT_SUMMARY_BYTES];
};

/* Reads an array (NULL and null: none), which is not kept. `path` is where it
 * stands, "params.history". VR_INVALID, VR_LIMIT for too much, VR_NO_MEMORY:
 * then it is empty, and `why` says where and what ("params.history[3].content:
 * ..."). [any] */
enum vr_status history_import_read(const cJSON *array, const char *path,
                                   struct history_import *import, char *why,
                                   size_t why_size) VR_NODISCARD;

/* The same from the settings. VR_NO_MEMORY: then it is empty. [any] */
enum vr_status
history_import_settings(const struct config_history *history,
                        struct history_import *import) VR_NODISCARD;

/* "user" or "assistant", in any case of letters; false for all else. [any] */
bool history_import_role(const char *text, enum history_role *role);

/* Frees and empties it. [any] */
void history_import_fini(struct history_import *import);

#endif

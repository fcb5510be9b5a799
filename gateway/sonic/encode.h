/* What we say to Nova Sonic: one function per input event or unit of events
 * (PROTOCOL 2). No I/O: each appends JSON texts to a batch.
 *
 * All text is UTF-8; what is not becomes U+FFFD. Names of prompts and contents
 * are minted by the caller. Every function returns VR_NO_MEMORY, or VR_INVALID
 * for an argument that breaks its contract below; the batch is then as it was.
 * Audio itself has a path of its own: audio_input.h. */
#ifndef GATEWAY_SONIC_ENCODE_H
#define GATEWAY_SONIC_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cjson/cJSON.h>

#include "gateway/sonic/batch.h"
#include "ipc/status.h"

/* Largest piece of text in one textInput (PROTOCOL 2.6). */
#define SONIC_TEXT_PIECE_BYTES 1000

enum sonic_role {
    SONIC_ROLE_NONE, /* not said, or a name we do not know */
    SONIC_ROLE_SYSTEM,
    SONIC_ROLE_SYSTEM_SPEECH,
    SONIC_ROLE_USER,
    SONIC_ROLE_ASSISTANT,
    SONIC_ROLE_TOOL
};

/* "USER" and so on; "" for SONIC_ROLE_NONE. Static. [any] */
const char *sonic_role_name(enum sonic_role role);

struct sonic_session_start {
    int max_tokens;                      /* 0 or less: not sent */
    double top_p;                        /* below 0: not sent */
    double temperature;                  /* below 0: not sent */
    const char *endpointing_sensitivity; /* HIGH, MEDIUM, LOW; NULL: not sent */
    const cJSON *extra; /* merged into the event's body; NULL: none */
};

/* sessionStart. `extra` is merged deeply: objects member by member, any other
 * value replaces ours. Borrows its arguments for the call. [loop] */
enum vr_status sonic_encode_session_start(
    struct sonic_batch *batch,
    const struct sonic_session_start *start) VR_NODISCARD;

struct sonic_tool_spec {
    const char *name;
    const char *description; /* NULL: not sent */
    const char *schema;      /* JSON text; NULL: any object */
};

struct sonic_prompt_start {
    const char *prompt_name;
    uint32_t output_rate_hz;
    const char *voice;
    const struct sonic_tool_spec *tools;
    size_t tool_count;        /* 0: no tool configuration is sent */
    const cJSON *tool_choice; /* such as {"auto":{}}; NULL: not sent */
    const cJSON *extra;       /* as in sonic_session_start */
};

/* promptStart. The prompt's name cannot be changed by `extra`. Borrows its
 * arguments for the call. [loop] */
enum vr_status
sonic_encode_prompt_start(struct sonic_batch *batch,
                          const struct sonic_prompt_start *start) VR_NODISCARD;

struct sonic_text_block {
    const char *prompt_name;
    const char *content_name; /* unused before in this prompt */
    enum sonic_role role;     /* SYSTEM, SYSTEM_SPEECH, USER or ASSISTANT */
    bool interactive;         /* true only for live user text, Nova 2 and up */
    const char *text;         /* not empty, need not be NUL-terminated */
    size_t text_bytes;
    size_t piece_bytes; /* 0: SONIC_TEXT_PIECE_BYTES; at least 4 */
};

/* contentStart, a textInput for each piece of the text, contentEnd. Pieces end
 * between characters and are never empty. VR_INVALID: empty text or a role that
 * cannot speak. [loop] */
enum vr_status
sonic_encode_text(struct sonic_batch *batch,
                  const struct sonic_text_block *block) VR_NODISCARD;

/* contentStart of the one AUDIO block; sonic_audio_input_write() fills it.
 * [loop] */
enum vr_status sonic_encode_audio_start(struct sonic_batch *batch,
                                        const char *prompt_name,
                                        const char *content_name,
                                        uint32_t rate_hz) VR_NODISCARD;

struct sonic_tool_result {
    const char *prompt_name;
    const char *content_name; /* unused before in this prompt */
    const char *tool_use_id;
    const char *content; /* need not be NUL-terminated */
    size_t content_bytes;
};

/* contentStart, toolResult, contentEnd. The model accepts nothing but a JSON
 * object as content: one is sent as it is, any other JSON value as
 * {"result":value}, any other text as {"result":"text"}. [loop] */
enum vr_status
sonic_encode_tool_result(struct sonic_batch *batch,
                         const struct sonic_tool_result *result) VR_NODISCARD;

/* contentEnd. [loop] */
enum vr_status sonic_encode_content_end(struct sonic_batch *batch,
                                        const char *prompt_name,
                                        const char *content_name) VR_NODISCARD;

/* promptEnd; refused by the model for a prompt without an AUDIO block.
 * [loop] */
enum vr_status sonic_encode_prompt_end(struct sonic_batch *batch,
                                       const char *prompt_name) VR_NODISCARD;

/* sessionEnd. [loop] */
enum vr_status sonic_encode_session_end(struct sonic_batch *batch) VR_NODISCARD;

#endif

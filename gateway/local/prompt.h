/* What promptStart fixes for a whole prompt: voice, rate, tools. */
#ifndef GATEWAY_LOCAL_PROMPT_H
#define GATEWAY_LOCAL_PROMPT_H

#include "gateway/local/shape.h"

enum family { FAMILY_V1, FAMILY_NOVA2 };

enum tool_choice { CHOICE_AUTO, CHOICE_ANY, CHOICE_TOOL };

struct prompt {
    char *name;
    char *voice;
    long output_rate_hz;
    char **tools; /* names, in the order given */
    size_t tool_count;
    enum tool_choice choice;
    size_t chosen; /* index into tools, with CHOICE_TOOL */
};

/* v1 for amazon.nova-sonic-*, Nova 2 for everything later. [any] */
enum family prompt_family(const char *model_id);

/* Takes promptStart's object; what is wrong goes to `s`. Out of memory counts
 * as failed. The caller calls prompt_fini() in any case. [any] */
void prompt_init(struct prompt *prompt, struct shape *s, const cJSON *object,
                 enum family family);
void prompt_fini(struct prompt *prompt);

/* Whether the voice exists in the family. [any] */
bool prompt_knows_voice(const char *voice, enum family family);
bool prompt_has_tool(const struct prompt *prompt, const char *name);

#endif

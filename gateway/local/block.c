#include "gateway/local/block.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES_MAX 204800

void
block_fini(struct block *block)
{
    free(block->name);
    free(block->tool_use_id);
    free(block->text);
    memset(block, 0, sizeof(*block));
}

bool
block_take_role(struct block *block, struct shape *s, const cJSON *object)
{
    static const char *const names[] = {"SYSTEM", "SYSTEM_SPEECH", "USER",
                                        "ASSISTANT"};
    const char *role = shape_string(s, object, "role");

    if (role == NULL)
        return false;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(role, names[i]) == 0) {
            block->role = (enum role)i;
            return true;
        }
    }
    shape_fail(s,
               "role %.40s is none of SYSTEM, SYSTEM_SPEECH, USER, "
               "ASSISTANT",
               role);
    return false;
}

bool
block_append(struct block *block, struct shape *s, const char *content)
{
    size_t bytes = strlen(content);
    char *text;

    if (block->text_bytes + bytes > BLOCK_BYTES_MAX) {
        shape_fail(s, "the block exceeds %d bytes", BLOCK_BYTES_MAX);
        return false;
    }
    text = realloc(block->text, block->text_bytes + bytes + 1);
    if (text == NULL) {
        shape_fail(s, "out of memory");
        return false;
    }
    memcpy(text + block->text_bytes, content, bytes + 1);
    block->text = text;
    block->text_bytes += bytes;
    block->pieces++;
    return true;
}

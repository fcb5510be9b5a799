/* A TEXT or TOOL block of the client while its events come in. */
#ifndef GATEWAY_LOCAL_BLOCK_H
#define GATEWAY_LOCAL_BLOCK_H

#include "gateway/local/shape.h"

enum role { ROLE_SYSTEM, ROLE_SYSTEM_SPEECH, ROLE_USER, ROLE_ASSISTANT };

enum block_type { BLOCK_NONE, BLOCK_TEXT, BLOCK_TOOL };

struct block {
    enum block_type type;
    enum role role;
    bool interactive;
    char *name;
    char *tool_use_id;
    char *text;
    size_t text_bytes;
    size_t pieces;
};

/* Frees what the block holds and makes it BLOCK_NONE. [any] */
void block_fini(struct block *block);

/* Takes the role of a TEXT block. False: it is missing or unknown. [any] */
bool block_take_role(struct block *block, struct shape *s, const cJSON *object);

/* Adds one event's content. False: too much of it, or no memory. [any] */
bool block_append(struct block *block, struct shape *s, const char *content);

#endif

/* What a tool answered, made fit for the model: always the text of one JSON
 * object, whatever the tool sent.
 *
 * Every function that returns text returns it malloc'ed, for the caller to
 * free(), or NULL when memory is out. */
#ifndef GATEWAY_TOOLBROKER_TOOL_CONTENT_H
#define GATEWAY_TOOLBROKER_TOOL_CONTENT_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

#include "gateway/toolbroker/broker.h"

/* True if these bytes are UTF-8 as RFC 3629 has it. [any] */
bool tool_content_is_utf8(const char *text, size_t text_bytes);

/* Puts '?' in the place of every byte that is not part of UTF-8: names and
 * sentences go to the bus, which is JSON. [any] */
void tool_content_clean(char *text);

/* Parses text that must be exactly one JSON value; NULL if it is not. The
 * tree is the caller's to cJSON_Delete(). [any] */
cJSON *tool_content_parse(const char *text);

/* {"error": sentence}. [any] */
char *tool_content_error(const char *sentence);

/* The input of a call as an object's text: NULL, "" and null are {}, a string
 * that holds an object is that object. If it is nothing of the kind NULL and a
 * sentence in `why`; `*tree` (never NULL itself) gets the parsed object, the
 * caller's to cJSON_Delete(). [any] */
char *tool_content_arguments(const char *json, cJSON **tree, char *why,
                             size_t why_size);

/* What a worker's tools/call result (MCP's CallToolResult) means. */
struct tool_content {
    enum tool_outcome outcome; /* TOOL_OK or TOOL_ERROR */
    char *json;                /* an object's text; NULL when memory is out */
    char reason[256];          /* "" when TOOL_OK */
    char failure[80];          /* why it is unfit, "" if it is not */
    bool is_too_large;
};

/* Reads a result object: its text blocks joined, else structuredContent; an
 * object passes byte for byte, anything else is put into {"result": ...} or,
 * with isError, {"error": ...}. Images, sound and resources are named beside
 * that, {"omitted": ["image/png, 12 kB"]}, and not sent. Text over
 * `limit_bytes`, or not UTF-8, is an error that says so, and so is what was too
 * large to be sent (_meta says that). content->json is the
 * caller's to free(). [any] */
void tool_content_read(const cJSON *result, size_t limit_bytes,
                       struct tool_content *content);

#endif

/* What a tool of a server answers, as the gateway's model can use it. Sans-IO.
 *
 * Texts stay. A resource that is text is put in; of an image, a sound or
 * another binary thing the model gets a note of what it is and how big, never
 * the thing. */
#ifndef TOOLS_MCP_CONTENT_H
#define TOOLS_MCP_CONTENT_H

#include <stddef.h>

#include <cjson/cJSON.h>

/* Makes the result of our tools/call from the server's: malloc'ed text of an
 * object {content, structuredContent?, isError}, or NULL when memory is out.
 * More than `limit_bytes` becomes an error that says so. [any] */
char *content_result(const cJSON *result, size_t limit_bytes);

/* A result that is an error with this sentence. [any] */
char *content_error(const char *sentence);

#endif

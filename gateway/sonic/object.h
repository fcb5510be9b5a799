/* JSON objects from texts that should be one and sometimes are not: arguments
 * of a tool, and its result. */
#ifndef GATEWAY_SONIC_OBJECT_H
#define GATEWAY_SONIC_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <cjson/cJSON.h>

/* Parses one JSON text with nothing but white space after it; NULL if it is
 * not one. The caller deletes it. [loop] */
cJSON *sonic_object_parse(const char *json, size_t bytes);

/* The arguments of a tool call as JSON text, always an object: given as an
 * object, as its text, or as a text in a text. Nothing at all is {}. Any other
 * value is kept as {"input":value} and `clean` is false. NULL when memory is
 * out; free() it. [loop] */
char *sonic_object_arguments(const cJSON *content, bool *clean);

/* A tool's result as JSON text, always an object: an object stays as it is,
 * any other value becomes {"result":value}, any other text
 * {"result":"text"}. NULL when memory is out; free() it. [loop] */
char *sonic_object_result(const char *content, size_t bytes);

#endif

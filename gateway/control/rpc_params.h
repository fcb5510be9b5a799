/* A method's list of parameters, "session:text! wait:accepted|response", and
 * the check of what a caller sent against it. Used by rpc.c and fuzzed. */
#ifndef GATEWAY_CONTROL_RPC_PARAMS_H
#define GATEWAY_CONTROL_RPC_PARAMS_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

/* Whether a list is well formed: "name:type" or "name:type!", parted by single
 * spaces; type text, uint, number, bool, object, array, any, or words to
 * choose from, a|b|c. [any] */
bool rpc_params_valid(const char *list);

/* Checks an object against a valid list, and takes members that are null out
 * of it. True if it is as listed; else `param` names the member (cut) and
 * `problem` says what is wrong and what would be right. [any] */
bool rpc_params_check(const char *list, cJSON *params, char *param,
                      size_t param_size, char *problem, size_t problem_size);

#endif

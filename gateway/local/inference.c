#include "gateway/local/inference.h"

#include <string.h>

#define MAX_TOKENS_USUAL 10000

static void
check_inference(struct shape *s, const cJSON *object)
{
    const cJSON *config;
    const cJSON *tokens;

    if (!cJSON_HasObjectItem(object, "inferenceConfiguration"))
        return;
    config = shape_object(s, object, "inferenceConfiguration");
    if (config == NULL)
        return;
    shape_only(s, config, "maxTokens topP temperature stopSequences");
    shape_range(s, config, "topP", 0, 1);
    shape_range(s, config, "temperature", 0, 1);
    tokens = cJSON_GetObjectItemCaseSensitive(config, "maxTokens");
    if (tokens == NULL)
        return;
    if (shape_integer(s, config, "maxTokens", 1) < 1)
        shape_fail(s, "maxTokens must be at least 1");
    else if (tokens->valuedouble > MAX_TOKENS_USUAL)
        shape_odd(s, "maxTokens above %d is refused by some models",
                  MAX_TOKENS_USUAL);
}

static enum sensitivity
take_sensitivity(struct shape *s, const cJSON *object, enum family family)
{
    const cJSON *config;
    const char *value;

    if (cJSON_HasObjectItem(object, "endpointingSensitivity")) {
        if (family == FAMILY_V1)
            shape_odd(s, "endpointingSensitivity has no effect on v1");
        else
            shape_fail(s, "endpointingSensitivity belongs into "
                          "turnDetectionConfiguration");
    }
    if (!cJSON_HasObjectItem(object, "turnDetectionConfiguration"))
        return SENSITIVITY_DEFAULT;
    if (family == FAMILY_V1)
        shape_fail(s, "turnDetectionConfiguration needs Nova 2 or later");
    config = shape_object(s, object, "turnDetectionConfiguration");
    if (config == NULL)
        return SENSITIVITY_DEFAULT;
    shape_only(s, config, "endpointingSensitivity");
    value = shape_string(s, config, "endpointingSensitivity");
    if (value != NULL && strcmp(value, "HIGH") == 0)
        return SENSITIVITY_HIGH;
    if (value != NULL && strcmp(value, "MEDIUM") == 0)
        return SENSITIVITY_MEDIUM;
    if (value != NULL && strcmp(value, "LOW") == 0)
        return SENSITIVITY_LOW;
    shape_fail(s, "endpointingSensitivity must be HIGH, MEDIUM or LOW");
    return SENSITIVITY_DEFAULT;
}

enum sensitivity
inference_take(struct shape *s, const cJSON *object, enum family family)
{
    shape_only(s, object,
               "inferenceConfiguration turnDetectionConfiguration "
               "endpointingSensitivity");
    check_inference(s, object);
    return take_sensitivity(s, object, family);
}

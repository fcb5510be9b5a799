/* What sessionStart fixes: inference and turn detection. */
#ifndef GATEWAY_LOCAL_INFERENCE_H
#define GATEWAY_LOCAL_INFERENCE_H

#include "gateway/local/prompt.h"

enum sensitivity {
    SENSITIVITY_DEFAULT,
    SENSITIVITY_HIGH,
    SENSITIVITY_MEDIUM,
    SENSITIVITY_LOW
};

/* Takes sessionStart's object; what is wrong goes to `s`. [any] */
enum sensitivity inference_take(struct shape *s, const cJSON *object,
                                enum family family);

#endif

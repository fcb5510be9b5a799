#include "tools/plugins/shared/input.h"

#include <math.h>
#include <string.h>

#define SPACES " \t\r\n"

enum input_found
input_number(const cJSON *object, const char *name, double least, double most,
             double *value)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

    if (!item || cJSON_IsNull(item))
        return INPUT_ABSENT;
    if (!cJSON_IsNumber(item) || !isfinite(item->valuedouble) ||
        item->valuedouble < least || item->valuedouble > most)
        return INPUT_BAD;
    *value = item->valuedouble;
    return INPUT_GOOD;
}

enum input_found
input_text(const cJSON *object, const char *name, char *out, size_t size)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    const char *text;
    size_t n;

    if (!item || cJSON_IsNull(item))
        return INPUT_ABSENT;
    if (!cJSON_IsString(item))
        return INPUT_BAD;
    text = item->valuestring + strspn(item->valuestring, SPACES);
    n = strlen(text);
    while (n > 0 && strchr(SPACES, text[n - 1]))
        n--;
    if (n == 0)
        return INPUT_ABSENT;
    if (n >= size)
        return INPUT_BAD;
    memcpy(out, text, n);
    out[n] = '\0';
    return INPUT_GOOD;
}

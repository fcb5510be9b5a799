#include "tools/plugins/shared/reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SENTENCE_BYTES 512

static void
end_call(const struct voxring_host *host, uint64_t token, int status,
         cJSON *object)
{
    char *json = object ? cJSON_PrintUnformatted(object) : NULL;

    if (json)
        host->complete(token, status, json);
    else
        host->complete(token, VOXRING_ERROR,
                       "{\"error\":\"The tool is out of memory\"}");
    cJSON_free(json);
    cJSON_Delete(object);
}

void
reply_object(const struct voxring_host *host, uint64_t token, cJSON *object)
{
    end_call(host, token, VOXRING_OK, object);
}

static cJSON *__attribute__((format(printf, 2, 0)))
sentence_object(const char *name, const char *format, va_list args)
{
    char whole[SENTENCE_BYTES + 8];
    char text[SENTENCE_BYTES];
    cJSON *object = cJSON_CreateObject();

    vsnprintf(whole, sizeof whole, format, args);
    reply_cut(text, sizeof text, whole);
    if (!cJSON_AddStringToObject(object, name, text)) {
        cJSON_Delete(object);
        return NULL;
    }
    return object;
}

void
reply_text(const struct voxring_host *host, uint64_t token, const char *format,
           ...)
{
    va_list args;

    va_start(args, format);
    end_call(host, token, VOXRING_OK, sentence_object("text", format, args));
    va_end(args);
}

void
reply_error(const struct voxring_host *host, uint64_t token, const char *format,
            ...)
{
    va_list args;

    va_start(args, format);
    end_call(host, token, VOXRING_ERROR,
             sentence_object("error", format, args));
    va_end(args);
}

int
reply_publish(const struct voxring_host *host, uint64_t token, const char *name,
              cJSON *data)
{
    char *json = data ? cJSON_PrintUnformatted(data) : NULL;
    int told = -1;

    if (VOXRING_HAS(host, publish) && host->publish && (json || !data) &&
        host->publish(token, name, json) == 0)
        told = 0;
    cJSON_free(json);
    cJSON_Delete(data);
    return told;
}

void
reply_cut(char *out, size_t size, const char *text)
{
    size_t n = strlen(text);

    if (n >= size) {
        n = size - 1;
        while (n > 0 && ((unsigned char)text[n] & 0xc0u) == 0x80u)
            n--;
    }
    memcpy(out, text, n);
    out[n] = '\0';
}

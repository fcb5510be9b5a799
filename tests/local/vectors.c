#include "tests/local/vectors.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

uint8_t *
vectors_read(const char *path, size_t *bytes)
{
    char whole[1024];
    const char *folder = getenv("VECTORS");
    snprintf(whole, sizeof(whole), "%s/%s",
             folder ? folder : "../shared/vectors", path);
    FILE *file = fopen(whole, "rb");
    if (file == NULL)
        return NULL;
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    uint8_t *data = malloc((size_t)size + 1);
    *bytes = fread(data, 1, (size_t)size, file);
    data[*bytes] = 0;
    fclose(file);
    return data;
}

cJSON *
vectors_json(const char *path)
{
    size_t bytes;
    char *text = (char *)vectors_read(path, &bytes);
    if (text == NULL) {
        print_message("skipped: no %s in $VECTORS\n", path);
        skip();
        return NULL;
    }
    cJSON *json = cJSON_ParseWithLength(text, bytes);
    free(text);
    assert_non_null(json);
    return json;
}

const char *
vectors_text(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsString(item) ? item->valuestring : "";
}

uint8_t *
vectors_base64(const char *text, size_t *bytes)
{
    size_t count = strlen(text);
    uint8_t *data = malloc(count + 1);
    int size = EVP_DecodeBlock(data, (const uint8_t *)text, (int)count);
    while (size > 0 && count > 0 && text[count - 1] == '=') {
        count--;
        size--;
    }
    *bytes = (size_t)size;
    return data;
}

uint8_t *
vectors_hex(const char *text, size_t *bytes)
{
    *bytes = strlen(text) / 2;
    uint8_t *data = malloc(*bytes + 1);
    for (size_t i = 0; i < *bytes; i++) {
        unsigned byte;
        sscanf(text + 2 * i, "%2x", &byte);
        data[i] = (uint8_t)byte;
    }
    return data;
}

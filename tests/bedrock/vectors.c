#include "tests/bedrock/vectors.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "gateway/base64.h"

static void
full_path(const char *path, char out[1024])
{
    const char *root = getenv("VECTORS");

    snprintf(out, 1024, "%s/%s", root && *root ? root : "../shared/vectors",
             path);
}

bool
vectors_present(const char *folder)
{
    char path[1024];
    struct stat status;

    full_path(folder, path);
    if (!stat(path, &status))
        return true;
    print_message("SKIPPED: no test vectors at %s (set VECTORS)\n", path);
    return false;
}

char *
vectors_read_optional(const char *name, size_t *bytes)
{
    char path[1024];
    FILE *file;
    char *text;
    long size;

    full_path(name, path);
    file = fopen(path, "rb");
    if (!file)
        return NULL;
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    size = ftell(file);
    rewind(file);
    text = malloc((size_t)size + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)size, file), size);
    fclose(file);
    text[size] = '\0';
    if (bytes)
        *bytes = (size_t)size;
    return text;
}

char *
vectors_read(const char *name, size_t *bytes)
{
    char *text = vectors_read_optional(name, bytes);

    if (!text)
        fail_msg("cannot read the vector %s", name);
    return text;
}

cJSON *
vectors_json(const char *path)
{
    char *text = vectors_read(path, NULL);
    cJSON *json = cJSON_Parse(text);

    if (!json)
        fail_msg("%s is not JSON", path);
    free(text);
    return json;
}

const char *
vectors_string(const cJSON *object, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

size_t
vectors_hex(const char *hex, uint8_t *out, size_t size)
{
    size_t bytes = strlen(hex) / 2;

    assert_true(bytes <= size);
    for (size_t i = 0; i < bytes; i++) {
        char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

        out[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return bytes;
}

uint8_t *
vectors_base64(const char *text, size_t *bytes)
{
    uint8_t *out = malloc(base64_decoded_bytes_max(strlen(text)) + 1);
    long count;

    assert_non_null(out);
    count = base64_decode(text, strlen(text), out);
    assert_true(count >= 0);
    *bytes = (size_t)count;
    return out;
}

static int
not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

char **
vectors_names(const char *folder)
{
    char path[1024];
    struct dirent **entries;
    char **names;
    int count;

    full_path(folder, path);
    count = scandir(path, &entries, not_hidden, alphasort);
    if (count < 0) {
        fail_msg("cannot list %s", path);
        return NULL;
    }
    names = calloc((size_t)count + 1, sizeof *names);
    assert_non_null(names);
    for (int i = 0; i < count; i++) {
        names[i] = strdup(entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return names;
}

void
vectors_names_free(char **names)
{
    for (char **name = names; *name; name++)
        free(*name);
    free(names);
}

#include "tools/toolhost/boot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#define LINE_MAX_BYTES (4u * 1024 * 1024)
#define RESULT_DEFAULT_BYTES (256u * 1024)
#define MEMORY_MAX_BYTES (1e15)
#define CALLS_DEFAULT 8u

void
boot_close_others(void)
{
    if (close_range(BOOT_FD + 1, ~0u, 0) == 0)
        return;
    for (int fd = BOOT_FD + 1; fd < 4096; fd++)
        close(fd);
}

/* The line without its newline, malloc'ed; NULL if it does not end. */
static char *
read_line(int fd)
{
    size_t bytes = 0, capacity = 4096;
    char *line = malloc(capacity);

    while (line && bytes < LINE_MAX_BYTES) {
        ssize_t n = read(fd, line + bytes, capacity - bytes - 1);
        char *end;
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        end = memchr(line + bytes, '\n', (size_t)n);
        bytes += (size_t)n;
        if (end) {
            *end = '\0';
            return line;
        }
        if (capacity - bytes < 4096) {
            char *larger = realloc(line, capacity *= 2);
            if (!larger)
                break;
            line = larger;
        }
    }
    free(line);
    return NULL;
}

static char *
copy_member(const cJSON *root, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, name);

    return cJSON_IsString(item) ? strdup(item->valuestring) : NULL;
}

/* The number, or `otherwise` if there is none from 1 to `max`. */
static double
number_of(const cJSON *root, const char *name, double max, double otherwise)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, name);

    return cJSON_IsNumber(item) && item->valuedouble >= 1 &&
                   item->valuedouble <= max
               ? item->valuedouble
               : otherwise;
}

enum vr_status
boot_read(struct boot *boot, int fd, char *why, size_t why_size)
{
    char *line = read_line(fd);
    cJSON *root = line ? cJSON_Parse(line) : NULL;
    const cJSON *config = cJSON_GetObjectItemCaseSensitive(root, "config");

    memset(boot, 0, sizeof *boot);
    boot->endpoint = copy_member(root, "endpoint");
    boot->token = copy_member(root, "token");
    boot->name = copy_member(root, "name");
    boot->config_json =
        cJSON_IsObject(config) ? cJSON_PrintUnformatted(config) : strdup("{}");
    boot->result_max_bytes = (size_t)number_of(
        root, "result_max_bytes", LINE_MAX_BYTES, RESULT_DEFAULT_BYTES);
    boot->memory_bytes =
        (uint64_t)number_of(root, "memory_bytes", MEMORY_MAX_BYTES, 0);
    boot->concurrent_calls = (unsigned)number_of(root, "concurrent_calls",
                                                 BOOT_CALLS_MAX, CALLS_DEFAULT);
    if (cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(root, "mcp")))
        boot->mcp = cJSON_DetachItemFromObjectCaseSensitive(root, "mcp");
    cJSON_Delete(root);
    free(line);
    if (boot->endpoint && boot->token && boot->name && boot->config_json)
        return VR_OK;
    boot_fini(boot);
    snprintf(why, why_size,
             "descriptor %d holds no start message; voxringd starts this "
             "program, to check a plugin use --check FILE.so",
             fd);
    return VR_INVALID;
}

void
boot_fini(struct boot *boot)
{
    free(boot->endpoint);
    free(boot->token);
    free(boot->name);
    free(boot->config_json);
    cJSON_Delete(boot->mcp);
    memset(boot, 0, sizeof *boot);
}

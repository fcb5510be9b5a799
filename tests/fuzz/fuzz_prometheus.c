/* Any JSON instead of the gateway's figures: what is printed for Prometheus has
 * only lines of the two kinds, none of them with a byte that breaks it.
 *
 * fuzz-module: ipc/cli/prometheus.c ipc/cli/exposition.c
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "ipc/cli/prometheus.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_lines(const char *text, size_t bytes)
{
    const char *end;
    for (; bytes; bytes -= (size_t)(end + 1 - text), text = end + 1) {
        end = memchr(text, '\n', bytes);
        if (!end)
            abort();
        if (strncmp(text, "voxring_", 8) != 0 &&
            strncmp(text, "# HELP voxring_", 15) != 0 &&
            strncmp(text, "# TYPE voxring_", 15) != 0)
            abort();
        for (const char *at = text; at < end; at++) {
            if ((unsigned char)*at < 0x20 || *at == 0x7f)
                abort();
        }
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cJSON *stats = cJSON_ParseWithLength((const char *)data, size);
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    if (!out)
        abort();
    prometheus_print(stats, out);
    if (fclose(out) != 0)
        abort();
    check_lines(text, bytes);
    free(text);
    cJSON_Delete(stats);
    return 0;
}

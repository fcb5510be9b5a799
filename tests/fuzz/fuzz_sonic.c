/* Whatever the model says, the decoder stays whole, delivers only UTF-8, and
 * the scanner for audio agrees with the way through cJSON. The first byte
 * chooses whether the rest is a whole text or the body of an audioOutput.
 *
 * fuzz-module: gateway/sonic gateway/base64.c ipc/status.c
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/sonic/encode.h"
#include "gateway/sonic/scan.h"
#include "tests/sonic/differential.c"
#include "tests/sonic/record.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void
check_text(const char *json, size_t bytes)
{
    if (!differential_check(json, bytes, NULL))
        abort();
}

static void
check_audio(const char *body, size_t bytes)
{
    static const char head[] = "{\"event\":{\"audioOutput\":";
    char *json = malloc(sizeof head + bytes + 2);
    if (!json)
        return;
    memcpy(json, head, sizeof head - 1);
    memcpy(json + sizeof head - 1, body, bytes);
    memcpy(json + sizeof head - 1 + bytes, "}}", 2);
    check_text(json, sizeof head - 1 + bytes + 2);
    free(json);
}

/* What a tool answered goes out as valid JSON whatever it was. */
static void
check_result(const char *content, size_t bytes)
{
    struct sonic_batch batch;
    struct sonic_tool_result result = {"P", "C", "id", content, bytes};
    sonic_batch_init(&batch);
    if (sonic_encode_tool_result(&batch, &result) != VR_OK)
        abort();
    for (size_t i = 0; i < sonic_batch_count(&batch); i++) {
        size_t event_bytes;
        const char *event = sonic_batch_event(&batch, i, &event_bytes);
        if (!scan_is_object(event, event_bytes))
            abort();
    }
    sonic_batch_fini(&batch);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes == 0)
        return 0;
    const char *text = (const char *)data + 1;
    if (data[0] % 4 == 0)
        check_result(text, bytes - 1);
    else if (data[0] % 4 == 1)
        check_text(text, bytes - 1);
    else
        check_audio(text, bytes - 1);
    return 0;
}

/* The endpoint's rules against any sequence of events: a byte of choices, then
 * events parted by newlines. Half of the inputs begin in an open prompt, so
 * that the fuzzer need not find its way there.
 *
 * The files are included, not linked, because the rest of their folder needs
 * TLS, HTTP/2 and speech. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/local/block.c"
#include "gateway/local/inference.c"
#include "gateway/local/jsontext.c"
#include "gateway/local/names.c"
#include "gateway/local/prompt.c"
#include "gateway/local/rules.c"
#include "gateway/local/rules_start.c"
#include "gateway/local/samples.c"
#include "gateway/local/shape.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
on_note(void *arg, const char *text)
{
    size_t *bytes = arg;

    *bytes += strlen(text);
}

static bool
give(struct rules *rules, const char *json, size_t bytes)
{
    struct input input;
    bool good = rules_on_event(rules, json, bytes, &input);

    if (!good && rules_message(rules)[0] == '\0')
        abort();
    if (good && input.kind == INPUT_AUDIO && input.frames > bytes)
        abort();
    if (good && input.kind == INPUT_TEXT && input.text[input.text_bytes])
        abort();
    return good;
}

static void
open_prompt(struct rules *rules)
{
    static const char *const events[] = {
        "{\"event\":{\"sessionStart\":{}}}",
        "{\"event\":{\"promptStart\":{\"promptName\":\"P\","
        "\"textOutputConfiguration\":{\"mediaType\":\"text/plain\"},"
        "\"audioOutputConfiguration\":{\"mediaType\":\"audio/lpcm\","
        "\"sampleRateHertz\":24000,\"sampleSizeBits\":16,\"channelCount\":1,"
        "\"voiceId\":\"tiffany\",\"encoding\":\"base64\",\"audioType\":"
        "\"SPEECH\"}}}}",
        "{\"event\":{\"contentStart\":{\"promptName\":\"P\",\"contentName\":"
        "\"s\",\"type\":\"TEXT\",\"interactive\":false,\"role\":\"SYSTEM\","
        "\"textInputConfiguration\":{\"mediaType\":\"text/plain\"}}}}",
        "{\"event\":{\"contentEnd\":{\"promptName\":\"P\",\"contentName\":"
        "\"s\"}}}",
        "{\"event\":{\"contentStart\":{\"promptName\":\"P\",\"contentName\":"
        "\"A\",\"type\":\"AUDIO\",\"interactive\":true,\"role\":\"USER\","
        "\"audioInputConfiguration\":{\"mediaType\":\"audio/lpcm\","
        "\"sampleRateHertz\":16000,\"sampleSizeBits\":16,\"channelCount\":1,"
        "\"audioType\":\"SPEECH\",\"encoding\":\"base64\"}}}}"};

    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        if (!give(rules, events[i], strlen(events[i])))
            abort();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t noted = 0;
    struct rules *rules;
    const char *at = (const char *)data + 1;
    const char *end = (const char *)data + size;

    if (size == 0)
        return 0;
    rules = rules_new((data[0] & 1) != 0 ? FAMILY_V1 : FAMILY_NOVA2, on_note,
                      &noted);
    if (rules == NULL)
        return 0;
    if ((data[0] & 2) != 0)
        open_prompt(rules);
    rules_on_tool_use(rules, "u");
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t bytes = (size_t)((stop == NULL ? end : stop) - at);
        /* A copy of exactly that size shows reads past its end. */
        char *copy = malloc(bytes == 0 ? 1 : bytes);

        if (copy == NULL)
            break;
        memcpy(copy, at, bytes);
        give(rules, copy, bytes);
        free(copy);
        at += bytes + 1;
    }
    rules_free(&rules);
    return 0;
}

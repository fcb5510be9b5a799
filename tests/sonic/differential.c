#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/sonic/decoder.h"
#include "tests/sonic/differential.h"
#include "tests/sonic/record.h"

static struct sonic_decoder *
decoder_for(struct record *record)
{
    static const char open[] = "{\"event\":{\"contentStart\":{\"contentId\":"
                               "\"k\",\"role\":\"ASSISTANT\"}}}";
    struct sonic_decoder *decoder = sonic_decoder_new(&record_ops, record);
    if (!decoder || sonic_decode(decoder, open, sizeof open - 1) != VR_OK)
        abort();
    return decoder;
}

bool
differential_check(const char *json, size_t bytes, bool *scanned)
{
    struct record fast = {0}, slow = {0};
    struct sonic_decoder *a = decoder_for(&fast);
    struct sonic_decoder *b = decoder_for(&slow);
    enum vr_status fast_status = sonic_decode(a, json, bytes);
    enum vr_status slow_status = decoder_read_text(b, json, bytes);
    bool same = fast_status == slow_status &&
                strcmp(record_text(&fast), record_text(&slow)) == 0;
    if (!same)
        fprintf(stderr, "text:\n%.*s\nscanner:\n%scJSON:\n%s", (int)bytes, json,
                record_text(&fast), record_text(&slow));
    if (scanned)
        *scanned = sonic_decoder_counters(a)->audio_scanned > 0;
    sonic_decoder_free(&a);
    sonic_decoder_free(&b);
    record_fini(&fast);
    record_fini(&slow);
    return same;
}

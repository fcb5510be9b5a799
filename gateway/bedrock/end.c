#include "gateway/bedrock/end.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "gateway/clock.h"

static const char *const end_names[] = {
#define BEDROCK_END(code, sentence) #code,
#include "gateway/bedrock/end.tbl.h"
#undef BEDROCK_END
};

static const char *const end_sentences[] = {
#define BEDROCK_END(code, sentence) sentence,
#include "gateway/bedrock/end.tbl.h"
#undef BEDROCK_END
};

const char *
bedrock_end_name(enum bedrock_end_cause cause)
{
    assert(cause < BEDROCK_END_COUNT);
    return end_names[cause];
}

const char *
bedrock_end_sentence(enum bedrock_end_cause cause)
{
    assert(cause < BEDROCK_END_COUNT);
    return end_sentences[cause];
}

void
end_set(struct bedrock_end *end, enum bedrock_end_cause cause,
        const char *format, ...)
{
    char text[sizeof(end->message)];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    end->cause = cause;
    end_copy(end->message, sizeof(end->message), text, strlen(text));
}

/* Length of the well-formed UTF-8 character at `text`, 0 if there is none. */
static size_t
utf8_bytes(const uint8_t *text, size_t left)
{
    uint8_t first = text[0];
    size_t count = first < 0x80                    ? 1
                   : first >= 0xc2 && first < 0xe0 ? 2
                   : first >= 0xe0 && first < 0xf0 ? 3
                   : first >= 0xf0 && first < 0xf5 ? 4
                                                   : 0;

    if (!count || count > left)
        return 0;
    for (size_t i = 1; i < count; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    }
    /* Overlong forms, surrogates, and what lies above U+10FFFF. */
    if ((first == 0xe0 && text[1] < 0xa0) ||
        (first == 0xed && text[1] > 0x9f) ||
        (first == 0xf0 && text[1] < 0x90) || (first == 0xf4 && text[1] > 0x8f))
        return 0;
    return count;
}

void
end_copy(char *out, size_t out_size, const char *text, size_t text_bytes)
{
    const uint8_t *in = (const uint8_t *)text;
    size_t at = 0;

    for (size_t i = 0; i < text_bytes;) {
        size_t count = utf8_bytes(in + i, text_bytes - i);
        if (at + (count ? count : 1) >= out_size)
            break;
        if (!count)
            out[at++] = '?';
        else if (count == 1)
            out[at++] = in[i] < 0x20 || in[i] == 0x7f ? ' ' : (char)in[i];
        else
            memcpy(out + at, in + i, count), at += count;
        i += count ? count : 1;
    }
    out[at] = '\0';
}

/* ---- the sentences ---- */

bool
end_is_orderly(const struct bedrock_end *end)
{
    if (end->http_status != 200)
        return false;
    return end->cause == BEDROCK_END_end_stream ||
           end->cause == BEDROCK_END_fin ||
           ((end->cause == BEDROCK_END_rst_stream ||
             end->cause == BEDROCK_END_goaway) &&
            !end->h2_error);
}

static const char *
when(bool finished)
{
    return finished ? "after our end" : "before our end";
}

void
end_by_h2(struct bedrock_end *end, enum h2_close how, const char *problem,
          bool finished)
{
    const char *name = h2_error_name(end->h2_error);
    const char *colon = *problem ? ": " : "";

    switch (how) {
    case H2_CLOSE_END_STREAM:
        end_set(end, BEDROCK_END_end_stream, "The endpoint ended the stream %s",
                when(finished));
        break;
    case H2_CLOSE_RESET:
        end_set(end, BEDROCK_END_rst_stream,
                "The endpoint reset the stream with %s (%u) %s", name,
                end->h2_error, when(finished));
        break;
    case H2_CLOSE_GOAWAY:
        end_set(end, BEDROCK_END_goaway,
                "The endpoint refused the stream by GOAWAY %s (%u)%s%s", name,
                end->h2_error, colon, problem);
        break;
    case H2_CLOSE_BROKEN:
        /* The peer's breaches have names of their own; this one nghttp2 gives
         * to what it could not do itself. */
        if (end->h2_error == H2_ERROR_INTERNAL)
            end_by_memory(end, "HTTP/2");
        else
            end_set(end, BEDROCK_END_protocol,
                    "The endpoint broke HTTP/2 with %s (%u)%s%s", name,
                    end->h2_error, colon, problem);
        break;
    }
}

void
end_by_fin(struct bedrock_end *end, bool finished)
{
    end_set(end, BEDROCK_END_fin, "The endpoint closed the connection %s",
            when(finished));
}

void
end_by_goaway(struct bedrock_end *end, bool finished)
{
    end_set(end, BEDROCK_END_goaway,
            "The endpoint sent GOAWAY %s (%u) and closed the connection %s",
            h2_error_name(end->h2_error), end->h2_error, when(finished));
}

void
end_by_silence(struct bedrock_end *end, uint64_t silent_ns, uint64_t asked_ns)
{
    end_set(end, BEDROCK_END_black_hole,
            "No byte came from the endpoint for %llu ms and no answer to an "
            "HTTP/2 PING for %llu ms: the network path is dead",
            (unsigned long long)(silent_ns / CLOCK_NS_PER_MS),
            (unsigned long long)(asked_ns / CLOCK_NS_PER_MS));
}

void
end_by_stall(struct bedrock_end *end, uint64_t stuck_ns, size_t unsent_bytes)
{
    end_set(end, BEDROCK_END_stalled,
            "The endpoint lives but stopped reading: %zu bytes wait, and none "
            "of them left for %llu ms",
            unsent_bytes, (unsigned long long)(stuck_ns / CLOCK_NS_PER_MS));
}

void
end_by_no_answer(struct bedrock_end *end, uint64_t waited_ns)
{
    end_set(end, BEDROCK_END_no_answer,
            "The endpoint lives but sent no response for %llu ms after the "
            "first event",
            (unsigned long long)(waited_ns / CLOCK_NS_PER_MS));
}

void
end_by_memory(struct bedrock_end *end, const char *what)
{
    end_set(end, BEDROCK_END_network,
            "This machine had no memory for %s: the stream could not go on",
            what);
}

/* The fast way in for audio: one pass over the text, one over the base64. */
#include <string.h>

#include "gateway/base64.h"
#include "gateway/sonic/decoder.h"
#include "gateway/sonic/scan.h"

/* Unknown members noted in one event; with more it is read the long way. */
#define EXTRAS_MAX 8

/* What was seen, before anything is done about it. */
struct found {
    struct scan_piece session_id, prompt_name, completion_id, content_id, role;
    struct scan_piece content;
    bool escapes;                           /* in the content */
    struct scan_piece seen[6 + EXTRAS_MAX]; /* members, to notice repetition */
    size_t seen_count;
    struct scan_piece extras[EXTRAS_MAX];
    size_t extra_count;
};

static bool
is(const struct scan_piece *piece, const char *word)
{
    return strlen(word) == piece->bytes &&
           memcmp(piece->text, word, piece->bytes) == 0;
}

/* With a repeated member the question is which one counts: not ours. */
static bool
first_time(struct found *found, const struct scan_piece *key)
{
    for (size_t i = 0; i < found->seen_count; i++)
        if (found->seen[i].bytes == key->bytes &&
            memcmp(found->seen[i].text, key->text, key->bytes) == 0)
            return false;
    if (found->seen_count == sizeof found->seen / sizeof *found->seen)
        return false;
    found->seen[found->seen_count++] = *key;
    return true;
}

static struct scan_piece *
member_of(struct found *found, const struct scan_piece *key)
{
    if (is(key, "sessionId"))
        return &found->session_id;
    if (is(key, "promptName"))
        return &found->prompt_name;
    if (is(key, "completionId"))
        return &found->completion_id;
    if (is(key, "contentId"))
        return &found->content_id;
    if (is(key, "role"))
        return &found->role;
    return NULL;
}

static bool
take_extra(struct scan *scan, struct found *found, const struct scan_piece *key)
{
    if (scan_null(scan))
        return true;
    if (found->extra_count == EXTRAS_MAX)
        return false;
    found->extras[found->extra_count++] = *key;
    return scan_skip(scan);
}

static bool
take_member(struct scan *scan, struct found *found)
{
    struct scan_piece key;
    if (!scan_plain_string(scan, &key) || !first_time(found, &key) ||
        !scan_take(scan, ':'))
        return false;
    bool content = is(&key, "content");
    struct scan_piece *piece = member_of(found, &key);
    if (!content && !piece)
        return take_extra(scan, found, &key);
    if (scan_null(scan))
        return true;
    return content ? scan_raw_string(scan, &found->content, &found->escapes)
                   : scan_plain_string(scan, piece);
}

static bool
take_body(struct scan *scan, struct found *found)
{
    if (!scan_take(scan, '{'))
        return false;
    if (scan_take(scan, '}'))
        return true;
    do {
        if (!take_member(scan, found))
            return false;
    } while (scan_take(scan, ','));
    return scan_take(scan, '}');
}

/* {"event":{"audioOutput":{...}}} and nothing else. */
static bool
take_event(struct scan *scan, struct found *found)
{
    struct scan_piece key;
    return scan_take(scan, '{') && scan_plain_string(scan, &key) &&
           is(&key, "event") && scan_take(scan, ':') && scan_take(scan, '{') &&
           scan_plain_string(scan, &key) && is(&key, "audioOutput") &&
           scan_take(scan, ':') && take_body(scan, found) &&
           scan_take(scan, '}') && scan_take(scan, '}') && scan_done(scan);
}

/* Copies base64 with its only sensible escape, "\/", undone; -1 at another. */
static long
unescape(const struct scan_piece *piece, char *out)
{
    size_t at = 0;
    for (size_t i = 0; i < piece->bytes; i++) {
        if (piece->text[i] == '\\' &&
            (++i == piece->bytes || piece->text[i] != '/'))
            return -1;
        out[at++] = piece->text[i];
    }
    return (long)at;
}

/* The samples' size in bytes, or -1. */
static long
decode_content(struct sonic_decoder *decoder, const struct found *found)
{
    const struct scan_piece *content = &found->content;
    size_t room = found->escapes ? content->bytes
                                 : base64_decoded_bytes_max(content->bytes);
    if (room == 0)
        return content->bytes == 0 ? 0 : -1;
    if (!decoder_reserve_samples(decoder, room))
        return -1;
    const char *chars = content->text;
    long count = (long)content->bytes;
    if (found->escapes) {
        chars = (char *)decoder->samples;
        count = unescape(content, (char *)decoder->samples);
    }
    if (count < 0)
        return -1;
    return base64_decode(chars, (size_t)count, (uint8_t *)decoder->samples);
}

static struct sonic_span
span_of(const struct scan_piece *piece)
{
    return (struct sonic_span){piece->text ? piece->text : "", piece->bytes};
}

bool
decoder_scan_audio(struct sonic_decoder *decoder, const char *json,
                   size_t bytes)
{
    struct scan scan = {json, json + bytes};
    struct found found;
    memset(&found, 0, sizeof found);
    if (!take_event(&scan, &found))
        return false;
    struct sonic_event event = {
        .type = SONIC_AUDIO,
        .session_id = span_of(&found.session_id),
        .prompt_name = span_of(&found.prompt_name),
        .completion_id = span_of(&found.completion_id),
        .content_id = span_of(&found.content_id),
        .role = decoder_role(span_of(&found.role).text, found.role.bytes),
        .content = SONIC_CONTENT_AUDIO,
    };
    if (found.role.text && event.role == SONIC_ROLE_NONE)
        return false;
    long size = decode_content(decoder, &found);
    if (size < 0)
        return false;
    decoder->counters.audio_scanned++;
    for (size_t i = 0; i < found.extra_count; i++)
        decoder_problem(decoder, SONIC_PROBLEM_UNKNOWN_KEY, "",
                        "event.audioOutput.%.*s", (int)found.extras[i].bytes,
                        found.extras[i].text);
    decoder_complete(decoder, &event);
    decoder_deliver_audio(decoder, &event, (size_t)size);
    return true;
}

/* The texts of a history's entries. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/jsonx.h"
#include "gateway/session/history_state.h"

#define MARK_BYTES (sizeof HISTORY_TRUNCATED - 1)

bool
history_text_blank(const char *text)
{
    while (text && isspace((unsigned char)*text))
        text++;
    return !text || !*text;
}

bool
history_text_valid(const char *text)
{
    size_t left = strlen(text), n;
    for (; left; text += n, left -= n) {
        n = jsonx_utf8_bytes(text, left);
        if (!n)
            return false;
    }
    return true;
}

size_t
history_cut(const char *text, size_t text_bytes, size_t room_bytes)
{
    if (text_bytes <= room_bytes)
        return text_bytes;
    size_t end = room_bytes;
    while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80)
        end--;
    return end;
}

char *
history_joined(const char *first, const char *gap, const char *second,
               size_t *bytes, bool *cut)
{
    size_t size[] = {strlen(first), strlen(gap), strlen(second)};
    size_t all = size[0] + size[1] + size[2];
    char *text = malloc(all + 1);
    if (!text)
        return NULL;
    memcpy(text, first, size[0]);
    memcpy(text + size[0], gap, size[1]);
    memcpy(text + size[0] + size[1], second, size[2] + 1);
    if (all > HISTORY_TEXT_BYTES_MAX) {
        all = history_cut(text, all, HISTORY_TEXT_BYTES_MAX - MARK_BYTES);
        memcpy(text + all, HISTORY_TRUNCATED, MARK_BYTES + 1);
        all += MARK_BYTES;
        *cut = true;
        char *smaller = realloc(text, all + 1);
        text = smaller ? smaller : text;
    }
    *bytes = all;
    return text;
}

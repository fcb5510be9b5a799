#include "tools/plugins/agent_search/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES 256u

static const char replacement[] = "\xef\xbf\xbd";

void
text_init(struct text *text, size_t limit_bytes)
{
    memset(text, 0, sizeof *text);
    text->limit_bytes = limit_bytes;
}

void
text_fini(struct text *text)
{
    free(text->bytes);
    text_init(text, text->limit_bytes);
}

void
text_clear(struct text *text)
{
    text->used_bytes = 0;
    text->cut = false;
    text->line_due = false;
    if (text->bytes)
        text->bytes[0] = '\0';
}

const char *
text_get(const struct text *text)
{
    return text->bytes ? text->bytes : "";
}

static bool
is_tail(unsigned char c)
{
    return (c & 0xc0u) == 0x80u;
}

/* Bytes of the character that begins at s, 0 if none does. A NUL is no tail, so
 * it never looks behind the end. */
static size_t
character_bytes(const unsigned char *s)
{
    if (s[0] < 0x80)
        return 1;
    if (s[0] >= 0xc2 && s[0] <= 0xdf)
        return is_tail(s[1]) ? 2 : 0;
    if (s[0] >= 0xe0 && s[0] <= 0xef) {
        if (!is_tail(s[1]) || !is_tail(s[2]) || (s[0] == 0xe0 && s[1] < 0xa0) ||
            (s[0] == 0xed && s[1] > 0x9f))
            return 0;
        return 3;
    }
    if (s[0] >= 0xf0 && s[0] <= 0xf4) {
        if (!is_tail(s[1]) || !is_tail(s[2]) || !is_tail(s[3]) ||
            (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
            return 0;
        return 4;
    }
    return 0;
}

/* Room for n more bytes and the NUL. */
static bool
grow(struct text *text, size_t n)
{
    size_t room_bytes = text->room_bytes ? text->room_bytes : FIRST_BYTES;
    char *bytes;

    if (n > text->limit_bytes - text->used_bytes)
        return false;
    while (room_bytes < text->used_bytes + n + 1)
        room_bytes *= 2;
    if (room_bytes == text->room_bytes)
        return true;
    bytes = realloc(text->bytes, room_bytes);
    if (!bytes)
        return false;
    text->bytes = bytes;
    text->room_bytes = room_bytes;
    return true;
}

/* One character, repaired if it is none. */
static void
add_character(struct text *text, const char *bytes, size_t n)
{
    if (!grow(text, n)) {
        text->cut = true;
        return;
    }
    memcpy(text->bytes + text->used_bytes, bytes, n);
    text->used_bytes += n;
    text->bytes[text->used_bytes] = '\0';
}

void
text_break(struct text *text)
{
    text->line_due = true;
}

void
text_add(struct text *text, const char *bytes)
{
    const char *s = bytes;

    if (s && *s && text->line_due) {
        text->line_due = false;
        if (text->used_bytes > 0)
            add_character(text, "\n", 1);
    }
    while (s && *s && !text->cut) {
        size_t taken = character_bytes((const unsigned char *)s);

        if (taken)
            add_character(text, s, taken);
        else
            add_character(text, replacement, sizeof replacement - 1);
        s += taken ? taken : 1;
    }
}

void
text_copy(char *to, size_t to_bytes, const char *from)
{
    const unsigned char *s = (const unsigned char *)(from ? from : "");
    size_t used = 0;

    while (*s) {
        size_t taken = character_bytes(s);
        size_t n = taken ? taken : sizeof replacement - 1;

        if (used + n >= to_bytes)
            break;
        memcpy(to + used, taken ? (const void *)s : replacement, n);
        used += n;
        s += taken ? taken : 1;
    }
    to[used] = '\0';
}

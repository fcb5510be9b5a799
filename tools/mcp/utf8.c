#include "tools/mcp/utf8.h"

#include <string.h>

/* How many bytes follow this lead byte, and the least and greatest value of
 * the first of them (RFC 3629 section 4); -1 for no lead byte. */
static int
tail_of(unsigned char lead, unsigned char *low, unsigned char *high)
{
    *low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    *high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (lead < 0x80)
        return 0;
    if (lead >= 0xc2 && lead <= 0xdf)
        return 1;
    if (lead >= 0xe0 && lead <= 0xef)
        return 2;
    if (lead >= 0xf0 && lead <= 0xf4)
        return 3;
    return -1;
}

size_t
utf8_character(const char *bytes, size_t count)
{
    const unsigned char *p = (const unsigned char *)bytes;
    unsigned char low, high;
    int tail;

    if (count == 0)
        return 0;
    tail = tail_of(p[0], &low, &high);
    if (tail < 0 || (size_t)tail >= count)
        return 0;
    for (int i = 1; i <= tail; i++) {
        if (p[i] < low || p[i] > high)
            return 0;
        low = 0x80;
        high = 0xbf;
    }
    return (size_t)tail + 1;
}

void
utf8_clean(char *bytes, size_t count)
{
    size_t at = 0;

    while (at < count) {
        size_t n = utf8_character(bytes + at, count - at);
        if (n == 0)
            bytes[at] = '?';
        at += n > 0 ? n : 1;
    }
}

size_t
utf8_cut(const char *text, size_t limit)
{
    size_t n = strnlen(text, limit + 1);

    if (n <= limit)
        return n;
    n = limit;
    while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    return n;
}

#include "gateway/local/samples.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "samples on the wire are little-endian, as in memory here");

long
samples_decode(struct samples *samples, const char *text, size_t chars)
{
    size_t room = chars / 4 * 3;
    size_t pad = 0;
    int bytes;

    if (chars % 4 != 0)
        return -1;
    while (pad < 2 && pad < chars && text[chars - 1 - pad] == '=')
        pad++;
    if (strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                     "0123456789+/") != chars - pad)
        return -1;
    if (room > samples->room_bytes) {
        int16_t *data = realloc(samples->data, room);

        if (data == NULL)
            return -1;
        samples->data = data;
        samples->room_bytes = room;
    }
    if (chars == 0)
        return 0;
    bytes = EVP_DecodeBlock((unsigned char *)samples->data,
                            (const unsigned char *)text, (int)chars);
    return bytes < 0 ? -1 : (long)bytes - (long)pad;
}

void
samples_fini(struct samples *samples)
{
    free(samples->data);
    memset(samples, 0, sizeof(*samples));
}

#include "tools/mcp/names.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ipc/fnv.h"
#include "tools/mcp/utf8.h"

#define HASH_DIGITS 8

static bool
allowed(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* Puts the characters behind those there; what has no room is left out. The
 * length that it would have. */
static size_t
append(char mapped[NAMES_MAX_BYTES + 1], size_t at, const char *text)
{
    size_t bytes = strlen(text);

    for (size_t i = 0; i < bytes; at++) {
        size_t n = utf8_character(text + i, bytes - i);
        if (at < NAMES_MAX_BYTES)
            mapped[at] = allowed(text[i]) ? text[i] : '_';
        i += n > 0 ? n : 1;
    }
    return at;
}

bool
names_map(const char *prefix, const char *name,
          char mapped[NAMES_MAX_BYTES + 1])
{
    size_t bytes = append(mapped, 0, prefix ? prefix : "");
    uint64_t hash;

    if (name[0] == '\0')
        return false;
    bytes = append(mapped, bytes, name);
    if (bytes <= NAMES_MAX_BYTES) {
        mapped[bytes] = '\0';
        return true;
    }
    hash = fnv_text(fnv_text(FNV_BASIS, prefix ? prefix : ""), name);
    snprintf(mapped + NAMES_MAX_BYTES - HASH_DIGITS - 1, HASH_DIGITS + 2,
             "_%08" PRIx32, (uint32_t)(hash ^ hash >> 32));
    return true;
}

/* FNV-1a of 64 bits: tells texts apart for those who mean no harm, and resists
 * nobody who does. */
#ifndef IPC_FNV_H
#define IPC_FNV_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* What a hash begins with. */
#define FNV_BASIS UINT64_C(0xcbf29ce484222325)

/* Goes on from `hash`: so many bytes. [rt] */
static inline uint64_t
fnv_bytes(uint64_t hash, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* The same: a text without the NUL at its end. [rt] */
static inline uint64_t
fnv_text(uint64_t hash, const char *text)
{
    return fnv_bytes(hash, text, strlen(text));
}

#endif

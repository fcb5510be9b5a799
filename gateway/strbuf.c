#include "gateway/strbuf.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

void
strbuf_init(struct strbuf *buf, size_t limit_bytes)
{
    memset(buf, 0, sizeof *buf);
    buf->limit_bytes = limit_bytes;
}

void
strbuf_fini(struct strbuf *buf)
{
    free(buf->text);
    strbuf_init(buf, buf->limit_bytes);
}

static bool
reserve(struct strbuf *buf, size_t more)
{
    if (more > buf->limit_bytes || buf->bytes > buf->limit_bytes - more)
        return false;
    size_t need = buf->bytes + more + 1;
    if (need <= buf->capacity_bytes)
        return true;
    size_t capacity = buf->capacity_bytes ? buf->capacity_bytes : 64;
    while (capacity < need)
        capacity *= 2;
    char *text = realloc(buf->text, capacity);
    if (!text)
        return false;
    buf->text = text;
    buf->capacity_bytes = capacity;
    return true;
}

bool
strbuf_append(struct strbuf *buf, const char *text, size_t bytes)
{
    if (!reserve(buf, bytes))
        return false;
    if (bytes)
        memcpy(buf->text + buf->bytes, text, bytes);
    buf->bytes += bytes;
    buf->text[buf->bytes] = '\0';
    return true;
}

bool
strbuf_append_words(struct strbuf *buf, const char *text, size_t bytes)
{
    if (!bytes)
        return true;
    bool gap = buf->bytes && !isspace((unsigned char)text[0]) &&
               !isspace((unsigned char)buf->text[buf->bytes - 1]);
    if (!reserve(buf, bytes + gap))
        return false;
    return (!gap || strbuf_append(buf, " ", 1)) &&
           strbuf_append(buf, text, bytes);
}

void
strbuf_clear(struct strbuf *buf)
{
    buf->bytes = 0;
    if (buf->text)
        buf->text[0] = '\0';
}

const char *
strbuf_text(const struct strbuf *buf)
{
    return buf->text ? buf->text : "";
}

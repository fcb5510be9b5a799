#include <stdarg.h>
#include <stdio.h>

#include "ipc/ring_why.h"

enum vr_status
ring_why(char *why, size_t why_bytes, enum vr_status status, const char *format,
         ...)
{
    va_list args;

    if (why == NULL || why_bytes == 0)
        return status;
    va_start(args, format);
    vsnprintf(why, why_bytes, format, args);
    va_end(args);
    return status;
}

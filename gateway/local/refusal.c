#include "gateway/local/refusal.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
    int status;
    const char *errortype;
} table[] = {
#define REFUSAL(code, status, errortype) {status, errortype},
#include "gateway/local/refusal.tbl.h"
#undef REFUSAL
};

bool
refusal_set(struct refusal *refusal, enum refusal_code code, const char *format,
            ...)
{
    va_list args;
    va_start(args, format);
    refusal->code = code;
    vsnprintf(refusal->message, sizeof(refusal->message), format, args);
    va_end(args);
    return false;
}

int
refusal_status(enum refusal_code code)
{
    return table[code].status;
}

const char *
refusal_errortype(enum refusal_code code)
{
    return table[code].errortype;
}

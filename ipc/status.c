#include "ipc/status.h"

struct row {
    const char *name;
    enum vr_status_class class_;
    const char *text;
};

static const struct row rows[VR_STATUS_COUNT] = {
#define ROW(code, class__, sentence) \
    [code] = {#code, VR_CLASS_##class__, sentence},
    VR_STATUS_TABLE(ROW)
#undef ROW
};

static const struct row *
row_of(enum vr_status status)
{
    unsigned index = (unsigned)status;
    return &rows[index < VR_STATUS_COUNT ? index : VR_BUG];
}

const char *
vr_status_text(enum vr_status status)
{
    return row_of(status)->text;
}

const char *
vr_status_name(enum vr_status status)
{
    return row_of(status)->name;
}

enum vr_status_class
vr_status_class(enum vr_status status)
{
    return row_of(status)->class_;
}

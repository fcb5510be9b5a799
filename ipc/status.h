/* The one status type of voxring, and what each means.
 *
 * Functions that can fail return an enum vr_status; VR_OK is 0. Hot paths
 * return counts instead. */
#ifndef IPC_STATUS_H
#define IPC_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

enum vr_status {
#define VR_STATUS(code, class_, sentence) code,
#include "ipc/status.tbl.h"
#undef VR_STATUS
    VR_STATUS_COUNT
};

/* What a caller should do about a status: see ipc/status.tbl.h. */
enum vr_status_class {
    VR_CLASS_GOOD,
    VR_CLASS_RETRY,
    VR_CLASS_CLOSED,
    VR_CLASS_PEER,
    VR_CLASS_CONFIG,
    VR_CLASS_BUG
};

#if defined(__GNUC__)
#define VR_NODISCARD __attribute__((warn_unused_result))
#define VR_API __attribute__((visibility("default")))
#define VR_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define VR_NODISCARD
#define VR_API
#define VR_PRINTF(fmt, args)
#endif

/* One sentence, capitalised, no final period. Static storage. [any] */
VR_API const char *vr_status_text(enum vr_status status);

/* The status' own name, such as "VR_BUSY". Static storage. [any] */
VR_API const char *vr_status_name(enum vr_status status);

/* What to do about it. [any] */
VR_API enum vr_status_class vr_status_class(enum vr_status status);

#ifdef __cplusplus
}
#endif
#endif

/* The one status type of voxring, for code inside the tree. The list itself
 * stands in the public header, which includes nothing of ours.
 *
 * Functions that can fail return an enum vr_status; VR_OK is 0. Hot paths
 * return counts instead. */
#ifndef IPC_STATUS_H
#define IPC_STATUS_H

#include "ipc/voxring.h"

#if defined(__GNUC__)
#define VR_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define VR_PRINTF(fmt, args)
#endif

#endif

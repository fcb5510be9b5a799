/* A layout whose makers have broken with all before: its number is far off and
 * it takes nobody older. What else it changed need not be known, for nobody
 * looks further. */
#ifndef TESTS_AGES_FAR_IPC_RING_LAYOUT_H
#define TESTS_AGES_FAR_IPC_RING_LAYOUT_H

/* By its place: this folder comes first where headers are looked for. */
#include "../../../../ipc/ring_layout.h"

#undef RING_ABI
#define RING_ABI UINT32_C(9)
#undef RING_ABI_OLDEST
#define RING_ABI_OLDEST UINT32_C(9)

#endif

/* The WAV file that is spoken to a model, from a file in memory.
 *
 * fuzz-module: gateway/session/clip.c gateway/resampler.c ipc/status.c
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gateway/session/clip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
load(const char *path, uint32_t rate_hz)
{
    struct clip clip;
    char why[CLIP_WHY_BYTES] = "";
    enum vr_status status = clip_load(&clip, path, rate_hz, why, sizeof why);
    if (status == VR_OK && (!clip.count || !clip.samples))
        abort();
    if (status == VR_OK && clip.count > (size_t)rate_hz * CLIP_SECONDS_MAX)
        abort();
    if (status != VR_OK && (clip.samples || !why[0]))
        abort();
    clip_fini(&clip);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    int fd = memfd_create("clip", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    load(path, 16000);
    load(path, 24000);
    close(fd);
    return 0;
}

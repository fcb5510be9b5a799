/* rings.json: what rings there are, for people and other languages. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ipc/ring_host_state.h"
#include "ipc/ring_step.h"
#include "ipc/ring_why.h"

#define INDEX_NAME "rings.json"

static void
put_string(FILE *file, const char *text)
{
    putc('"', file);
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            fprintf(file, "\\%c", c);
        else if (c < 0x20)
            fprintf(file, "\\u%04x", c);
        else
            putc(c, file);
    }
    putc('"', file);
}

static void
put_ring(FILE *file, const struct ring_host *r, const char *separator)
{
    const char *direction = r->ring == VR_RING_IN ? "in" : "out";

    fprintf(file, "%s\n  {\"session\": ", separator);
    put_string(file, r->session);
    fprintf(file, ", \"direction\": \"%s\", \"name\": ", direction);
    put_string(file, r->object);
    fprintf(file,
            ", \"format\": \"s16le\", \"rate_hz\": %" PRIu32
            ", \"channels\": %" PRIu32 ", \"capacity_frames\": %" PRIu64
            ", \"epoch\": \"%" PRIu64 "\"",
            r->format.rate_hz, r->format.channels, r->capacity_frames,
            r->map.header.epoch);
    if (r->ring == VR_RING_IN) {
        fputs(", \"doorbell\": ", file);
        put_string(file, r->bell);
    }
    putc('}', file);
}

static void
put_index(FILE *file, struct ring_host *const *rings, size_t count)
{
    const char *separator = "";

    fprintf(file, "{\"layout\": %u, \"pid\": %ld, \"rings\": [",
            (unsigned)RING_ABI, (long)getpid());
    for (size_t i = 0; i < count; i++)
        if (rings[i] != NULL) {
            put_ring(file, rings[i], separator);
            separator = ",";
        }
    fputs("]}\n", file);
}

/* A whole file under a name of its own. */
static bool
write_new(const char *path, struct ring_host *const *rings, size_t count)
{
    FILE *file;
    bool ok;
    int fd;

    unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return false;
    file = fdopen(fd, "w");
    if (file == NULL) {
        close(fd);
        return false;
    }
    put_index(file, rings, count);
    ok = !ferror(file);
    ok = fclose(file) == 0 && ok;
    RING_STEP("index: written");
    return ok;
}

enum vr_status
ring_host_publish_index(const char *runtime_dir, struct ring_host *const *rings,
                        size_t count, char *why, size_t why_bytes)
{
    char path[RING_PATH_BYTES], fresh[RING_PATH_BYTES];
    int n = snprintf(path, sizeof path, "%s/" INDEX_NAME, runtime_dir);
    int m = snprintf(fresh, sizeof fresh, "%s/" INDEX_NAME ".new", runtime_dir);

    if (n < 0 || m < 0 || m >= (int)sizeof fresh)
        return ring_why(why, why_bytes, VR_INVALID,
                        "The runtime folder's path is too long: %s",
                        runtime_dir);
    if (write_new(fresh, rings, count) && rename(fresh, path) == 0)
        return VR_OK;
    n = errno;
    unlink(fresh);
    return ring_why(why, why_bytes, n == ENOSPC ? VR_NO_SPACE : VR_SYSTEM,
                    "Cannot write %s: %s", path, strerror(n));
}

void
ring_host_remove_index(const char *runtime_dir)
{
    char path[RING_PATH_BYTES];
    int n = snprintf(path, sizeof path, "%s/" INDEX_NAME, runtime_dir);

    if (n >= 0 && n < (int)sizeof path)
        unlink(path);
}

/* What people are shown of a ring: any object, in memory. The first bytes say
 * which locks are held and how the rest becomes an object: as it is, or laid
 * over a good header.
 *
 * fuzz-module: ipc/ring_view.c ipc/ring_view_list.c ipc/ring_header.c
 * fuzz-module: ipc/ring_holder.c ipc/ring_lock.c ipc/ring_name.c
 * fuzz-module: ipc/ring_why.c ipc/status.c
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ipc/ring_lock.h"
#include "ipc/ring_view.h"

#define OBJECT_BYTES (RING_HEADER_BYTES + RING_MIN_FRAMES * 2)
#define FRAMES_MAX 2000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
put_good_header(int fd)
{
    static unsigned char object[OBJECT_BYTES];
    static struct ring_layout l;

    l.magic = RING_MAGIC;
    l.abi = RING_ABI;
    l.abi_oldest = RING_ABI_OLDEST;
    l.header_bytes = RING_HEADER_BYTES;
    l.capacity_frames = RING_MIN_FRAMES;
    l.rate_hz = 16000;
    l.channels = 1;
    l.frame_bytes = 2;
    l.slot_count = RING_SLOTS;
    l.slot_bytes = sizeof(struct ring_slot);
    l.slots_at = offsetof(struct ring_layout, slots);
    l.head = l.intent = 5000;
    memcpy(object, &l, sizeof l);
    if (pwrite(fd, object, sizeof object, 0) != (ssize_t)sizeof object)
        abort();
}

/* Pieces of: two bytes where, one byte how many, the bytes. */
static void
lay_over(int fd, const uint8_t *data, size_t size)
{
    while (size > 3) {
        size_t at = (data[0] | data[1] << 8) % OBJECT_BYTES;
        size_t bytes = data[2] % 32;

        if (at >= RING_HEADER_BYTES && data[1] & 0x80)
            at %= 512;
        data += 3;
        size -= 3;
        if (bytes > size)
            bytes = size;
        if (pwrite(fd, data, bytes, (off_t)at) != (ssize_t)bytes)
            abort();
        data += bytes;
        size -= bytes;
    }
}

static void
expect_printable(const char *text, size_t most)
{
    size_t length = strnlen(text, most);

    if (length == most)
        abort();
    for (size_t i = 0; i < length; i++)
        if (text[i] < ' ' || text[i] > '~')
            abort();
}

static void
check(const struct ring_view *view)
{
    static int16_t samples[2 * FRAMES_MAX];
    uint64_t end;
    int64_t lag;
    size_t got = ring_view_frames(view, samples, FRAMES_MAX, &end);

    if (got > FRAMES_MAX || (got > 0 && view->status != VR_OK))
        abort();
    if (got > 0 && (end < got || got > view->header.capacity_frames))
        abort();
    if (view->status != VR_OK)
        expect_printable(view->why, sizeof view->why);
    if (view->slot_count > RING_SLOTS)
        abort();
    for (unsigned i = 0; i < view->slot_count; i++)
        expect_printable(view->slots[i].card.name, RING_NAME_BYTES);
    ring_view_lag(view, &lag);
    if (ring_view_lost(view) > 0 && !view->has_words)
        abort();
    if (ring_view_readers(view) > view->slot_count)
        abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ring_view view;
    char path[64];
    int fd, other;

    if (size < 2)
        return 0;
    fd = memfd_create("ring", MFD_CLOEXEC);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    other = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || other < 0)
        abort();
    for (int i = 0; i < 4; i++)
        if (data[0] >> i & 1 && !ring_lock_take(other, i))
            abort();
    if (data[0] & 0x80) {
        put_good_header(fd);
        lay_over(fd, data + 2, size - 2);
    } else if (write(fd, data + 1, size - 1) != (ssize_t)(size - 1)) {
        abort();
    }
    ring_view_attach(&view, fd, "/voxring-x.y.in",
                     data[0] & 0x40 ? VR_RING_OUT : VR_RING_IN);
    check(&view);
    ring_view_close(&view);
    close(other);
    return 0;
}

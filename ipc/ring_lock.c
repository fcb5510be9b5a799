#include <fcntl.h>
#include <unistd.h>

#include "ipc/ring_lock.h"

static struct flock
lock_at(long at, long bytes, short type)
{
    return (struct flock){
        .l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = bytes};
}

bool
ring_lock_take(int fd, long at)
{
    struct flock lock = lock_at(at, 1, F_WRLCK);
    return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

bool
ring_lock_bar(int fd, long at)
{
    struct flock lock = lock_at(at, 1, F_RDLCK);
    return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

void
ring_lock_free(int fd)
{
    struct flock lock = lock_at(0, 0, F_UNLCK);

    fcntl(fd, F_OFD_SETLK, &lock);
}

bool
ring_lock_held(int fd, long at)
{
    /* What a read lock would wait for is a holder, and no bar. */
    struct flock lock = lock_at(at, 1, F_RDLCK);
    return fcntl(fd, F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
}

unsigned
ring_lock_count(int fd, long at, unsigned count)
{
    long end = at + (long)count;
    unsigned held = 0;

    /* The kernel names any lock that is in the way, not the lowest, so the
     * span is taken byte by byte. */
    for (; at < end; at++)
        if (ring_lock_held(fd, at))
            held++;
    return held;
}

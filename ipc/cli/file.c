#include "ipc/cli/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/cli/say.h"
#include "ipc/cli/stop.h"

bool
file_await(int fd)
{
    struct pollfd item = {.fd = fd, .events = POLLIN};
    while (!stop_wanted()) {
        if (poll(&item, 1, STOP_SLICE_MS) != 0 && !stop_wanted())
            return true;
    }
    return false;
}

/* -1 for an error, -2 for a signal, else the bytes read. */
static ssize_t
fill(int fd, char *text, size_t room_bytes)
{
    size_t used = 0;
    while (used < room_bytes) {
        if (!file_await(fd))
            return -2;
        ssize_t got = read(fd, text + used, room_bytes - used);
        if (got == 0)
            break;
        if (got < 0 && errno != EINTR && errno != EAGAIN)
            return -1;
        used += got > 0 ? (size_t)got : 0;
    }
    return (ssize_t)used;
}

static int
check(const struct cli *cli, const char *path, const char *text, ssize_t got,
      size_t max_bytes)
{
    if (got == -2)
        return CLI_INTERRUPTED;
    if (got < 0)
        return say_fail(cli, CLI_USAGE, "%s: %s", path, strerror(errno));
    if ((size_t)got > max_bytes)
        return say_fail(cli, CLI_USAGE, "%s: more than %zu bytes", path,
                        max_bytes);
    if (memchr(text, '\0', (size_t)got))
        return say_fail(cli, CLI_USAGE, "%s: this is no text", path);
    return CLI_DONE;
}

int
file_read(const struct cli *cli, const char *path, size_t max_bytes,
          char **text)
{
    bool standard = strcmp(path, "-") == 0;
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    *text = NULL;
    if (fd < 0)
        return say_fail(cli, CLI_USAGE, "%s: %s", path, strerror(errno));
    char *room = malloc(max_bytes + 2);
    ssize_t got = room ? fill(fd, room, max_bytes + 1) : -1;
    int code =
        check(cli, standard ? "standard input" : path, room, got, max_bytes);
    if (!standard)
        close(fd);
    if (code != CLI_DONE) {
        free(room);
        return code;
    }
    room[got] = '\0';
    *text = room;
    return CLI_DONE;
}

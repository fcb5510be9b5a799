#include "tests/local/client_control.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int
client_control_open(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

bool
client_control_write(int fd, const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        ssize_t count = send(fd, text, left, MSG_NOSIGNAL);
        if (count <= 0)
            return false;
        text += count;
        left -= (size_t)count;
    }
    return true;
}

cJSON *
client_control_read(int fd)
{
    size_t room = 1 << 20, used = 0;
    char *line = malloc(room);
    cJSON *answer = NULL;
    while (used + 1 < room) {
        struct pollfd wait = {fd, POLLIN, 0};
        if (poll(&wait, 1, 10000) != 1 || read(fd, line + used, 1) != 1)
            break;
        if (line[used] == '\n') {
            answer = cJSON_ParseWithLength(line, used);
            break;
        }
        used++;
    }
    free(line);
    return answer;
}

cJSON *
client_control_ask(const char *path, const char *line)
{
    int fd = client_control_open(path);
    cJSON *answer = NULL;
    if (fd < 0)
        return NULL;
    if (client_control_write(fd, line) && client_control_write(fd, "\n"))
        answer = client_control_read(fd);
    close(fd);
    return answer;
}

void
client_control_remove_folder(const char *folder)
{
    DIR *listing = opendir(folder);
    for (struct dirent *entry; listing && (entry = readdir(listing)) != NULL;) {
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(listing), entry->d_name, 0);
    }
    if (listing != NULL)
        closedir(listing);
    rmdir(folder);
}

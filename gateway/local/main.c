#include <fcntl.h>
#include <unistd.h>

#include "gateway/local/program.h"

/* A closed 0, 1 or 2 would be given to a socket, and printed into. */
static void
fill_standard_descriptors(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

int
main(int argc, char **argv)
{
    fill_standard_descriptors();
    return program_run(argc, argv);
}

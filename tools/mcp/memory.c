#include "tools/mcp/memory.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Reads /proc/PID/stat (proc(5)): false if the process is not of the session.
 * The name, in parentheses, may have any character, so what is behind the last
 * one is read. */
static bool
resident_pages(const char *pid, int session, uint64_t *pages)
{
    char path[300], line[1024];
    int its_session = 0;
    long long rss = 0;
    char *end;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    f = fopen(path, "re");
    if (!f)
        return false;
    end = fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;
    fclose(f);
    if (!end || sscanf(end + 1, " %*c %*d %*d %d", &its_session) != 1 ||
        its_session != session)
        return false;
    if (sscanf(end + 1,
               " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d "
               "%*d %*d %*d %*d %*u %*u %lld",
               &rss) != 1 ||
        rss < 0)
        return false;
    *pages = (uint64_t)rss;
    return true;
}

uint64_t
memory_of_session(int session)
{
    DIR *dir = opendir("/proc");
    uint64_t total = 0, pages;
    struct dirent *entry;

    if (!dir)
        return 0;
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
            resident_pages(entry->d_name, session, &pages))
            total += pages;
    }
    closedir(dir);
    return total * (uint64_t)sysconf(_SC_PAGESIZE);
}

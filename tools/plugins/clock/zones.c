#include "tools/plugins/clock/zones.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ZONEINFO "/usr/share/zoneinfo"
#define DEPTH_MAX 3
/* More letters amiss than this is another name. */
#define NEAR 2u

/* The best so far. */
struct search {
    char wanted[ZONES_NAME_BYTES]; /* with _ for spaces */
    const char *city;              /* what follows its last / */
    unsigned distance;
    char *out;
};

static const char *
zone_folder(void)
{
    const char *folder = getenv("TZDIR");

    return folder && folder[0] == '/' ? folder : ZONEINFO;
}

/* Only letters that zones have: no way out of the folder. */
static bool
is_zone_name(const char *zone)
{
    size_t n = strlen(zone);

    return n > 0 && n < ZONES_NAME_BYTES && zone[0] != '/' &&
           !strstr(zone, "..") &&
           strspn(zone, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                        "abcdefghijklmnopqrstuvwxyz0123456789_+-/") == n;
}

bool
zones_exist(const char *zone)
{
    char path[PATH_MAX];
    char magic[4];
    FILE *file;
    bool good;

    if (strcmp(zone, "UTC") == 0)
        return true;
    if (!is_zone_name(zone))
        return false;
    snprintf(path, sizeof path, "%s/%s", zone_folder(), zone);
    file = fopen(path, "rbe");
    if (!file)
        return false;
    good = fread(magic, 1, sizeof magic, file) == sizeof magic &&
           memcmp(magic, "TZif", sizeof magic) == 0;
    fclose(file);
    return good;
}

static const char *
city_of(const char *zone)
{
    const char *slash = strrchr(zone, '/');

    return slash ? slash + 1 : zone;
}

/* How many letters are amiss (Levenshtein's distance), letter case aside. */
static unsigned
distance(const char *a, const char *b)
{
    unsigned row[ZONES_NAME_BYTES];
    size_t n = strlen(b);

    for (size_t j = 0; j <= n; j++)
        row[j] = (unsigned)j;
    for (size_t i = 0; a[i]; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i + 1;
        for (size_t j = 0; j < n; j++) {
            unsigned best = diagonal + (tolower((unsigned char)a[i]) !=
                                        tolower((unsigned char)b[j]));
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j + 1] + 1 < best)
                best = row[j + 1] + 1;
            diagonal = row[j + 1];
            row[j + 1] = best;
        }
    }
    return row[n];
}

/* A name that is right but for its region is as near as one letter amiss. */
static void
consider(struct search *search, const char *zone)
{
    unsigned whole = distance(search->wanted, zone);
    unsigned city = distance(search->city, city_of(zone)) + 1;
    unsigned best = whole < city ? whole : city;

    if (best >= search->distance || !zones_exist(zone))
        return;
    search->distance = best;
    snprintf(search->out, ZONES_NAME_BYTES, "%s", zone);
}

/* Goes through a folder; `prefix` is "" or "America/". posix/ and right/ are
 * copies, and what begins with a small letter is no zone. */
static void
search_folder(struct search *search, const char *prefix, int depth)
{
    char path[PATH_MAX];
    const struct dirent *entry;
    DIR *folder;

    snprintf(path, sizeof path, "%s/%s", zone_folder(), prefix);
    folder = opendir(path);
    while (folder && (entry = readdir(folder))) {
        char name[ZONES_NAME_BYTES];
        int n;
        if (!isupper((unsigned char)entry->d_name[0]))
            continue;
        n = snprintf(name, sizeof name - 1, "%s%s", prefix, entry->d_name);
        if (n < 0 || (size_t)n >= sizeof name - 1)
            continue;
        if (entry->d_type != DT_DIR) {
            consider(search, name);
        } else if (depth < DEPTH_MAX) {
            name[n] = '/';
            name[n + 1] = '\0';
            search_folder(search, name, depth + 1);
        }
    }
    if (folder)
        closedir(folder);
}

void
zones_nearest(const char *wrong, char out[ZONES_NAME_BYTES])
{
    struct search search = {.distance = NEAR + 1, .out = out};
    size_t n = 0;

    out[0] = '\0';
    wrong += strspn(wrong, " ");
    for (; wrong[n] && n < sizeof search.wanted - 1; n++)
        search.wanted[n] = wrong[n] == ' ' ? '_' : wrong[n];
    while (n > 0 && search.wanted[n - 1] == '_')
        search.wanted[--n] = '\0';
    search.city = city_of(search.wanted);
    if (strlen(search.city) <= NEAR)
        return;
    search_folder(&search, "", 1);
}

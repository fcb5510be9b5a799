#include "tools/plugins/system/probe.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <ifaddrs.h>
#include <math.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "tools/plugins/shared/phrase.h"
#include "tools/plugins/shared/reply.h"

#define FILE_BYTES 4096
#define ADDRESSES_MAX 16
#define SENSORS_MAX 64

/* Adds a sentence, whole or not at all. */
static void __attribute__((format(printf, 2, 3)))
say(char *text, const char *format, ...)
{
    size_t n = strlen(text);
    size_t room = PROBE_TEXT_BYTES - n;
    va_list args;
    int wrote;

    va_start(args, format);
    wrote = vsnprintf(text + n, room, format, args);
    va_end(args);
    if (wrote < 0 || (size_t)wrote >= room)
        text[n] = '\0';
}

/* The first bytes of a small file of the kernel; false if there are none. */
static bool
read_file(const char *path, char *out, size_t size)
{
    FILE *file = fopen(path, "re");
    size_t n = 0;

    if (file) {
        n = fread(out, 1, size - 1, file);
        fclose(file);
    }
    out[n] = '\0';
    return n > 0;
}

static double
percent(double part, double whole)
{
    return whole > 0 ? floor(part * 100 / whole + 0.5) : 0;
}

bool
probe_uptime(const struct probe_places *places, char *text, cJSON *output)
{
    char data[FILE_BYTES], words[PHRASE_BYTES];
    double seconds;

    (void)places;
    if (!read_file("/proc/uptime", data, sizeof data)) {
        say(text, "It does not tell how long it has been on. ");
        return false;
    }
    seconds = strtod(data, NULL);
    phrase_duration(words, sizeof words, seconds);
    say(text, "It has been on for %s. ", words);
    cJSON_AddNumberToObject(output, "uptime_s", floor(seconds));
    return true;
}

bool
probe_load(const struct probe_places *places, char *text, cJSON *output)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    double loads[3];
    double busy;

    (void)places;
    if (getloadavg(loads, 3) != 3 || processors < 1) {
        say(text, "It does not tell how busy it is. ");
        return false;
    }
    busy = percent(loads[0], (double)processors);
    say(text, "Over the last minute its load was %.1f on %ld processor%s, %s. ",
        loads[0], processors, processors == 1 ? "" : "s",
        busy < 30   ? "which is little"
        : busy < 80 ? "which is normal"
                    : "which is a lot");
    cJSON_AddNumberToObject(output, "load_1min", loads[0]);
    cJSON_AddNumberToObject(output, "load_5min", loads[1]);
    cJSON_AddNumberToObject(output, "load_15min", loads[2]);
    cJSON_AddNumberToObject(output, "processors", (double)processors);
    return true;
}

/* A line of /proc/meminfo in bytes, or -1. */
static double
meminfo(const char *data, const char *name)
{
    size_t n = strlen(name);

    for (const char *line = data; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, n) == 0 && line[n] == ':')
            return strtod(line + n + 1, NULL) * 1024;
    }
    return -1;
}

bool
probe_memory(const struct probe_places *places, char *text, cJSON *output)
{
    char data[FILE_BYTES], free_words[PHRASE_BYTES], all_words[PHRASE_BYTES];
    double all = -1, available = -1;

    (void)places;
    if (read_file("/proc/meminfo", data, sizeof data)) {
        all = meminfo(data, "MemTotal");
        available = meminfo(data, "MemAvailable");
    }
    if (all <= 0 || available < 0) {
        say(text, "It does not tell how much memory is in use. ");
        return false;
    }
    phrase_size(free_words, sizeof free_words, available);
    phrase_size(all_words, sizeof all_words, all);
    say(text, "Of %s of memory, %s are free. ", all_words, free_words);
    cJSON_AddNumberToObject(output, "memory_bytes", all);
    cJSON_AddNumberToObject(output, "memory_available_bytes", available);
    return true;
}

bool
probe_disk(const struct probe_places *places, char *text, cJSON *output)
{
    char free_words[PHRASE_BYTES], all_words[PHRASE_BYTES];
    struct statvfs disk;
    double all, available;

    if (statvfs(places->disk, &disk) != 0) {
        say(text, "The disk at %s cannot be looked at: %s. ", places->disk,
            strerror(errno));
        return false;
    }
    all = (double)disk.f_blocks * (double)disk.f_frsize;
    available = (double)disk.f_bavail * (double)disk.f_frsize;
    phrase_size(free_words, sizeof free_words, available);
    phrase_size(all_words, sizeof all_words, all);
    say(text, "Its disk has %s free of %s, which is %.0f percent. ", free_words,
        all_words, percent(available, all));
    cJSON_AddStringToObject(output, "disk", places->disk);
    cJSON_AddNumberToObject(output, "disk_bytes", all);
    cJSON_AddNumberToObject(output, "disk_available_bytes", available);
    return true;
}

/* The address in letters; false for what nobody would ask for: the loopback,
 * what is down, and IPv6 addresses of the link only. */
static bool
is_useful(const struct ifaddrs *at, char *out, socklen_t size)
{
    if (!at->ifa_addr || !(at->ifa_flags & IFF_UP) ||
        (at->ifa_flags & IFF_LOOPBACK))
        return false;
    if (at->ifa_addr->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, at->ifa_addr, sizeof in);
        return inet_ntop(AF_INET, &in.sin_addr, out, size) != NULL;
    }
    if (at->ifa_addr->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, at->ifa_addr, sizeof in6);
        return !IN6_IS_ADDR_LINKLOCAL(&in6.sin6_addr) &&
               inet_ntop(AF_INET6, &in6.sin6_addr, out, size) != NULL;
    }
    return false;
}

bool
probe_network(const struct probe_places *places, char *text, cJSON *output)
{
    cJSON *list = cJSON_AddArrayToObject(output, "network");
    struct ifaddrs *all = NULL;
    int count = 0;

    (void)places;
    if (getifaddrs(&all) != 0) {
        say(text, "Its network cannot be looked at: %s. ", strerror(errno));
        return false;
    }
    for (const struct ifaddrs *at = all; at && count < ADDRESSES_MAX;
         at = at->ifa_next) {
        char address[INET6_ADDRSTRLEN];
        cJSON *item;
        if (!is_useful(at, address, sizeof address))
            continue;
        item = cJSON_CreateObject();
        cJSON_AddStringToObject(item, "interface", at->ifa_name);
        cJSON_AddStringToObject(item, "address", address);
        cJSON_AddItemToArray(list, item);
        if (at->ifa_addr->sa_family == AF_INET)
            say(text, "On %s its address is %s. ", at->ifa_name, address);
        count++;
    }
    freeifaddrs(all);
    if (count == 0)
        say(text, "It is connected to no network. ");
    return true;
}

/* One sensor in degrees Celsius, NAN if it does not tell. */
static double
sensor(const char *folder, const char *zone, char *type, size_t type_size)
{
    char path[600], data[64];
    double degrees;

    snprintf(path, sizeof path, "%s/%s/temp", folder, zone);
    if (!read_file(path, data, sizeof data))
        return NAN;
    degrees = strtod(data, NULL) / 1000;
    snprintf(path, sizeof path, "%s/%s/type", folder, zone);
    if (!read_file(path, type, type_size))
        snprintf(type, type_size, "%.30s", zone);
    type[strcspn(type, "\n")] = '\0';
    /* sensors that are off tell 0, or figures below any winter */
    return degrees > -60 && degrees < 200 && fabs(degrees) > 0.001 ? degrees
                                                                   : NAN;
}

bool
probe_temperature(const struct probe_places *places, char *text, cJSON *output)
{
    DIR *folder = opendir(places->thermal);
    double warmest = NAN;
    char name[64] = "";
    const struct dirent *entry;

    for (int i = 0; folder && i < SENSORS_MAX && (entry = readdir(folder));) {
        char type[64];
        double degrees;
        if (strncmp(entry->d_name, "thermal_zone", 12) != 0)
            continue;
        i++;
        degrees = sensor(places->thermal, entry->d_name, type, sizeof type);
        if (isfinite(degrees) && !(degrees <= warmest)) {
            warmest = degrees;
            snprintf(name, sizeof name, "%s", type);
        }
    }
    if (folder)
        closedir(folder);
    if (!isfinite(warmest)) {
        say(text, "It has no temperature sensor that can be read. ");
        return false;
    }
    say(text, "Its warmest sensor, %s, is at %.0f degrees Celsius. ", name,
        warmest);
    cJSON_AddNumberToObject(output, "temperature_c", warmest);
    cJSON_AddStringToObject(output, "temperature_sensor", name);
    return true;
}

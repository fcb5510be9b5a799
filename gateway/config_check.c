#include "gateway/config_check.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/config.h"
#include "gateway/log.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static bool
only(const char *text, const char *set)
{
    return text[strspn(text, set)] == '\0';
}

bool
config_name_valid(const char *name)
{
    size_t bytes = strnlen(name, CONFIG_NAME_BYTES);
    return bytes > 0 && bytes < CONFIG_NAME_BYTES &&
           only(name, LOWER DIGITS "_-") && !strchr("_-", name[0]);
}

const char *
config_check_region(const char *text)
{
    return only(text, LOWER DIGITS "-") ? NULL
                                        : "a region's code, such as us-east-1";
}

const char *
config_check_endpoint(const char *text)
{
    static const char right[] = "https://HOST or https://HOST:PORT";
    static const char scheme[] = "https://";
    if (strncmp(text, scheme, sizeof scheme - 1))
        return right;
    const char *host = text + sizeof scheme - 1;
    size_t host_bytes = *host == '[' ? strcspn(host, "]") + 1
                                     : strspn(host, LOWER UPPER DIGITS ".-_");
    if (host_bytes == 0 || host_bytes > strlen(host) ||
        (*host == '[' &&
         strspn(host + 1, "abcdefABCDEF" DIGITS ":.") != host_bytes - 2))
        return right;
    const char *port = host + host_bytes;
    if (*port == '\0' || !strcmp(port, "/"))
        return NULL;
    size_t digits = *port == ':' ? strspn(port + 1, DIGITS) : 0;
    long number = digits > 0 && digits < 6 ? strtol(port + 1, NULL, 10) : 0;
    bool good = number > 0 && number < 65536 &&
                (port[1 + digits] == '\0' || !strcmp(port + 1 + digits, "/"));
    return good ? NULL : right;
}

const char *
config_check_ipc(const char *text)
{
    if (!strncmp(text, "tcp://", 6))
        return "ipc:///ABSOLUTE/PATH: a network port would have no "
               "authentication";
    return strncmp(text, "ipc:///", 7) || !text[7] ? "ipc:///ABSOLUTE/PATH"
                                                   : NULL;
}

const char *
config_check_absolute(const char *text)
{
    return text[0] == '/' && text[1] ? NULL : "a path that begins with /";
}

const char *
config_check_name(const char *text)
{
    return config_name_valid(text)
               ? NULL
               : "a name of 1 to 32 characters from a-z, 0-9, _ and -, "
                 "beginning with a letter or digit";
}

const char *
config_check_voice(const char *text)
{
    return only(text, LOWER DIGITS "_-")
               ? NULL
               : "a voice's id in lower case, such as matthew";
}

const char *
config_check_log(const char *text)
{
    return log_levels_valid(text, NULL, 0)
               ? NULL
               : "off, error, warn, info, debug or trace, then TOPIC=LEVEL, "
                 "parted by commas; topics: "
#define LOG_TOPIC(name, what) #name " "
#include "gateway/log.tbl.h"
#undef LOG_TOPIC
        ;
}

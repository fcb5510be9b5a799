#include "gateway/config_check.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/config.h"
#include "gateway/log.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define TOOL_SET LOWER UPPER DIGITS "_-"
#define TOOL_BYTES_MAX 64

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
config_check_provider(const char *text)
{
    size_t bytes = strnlen(text, CONFIG_NAME_BYTES);
    return bytes > 0 && bytes < CONFIG_NAME_BYTES && only(text, TOOL_SET)
               ? NULL
               : "1 to 32 characters from A-Z, a-z, 0-9, _ and -";
}

const char *
config_check_tool(const char *text)
{
    return *text && strnlen(text, TOOL_BYTES_MAX + 1) <= TOOL_BYTES_MAX &&
                   only(text, TOOL_SET)
               ? NULL
               : "a tool's name, 1 to 64 characters from A-Z, a-z, 0-9, _ "
                 "and -";
}

const char *
config_check_prefix(const char *text)
{
    return only(text, TOOL_SET)
               ? NULL
               : "characters of which tools' names are made, A-Z, a-z, 0-9, _ "
                 "and -";
}

/* ---- a url ---- */

/* Whether the name, without [ ], can only be this machine's. */
static bool
is_loopback(const char *host)
{
    struct in6_addr v6;
    struct in_addr v4;
    if (!strcmp(host, "localhost"))
        return true;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* Copies the host of "HOST[:PORT][/...]"; false if there is none, or the port
 * is wrong, or a user's name stands before it. */
static bool
split_host(const char *rest, char *host, size_t host_size)
{
    bool bracket = *rest == '[';
    size_t bytes = bracket ? strcspn(rest + 1, "]")
                           : strspn(rest, LOWER UPPER DIGITS ".-_");
    const char *end = rest + bytes + (bracket ? 1 : 0);
    if (bytes == 0 || bytes >= host_size || (bracket && *end != ']'))
        return false;
    snprintf(host, host_size, "%.*s", (int)bytes, rest + bracket);
    end += bracket;
    if (bracket && strspn(host, "abcdefABCDEF" DIGITS ":.") != bytes)
        return false;
    if (*end == ':') {
        size_t digits = strspn(end + 1, DIGITS);
        long port = digits > 0 && digits < 6 ? strtol(end + 1, NULL, 10) : 0;
        if (port < 1 || port > 65535)
            return false;
        end += 1 + digits;
    }
    return *end == '\0' || *end == '/' || *end == '?';
}

const char *
config_check_url(const char *text)
{
    static const char right[] =
        "https://HOST[:PORT]/PATH, without a user's name (secrets go into "
        "headers_file) and without #";
    char host[256];
    bool secure = !strncmp(text, "https://", 8);
    if (!secure && strncmp(text, "http://", 7))
        return right;
    for (const char *c = text; *c; c++) {
        if (*c <= ' ' || *c > '~' || *c == '#')
            return right;
    }
    if (!split_host(text + (secure ? 8 : 7), host, sizeof host))
        return right;
    return secure || is_loopback(host)
               ? NULL
               : "https://; plain http:// goes to this machine only, "
                 "127.0.0.1, [::1] or localhost";
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

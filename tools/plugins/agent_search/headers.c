#include "tools/plugins/agent_search/headers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a name may have: RFC 9110's token. */
#define TOKEN                    \
    "!#$%&'*+-.^_`|~0123456789"  \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ" \
    "abcdefghijklmnopqrstuvwxyz"

/* Those that frame the request belong to libcurl. */
static const char *const reserved[] = {
    "Host",   "Connection",        "Content-Length", "Content-Type",
    "Accept", "Transfer-Encoding", "Expect",         "A2A-Version"};

static const char *
fault_of(const char *line)
{
    size_t name = strspn(line, TOKEN);

    if (name == 0 || line[name] != ':')
        return "is not \"Name: value\"";
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        if (strlen(reserved[i]) == name &&
            strncasecmp(line, reserved[i], name) == 0)
            return "sets a header that the plugin sets itself";
    }
    for (const char *c = line; *c; c++) {
        if (((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7f)
            return "has a control character";
    }
    return NULL;
}

static bool
take_line(struct headers *headers, const char *line, unsigned number, char *why,
          size_t why_bytes)
{
    const char *fault;

    if (line[strspn(line, " \t")] == '\0' || line[0] == '#')
        return true;
    fault = headers->count == HEADERS_MAX ? "is one header too many"
                                          : fault_of(line);
    if (fault) {
        snprintf(why, why_bytes, "line %u %s", number, fault);
        return false;
    }
    headers->lines[headers->count++] = line;
    return true;
}

bool
headers_parse(struct headers *headers, char *text, size_t bytes, char *why,
              size_t why_bytes)
{
    unsigned number = 0;
    char *line = text;
    bool good = true;

    memset(headers, 0, sizeof *headers);
    headers->text = text;
    headers->text_bytes = bytes;
    if (strlen(text) != bytes) {
        snprintf(why, why_bytes, "has a NUL in it");
        good = false;
    }
    while (good && line) {
        char *end = strchr(line, '\n');
        if (end) {
            *end = '\0';
            if (end > line && end[-1] == '\r')
                end[-1] = '\0';
        }
        good = take_line(headers, line, ++number, why, why_bytes);
        line = end ? end + 1 : NULL;
    }
    if (!good)
        headers_fini(headers);
    return good;
}

/* The whole file and a NUL behind, or NULL and why. */
static char *
slurp(const char *path, size_t *bytes, char *why, size_t why_bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char *text = NULL;
    struct stat st;
    ssize_t n = -1;

    if (fd < 0 || fstat(fd, &st) != 0) {
        snprintf(why, why_bytes, "cannot be read: %s", strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        snprintf(why, why_bytes, "is no regular file");
    } else {
        text = malloc(HEADERS_FILE_BYTES + 1);
        if (text)
            n = read(fd, text, HEADERS_FILE_BYTES + 1);
        if (!text || n < 0)
            snprintf(why, why_bytes, "cannot be read: %s", strerror(errno));
        else if ((size_t)n > HEADERS_FILE_BYTES)
            snprintf(why, why_bytes, "has more than %u bytes",
                     HEADERS_FILE_BYTES);
    }
    if (fd >= 0)
        close(fd);
    if (n < 0 || (size_t)n > HEADERS_FILE_BYTES) {
        free(text);
        return NULL;
    }
    text[n] = '\0';
    *bytes = (size_t)n;
    return text;
}

bool
headers_load(struct headers *headers, const char *path, char *why,
             size_t why_bytes)
{
    char fault[200];
    size_t bytes = 0;
    char *text;

    memset(headers, 0, sizeof *headers);
    if (!path)
        return true;
    text = slurp(path, &bytes, fault, sizeof fault);
    if (text && headers_parse(headers, text, bytes, fault, sizeof fault))
        return true;
    snprintf(why, why_bytes, "headers_file '%.200s' %s", path, fault);
    return false;
}

void
headers_fini(struct headers *headers)
{
    if (headers->text)
        explicit_bzero(headers->text, headers->text_bytes);
    free(headers->text);
    memset(headers, 0, sizeof *headers);
}

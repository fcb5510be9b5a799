#include "tools/mcp/headers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define LINE_BYTES 8192
#define LINES_MAX 100

/* Those that the transport itself gives. */
static const char *const ours[] = {"accept",
                                   "content-type",
                                   "content-length",
                                   "transfer-encoding",
                                   "mcp-session-id",
                                   "mcp-protocol-version",
                                   "last-event-id",
                                   "connection",
                                   "host"};

static bool
is_ours(const char *line, size_t name_bytes)
{
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        if (strlen(ours[i]) == name_bytes &&
            strncasecmp(ours[i], line, name_bytes) == 0)
            return true;
    }
    return false;
}

static bool
append(struct headers *headers, const char *line)
{
    struct curl_slist *longer = curl_slist_append(headers->list, line);

    if (longer)
        headers->list = longer;
    return longer != NULL;
}

/* What is wrong with a line; NULL: nothing. */
static const char *
fault_of(const char *line)
{
    /* RFC 9110, 5.6.2 "token" */
    size_t name = strspn(line, "!#$%&'*+-.^_`|~0123456789"
                               "abcdefghijklmnopqrstuvwxyz"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

    if (name == 0 || line[name] != ':')
        return "is not \"Name: value\"";
    if (is_ours(line, name))
        return "names a header that voxring gives itself";
    for (const char *p = line; *p; p++) {
        if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f)
            return "has a control character";
    }
    return NULL;
}

static bool
read_lines(struct headers *headers, FILE *f, const char *path, char *why,
           size_t why_size)
{
    char line[LINE_BYTES];

    for (int n = 1; fgets(line, sizeof line, f); n++) {
        size_t bytes = strcspn(line, "\r\n");
        const char *fault = NULL;
        if (n > LINES_MAX || bytes == sizeof line - 1)
            fault = "is too much: at most 100 lines of 8000 bytes";
        line[bytes] = '\0';
        if (!fault && (line[0] == '\0' || line[0] == '#'))
            continue;
        if (!fault)
            fault = fault_of(line);
        if (!fault && !append(headers, line))
            fault = "does not fit into the memory left";
        if (fault) {
            snprintf(why, why_size, "headers file %s: line %d %s", path, n,
                     fault);
            return false;
        }
    }
    return true;
}

bool
headers_read(struct headers *headers, const char *path, char *why,
             size_t why_size)
{
    struct stat info;
    FILE *f;
    bool good = false;

    headers->list = NULL;
    if (!path)
        return true;
    f = fopen(path, "re");
    if (!f || fstat(fileno(f), &info) != 0) {
        snprintf(why, why_size, "headers file %s cannot be read: %s", path,
                 strerror(errno));
    } else if (!S_ISREG(info.st_mode) || (info.st_mode & 022) != 0) {
        snprintf(why, why_size,
                 "headers file %s must be a file that only its owner may write "
                 "to (chmod 600)",
                 path);
    } else {
        good = read_lines(headers, f, path, why, why_size);
    }
    if (f)
        fclose(f);
    if (!good)
        headers_fini(headers);
    return good;
}

bool
headers_add(struct headers *headers, const char *name, const char *value)
{
    char *line;
    bool good;

    if (asprintf(&line, "%s: %s", name, value) < 0)
        return false;
    good = append(headers, line);
    free(line);
    return good;
}

void
headers_fini(struct headers *headers)
{
    curl_slist_free_all(headers->list);
    headers->list = NULL;
}

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/fnv.h"
#include "ipc/ring_name.h"
#include "ipc/ring_why.h"

#define BELL_END ".in.bell"

static const char lower[] = "abcdefghijklmnopqrstuvwxyz0123456789";
static const char session_chars[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";
static const char instance_chars[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

enum vr_status
ring_name_check(const char *session, char *why, size_t why_bytes)
{
    if (session == NULL || session[0] == '\0')
        return ring_why(why, why_bytes, VR_INVALID,
                        "No session was named; give one such as \"robot\"");
    if (strlen(session) <= VR_SESSION_MAX &&
        strchr(lower, session[0]) != NULL &&
        session[strspn(session, session_chars)] == '\0')
        return VR_OK;
    return ring_why(why, why_bytes, VR_INVALID,
                    "\"%.64s\" cannot be a session's name: use at most %d of "
                    "a-z, 0-9, '-' and '_', a letter or digit first",
                    session, VR_SESSION_MAX);
}

enum vr_status
ring_name_instance(char instance[RING_INSTANCE_BYTES], const char *given,
                   const char *runtime_dir, char *why, size_t why_bytes)
{
    char *real;

    if (given != NULL) {
        size_t length = strlen(given);
        if (length == 0 || length >= RING_INSTANCE_BYTES ||
            given[strspn(given, instance_chars)] != '\0')
            return ring_why(why, why_bytes, VR_INVALID,
                            "\"%.64s\" cannot be an instance's name: use 1 to "
                            "%d letters, digits, '-' and '_'",
                            given, RING_INSTANCE_BYTES - 1);
        memcpy(instance, given, length + 1);
        return VR_OK;
    }
    real = realpath(runtime_dir, NULL);
    if (real == NULL)
        return ring_why(why, why_bytes, VR_NOT_FOUND,
                        "No gateway's runtime folder at %s (%s); start "
                        "voxringd, or name its folder in VOXRING_RUNTIME_DIR",
                        runtime_dir, strerror(errno));
    snprintf(instance, RING_INSTANCE_BYTES, "%016llx",
             (unsigned long long)fnv_text(FNV_BASIS, real));
    free(real);
    return VR_OK;
}

void
ring_name_object(char object[RING_OBJECT_BYTES], const char *instance,
                 const char *session, enum vr_ring ring)
{
    snprintf(object, RING_OBJECT_BYTES, "/voxring-%s.%s.%s", instance, session,
             ring == VR_RING_IN ? "in" : "out");
}

void
ring_name_file(char path[RING_FILE_BYTES], const char *object)
{
    snprintf(path, RING_FILE_BYTES, RING_SHM_DIR "%s", object);
}

enum vr_status
ring_name_bell(char path[RING_PATH_BYTES], const char *runtime_dir,
               const char *session)
{
    int n =
        snprintf(path, RING_PATH_BYTES, "%s/%s" BELL_END, runtime_dir, session);
    return n >= 0 && n < RING_PATH_BYTES ? VR_OK : VR_LIMIT;
}

bool
ring_name_of_bell(char session[VR_SESSION_MAX + 1], const char *file)
{
    size_t length = strlen(file), end = strlen(BELL_END);

    if (length <= end || length - end > VR_SESSION_MAX ||
        strcmp(file + length - end, BELL_END) != 0)
        return false;
    memcpy(session, file, length - end);
    session[length - end] = '\0';
    return ring_name_check(session, NULL, 0) == VR_OK;
}

static int
print_dir(char *path, size_t path_bytes, const char *folder, const char *rest)
{
    int n = snprintf(path, path_bytes, "%s%s", folder, rest);
    return n < 0 || (size_t)n >= path_bytes ? -1 : 1;
}

int
ring_name_dir(unsigned index, char *path, size_t path_bytes)
{
    const char *value;
    char uid[24];

    path[0] = '\0';
    switch (index) {
    case 0:
        value = getenv("VOXRING_RUNTIME_DIR");
        return value == NULL || *value == '\0'
                   ? 1
                   : print_dir(path, path_bytes, value, "");
    case 1:
        value = getenv("XDG_RUNTIME_DIR");
        return value == NULL || *value != '/'
                   ? 1
                   : print_dir(path, path_bytes, value, "/voxring");
    case 2:
        return print_dir(path, path_bytes, "/run/voxring", "");
    case 3:
        snprintf(uid, sizeof uid, "%lu", (unsigned long)geteuid());
        return print_dir(path, path_bytes, "/tmp/voxring-", uid);
    default:
        return 0;
    }
}

/* The environment's word is taken as it is; of the others, the first that is
 * a folder. Without any, the first place a gateway would choose. */
enum vr_status
vr_runtime_dir(char *path, size_t path_bytes)
{
    struct stat st;
    unsigned index;
    int found;

    if (path == NULL || path_bytes == 0)
        return VR_INVALID;
    for (index = 0; (found = ring_name_dir(index, path, path_bytes)) != 0;
         index++) {
        if (found < 0)
            return VR_LIMIT;
        if (path[0] == '\0')
            continue;
        if (index == 0 || (stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
            return VR_OK;
    }
    for (index = 1; (found = ring_name_dir(index, path, path_bytes)) != 0;
         index++) {
        if (found < 0)
            return VR_LIMIT;
        if (path[0] != '\0')
            return VR_OK;
    }
    return VR_LIMIT;
}

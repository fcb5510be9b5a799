#include "gateway/bedrock/credentials_source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "gateway/bedrock/profile.h"

#define FILE_BYTES_MAX (1024 * 1024)

/* ---- files ---- */

static const char *
home_folder(void)
{
    const char *home = credentials_set_or_null(getenv("HOME"));
    const struct passwd *user = home ? NULL : getpwuid(getuid());

    return home ? home : user && user->pw_dir ? user->pw_dir : "/";
}

/* The path in `variable`, or `name` in the user's .aws folder. */
static void
file_path(const char *variable, const char *name, char path[PATH_MAX])
{
    const char *given = credentials_set_or_null(getenv(variable));

    if (!given)
        snprintf(path, PATH_MAX, "%s/.aws/%s", home_folder(), name);
    else if (!strncmp(given, "~/", 2))
        snprintf(path, PATH_MAX, "%s%s", home_folder(), given + 1);
    else
        snprintf(path, PATH_MAX, "%s", given);
}

/* Reads up to `size` bytes; -1 on an error. */
static long
read_all(int fd, char *text, size_t size)
{
    size_t used = 0;

    while (used < size) {
        ssize_t count = read(fd, text + used, size - used);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -1;
        if (count == 0)
            break;
        used += (size_t)count;
    }
    return (long)used;
}

static const char no_memory[] = "there is no memory for it";

/* NULL, or why the open file cannot be read. */
static const char *
load_open(int fd, char **text, size_t *bytes)
{
    struct stat status;
    long count;

    if (fstat(fd, &status) < 0)
        return strerror(errno);
    if (!S_ISREG(status.st_mode))
        return "is not a regular file";
    if (status.st_size > FILE_BYTES_MAX)
        return "is larger than 1 MiB";
    *text = malloc((size_t)status.st_size + 1);
    if (!*text)
        return no_memory;
    count = read_all(fd, *text, (size_t)status.st_size);
    if (count < 0) {
        const char *why = strerror(errno);

        free(*text);
        *text = NULL;
        return why;
    }
    *bytes = (size_t)count;
    return NULL;
}

/* ---- a profile ---- */

/* Keys by which a profile asks for a source that is not built in. The first
 * asks for a role, which static keys beside it only help to take. */
#define ROLE_KEYS 1
static const char *const unsupported_keys[] = {
    "role_arn",       "credential_process", "web_identity_token_file",
    "sso_session",    "sso_start_url",      "sso_account_id",
    "source_profile", "credential_source",  "login_session",
};

#define UNSUPPORTED_COUNT (sizeof unsupported_keys / sizeof *unsupported_keys)

/* Keys that tell when the ones beside them expire, the best known first. */
static const char *const expiry_keys[] = {
    "aws_credential_expiration",
    "aws_expiration",
    "x_security_token_expires",
    "expiration",
};

#define EXPIRY_COUNT (sizeof expiry_keys / sizeof *expiry_keys)
#define EXPIRY_BYTES 64 /* no time is as long */

/* What one file says about the wanted profile. */
struct search {
    const char *wanted;
    char path[PATH_MAX];
    bool seen; /* the profile is there */
    bool unsupported[UNSUPPORTED_COUNT];
    /* For each field NULL, or what is wrong with its value. */
    const char *fault[CREDENTIALS_FIELD_COUNT];
    char expiry[EXPIRY_COUNT][EXPIRY_BYTES];
    struct credentials found;
};

static void
on_profile(void *arg, const char *profile)
{
    struct search *search = arg;

    search->seen |= !strcmp(profile, search->wanted);
}

static void
on_property(void *arg, const char *profile, const char *key, const char *value)
{
    struct search *search = arg;

    if (strcmp(profile, search->wanted) != 0)
        return;
    for (size_t i = 0; i < UNSUPPORTED_COUNT; i++) {
        if (!strcmp(key, unsupported_keys[i]))
            search->unsupported[i] = *value != '\0';
    }
    for (size_t i = 0; i < EXPIRY_COUNT; i++) {
        if (!strcmp(key, expiry_keys[i]))
            snprintf(search->expiry[i], EXPIRY_BYTES, "%s", value);
    }
    for (int i = 0; i < CREDENTIALS_FIELD_COUNT; i++) {
        if (strcmp(key, credentials_fields[i].key) != 0)
            continue;
        search->fault[i] =
            credentials_fault_of(value, credentials_fields[i].size);
        snprintf(credentials_field_of(&search->found, i),
                 credentials_fields[i].size, "%s",
                 search->fault[i] ? "" : value);
    }
}

/* Reads one file: ABSENT when it is not there. */
static enum credentials_outcome
search_file(struct search *search, enum profile_file file,
            struct credentials_report *tried)
{
    static const struct profile_sink sink = {on_profile, on_property};
    char *text = NULL, problem[128];
    const char *why = NULL;
    size_t bytes = 0;
    enum vr_status status = VR_OK;
    int fd = open(search->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return CREDENTIALS_ABSENT;
    if (fd < 0)
        why = strerror(errno);
    else
        why = load_open(fd, &text, &bytes);
    if (fd >= 0)
        close(fd);
    if (!why) {
        status = profile_parse(file, text, bytes, &sink, search, problem,
                               sizeof problem);
        why = status == VR_OK          ? NULL
              : status == VR_NO_MEMORY ? no_memory
                                       : problem;
    }
    if (text)
        OPENSSL_cleanse(text, bytes);
    free(text);
    if (why)
        credentials_report(tried, "%s: %s. ", search->path, why);
    return !why               ? CREDENTIALS_FOUND
           : why == no_memory ? CREDENTIALS_NO_MEMORY
                              : CREDENTIALS_WRONG;
}

/* The key by which the profile asks for what is not built in, or NULL. */
static const char *
asks_for(const struct search *search, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++) {
        if (search->unsupported[i])
            return unsupported_keys[i];
    }
    return NULL;
}

static bool
report_unsupported(const struct search *search, const char *key,
                   struct credentials_report *tried)
{
    if (key)
        credentials_report(
            tried,
            "profile %s in %s: %s is not supported here; give static keys, "
            "or export them by 'aws configure export-credentials'. ",
            search->wanted, search->path, key);
    return key != NULL;
}

static void
take_expiry(const struct search *search, struct credentials *out)
{
    for (size_t i = 0; i < EXPIRY_COUNT; i++) {
        if (!*search->expiry[i])
            continue;
        credentials_take_expiry(out, out->source, expiry_keys[i],
                                search->expiry[i]);
        return;
    }
}

/* Keys that stand in one file are used together or not at all, so that a key
 * never meets another identity's secret or token. */
static enum credentials_outcome
take_keys(const struct search *search, struct credentials *out,
          struct credentials_report *tried)
{
    bool has_key = *search->found.access_key_id != '\0';
    bool has_secret = *search->found.secret_access_key != '\0';

    for (int i = 0; i < CREDENTIALS_FIELD_COUNT; i++) {
        if (!search->fault[i])
            continue;
        credentials_report(tried, "profile %s in %s: %s %s. ", search->wanted,
                           search->path, credentials_fields[i].key,
                           search->fault[i]);
        return CREDENTIALS_WRONG;
    }
    if (has_key != has_secret) {
        const char *key = credentials_fields[CREDENTIALS_ACCESS_KEY].key;
        const char *secret = credentials_fields[CREDENTIALS_SECRET_KEY].key;

        credentials_report(tried,
                           "profile %s in %s: %s is there but %s is not. ",
                           search->wanted, search->path, has_key ? key : secret,
                           has_key ? secret : key);
        return CREDENTIALS_WRONG;
    }
    if (!has_key)
        return CREDENTIALS_ABSENT;
    *out = search->found;
    snprintf(out->source, sizeof out->source, "profile %.60s in %.85s",
             search->wanted, search->path);
    out->from_file = true;
    take_expiry(search, out);
    return CREDENTIALS_FOUND;
}

static void
report_absent(const struct search *files, const enum credentials_outcome *read,
              struct credentials_report *tried)
{
    credentials_report(tried, "profile %s: ", files[0].wanted);
    for (int i = 0; i < 2; i++)
        credentials_report(tried, "%s %s%s", files[i].path,
                           read[i] == CREDENTIALS_ABSENT ? "does not exist"
                           : !files[i].seen              ? "has no such profile"
                                            : "has the profile, without keys",
                           i == 0 ? ", " : ". ");
}

/* `files` are the credentials file and the config file, in this order. */
static enum credentials_outcome
from_files(struct search files[2], struct credentials *out,
           struct credentials_report *tried)
{
    static const enum profile_file kinds[2] = {PROFILE_CREDENTIALS,
                                               PROFILE_CONFIG};
    enum credentials_outcome read[2], keys = CREDENTIALS_ABSENT;

    for (int i = 0; i < 2; i++) {
        read[i] = search_file(&files[i], kinds[i], tried);
        if (credentials_ends_search(read[i]))
            return read[i];
    }
    for (int i = 0; i < 2; i++) {
        if (report_unsupported(&files[i], asks_for(&files[i], 0, ROLE_KEYS),
                               tried))
            return CREDENTIALS_WRONG;
    }
    for (int i = 0; i < 2 && keys == CREDENTIALS_ABSENT; i++)
        keys = take_keys(&files[i], out, tried);
    if (keys != CREDENTIALS_ABSENT)
        return keys;
    for (int i = 0; i < 2; i++) {
        if (report_unsupported(
                &files[i], asks_for(&files[i], ROLE_KEYS, UNSUPPORTED_COUNT),
                tried))
            return CREDENTIALS_WRONG;
    }
    report_absent(files, read, tried);
    return CREDENTIALS_ABSENT;
}

enum credentials_outcome
credentials_from_profile(const char *profile, struct credentials *out,
                         struct credentials_report *tried)
{
    struct search *files = calloc(2, sizeof *files);
    enum credentials_outcome outcome;

    if (!files) {
        credentials_report(tried, "profile %s: no memory. ", profile);
        return CREDENTIALS_NO_MEMORY;
    }
    files[0].wanted = files[1].wanted = profile;
    file_path("AWS_SHARED_CREDENTIALS_FILE", "credentials", files[0].path);
    file_path("AWS_CONFIG_FILE", "config", files[1].path);
    outcome = from_files(files, out, tried);
    OPENSSL_cleanse(files, 2 * sizeof *files);
    free(files);
    return outcome;
}

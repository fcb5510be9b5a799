#include "gateway/bedrock/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "gateway/bedrock/profile.h"

#define FILE_BYTES_MAX (1024 * 1024)

/* Sentences about what was tried, collected for the caller. */
struct report {
    char *text;
    size_t used, size;
};

VR_PRINTF(2, 3)
static void
report(struct report *out, const char *format, ...)
{
    va_list args;
    int chars;

    if (out->used + 1 >= out->size)
        return;
    va_start(args, format);
    chars =
        vsnprintf(out->text + out->used, out->size - out->used, format, args);
    va_end(args);
    if (chars > 0)
        out->used += (size_t)chars;
    if (out->used >= out->size)
        out->used = out->size - 1;
}

void
credentials_wipe(struct credentials *credentials)
{
    OPENSSL_cleanse(credentials, sizeof *credentials);
}

static const char *
set_or_null(const char *value)
{
    return value && *value ? value : NULL;
}

/* ---- fields ---- */

/* One of the three secrets: where it goes and what its sources call it. */
struct field {
    const char *variable;
    const char *key;
    size_t offset, size;
};

#define FIELD(member, variable_, key_)                         \
    {                                                          \
        variable_, key_, offsetof(struct credentials, member), \
            sizeof((struct credentials *)0)->member            \
    }

enum { ACCESS_KEY, SECRET_KEY, SESSION_TOKEN, FIELD_COUNT };

static const struct field fields[FIELD_COUNT] = {
    FIELD(access_key_id, "AWS_ACCESS_KEY_ID", "aws_access_key_id"),
    FIELD(secret_access_key, "AWS_SECRET_ACCESS_KEY", "aws_secret_access_key"),
    FIELD(session_token, "AWS_SESSION_TOKEN", "aws_session_token"),
};

static char *
field_of(struct credentials *credentials, int i)
{
    return (char *)credentials + fields[i].offset;
}

/* NULL, or what is wrong with a value, which is not shown. */
static const char *
fault_of(const char *value, size_t size)
{
    for (const char *c = value; *c; c++) {
        if (*c <= ' ' || *c > '~')
            return "holds a character that no key has (a space, a line break "
                   "or one outside ASCII)";
    }
    return strlen(value) >= size ? "is longer than any key AWS gives out"
                                 : NULL;
}

/* ---- the environment ---- */

enum outcome { FOUND, ABSENT, WRONG };

/* White space around a value, as an export from a file may leave. */
static const char *
trimmed(const char *value, size_t *chars)
{
    static const char blank[] = " \t\r\n";

    value += strspn(value, blank);
    *chars = strlen(value);
    while (*chars && strchr(blank, value[*chars - 1]))
        --*chars;
    return value;
}

static bool
take_variable(int i, struct credentials *out, struct report *tried)
{
    const char *value = getenv(fields[i].variable), *fault;
    char *copy;
    size_t chars;

    if (!value)
        return true;
    value = trimmed(value, &chars);
    copy = strndup(value, chars);
    fault = !copy ? "does not fit into memory" : fault_of(copy, fields[i].size);
    if (fault)
        report(tried, "environment: %s %s. ", fields[i].variable, fault);
    else
        memcpy(field_of(out, i), copy, chars + 1);
    if (copy)
        OPENSSL_cleanse(copy, chars);
    free(copy);
    return !fault;
}

static enum outcome
from_environment(struct credentials *out, struct report *tried)
{
    bool has_key, has_secret;

    for (int i = 0; i < FIELD_COUNT; i++) {
        if (!take_variable(i, out, tried))
            return WRONG;
    }
    has_key = *out->access_key_id;
    has_secret = *out->secret_access_key;
    if (has_key && has_secret) {
        snprintf(out->source, sizeof out->source, "environment");
        return FOUND;
    }
    if (has_key || has_secret) {
        report(tried,
               "environment: %s is set but %s is not: set both or neither. ",
               fields[has_key ? ACCESS_KEY : SECRET_KEY].variable,
               fields[has_key ? SECRET_KEY : ACCESS_KEY].variable);
        return WRONG;
    }
    report(tried, "environment: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY "
                  "are not set. ");
    return ABSENT;
}

/* ---- files ---- */

static const char *
home_folder(void)
{
    const char *home = set_or_null(getenv("HOME"));
    const struct passwd *user = home ? NULL : getpwuid(getuid());

    return home ? home : user && user->pw_dir ? user->pw_dir : "/";
}

/* The path in `variable`, or `name` in the user's .aws folder. */
static void
file_path(const char *variable, const char *name, char path[PATH_MAX])
{
    const char *given = set_or_null(getenv(variable));

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
        return "does not fit into memory";
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

/* What one file says about the wanted profile. */
struct search {
    const char *wanted;
    char path[PATH_MAX];
    bool seen; /* the profile is there */
    bool unsupported[UNSUPPORTED_COUNT];
    const char *fault[FIELD_COUNT]; /* NULL, or what is wrong with it */
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
    for (int i = 0; i < FIELD_COUNT; i++) {
        if (strcmp(key, fields[i].key) != 0)
            continue;
        search->fault[i] = fault_of(value, fields[i].size);
        snprintf(field_of(&search->found, i), fields[i].size, "%s",
                 search->fault[i] ? "" : value);
    }
}

/* Reads one file; WRONG is reported, a file that is not there is ABSENT. */
static enum outcome
search_file(struct search *search, enum profile_file file, struct report *tried)
{
    static const struct profile_sink sink = {on_profile, on_property};
    char *text = NULL, problem[128] = "it does not fit into memory";
    const char *why = NULL;
    size_t bytes = 0;
    enum vr_status status = VR_OK;
    int fd = open(search->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return ABSENT;
    if (fd < 0)
        why = strerror(errno);
    else
        why = load_open(fd, &text, &bytes);
    if (fd >= 0)
        close(fd);
    if (!why) {
        status = profile_parse(file, text, bytes, &sink, search, problem,
                               sizeof problem);
        why = status ? problem : NULL;
    }
    if (text)
        OPENSSL_cleanse(text, bytes);
    free(text);
    if (why)
        report(tried, "%s: %s. ", search->path, why);
    return why ? WRONG : FOUND;
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
                   struct report *tried)
{
    if (key)
        report(tried,
               "profile %s in %s: %s is not supported here; give static keys, "
               "or export them by 'aws configure export-credentials'. ",
               search->wanted, search->path, key);
    return key != NULL;
}

/* Keys that stand in one file are used together or not at all, so that a key
 * never meets another identity's secret or token. */
static enum outcome
take_keys(const struct search *search, struct credentials *out,
          struct report *tried)
{
    bool has_key = *search->found.access_key_id != '\0';
    bool has_secret = *search->found.secret_access_key != '\0';

    for (int i = 0; i < FIELD_COUNT; i++) {
        if (!search->fault[i])
            continue;
        report(tried, "profile %s in %s: %s %s. ", search->wanted, search->path,
               fields[i].key, search->fault[i]);
        return WRONG;
    }
    if (has_key != has_secret) {
        report(tried, "profile %s in %s: %s is there but %s is not. ",
               search->wanted, search->path,
               fields[has_key ? ACCESS_KEY : SECRET_KEY].key,
               fields[has_key ? SECRET_KEY : ACCESS_KEY].key);
        return WRONG;
    }
    if (!has_key)
        return ABSENT;
    *out = search->found;
    snprintf(out->source, sizeof out->source, "profile %.60s in %.85s",
             search->wanted, search->path);
    return FOUND;
}

static void
report_absent(const struct search *files, const enum outcome *read,
              struct report *tried)
{
    report(tried, "profile %s: ", files[0].wanted);
    for (int i = 0; i < 2; i++)
        report(tried, "%s %s%s", files[i].path,
               read[i] == ABSENT ? "does not exist"
               : !files[i].seen  ? "has no such profile"
                                 : "has the profile, without keys",
               i == 0 ? ", " : ". ");
}

/* `files` are the credentials file and the config file, in this order. */
static enum outcome
from_files(struct search files[2], struct credentials *out,
           struct report *tried)
{
    static const enum profile_file kinds[2] = {PROFILE_CREDENTIALS,
                                               PROFILE_CONFIG};
    enum outcome read[2], keys = ABSENT;

    for (int i = 0; i < 2; i++) {
        read[i] = search_file(&files[i], kinds[i], tried);
        if (read[i] == WRONG)
            return WRONG;
    }
    for (int i = 0; i < 2; i++) {
        if (report_unsupported(&files[i], asks_for(&files[i], 0, ROLE_KEYS),
                               tried))
            return WRONG;
    }
    for (int i = 0; i < 2 && keys == ABSENT; i++)
        keys = take_keys(&files[i], out, tried);
    if (keys != ABSENT)
        return keys;
    for (int i = 0; i < 2; i++) {
        if (report_unsupported(
                &files[i], asks_for(&files[i], ROLE_KEYS, UNSUPPORTED_COUNT),
                tried))
            return WRONG;
    }
    report_absent(files, read, tried);
    return ABSENT;
}

static enum outcome
from_profile(const char *profile, struct credentials *out, struct report *tried)
{
    struct search *files = calloc(2, sizeof *files);
    enum outcome outcome;

    if (!files) {
        report(tried, "profile %s: no memory. ", profile);
        return WRONG;
    }
    files[0].wanted = files[1].wanted = profile;
    file_path("AWS_SHARED_CREDENTIALS_FILE", "credentials", files[0].path);
    file_path("AWS_CONFIG_FILE", "config", files[1].path);
    outcome = from_files(files, out, tried);
    OPENSSL_cleanse(files, 2 * sizeof *files);
    free(files);
    return outcome;
}

/* ---- the chain ---- */

enum vr_status
credentials_load(const char *profile, struct credentials *out, char *text,
                 size_t text_size)
{
    struct report tried = {.text = text, .size = text_size};
    const char *named = set_or_null(profile);
    const char *chosen = named ? named : set_or_null(getenv("AWS_PROFILE"));
    enum outcome outcome = ABSENT;

    if (text_size)
        *text = '\0';
    credentials_wipe(out);
    report(&tried, "No AWS credentials. ");
    if (!named)
        outcome = from_environment(out, &tried);
    if (outcome == ABSENT)
        outcome = from_profile(chosen ? chosen : "default", out, &tried);
    if (outcome == FOUND) {
        if (text_size)
            *text = '\0';
        return VR_OK;
    }
    credentials_wipe(out);
    if (outcome == ABSENT)
        report(&tried, named ? "Put aws_access_key_id and "
                               "aws_secret_access_key under that profile"
                             : "Set both variables, or put aws_access_key_id "
                               "and aws_secret_access_key under that profile");
    else
        report(&tried, "Correct that");
    return VR_AUTH;
}

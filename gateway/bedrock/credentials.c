#include "gateway/bedrock/credentials.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "gateway/bedrock/credentials_source.h"

void
credentials_wipe(struct credentials *credentials)
{
    OPENSSL_cleanse(credentials, sizeof *credentials);
}

/* ---- what the sources share ---- */

void
credentials_report(struct credentials_report *report, const char *format, ...)
{
    va_list args;
    int chars;

    if (report->used + 1 >= report->size)
        return;
    va_start(args, format);
    chars = vsnprintf(report->text + report->used, report->size - report->used,
                      format, args);
    va_end(args);
    if (chars > 0)
        report->used += (size_t)chars;
    if (report->used >= report->size)
        report->used = report->size - 1;
}

const char *
credentials_set_or_null(const char *value)
{
    return value && *value ? value : NULL;
}

#define FIELD(member, variable_, key_)                         \
    {                                                          \
        variable_, key_, offsetof(struct credentials, member), \
            sizeof((struct credentials *)0)->member            \
    }

const struct credentials_field credentials_fields[CREDENTIALS_FIELD_COUNT] = {
    FIELD(access_key_id, "AWS_ACCESS_KEY_ID", "aws_access_key_id"),
    FIELD(secret_access_key, "AWS_SECRET_ACCESS_KEY", "aws_secret_access_key"),
    FIELD(session_token, "AWS_SESSION_TOKEN", "aws_session_token"),
};

const char *
credentials_fault_of(const char *value, size_t size)
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
take_variable(int i, struct credentials *out, struct credentials_report *tried)
{
    const char *value = getenv(credentials_fields[i].variable), *fault;
    char *copy;
    size_t chars;

    if (!value)
        return true;
    value = trimmed(value, &chars);
    copy = strndup(value, chars);
    fault = !copy ? "does not fit into memory"
                  : credentials_fault_of(copy, credentials_fields[i].size);
    if (fault)
        credentials_report(tried, "environment: %s %s. ",
                           credentials_fields[i].variable, fault);
    else
        memcpy(credentials_field_of(out, i), copy, chars + 1);
    if (copy)
        OPENSSL_cleanse(copy, chars);
    free(copy);
    return !fault;
}

static enum credentials_outcome
from_environment(struct credentials *out, struct credentials_report *tried)
{
    bool has_key, has_secret;

    for (int i = 0; i < CREDENTIALS_FIELD_COUNT; i++) {
        if (!take_variable(i, out, tried))
            return CREDENTIALS_WRONG;
    }
    has_key = *out->access_key_id;
    has_secret = *out->secret_access_key;
    if (has_key && has_secret) {
        snprintf(out->source, sizeof out->source, "environment");
        return CREDENTIALS_FOUND;
    }
    if (has_key || has_secret) {
        credentials_report(
            tried,
            "environment: %s is set but %s is not: set both or neither. ",
            credentials_fields[has_key ? CREDENTIALS_ACCESS_KEY
                                       : CREDENTIALS_SECRET_KEY]
                .variable,
            credentials_fields[has_key ? CREDENTIALS_SECRET_KEY
                                       : CREDENTIALS_ACCESS_KEY]
                .variable);
        return CREDENTIALS_WRONG;
    }
    credentials_report(
        tried, "environment: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY "
               "are not set. ");
    return CREDENTIALS_ABSENT;
}

/* ---- the chain ---- */

enum vr_status
credentials_load(const char *profile, struct credentials *out, char *text,
                 size_t text_size)
{
    struct credentials_report tried = {.text = text, .size = text_size};
    const char *named = credentials_set_or_null(profile);
    const char *chosen =
        named ? named : credentials_set_or_null(getenv("AWS_PROFILE"));
    enum credentials_outcome outcome = CREDENTIALS_ABSENT;

    if (text_size)
        *text = '\0';
    credentials_wipe(out);
    credentials_report(&tried, "No AWS credentials. ");
    if (!named)
        outcome = from_environment(out, &tried);
    if (outcome == CREDENTIALS_ABSENT)
        outcome =
            credentials_from_profile(chosen ? chosen : "default", out, &tried);
    if (outcome == CREDENTIALS_FOUND) {
        if (text_size)
            *text = '\0';
        return VR_OK;
    }
    credentials_wipe(out);
    if (outcome == CREDENTIALS_ABSENT)
        credentials_report(
            &tried, named ? "Put aws_access_key_id and "
                            "aws_secret_access_key under that profile"
                          : "Set both variables, or put aws_access_key_id "
                            "and aws_secret_access_key under that profile");
    else
        credentials_report(&tried, "Correct that");
    return VR_AUTH;
}

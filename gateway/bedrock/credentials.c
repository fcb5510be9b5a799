#include "gateway/bedrock/credentials.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "gateway/bedrock/credentials_source.h"
#include "gateway/bedrock/date.h"
#include "gateway/log.h"

void
credentials_wipe(struct credentials *credentials)
{
    OPENSSL_cleanse(credentials, sizeof *credentials);
}

/* Goes on to the end of both fields, so that time tells nothing but sizes;
 * what follows a string's NUL does not count. */
static unsigned
field_difference(const char *a, const char *b, size_t size)
{
    volatile unsigned difference = 0;
    unsigned counts = ~0u;

    for (size_t i = 0; i < size; i++) {
        difference |= (unsigned)(uint8_t)(a[i] ^ b[i]) & counts;
        counts &= 0u - (unsigned)(a[i] != '\0');
    }
    return difference;
}

bool
credentials_same(const struct credentials *a, const struct credentials *b)
{
    return !(field_difference(a->access_key_id, b->access_key_id,
                              sizeof a->access_key_id) |
             field_difference(a->secret_access_key, b->secret_access_key,
                              sizeof a->secret_access_key) |
             field_difference(a->session_token, b->session_token,
                              sizeof a->session_token));
}

bool
credentials_may_change(const struct credentials *credentials)
{
    return credentials->from_file;
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

void
credentials_take_expiry(struct credentials *out, const char *place,
                        const char *name, const char *value)
{
    out->expires_ms = date_iso_ms(value);
    if (!out->expires_ms)
        log_warn(bedrock, NULL,
                 "%s: %s is not a time with a zone such as "
                 "2026-01-31T12:00:00Z, so when the credentials expire is "
                 "unknown",
                 place, name);
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

static enum credentials_outcome
take_variable(int i, struct credentials *out, struct credentials_report *tried)
{
    const char *value = getenv(credentials_fields[i].variable), *fault;
    char *copy;
    size_t chars;

    if (!value)
        return CREDENTIALS_ABSENT;
    value = trimmed(value, &chars);
    copy = strndup(value, chars);
    if (!copy) {
        credentials_report(tried, "environment: no memory for %s. ",
                           credentials_fields[i].variable);
        return CREDENTIALS_NO_MEMORY;
    }
    fault = credentials_fault_of(copy, credentials_fields[i].size);
    if (fault)
        credentials_report(tried, "environment: %s %s. ",
                           credentials_fields[i].variable, fault);
    else
        memcpy(credentials_field_of(out, i), copy, chars + 1);
    OPENSSL_cleanse(copy, chars);
    free(copy);
    return fault ? CREDENTIALS_WRONG : CREDENTIALS_FOUND;
}

static void
take_expiry_variable(struct credentials *out)
{
    static const char name[] = "AWS_CREDENTIAL_EXPIRATION";
    const char *value = credentials_set_or_null(getenv(name));
    char text[64];
    size_t chars;

    if (!value)
        return;
    value = trimmed(value, &chars);
    snprintf(text, sizeof text, "%.*s",
             (int)(chars < sizeof text ? chars : sizeof text - 1), value);
    credentials_take_expiry(out, "environment", name, text);
}

static enum credentials_outcome
from_environment(struct credentials *out, struct credentials_report *tried)
{
    bool has_key, has_secret;

    for (int i = 0; i < CREDENTIALS_FIELD_COUNT; i++) {
        enum credentials_outcome outcome = take_variable(i, out, tried);
        if (credentials_ends_search(outcome))
            return outcome;
    }
    has_key = *out->access_key_id;
    has_secret = *out->secret_access_key;
    if (has_key && has_secret) {
        snprintf(out->source, sizeof out->source, "environment");
        take_expiry_variable(out);
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
    if (outcome == CREDENTIALS_NO_MEMORY) {
        credentials_report(&tried, "Free some memory");
        return VR_NO_MEMORY;
    }
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

#include "gateway/local/authorization.h"

#include <stdio.h>
#include <string.h>

#define ALGORITHM "AWS4-HMAC-SHA256"

/* The value of `name`= in a list parted by commas; false if it is not there or
 * does not fit. */
static bool
parameter(const char *list, const char *name, char *out, size_t size)
{
    size_t name_bytes = strlen(name);
    while (*list != '\0') {
        list += strspn(list, ", ");
        size_t bytes = strcspn(list, ", ");
        if (bytes > name_bytes && strncmp(list, name, name_bytes) == 0 &&
            list[name_bytes] == '=') {
            bytes -= name_bytes + 1;
            if (bytes >= size)
                return false;
            memcpy(out, list + name_bytes + 1, bytes);
            out[bytes] = '\0';
            return true;
        }
        list += bytes;
    }
    return false;
}

/* One part of the credential, up to the next slash. */
static bool
scope_part(char **cursor, char *out, size_t size)
{
    size_t bytes = strcspn(*cursor, "/");
    if (bytes == 0 || bytes >= size)
        return false;
    memcpy(out, *cursor, bytes);
    out[bytes] = '\0';
    *cursor += bytes + ((*cursor)[bytes] == '/');
    return true;
}

static bool
parse_credential(char *credential, struct authorization *out)
{
    return scope_part(&credential, out->access_key_id,
                      sizeof(out->access_key_id)) &&
           scope_part(&credential, out->day, sizeof(out->day)) &&
           scope_part(&credential, out->region, sizeof(out->region)) &&
           scope_part(&credential, out->service, sizeof(out->service)) &&
           scope_part(&credential, out->terminator, sizeof(out->terminator)) &&
           *credential == '\0';
}

bool
authorization_parse(const char *value, struct authorization *out,
                    struct refusal *refusal)
{
    char credential[320];
    size_t algorithm_bytes = strlen(ALGORITHM);
    *out = (struct authorization){0};
    if (strncmp(value, "Bearer ", 7) == 0)
        return refusal_set(
            refusal, REFUSAL_access_denied,
            "API keys are not supported for "
            "InvokeModelWithBidirectionalStream. Sign the request with SigV4.");
    if (strncmp(value, ALGORITHM " ", algorithm_bytes + 1) != 0)
        return refusal_set(refusal, REFUSAL_incomplete_signature,
                           "Unsupported AWS 'algorithm': '%.*s'. The "
                           "Authorization header must begin with '" ALGORITHM
                           " '.",
                           (int)strcspn(value, " "), value);
    value += algorithm_bytes;
    bool has_credential =
        parameter(value, "Credential", credential, sizeof(credential));
    bool has_headers = parameter(value, "SignedHeaders", out->signed_headers,
                                 sizeof(out->signed_headers));
    bool has_signature =
        parameter(value, "Signature", out->signature, sizeof(out->signature));
    if (!has_credential || !has_headers || !has_signature)
        return refusal_set(
            refusal, REFUSAL_incomplete_signature, "%s%s%s",
            has_credential ? ""
                           : "Authorization header requires 'Credential' "
                             "parameter. ",
            has_signature ? ""
                          : "Authorization header requires 'Signature' "
                            "parameter. ",
            has_headers ? ""
                        : "Authorization header requires 'SignedHeaders' "
                          "parameter.");
    if (!parse_credential(credential, out))
        return refusal_set(refusal, REFUSAL_incomplete_signature,
                           "Credential must have exactly 5 slash-delimited "
                           "elements, e.g. keyid/date/region/service/term, "
                           "got '%s'",
                           credential);
    return true;
}

bool
authorization_signs(const struct authorization *authorization, const char *name)
{
    const char *list = authorization->signed_headers;
    size_t name_bytes = strlen(name);
    while (*list != '\0') {
        size_t bytes = strcspn(list, ";");
        if (bytes == name_bytes && memcmp(list, name, bytes) == 0)
            return true;
        list += bytes + (list[bytes] == ';');
    }
    return false;
}

bool
authorization_list_ok(const struct authorization *authorization)
{
    const char *list = authorization->signed_headers;
    char previous[AUTHORIZATION_SIGNED_BYTES] = "";
    if (list[strspn(list, "abcdefghijklmnopqrstuvwxyz0123456789-_.:;")] != '\0')
        return false;
    while (*list != '\0') {
        char name[AUTHORIZATION_SIGNED_BYTES];
        size_t bytes = strcspn(list, ";");
        snprintf(name, sizeof(name), "%.*s", (int)bytes, list);
        if (strcmp(previous, name) >= 0)
            return false;
        memcpy(previous, name, bytes + 1);
        list += bytes + (list[bytes] == ';');
    }
    return previous[0] != '\0';
}

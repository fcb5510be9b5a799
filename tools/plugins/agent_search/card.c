#include "tools/plugins/agent_search/card.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <cjson/cJSON.h>

#include "tools/plugins/agent_search/message.h"
#include "tools/plugins/agent_search/text.h"

/* What the search through a card's interfaces has found. */
struct choice {
    const cJSON *best;
    enum dialect dialect;
    char others[160]; /* what was offered and is of no use */
};

/* 0.2 has the method names and the shapes of 0.3. */
static bool
dialect_of(const char *version, enum dialect *dialect)
{
    if (strncmp(version, "1.", 2) == 0 || strcmp(version, "1") == 0)
        *dialect = DIALECT_1_0;
    else if (strncmp(version, "0.2", 3) == 0 || strncmp(version, "0.3", 3) == 0)
        *dialect = DIALECT_0_3;
    else
        return false;
    return true;
}

static void
note_other(struct choice *choice, const char *transport, const char *version)
{
    char name[40];
    size_t used = strlen(choice->others);

    text_copy(name, sizeof name, transport);
    snprintf(choice->others + used, sizeof choice->others - used, "%s%s%s%.10s",
             used ? ", " : "", name, version[0] ? " " : "", version);
}

static void
consider(struct choice *choice, const cJSON *interface, const char *transport,
         const char *version)
{
    enum dialect dialect;

    if (!transport[0])
        return;
    if (strcasecmp(transport, "JSONRPC") != 0 ||
        !dialect_of(version, &dialect)) {
        note_other(choice, transport, version);
        return;
    }
    if (!choice->best || dialect > choice->dialect) {
        choice->best = interface;
        choice->dialect = dialect;
    }
}

/* 1.0: a list, the preferred first. */
static void
consider_list(struct choice *choice, const cJSON *list)
{
    const cJSON *interface;

    if (!cJSON_IsArray(list))
        return;
    cJSON_ArrayForEach(interface, list)
    {
        consider(choice, interface,
                 message_string(interface, "protocolBinding"),
                 message_string(interface, "protocolVersion"));
    }
}

/* 0.3: the card's own URL, and more of the same version. */
static void
consider_old(struct choice *choice, const cJSON *root)
{
    const cJSON *more =
        cJSON_GetObjectItemCaseSensitive(root, "additionalInterfaces");
    const char *preferred = message_string(root, "preferredTransport");
    const char *version = message_string(root, "protocolVersion");
    const cJSON *interface;

    if (!cJSON_HasObjectItem(root, "url"))
        return;
    if (!version[0])
        version = "0.3";
    consider(choice, root, preferred[0] ? preferred : "JSONRPC", version);
    if (!cJSON_IsArray(more))
        return;
    cJSON_ArrayForEach(interface, more) consider(
        choice, interface, message_string(interface, "transport"), version);
}

static bool
fill(struct card *card, const cJSON *root, const struct choice *choice,
     char *why, size_t why_bytes)
{
    const cJSON *capabilities =
        cJSON_GetObjectItemCaseSensitive(root, "capabilities");
    const char *url = message_string(choice->best, "url");
    const char *tenant = message_string(choice->best, "tenant");
    char fault[120], shown[160];

    if (!address_is_good(url, fault, sizeof fault)) {
        text_copy(shown, sizeof shown, url);
        snprintf(why, why_bytes, "names the URL '%s', which %s", shown, fault);
        return false;
    }
    if (strlen(tenant) >= sizeof card->tenant) {
        snprintf(why, why_bytes, "has a tenant of more than %zu bytes",
                 sizeof card->tenant - 1);
        return false;
    }
    snprintf(card->url, sizeof card->url, "%s", url);
    text_copy(card->tenant, sizeof card->tenant,
              choice->best == root ? "" : tenant);
    card->dialect = choice->dialect;
    card->streaming = cJSON_IsTrue(
        cJSON_GetObjectItemCaseSensitive(capabilities, "streaming"));
    return true;
}

bool
card_read(struct card *card, const char *json, size_t bytes, char *why,
          size_t why_bytes)
{
    cJSON *root = cJSON_ParseWithLength(json, bytes);
    struct choice choice = {0};
    bool good = false;

    memset(card, 0, sizeof *card);
    if (!cJSON_IsObject(root)) {
        snprintf(why, why_bytes, "is no JSON object");
        cJSON_Delete(root);
        return false;
    }
    consider_list(
        &choice, cJSON_GetObjectItemCaseSensitive(root, "supportedInterfaces"));
    consider_old(&choice, root);
    if (choice.best)
        good = fill(card, root, &choice, why, why_bytes);
    else if (choice.others[0])
        snprintf(why, why_bytes,
                 "offers %s; this plugin speaks JSONRPC of A2A 0.3 and 1.0",
                 choice.others);
    else
        snprintf(why, why_bytes, "names no interface to speak to");
    cJSON_Delete(root);
    return good;
}

/* What each family of Nova Sonic models can do, as data (families.tbl.h). */
#ifndef GATEWAY_SONIC_FAMILY_H
#define GATEWAY_SONIC_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sonic_family_id {
#define SONIC_FAMILY(code, name, title, features, rates, regions, voices) \
    SONIC_##code,
#include "gateway/sonic/families.tbl.h"
    SONIC_FAMILY_COUNT
};

struct sonic_features {
    bool endpointing_sensitivity; /* turnDetectionConfiguration */
    bool interactive_text;        /* live text beside the audio */
    bool tool_choice;
    bool async_tools;      /* the model talks on while a tool runs */
    bool interim_results;  /* a placeholder for a tool's result, the real one
                             later: Nova 2.5 takes exactly one (PROTOCOL 4) */
    bool cancelled_result; /* a cancelled tool call is answered, by an error;
                              else it is not answered (PROTOCOL 7) */
    bool system_speech;    /* the role SYSTEM_SPEECH */
    bool speech_events;    /* tells when the user begins and ends to speak */
};

struct sonic_family {
    enum sonic_family_id id;
    const char *name;  /* "v1", "nova2", "nova2.5": as in the configuration */
    const char *title; /* "Amazon Nova 2 Sonic" */
    struct sonic_features features;
    const uint32_t *rates_hz;    /* both directions; ends with 0 */
    const char *const *regions;  /* where it is known to be; ends with NULL */
    enum sonic_family_id voices; /* whose list of voices holds for it */
};

struct sonic_voice {
    const char *id;      /* "matthew" */
    const char *locales; /* "en-US"; several parted by spaces; a polyglot's
                            first is its own */
    bool polyglot;
};

/* The family of a model id, with or without a prefix such as "us." or
 * "global.". An id we do not know gets the nova2 family and `known` (may be
 * NULL) false. Static. [any] */
const struct sonic_family *sonic_family_of_model(const char *model_id,
                                                 bool *known);

/* The family of that name, NULL if there is none. Static. [any] */
const struct sonic_family *sonic_family_named(const char *name);

/* The families one by one, NULL at the end. Static. [any] */
const struct sonic_family *sonic_family_at(size_t index);

/* Whether the family takes and gives audio at this rate. [any] */
bool sonic_family_has_rate(const struct sonic_family *family, uint32_t rate_hz);

/* Whether the family is known to be offered in a region. [any] */
bool sonic_family_has_region(const struct sonic_family *family,
                             const char *region);

/* A voice of the family by its id (lower case), NULL if not known: warn, do
 * not refuse. Static. [any] */
const struct sonic_voice *sonic_family_voice(const struct sonic_family *family,
                                             const char *id);

/* The voices of a family one by one, NULL at the end. Static. [any] */
const struct sonic_voice *
sonic_family_voice_at(const struct sonic_family *family, size_t index);

#endif

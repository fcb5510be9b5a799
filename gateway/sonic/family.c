#include <string.h>

#include "gateway/sonic/family.h"

struct model {
    enum sonic_family_id family;
    const char *id;
};

struct family_voice {
    enum sonic_family_id family;
    struct sonic_voice voice;
};

#define SONIC_LIST(...) __VA_ARGS__

#define SONIC_FAMILY(code, name, title, features, rates, regions, voices) \
    static const uint32_t rates_##code[] = {rates, 0};                    \
    static const char *const regions_##code[] = {regions, NULL};
#include "gateway/sonic/families.tbl.h"

static const struct sonic_family families[] = {
#define SONIC_FAMILY(code, name, title, features, rates, regions, voices) \
    {SONIC_##code, name,           title,         {features},             \
     rates_##code, regions_##code, SONIC_##voices},
#include "gateway/sonic/families.tbl.h"
};

static const struct model models[] = {
#define SONIC_MODEL(family, id) {SONIC_##family, id},
#include "gateway/sonic/families.tbl.h"
};

static const struct family_voice voices[] = {
#define SONIC_VOICE(family, id, locales, polyglot) \
    {SONIC_##family, {id, locales, polyglot}},
#include "gateway/sonic/families.tbl.h"
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* The id behind a prefix such as "us.": known ids all begin alike. */
static const char *
without_prefix(const char *model_id)
{
    const char *own = strstr(model_id, "amazon.");
    if (own && own > model_id && own[-1] == '.')
        return own;
    return model_id;
}

const struct sonic_family *
sonic_family_of_model(const char *model_id, bool *known)
{
    const char *id = without_prefix(model_id);
    if (known)
        *known = true;
    for (size_t i = 0; i < COUNT(models); i++)
        if (strcmp(models[i].id, id) == 0)
            return &families[models[i].family];
    if (known)
        *known = false;
    return &families[SONIC_NOVA2];
}

const struct sonic_family *
sonic_family_named(const char *name)
{
    for (size_t i = 0; i < COUNT(families); i++)
        if (strcmp(families[i].name, name) == 0)
            return &families[i];
    return NULL;
}

const struct sonic_family *
sonic_family_at(size_t index)
{
    return index < COUNT(families) ? &families[index] : NULL;
}

bool
sonic_family_has_rate(const struct sonic_family *family, uint32_t rate_hz)
{
    for (const uint32_t *rate = family->rates_hz; *rate; rate++)
        if (*rate == rate_hz)
            return true;
    return false;
}

bool
sonic_family_has_region(const struct sonic_family *family, const char *region)
{
    for (const char *const *name = family->regions; *name; name++)
        if (strcmp(*name, region) == 0)
            return true;
    return false;
}

const struct sonic_voice *
sonic_family_voice_at(const struct sonic_family *family, size_t index)
{
    for (size_t i = 0; i < COUNT(voices); i++)
        if (voices[i].family == family->voices && index-- == 0)
            return &voices[i].voice;
    return NULL;
}

const struct sonic_voice *
sonic_family_voice(const struct sonic_family *family, const char *id)
{
    const struct sonic_voice *voice;
    for (size_t i = 0; (voice = sonic_family_voice_at(family, i)); i++)
        if (strcmp(voice->id, id) == 0)
            return voice;
    return NULL;
}

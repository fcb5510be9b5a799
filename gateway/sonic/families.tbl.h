/* Models as data (PROTOCOL 0 and 4). Define the macros that are wanted. */
#ifndef SONIC_FAMILY
#define SONIC_FAMILY(code, name, title, features, rates, regions, voices)
#endif
#ifndef SONIC_MODEL
#define SONIC_MODEL(family, id)
#endif
#ifndef SONIC_VOICE
#define SONIC_VOICE(family, id, locales, polyglot)
#endif

/* code, name in the configuration, title, features that it has, rates in Hz,
 * regions, the family whose voices it has. Features: endpointing sensitivity, interactive text, tool choice,
 * async tools, interim results, result of a cancelled call, SYSTEM_SPEECH, speech events. Of interim
 * results Nova 2's documents say nothing: they are not tried there. */
SONIC_FAMILY(V1, "v1", "Amazon Nova Sonic",
    SONIC_LIST(false, false, false, false, true, true, false, false),
    SONIC_LIST(8000, 16000, 24000),
    SONIC_LIST("us-east-1", "ap-northeast-1", "eu-north-1"), V1)
SONIC_FAMILY(NOVA2, "nova2", "Amazon Nova 2 Sonic",
    SONIC_LIST(true, true, true, true, false, true, true, true),
    SONIC_LIST(8000, 16000, 24000),
    SONIC_LIST("us-east-1", "us-west-2", "ap-northeast-1", "eu-north-1"), NOVA2)
SONIC_FAMILY(NOVA2_5, "nova2.5", "Amazon Nova 2.5 Sonic",
    SONIC_LIST(true, true, true, true, false, true, true, true),
    SONIC_LIST(8000, 16000, 24000),
    SONIC_LIST("us-east-1", "us-west-2", "eu-north-1", "ap-northeast-1"), NOVA2)

/* family, id without its prefix. */
SONIC_MODEL(V1, "amazon.nova-sonic-v1:0")
SONIC_MODEL(NOVA2, "amazon.nova-2-sonic-v1:0")
SONIC_MODEL(NOVA2_5, "amazon.nova-2-5-sonic")

/* family, id, locales, speaks every supported language. The sources have no
 * list for Nova 2.5. */
SONIC_VOICE(V1, "tiffany", "en-US", false)
SONIC_VOICE(V1, "matthew", "en-US", false)
SONIC_VOICE(V1, "amy", "en-GB", false)
SONIC_VOICE(V1, "ambre", "fr-FR", false)
SONIC_VOICE(V1, "florian", "fr-FR", false)
SONIC_VOICE(V1, "beatrice", "it-IT", false)
SONIC_VOICE(V1, "lorenzo", "it-IT", false)
SONIC_VOICE(V1, "greta", "de-DE", false)
SONIC_VOICE(V1, "lennart", "de-DE", false)
SONIC_VOICE(V1, "lupe", "es-US", false)
SONIC_VOICE(V1, "carlos", "es-US", false)
SONIC_VOICE(NOVA2, "tiffany", "en-US fr it de es pt hi", true)
SONIC_VOICE(NOVA2, "matthew", "en-US fr it de es pt hi", true)
SONIC_VOICE(NOVA2, "amy", "en-GB", false)
SONIC_VOICE(NOVA2, "olivia", "en-AU", false)
SONIC_VOICE(NOVA2, "kiara", "en-IN hi-IN", false)
SONIC_VOICE(NOVA2, "arjun", "en-IN hi-IN", false)
SONIC_VOICE(NOVA2, "ambre", "fr-FR", false)
SONIC_VOICE(NOVA2, "florian", "fr-FR", false)
SONIC_VOICE(NOVA2, "beatrice", "it-IT", false)
SONIC_VOICE(NOVA2, "lorenzo", "it-IT", false)
SONIC_VOICE(NOVA2, "tina", "de-DE", false)
SONIC_VOICE(NOVA2, "lennart", "de-DE", false)
SONIC_VOICE(NOVA2, "lupe", "es-US", false)
SONIC_VOICE(NOVA2, "carlos", "es-US", false)
SONIC_VOICE(NOVA2, "carolina", "pt-BR", false)
SONIC_VOICE(NOVA2, "leo", "pt-BR", false)

#undef SONIC_FAMILY
#undef SONIC_MODEL
#undef SONIC_VOICE

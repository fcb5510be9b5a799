/* The ear of a script: a grammar of every phrase that may be spoken. */
#include "gateway/local/script.h"

#include "gateway/local/ear.h"

#include <stdlib.h>
#include <string.h>

#define PHRASE_BYTES 1024

/* The phrases that can be spoken, normalised; malloc'ed in one piece each. */
static size_t
spoken_phrases(const struct script *script, char **phrases, size_t room)
{
    size_t count = 0;

    for (size_t i = 0; i < script->line_count; i++) {
        const struct script_line *line = &script->lines[i];
        const cJSON *item;

        if ((line->on & (SCRIPT_ON_SPEECH | SCRIPT_ON_TRIGGER)) == 0)
            continue;
        cJSON_ArrayForEach(item, line->hear)
        {
            char phrase[PHRASE_BYTES];

            script_normalise(item->valuestring, phrase, sizeof(phrase));
            if (phrase[0] == '\0' || strchr(phrase, '*') != NULL)
                continue;
            if (count < room)
                phrases[count] = strdup(phrase);
            count += count >= room || phrases[count] != NULL;
        }
    }
    return count;
}

bool
script_prepare_ear(struct script *script, char *problem, size_t problem_size)
{
    size_t count = spoken_phrases(script, NULL, 0);
    char **phrases = calloc(count + 1, sizeof(*phrases));

    problem[0] = '\0';
    if (script->ears != NULL || phrases == NULL) {
        free(phrases);
        return script->ears != NULL;
    }
    count = spoken_phrases(script, phrases, count);
    script->ears = ear_pool_new((const char *const *)phrases, count, problem,
                                problem_size);
    for (size_t i = 0; i < count; i++)
        free(phrases[i]);
    free(phrases);
    return script->ears != NULL;
}

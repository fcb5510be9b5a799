/* The pronunciations of a script's words, out of the dictionary that comes
 * with pocketsphinx. A decoder with these few words starts in a fraction of
 * the time and memory of one with all hundred thousand. */
#ifndef GATEWAY_LOCAL_LEXICON_H
#define GATEWAY_LOCAL_LEXICON_H

#include <stdbool.h>
#include <stddef.h>

struct lexicon_entry {
    char *word; /* other pronunciations are `word(2)` and so on */
    char *phones;
};

struct lexicon {
    struct lexicon_entry *entries;
    size_t count;
    size_t room;
};

/* The folder of the acoustic model, malloc'ed; its parent holds the
 * dictionary. NULL: none is installed. Looks into $POCKETSPHINX_PATH first.
 * [any] */
char *lexicon_model_folder(void);

/* Looks up every word of the phrases. False: `problem` names what is missing;
 * lexicon_fini() is due all the same. [any] */
bool lexicon_init(struct lexicon *lexicon, const char *const *phrases,
                  size_t count, char *problem, size_t problem_size);
void lexicon_fini(struct lexicon *lexicon);

#endif

#include "gateway/local/lexicon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DICTIONARY "en-us/cmudict-en-us.dict"
#define MODEL "en-us/en-us"

static char *
path_of(const char *name)
{
    const char *folders[] = {getenv("POCKETSPHINX_PATH"),
                             "/usr/share/pocketsphinx/model",
                             "/usr/local/share/pocketsphinx/model"};

    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        struct stat status;
        size_t bytes;
        char *path;

        if (folders[i] == NULL)
            continue;
        bytes = strlen(folders[i]) + strlen(name) + 2;
        path = malloc(bytes);
        if (path == NULL)
            return NULL;
        snprintf(path, bytes, "%s/%s", folders[i], name);
        if (stat(path, &status) == 0)
            return path;
        free(path);
    }
    return NULL;
}

char *
lexicon_model_folder(void)
{
    return path_of(MODEL);
}

static bool
add(struct lexicon *lexicon, const char *word, const char *phones)
{
    struct lexicon_entry *entry;

    if (lexicon->count == lexicon->room) {
        size_t room = lexicon->room == 0 ? 64 : lexicon->room * 2;

        entry = realloc(lexicon->entries, room * sizeof(*entry));
        if (entry == NULL)
            return false;
        lexicon->entries = entry;
        lexicon->room = room;
    }
    entry = &lexicon->entries[lexicon->count];
    entry->word = strdup(word);
    entry->phones = strdup(phones);
    if (entry->word == NULL || entry->phones == NULL) {
        free(entry->word);
        free(entry->phones);
        return false;
    }
    lexicon->count++;
    return true;
}

/* Whether the first `bytes` of word are a word of one of the phrases. */
static bool
is_wanted(const char *const *phrases, size_t count, const char *word,
          size_t bytes)
{
    for (size_t i = 0; i < count; i++) {
        const char *p = phrases[i];

        while (*p != '\0') {
            size_t length = strcspn(p, " ");

            if (length == bytes && memcmp(p, word, bytes) == 0)
                return true;
            p += length;
            p += *p == ' ';
        }
    }
    return false;
}

static bool
read_dictionary(struct lexicon *lexicon, FILE *file, const char *const *phrases,
                size_t count)
{
    char line[512];

    while (fgets(line, sizeof(line), file) != NULL) {
        char *phones = strchr(line, ' ');

        if (phones == NULL)
            continue;
        *phones++ = '\0';
        phones[strcspn(phones, "\r\n")] = '\0';
        if (is_wanted(phrases, count, line, strcspn(line, "(")) &&
            !add(lexicon, line, phones))
            return false;
    }
    return true;
}

static bool
has_word(const struct lexicon *lexicon, const char *word, size_t bytes)
{
    for (size_t i = 0; i < lexicon->count; i++) {
        const char *known = lexicon->entries[i].word;

        if (strlen(known) == bytes && memcmp(known, word, bytes) == 0)
            return true;
    }
    return false;
}

static bool
check_phrase(const struct lexicon *lexicon, const char *phrase, char *problem,
             size_t problem_size)
{
    const char *p = phrase;

    while (*p != '\0') {
        size_t length = strcspn(p, " ");

        if (!has_word(lexicon, p, length)) {
            snprintf(problem, problem_size,
                     "the word \"%.*s\" in \"%.80s\" is not in the "
                     "dictionary: use another, or \"on\": \"text\" for that "
                     "line",
                     (int)(length > 64 ? 64 : length), p, phrase);
            return false;
        }
        p += length;
        p += *p == ' ';
    }
    return true;
}

bool
lexicon_init(struct lexicon *lexicon, const char *const *phrases, size_t count,
             char *problem, size_t problem_size)
{
    char *path = path_of(DICTIONARY);
    FILE *file = path == NULL ? NULL : fopen(path, "r");
    bool good;

    memset(lexicon, 0, sizeof(*lexicon));
    free(path);
    if (file == NULL) {
        snprintf(problem, problem_size,
                 "no dictionary: install pocketsphinx-en-us");
        return false;
    }
    good = read_dictionary(lexicon, file, phrases, count);
    fclose(file);
    if (!good)
        snprintf(problem, problem_size, "out of memory");
    for (size_t i = 0; good && i < count; i++)
        good = check_phrase(lexicon, phrases[i], problem, problem_size);
    return good;
}

void
lexicon_fini(struct lexicon *lexicon)
{
    for (size_t i = 0; i < lexicon->count; i++) {
        free(lexicon->entries[i].word);
        free(lexicon->entries[i].phones);
    }
    free(lexicon->entries);
    memset(lexicon, 0, sizeof(*lexicon));
}

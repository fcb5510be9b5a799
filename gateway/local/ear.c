#include "gateway/local/ear.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if VR_HAVE_POCKETSPHINX

#include "gateway/local/lexicon.h"

#include <pocketsphinx.h>
#include <sphinxbase/err.h>
#include <sphinxbase/jsgf.h>

#define SEARCH "script"
/* More than these are not worth their memory. */
#define IDLE_MAX 8

struct ear {
    struct ear *next; /* idle ones, in the pool */
    struct ear_pool *pool;
    ps_decoder_t *decoder;
    mfcc_t *means; /* of the cepstra, as the model has them */
};

struct ear_pool {
    struct lexicon lexicon;
    char *model;   /* folder of the acoustic model */
    char *grammar; /* JSGF */
    struct ear *idle;
    size_t idle_count;
};

static char *
make_grammar(const char *const *phrases, size_t count)
{
    size_t bytes = 256;
    char *grammar;
    size_t used;

    for (size_t i = 0; i < count; i++)
        bytes += strlen(phrases[i]) + 8;
    grammar = malloc(bytes);
    if (grammar == NULL)
        return NULL;
    used = (size_t)snprintf(grammar, bytes,
                            "#JSGF V1.0;\ngrammar script;\npublic <line> =\n");
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(grammar + used, bytes - used, "%s (%s)\n",
                                 i == 0 ? " " : "|", phrases[i]);
    snprintf(grammar + used, bytes - used, ";\n");
    return grammar;
}

static void
decoder_free(struct ear *ear)
{
    if (ear->decoder != NULL)
        ps_free(ear->decoder);
    free(ear->means);
    free(ear);
}

static bool
add_words(struct ear *ear, const struct lexicon *lexicon)
{
    for (size_t i = 0; i < lexicon->count; i++) {
        if (ps_add_word(ear->decoder, lexicon->entries[i].word,
                        lexicon->entries[i].phones, FALSE) < 0)
            return false;
    }
    return true;
}

/* By hand, because ps_set_jsgf_string() keeps the parsed grammar for ever. */
static bool
set_grammar(struct ear *ear, const char *grammar)
{
    logmath_t *logmath = ps_get_logmath(ear->decoder);
    double weight = cmd_ln_float_r(ps_get_config(ear->decoder), "-lw");
    jsgf_t *jsgf = jsgf_parse_string(grammar, NULL);
    jsgf_rule_t *rule = jsgf == NULL ? NULL : jsgf_get_public_rule(jsgf);
    fsg_model_t *fsg = rule == NULL
                           ? NULL
                           : jsgf_build_fsg(jsgf, rule, logmath, (float)weight);
    bool set = fsg != NULL && ps_set_fsg(ear->decoder, SEARCH, fsg) == 0 &&
               ps_set_search(ear->decoder, SEARCH) == 0;

    if (fsg != NULL)
        fsg_model_free(fsg);
    if (jsgf != NULL)
        jsgf_grammar_free(jsgf);
    return set;
}

/* A decoder learns the means of what it hears; after three greetings it takes
 * a question for nothing. Each utterance starts from the model's own. */
static bool
keep_means(struct ear *ear)
{
    cmn_t *cmn = ps_get_feat(ear->decoder)->cmn_struct;

    ear->means = calloc((size_t)cmn->veclen, sizeof(*ear->means));
    if (ear->means == NULL)
        return false;
    cmn_live_get(cmn, ear->means);
    return true;
}

static struct ear *
decoder_new(struct ear_pool *pool)
{
    struct ear *ear = calloc(1, sizeof(*ear));
    cmd_ln_t *config = cmd_ln_init(NULL, ps_args(), TRUE, "-hmm", pool->model,
                                   "-samprate", "16000", "-remove_silence",
                                   "no", "-logfn", "/dev/null", NULL);

    if (ear != NULL && config != NULL)
        ear->decoder = ps_init(config);
    if (config != NULL)
        cmd_ln_free_r(config);
    if (ear == NULL || ear->decoder == NULL || !keep_means(ear) ||
        !add_words(ear, &pool->lexicon) || !set_grammar(ear, pool->grammar)) {
        if (ear != NULL)
            decoder_free(ear);
        return NULL;
    }
    ear->pool = pool;
    return ear;
}

struct ear_pool *
ear_pool_new(const char *const *phrases, size_t count, char *problem,
             size_t problem_size)
{
    struct ear_pool *pool = calloc(1, sizeof(*pool));

    err_set_logfp(NULL);
    if (pool == NULL || count == 0) {
        snprintf(problem, problem_size, "%s",
                 count == 0 ? "no line of the script can be spoken"
                            : "out of memory");
        free(pool);
        return NULL;
    }
    pool->grammar = make_grammar(phrases, count);
    pool->model = lexicon_model_folder();
    if (pool->model == NULL)
        snprintf(problem, problem_size,
                 "no acoustic model: install pocketsphinx-en-us");
    else if (pool->grammar == NULL)
        snprintf(problem, problem_size, "out of memory");
    else if (lexicon_init(&pool->lexicon, phrases, count, problem,
                          problem_size))
        pool->idle = decoder_new(pool);
    pool->idle_count = pool->idle != NULL;
    if (pool->idle != NULL)
        return pool;
    if (problem[0] == '\0')
        snprintf(problem, problem_size,
                 "pocketsphinx does not take the "
                 "grammar of the script");
    ear_pool_free(&pool);
    return NULL;
}

void
ear_pool_free(struct ear_pool **pool)
{
    struct ear_pool *p = *pool;

    if (p == NULL)
        return;
    while (p->idle != NULL) {
        struct ear *ear = p->idle;

        p->idle = ear->next;
        decoder_free(ear);
    }
    lexicon_fini(&p->lexicon);
    free(p->model);
    free(p->grammar);
    free(p);
    *pool = NULL;
}

struct ear *
ear_open(struct ear_pool *pool)
{
    struct ear *ear = pool->idle;

    if (ear != NULL) {
        pool->idle = ear->next;
        pool->idle_count--;
    } else {
        ear = decoder_new(pool);
    }
    if (ear == NULL)
        return NULL;
    ps_start_stream(ear->decoder);
    cmn_live_set(ps_get_feat(ear->decoder)->cmn_struct, ear->means);
    if (ps_start_utt(ear->decoder) == 0)
        return ear;
    decoder_free(ear);
    return NULL;
}

void
ear_feed(struct ear *ear, const int16_t *samples, size_t frames)
{
    ps_process_raw(ear->decoder, samples, frames, FALSE, FALSE);
}

void
ear_close(struct ear **ear, char *heard, size_t heard_size)
{
    struct ear *e = *ear;
    const char *phrase;
    int32 score;

    heard[0] = '\0';
    if (e == NULL)
        return;
    ps_end_utt(e->decoder);
    phrase = ps_get_hyp(e->decoder, &score);
    if (phrase != NULL)
        snprintf(heard, heard_size, "%s", phrase);
    *ear = NULL;
    if (e->pool->idle_count >= IDLE_MAX) {
        decoder_free(e);
        return;
    }
    e->next = e->pool->idle;
    e->pool->idle = e;
    e->pool->idle_count++;
}

#else

struct ear_pool *
ear_pool_new(const char *const *phrases, size_t count, char *problem,
             size_t problem_size)
{
    (void)phrases;
    (void)count;
    snprintf(problem, problem_size,
             "built without pocketsphinx: install libpocketsphinx-dev and "
             "pocketsphinx-en-us, build again, or use --ear script");
    return NULL;
}

void
ear_pool_free(struct ear_pool **pool)
{
    *pool = NULL;
}

struct ear *
ear_open(struct ear_pool *pool)
{
    (void)pool;
    return NULL;
}

void
ear_feed(struct ear *ear, const int16_t *samples, size_t frames)
{
    (void)ear;
    (void)samples;
    (void)frames;
}

void
ear_close(struct ear **ear, char *heard, size_t heard_size)
{
    (void)heard_size;
    heard[0] = '\0';
    *ear = NULL;
}

#endif
